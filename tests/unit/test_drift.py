"""Drift by user: what a row counts, tests that agree with scipy's, and false alarms that are what is said of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, ks_2samp
from statsmodels.stats.multitest import multipletests

from rlhi.config import DriftConfig
from rlhi.config.evaluate import ColumnConfig, ColumnsConfig
from rlhi.contracts import (
    Claim,
    Conversation,
    DriftReport,
    FeedbackLabel,
    FeedbackTurn,
    Turn,
    from_record,
    schema_of,
    to_record,
)
from rlhi.evaluate.drift import DriftRow, by_user, compared, drift, drift_row, examples, wishes_by_user
from rlhi.evaluate.drift.compare import raised_to
from rlhi.evaluate.drift.rows import CATEGORICAL, COLUMNS, NUMERICAL
from rlhi.evaluate.drift.topics import topics
from rlhi.evaluate.drift.two_samples import coded, holm, least_shown
from tests.support.drift import rows
from tests.support.personas import persona

LIVE = "</script><script>alert(1)</script><!-- &amp;"
NOTHING = DriftRow(None, None, None, None, None, None, None, None)


def conversation(*texts: str, language: str | None = "en", name: str = "c1", user: str = "u1") -> Conversation:
    turns = tuple(turn for text in texts for turn in (Turn("user", text), Turn("assistant", "An answer?")))
    return Conversation(name, user, "real", None, None, language, turns, "test")


def label(name: FeedbackLabel, index: int, conversation_id: str = "c1") -> FeedbackTurn:
    return FeedbackTurn(f"k{index}", conversation_id, "u1", index, name, 0.9)


def test_a_row_counts_the_users_side_and_what_they_say_of_answers_apart() -> None:
    labels = [
        label("reattempt_with_feedback", 2),
        label("positive_feedback", 6),
        label("continuation", 4),
        label("reattempt_without_feedback", 2, "another"),
    ]
    talk = conversation("How do I sort a list?", "no, in place", "and a dict", "thanks")
    row = drift_row(talk, labels)
    assert row == DriftRow(4.0, 6.0, 4.5, 0.5, 0.0, 0.0, 1 / 3, 1 / 3, "en")
    fewer = drift_row(conversation("How do I sort a list?", "and a dict"), [label("continuation", 2)])
    unmoved = ("request_words", "mean_words", "question_share", "code")
    assert all(getattr(row, name) == getattr(fewer, name) for name in unmoved), "complaints move nothing but themselves"


def test_a_row_of_code_and_of_nothing() -> None:
    assert drift_row(conversation("fix this\nimport os\nprint(1)", "and why?"), []).code == 0.5
    assert drift_row(conversation("été", language=None), []).language == "unknown"
    assert drift_row(conversation("été"), [], "fr").language == "fr", "the text tells before the log"
    empty = drift_row(Conversation("c1", "u1", "real", None, None, None, (), "test"), [])
    assert replace(empty, turns=None, language=None) == NOTHING and empty.turns == 0


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("en", "en"), ("EN", "en"), ("pt_BR", "pt_br"), ("zh-Hant-TW", "zh-hant-tw"), (None, "unknown"),
        ("", "unknown"), (" ", "unknown"), (" unknown ", "unknown"), ("klingon", "other"), ("en\n", "en"),
        ("e", "other"), (LIVE, "other"), ("en<b>", "other"), ("a" * 10_000, "other"), ("en-" * 10 + "en", "other"),
    ],
)  # fmt: skip
def test_a_log_cannot_name_its_language_as_it_likes(told: str | None, kept: str) -> None:
    assert drift_row(conversation("Hello", language=told), []).language == kept


def test_every_column_is_compared_and_does_something() -> None:
    assert list(COLUMNS) == schema_of(DriftRow).names and {*NUMERICAL, *CATEGORICAL} == set(COLUMNS)
    assert set(ColumnsConfig.model_fields) == set(COLUMNS)
    does = {name: one["does"] for name, one in ColumnsConfig().model_dump().items()}
    assert {name for name, one in does.items() if one == "note"} == {"turns", "reattempt_share", "positive_share"}
    assert set(does.values()) == {"note", "block"}


def test_a_user_is_one_row_of_what_is_known() -> None:
    talks = [replace(NOTHING, turns=1.0, language="en"), replace(NOTHING, turns=4.0, code=1.0, language="en")]
    talks += [replace(NOTHING, turns=math.nan, language="fr")]
    assert by_user([("u", row) for row in talks]) == {"u": replace(NOTHING, turns=2.5, code=1.0, language="en")}
    assert by_user([]) == {}


def test_as_many_conversations_of_each_user_are_compared_on_both_sides() -> None:
    former = [conversation("Hi", name=f"f{at}", user=f"u{at % 40}") for at in range(400)]
    new = [conversation("Hi", name=f"n{at}", user=f"v{at}") for at in range(50)]
    once, drawn = compared(new, former, DriftConfig())
    assert len(once) == 50 and len(drawn) == len({one.user_id for one in drawn}) == 40
    assert compared(new[::-1], former[::-1], DriftConfig()) == (once, drawn)
    some, few = compared(former, former, DriftConfig(users=30, conversations=3))
    assert len(some) == len(few) == 90 and len({one.user_id for one in some}) == 30
    assert compared([], [], DriftConfig()) == ([], [])


def test_a_user_s_wishes_are_what_the_persona_s_claims_are_about() -> None:
    wish = Claim("constraint", "Keep it short.", 0.8, ("a#2",), topics=("length",))
    seen = Claim("topic", "Asks about ferns.", 0.8, ("a#0",))
    told = [replace(persona("u", ""), claims=(wish, seen, Claim("format", "Use lists.", 0.5, ("b#2",))))]
    assert wishes_by_user([*told, persona("v", "")]) == {"u": ["length", "format"], "v": []}
    assert drift_row(conversation("Hi"), [], None, ["length", "format", "length"]).claim == "length"
    assert drift_row(conversation("Hi"), [], None, []).claim is None


class Letters:
    """An embedder whose axes are first letters."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(256, dtype=np.float32)[[ord(text[0]) % 256 for text in texts]]


def test_topics_are_clusters_of_the_former_requests() -> None:
    former = [f"{letter}{at}" for letter, times in (("a", 30), ("b", 20), ("c", 10)) for at in range(times)]
    new, old = topics(["a new one", "", "c"], former, Letters(), 3)
    assert old == ["topic 1"] * 30 + ["topic 2"] * 20 + ["topic 3"] * 10 and new == ["topic 1", None, "topic 3"]
    again, back = topics(["c", "", "a new one"], former[::-1], Letters(), 3)
    assert (again, back) == (new[::-1], old[::-1])
    assert topics(["a"], ["a", "b", ""], Letters(), 3) == ([None], [None, None, None])


values = st.lists(st.integers(0, 12).map(float), min_size=30, max_size=90)


@given(values, values)
def test_numbers_are_compared_as_scipy_does(now: list[float], then: list[float]) -> None:
    column = coded([*now, *then], "ks")
    places = np.arange(len(column.codes))[None, :]
    (distance,), (p,) = column.compare(column.counts(places[:, : len(now)]), column.counts(places[:, len(now) :]))
    expected = ks_2samp(now, then, method="asymp")
    assert distance == pytest.approx(expected.statistic)
    assert p == pytest.approx(expected.pvalue, rel=0.15, abs=1e-6 if expected.pvalue < 0.05 else 0.04)


@given(values, values)
def test_categories_are_compared_as_scipy_does(now: list[float], then: list[float]) -> None:
    sides = [[str(value % 4) for value in side] for side in (now, then)]
    column = coded([*sides[0], *sides[1]], "chi_square")
    places = np.arange(len(column.codes))[None, :]
    counts = [column.counts(part) for part in (places[:, : len(now)], places[:, len(now) :])]
    (distance,), (p,) = column.compare(*counts)
    table = np.concatenate(counts)
    shares = table / table.sum(axis=1, keepdims=True)
    assert distance == pytest.approx(abs(shares[0] - shares[1]).sum() / 2)
    if column.levels > 1 and chi2_contingency(table).expected_freq.min() >= 5:
        assert p == pytest.approx(chi2_contingency(table).pvalue)
    elif column.levels == 1:
        assert p == 1


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p: list[float]) -> None:
    assert holm(np.array([p, p[::-1]]))[0] == pytest.approx(multipletests(p, method="holm")[1])


def test_what_can_be_seen_follows_from_the_users() -> None:
    assert least_shown(0.001, 30, 300) == pytest.approx(0.37, abs=0.02) and least_shown(0.001, 5, 5) == 1
    assert ks_2samp(np.arange(100), np.arange(100) + 28, method="asymp").pvalue == pytest.approx(0.0006, abs=0.0003)


@pytest.mark.parametrize(
    ("now", "before", "status"), [(40, 0, "no_reference"), (0, 0, "no_reference"), (0, 40, "too_few"),
                                  (29, 40, "too_few"), (40, 29, "too_few"), (1, 1, "too_few")],
)  # fmt: skip
def test_too_few_users_say_nothing(now: int, before: int, status: str) -> None:
    report = drift(rows(now, 1), rows(before, 2), DriftConfig(splits=0))
    assert (report.status, report.current_users, report.reference_users, report.found) == (status, now, before, ())
    assert (report.current, report.reference) == (3 * now, 3 * before)


def test_other_users_drift_and_the_columns_are_named() -> None:
    report = drift(rows(120, 3, scale=4.0, languages=("de", "en")), rows(150, 2), DriftConfig(splits=200))
    assert report.status == "drifted" and report.failed == ("request_words", "mean_words", "language")
    assert report.failed_that("block") == report.failed and report.failed_that("note") == ()
    assert report.share == len(report.failed) / len(report.columns) == 3 / 11
    assert from_record(DriftReport, to_record(report)) == report
    noted = {name: ColumnConfig(does="note") for name in report.failed} | {"language": ColumnConfig(does="ask")}
    milder = drift(
        rows(120, 3, scale=4.0, languages=("de", "en")), rows(150, 2),
        DriftConfig(splits=0, columns=ColumnsConfig.model_validate(noted)),
    )  # fmt: skip
    assert (milder.failed, milder.failed_that("block"), milder.failed_that("ask")) == (report.failed, (), ("language",))


def test_complaints_that_halve_are_noted_and_do_not_block() -> None:
    former = rows(200, 2)
    new = [(user, replace(row, reattempt_share=(row.reattempt_share or 0) / 3)) for user, row in rows(200, 1)]
    report = drift(new, former, DriftConfig(splits=0))
    assert (report.status, report.failed, report.failed_that("block")) == ("drifted", ("reattempt_share",), ())


def test_a_difference_below_the_least_distance_is_none_however_many_users_show_it() -> None:
    new = rows(1000, 1, scale=1.4, conversations=1)
    strict = ColumnsConfig(request_words=ColumnConfig(least=0.05), mean_words=ColumnConfig(least=0.05))
    assert drift(new, rows(1000, 2, conversations=1), DriftConfig(splits=0)).status == "stable"
    seen = drift(new, rows(1000, 2, conversations=1), DriftConfig(splits=0, columns=strict))
    assert set(seen.failed) == {"request_words", "mean_words"}


def test_one_value_throughout_and_a_column_that_few_have_are_not_compared() -> None:
    same = [(f"u{at}", replace(NOTHING, turns=1.0, language="en")) for at in range(40)]
    assert drift(same, same, DriftConfig()).status == "stable" and drift(same, same, DriftConfig()).columns == ()
    few = [(user, replace(row, claim=None if at > 20 else row.claim)) for at, (user, row) in enumerate(rows(60, 1))]
    assert "claim" not in drift(few, rows(60, 2), DriftConfig(splits=0)).columns


numbers = st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from((math.nan, math.inf, -math.inf)))
odd_rows = st.builds(
    DriftRow, *[numbers] * len(NUMERICAL), **{name: st.sampled_from((None, "a", "b")) for name in CATEGORICAL}
)
users = st.lists(st.tuples(st.sampled_from([f"u{at}" for at in range(12)]), odd_rows), max_size=40)


@settings(deadline=None, max_examples=60)
@given(users, users, st.randoms(use_true_random=False))
def test_any_rows_have_a_report_whatever_their_order(
    new: list[tuple[str, DriftRow]], former: list[tuple[str, DriftRow]], rng: random.Random
) -> None:
    config = DriftConfig(min_users=5, splits=20)
    report = drift(new, former, config)
    assert from_record(DriftReport, to_record(report)) == report
    assert 0 <= report.share <= 1 and report.raised >= 1 and set(report.failed) <= set(report.columns)
    assert all(0 <= one.p <= 1 and 0 <= one.distance <= 1 for one in report.found)
    rng.shuffle(new)
    rng.shuffle(former)
    assert drift(new, former, config) == report


@settings(deadline=None, max_examples=5, derandomize=True)
@given(st.integers(0, 2**20), st.sampled_from(((40, 60), (80, 80), (30, 200))), st.sampled_from((1, 6)))
def test_false_alarms_keep_to_the_level_where_users_are_drawn_from_one_population(
    seed: int, sizes: tuple[int, int], conversations: int
) -> None:
    """Rows of one user resemble each other: who takes these for independent is alarmed in one case of ten."""
    people = list(by_user(rows(sum(sizes), seed, conversations=conversations)).items())
    rng = random.Random(seed)
    alarms = 0
    for _ in range(60):
        rng.shuffle(people)
        alarms += drift(people[: sizes[0]], people[sizes[0] :], DriftConfig(splits=0, level=0.05)).status == "drifted"
    assert alarms <= 9, "the 99.8th percentile of 60 draws at 5%"


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.sampled_from((0.01, 0.05, 0.2)))
def test_more_false_alarms_than_the_level_raise_what_is_needed_to_their_quantile(
    excess: list[float], level: float
) -> None:
    share, factor = raised_to(np.array(excess), level)
    assert share == pytest.approx(sum(one >= 1 for one in excess) / len(excess))
    assert (factor == 1) == (share <= level)
    assert sum(one >= factor for one in excess) <= level * len(excess) + 1e-9


def test_a_report_with_raised_distances_says_so() -> None:
    """Two splits are no measurement: where one of them drifts by chance, that is a half."""
    columns = ColumnsConfig.model_validate({name: {"least": 0.01} for name in COLUMNS})
    config = DriftConfig(level=0.2, splits=2, columns=columns)
    reports = [drift(rows(60, seed), rows(90, seed + 100), config) for seed in range(12)]
    assert {report.raised > 1 for report in reports} == {True, False}
    for report in reports:
        assert (report.raised > 1) == (report.false_alarms > 0)
        assert all(one.distance >= one.least * report.raised for one in report.found if one.drifted)


def named(said: Sequence[tuple[Conversation, DriftRow]]) -> list[tuple[str, DriftRow]]:
    return [(one.user_id, row) for one, row in said]


def test_what_drifted_is_shown_by_three_users_who_carry_it() -> None:
    former = [conversation(f"Which plant {at}?", name=f"f{at}", user=f"f{at}") for at in range(40)]
    new = [
        conversation(f"{'palabra ' * (5 if at % 2 else 100)}{at}", language="es", name=f"n{at}", user=f"n{at}")
        for at in range(40)
    ]
    said = [[(one, drift_row(one, [])) for one in side] for side in (new, former)]
    report = drift(named(said[0]), named(said[1]), DriftConfig(splits=0))
    assert {"language", "request_words", "question_share"} <= set(report.failed)
    shown = examples(report, said[0], said[1], {})
    assert [sum(one.column == name for one in shown) for name in report.failed] == [3] * len(report.failed)
    assert all(one.text.startswith("palabra") and len(one.text) <= 300 for one in shown)
    assert examples(report, said[0][::-1], said[1][::-1], {}) == shown
    assert examples(replace(report, failed=()), said[0], said[1], {}) == []


def test_a_complaint_that_drifted_is_shown_in_its_words() -> None:
    former = [conversation("Which plant?", "And water?", name=f"f{at}", user=f"f{at}") for at in range(40)]
    new = [conversation("Which plant?", f"Shorter! {at}", name=f"n{at}", user=f"n{at}") for at in range(40)]
    labels = {one.conversation_id: [label("continuation", 2, one.conversation_id)] for one in former}
    labels |= {one.conversation_id: [label("reattempt_with_feedback", 2, one.conversation_id)] for one in new}
    said = [[(one, drift_row(one, labels[one.conversation_id])) for one in side] for side in (new, former)]
    report = drift(named(said[0]), named(said[1]), DriftConfig(splits=0))
    assert report.failed_that("note") == ("reattempt_share",)
    told = [one.text for one in examples(report, said[0], said[1], labels) if one.column == "reattempt_share"]
    assert len(told) == 3 and all(text.startswith("Shorter!") for text in told)
