"""What people are shown of two models' replies, and what their answers come to."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from rlhi.config import GateConfig
from rlhi.contracts import Comparison, DriftReport, Interval, Measurement, PairAnswer
from rlhi.evaluate.gate import Evidence, decide
from rlhi.evaluate.people import (
    PEOPLE,
    agreement,
    beside,
    left_of,
    measured,
    needed,
    pairs_to_show,
    power,
    tally,
    to_compare,
    win_rate,
)
from rlhi.evaluate.replies import Figure, SideBySide

ANSWERS: tuple[PairAnswer, ...] = ("champion", "challenger", "tie", "neither")


def row(user: str, item: str, request: str = "", champion: str = "old", challenger: str = "new") -> SideBySide:
    return SideBySide(item, user, "", request or item, champion, challenger, ())


def said(user: str, item: str, answer: PairAnswer, rater: str = "ana") -> Comparison:
    return Comparison(rater, "2026-12-01T00:00:00+00:00", "v0.1.0", "c", user, item, "champion", answer)


def users(won: int, lost: int, even: int = 0) -> list[Comparison]:
    many: tuple[tuple[PairAnswer, int], ...] = ("challenger", won), ("champion", lost), ("tie", even)
    answers = [answer for answer, times in many for _ in range(times)]
    return [said(f"u{at}", "0", answer) for at, answer in enumerate(answers)]


ROWS = [row(f"u{user}", f"u{user}-{at}/{k}", f"r{at}") for user in range(40) for at in range(3) for k in range(2)]


def test_everybody_is_asked_once_first_then_of_other_requests_then_of_other_replies() -> None:
    pairs, alike = to_compare(ROWS, seed=0)
    assert alike == 0 and len(pairs) == len(ROWS) == len({one.item for one in pairs})
    for start in range(0, len(ROWS), 40):
        assert len({one.user_id for one in pairs[start : start + 40]}) == 40
    assert len({(one.user_id, one.request) for one in pairs[:120]}) == 120
    assert to_compare(ROWS[::-1], seed=0)[0] == pairs and to_compare(ROWS, seed=1)[0] != pairs


def test_replies_that_are_alike_are_not_asked_of() -> None:
    same = row("u", "same", champion="Yes.\n", challenger=" Yes.")
    assert to_compare([same, row("u", "other")], seed=0) == ([row("u", "other")], 1)


def test_sides_are_drawn_for_each_pair_and_rater_and_are_balanced() -> None:
    rows = [row(f"u{at}", "0") for at in range(2000)]
    sides = [left_of(one, "ana", 0) for one in rows]
    assert binomtest(Counter(sides)["challenger"], len(sides)).pvalue > 0.001
    other = [left_of(one, "bo", 0) for one in rows]
    assert binomtest(sum(a == b for a, b in zip(sides, other, strict=True)), len(sides)).pvalue > 0.001
    order = [left_of(one, "ana", 0) for one in to_compare(rows, 0)[0]]
    repeats = sum(a == b for a, b in zip(order, order[1:], strict=False))
    assert binomtest(repeats, len(order) - 1).pvalue > 0.001, "the last side tells nothing of the next"


def test_a_user_s_pairs_and_raters_come_to_one_sign() -> None:
    answers = [
        said("a", "1", "challenger"), said("a", "2", "challenger"), said("a", "3", "champion"),
        said("b", "1", "champion"), said("b", "1", "tie", "bo"), said("c", "1", "challenger"),
        said("c", "2", "champion"), said("d", "1", "neither"),
    ]  # fmt: skip
    found = tally(answers, "c")
    assert (found.won, found.lost, found.even) == (1, 1, 2)
    assert (found.pairs, found.answers, found.ties, found.neither, found.raters) == (7, 8, 1, 1, 2)


def test_how_many_pairs_would_decide() -> None:
    """The exact figures; the normal approximation says 385 and 169."""
    assert (pairs_to_show(0.6, 0.001), pairs_to_show(0.65, 0.001)) == (386, 172)
    assert pairs_to_show(0.5, 0.001) is None and pairs_to_show(0.5001, 0.001) is None


@settings(max_examples=60, deadline=None)
@given(st.floats(0.55, 0.95), st.sampled_from([0.05, 0.025, 0.001]))
def test_so_many_are_enough_and_one_fewer_are_not(rate: float, level: float) -> None:
    count = pairs_to_show(rate, level)
    assert count is not None and power(rate, count, level) >= 0.8 > power(rate, count - 1, level)
    wins = needed(count, level)
    assert binom.sf(wins - 1, count, 0.5) <= level < binom.sf(wins - 2, count, 0.5)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5), st.sampled_from([0.05, 0.025, 0.001]))
def test_the_bound_lies_above_nothing_exactly_where_the_binomial_test_says_so(
    won: int, lost: int, even: int, level: float
) -> None:
    found = tally(users(won, lost, even), "c")
    one = measured(found, level, 0.0, 0.95)
    if not won + lost:
        assert one is None
        return
    assert one is not None and one.gain.clusters == won + lost and one.gain.items == won + lost + even
    assert (one.lower > 0) == (binomtest(won, won + lost, alternative="greater").pvalue < level)
    assert (one.upper < 0) == (binomtest(won, won + lost, alternative="less").pvalue < level)
    exact = binomtest(won, won + lost).proportion_ci(0.95, method="exact")
    rate = win_rate(found)
    assert [rate.low, rate.high] == pytest.approx([exact.low, exact.high])
    assert one.gain.low <= one.gain.mean <= one.gain.high and one.lower <= one.gain.mean <= one.upper
    if one.least is not None:
        assert power((1 + one.least) / 2, won + lost, level) >= 0.8 - 1e-6


def test_no_answer_is_no_win_rate() -> None:
    assert math.isnan(win_rate(tally([], "c")).mean) and measured(tally([], "c"), 0.05, 0.0, 0.95) is None


def test_agreement_is_told_where_several_answered_the_same() -> None:
    assert agreement(users(3, 2)) is None
    same = [said(f"u{at}", "0", ANSWERS[at % 2], rater) for at in range(10) for rater in ("ana", "bo")]
    found = agreement(same)
    assert found is not None and (found.pairs, found.share, found.alpha) == (10, 1.0, 1.0)
    # Krippendorff 2011, B: two observers, ten units, binary data; alpha is 0.095.
    ana, bo = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    both = [
        said(f"u{at}", "0", ANSWERS[value], rater)
        for rater, values in (("ana", ana), ("bo", bo))
        for at, value in enumerate(values)
    ]
    found = agreement(both)
    assert found is not None and found.share == 0.6 and found.alpha == pytest.approx(0.095, abs=0.001)


def test_people_beside_a_judge_counts_pairs_that_both_decide() -> None:
    def judged(user: str, champion: float) -> SideBySide:
        return SideBySide("0", user, "", "r", "a", "b", (Figure("judge", champion, 1 - champion),))

    rows = [judged("a", 0.2), judged("b", 0.9), judged("c", 0.5), judged("d", 0.1), judged("e", math.nan)]
    answers = [said(user, "0", "challenger") for user in "abce"] + [said("d", "0", "tie")]
    assert beside("judge", answers, rows) == (1, 2)


STABLE = DriftReport("stable", 0.0, (), (), 100, 100)
GATE = GateConfig(min_users=30, guards={})


def verdict(*measurements: Measurement, gate: GateConfig = GATE) -> tuple[str, str]:
    done = decide(Evidence(measurements, STABLE), gate)
    return done.verdict, " ".join(done.reasons)


def people(won: int, lost: int, level: float = 0.001) -> Measurement:
    one = measured(tally(users(won, lost), "c"), level, 0.0, 0.95)
    assert one is not None
    return one


def test_people_count_promote_hold_and_refuse() -> None:
    assert verdict(people(45, 5))[0] == "promote"
    assert verdict(people(30, 20))[0] == "hold"
    assert verdict(people(5, 45))[0] == "refuse"


def test_a_few_answers_are_told_and_neither_promote_nor_hold() -> None:
    even = Interval(0.5, 0.5, 0.5, 50, 50)
    shown = Measurement("satisfaction", even, even, Interval(0.2, 0.1, 0.3, 50, 50))
    alone, told = verdict(people(20, 0))
    assert alone == "hold" and "told, and counts from 30 users on" in told
    assert verdict(shown, people(10, 10))[0] == "promote" == verdict(shown)[0]
    assert verdict(shown, people(20, 20))[0] == "hold", "every gain that counts has to be shown"
    many = GATE.model_copy(update={"people_users": 20})
    assert verdict(people(20, 0), gate=many)[0] == "promote"


def test_a_broken_guard_refuses_whatever_people_say() -> None:
    fell = Interval(-0.5, -0.6, -0.4, 50, 50)
    one = Measurement("fluency", fell, fell, fell)
    assert verdict(people(50, 0), one, gate=GateConfig(min_users=30))[0] in ("refuse", "invalid")
    assert PEOPLE in GateConfig().gains
