"""Fixed in one version, broken in another: what became of tests of the workspace."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rlhi.contracts import AnsweredTest, EvalResult, Message, Profile, ToldClaim, WorkspaceTest
from rlhi.evaluate.history import HistoryOfTest, answered_tests, changed, histories
from rlhi.evaluate.said import MODELS, AskedTests, Reply, Said
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites.resolution import resolution, resolution_beyond_two_sentences
from rlhi.progress import progress
from tests.support.choices import WordEmbedder

ASK = (Message("user", "How do tides work?"),)
ORIGINAL = "The tides work by the moon, and by the sun, and by the turning of the whole wide earth."


def wanted(key: str, *checks: str, held_out: bool = True) -> WorkspaceTest:
    asked = tuple(ToldClaim(f"Wants {check}.", check) for check in checks)
    return WorkspaceTest(key, "t1", "u1", 2, 0, held_out, ASK, Profile(), ORIGINAL, asked, 1)


def row(cycle: int, resolved: int, version: str = "", test: str = "a", replies: int = 2) -> AnsweredTest:
    return AnsweredTest(
        test, "u1", cycle, "champion" if version else "challenger", version, resolved, replies, "It says."
    )


def became(*rows: AnsweredTest, promoted: Mapping[int, str] | None = None) -> HistoryOfTest:
    (found,) = histories([wanted("a", "shorter")], rows, promoted or {})
    return found


def test_a_test_is_fixed_in_one_version_and_broken_in_another() -> None:
    rows = row(1, 0, "v0.1.0"), row(1, 2), row(2, 2, "v0.2.0"), row(3, 2, "v0.2.0"), row(4, 0, "v0.3.0")
    found = became(*rows, promoted={1: "v0.2.0", 3: "v0.3.0"})
    assert (found.state, found.since) == ("broken", "v0.3.0")
    assert found.told == "fixed in policy@v0.2.0, broken in policy@v0.3.0"
    now = became(*rows[:2], promoted={1: "v0.2.0"})
    assert now.told == "fixed in policy@v0.2.0", "what a promoted challenger said is the new champion's"
    assert became(*rows[:2]).told == "failing since policy@v0.1.0", "a challenger that was refused is no version"


def test_what_is_done_in_some_replies_alone_changes_nothing() -> None:
    assert became(row(1, 1, "v0.1.0")).told == "unsteady"
    assert became(row(1, 0, "v0.1.0"), row(2, 1, "v0.2.0")).told == "failing since policy@v0.1.0"
    assert became(row(1, 1, "v0.1.0"), row(2, 2, "v0.2.0")).told == "held since policy@v0.2.0"


def test_the_worst_stand_first_and_who_teaches_last() -> None:
    tests = [
        wanted("c", "shorter"), wanted("l", "shorter", held_out=False), wanted("b", "shorter"), wanted("w", "shorter")
    ]  # fmt: skip
    rows = [row(1, 2, "v0.1.0", "c"), row(1, 2, "v0.1.0", "b"), row(2, 0, "v0.2.0", "b")]
    assert [(one.test.key, one.state) for one in histories(tests, rows, {})] == [
        ("b", "broken"), ("c", "held"), ("w", "waiting"), ("l", "learned"),
    ]  # fmt: skip


def test_what_a_challenger_fixes_and_breaks_in_its_cycle() -> None:
    rows = [row(3, 0, "v0.1.0", "a"), row(3, 2, "", "a"), row(3, 2, "v0.1.0", "b"), row(3, 0, "", "b")]
    rows += [row(3, 1, "v0.1.0", "c"), row(3, 2, "", "c"), row(2, 0, "v0.1.0", "d"), row(2, 2, "", "d")]
    assert changed(rows, 3) == (["a"], ["b"])


def both_said(champion: str, challenger: str, *checks: str) -> AskedTests:
    said = {
        model: [Reply("a/0", "u1", Profile(), ASK, text)]
        for model, text in zip(MODELS, (champion, challenger), strict=True)
    }
    return AskedTests({"a": wanted("a", *checks)}, said)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The tides work by the moon", 1.0),
        ("The tides, they work by the moon", 0.5),
        ("A dog barks", 0.0),  # short, and of something else
        ("", 0.0),
        (ORIGINAL, 0.0),
    ],
)
def test_resolution_is_the_share_of_what_was_asked_of_a_reply_that_is_about_it(text: str, value: float) -> None:
    rows = resolution(tested=both_said(ORIGINAL, text, "no_commas", "shorter"), embedder=WordEmbedder())
    assert [(one.model, one.value) for one in rows] == [("champion", 0.0), ("challenger", value)]


def test_another_language_is_near_nothing_and_counts_where_it_was_asked_for() -> None:
    french = "Les marées viennent de la lune et du soleil"
    asked = both_said(french, "Sun", "language:fr")
    assert [one.value for one in resolution(tested=asked, embedder=WordEmbedder())] == [1.0, 0.0]
    assert [one.value for one in resolution(tested=both_said(french, french, "shorter"), embedder=WordEmbedder())] == [
        0.0, 0.0,
    ]  # fmt: skip


def test_the_dumbest_control_is_two_sentences() -> None:
    long = "The tides work by the moon. And by the sun. How do they work? So do the tides work, and so on."
    asked = both_said(long, long, "at_most_sentences:2")
    (found,) = measure(resolution_beyond_two_sentences(tested=asked, embedder=WordEmbedder()))
    assert (found.champion.mean, found.challenger.mean, found.gain.mean) == (1.0, 0.0, -1.0)


def test_outcomes_are_told_by_test_and_model() -> None:
    asked = both_said("The tides work by the moon", ORIGINAL, "shorter")
    said = Said({}, WordEmbedder(), None, progress, tested=asked)  # type: ignore[arg-type]
    rows = resolution(tested=asked, embedder=WordEmbedder())
    rows.append(EvalResult("nearness", "a/0", "u1", "champion", 0.0))
    assert said.tested is asked
    assert list(answered_tests(asked, rows, 4, "v0.2.0")) == [
        AnsweredTest("a", "u1", 4, "champion", "v0.2.0", 1, 1, "The tides work by the moon"),
        AnsweredTest("a", "u1", 4, "challenger", "", 0, 1, ORIGINAL),
    ]
