"""Intervals by user, paired gains and the power of the gate."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.contracts import EvalResult, Interval
from rlhi.evaluate.bounds import GAINS, VALUES, lower_bound
from rlhi.evaluate.power import least_seen, power, users_for
from rlhi.evaluate.statistics import Asked, by_chance, clustered, measure, paired_gain

rows = st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abcdefghijklm")), min_size=1, max_size=60)


def interval(data: list[tuple[float, str]], **options: object) -> Interval:
    values, users = zip(*data, strict=True)
    return clustered(values, users, resamples=200, **options)  # type: ignore[arg-type]


def result(value: float, user: str, item: str = "i", model: str = "champion", suite: str = "s") -> EvalResult:
    return EvalResult(suite, item, user, model, value)  # type: ignore[arg-type]


@settings(deadline=None)
@given(rows, st.booleans())
def test_the_interval_contains_the_mean_of_user_means(data: list[tuple[float, str]], bounded: bool) -> None:
    found = interval(data, bounds=VALUES if bounded else None)
    groups = [[value for value, user in data if user == name] for name in {user for _, user in data}]
    assert found.mean == pytest.approx(sum(sum(group) / len(group) for group in groups) / len(groups))
    assert found.low <= found.mean <= found.high
    assert (found.clusters, found.items) == (len(groups), len(data))
    if bounded:
        assert found.low >= 0
        assert found.high <= 1


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_order_and_names_do_not_matter(data: list[tuple[float, str]], rng: random.Random) -> None:
    shuffled = [(value, user.upper()) for value, user in data]
    rng.shuffle(shuffled)
    assert interval(shuffled) == interval(data)


@settings(deadline=None)
@given(rows, st.floats(-5, 5))
def test_a_constant_shift_shifts_the_interval(data: list[tuple[float, str]], shift: float) -> None:
    # Rounded, so that adding the shift cannot make equal users differ in the last bit.
    data = [(round(value, 3), user) for value, user in data]
    before, after = interval(data), interval([(value + shift, user) for value, user in data])
    for name in ("mean", "low", "high"):
        assert getattr(after, name) == pytest.approx(getattr(before, name) + shift, abs=1e-6)


@pytest.mark.parametrize("users", [5, 12, 40])
def test_coverage_by_simulation(users: int) -> None:
    """Users differ and answer a different number of items each; 95% intervals hold the truth about 95% of times."""
    covered, rng = 0, np.random.default_rng(users)
    for seed in range(200):
        data = [
            (float(rng.normal(own, 0.2)), f"u{user}")
            for user, own in enumerate(rng.normal(0.15, 0.3, users))
            for _ in range(int(rng.integers(1, 6)))
        ]
        found = interval(data, seed=seed)
        covered += found.low <= 0.15 <= found.high
    assert 0.90 <= covered / 200 <= 0.99


def test_fewer_users_give_wider_intervals() -> None:
    rng = np.random.default_rng(0)

    def width(users: int) -> float:
        found = [interval([(float(rng.normal()), str(user)) for user in range(users)], seed=s) for s in range(20)]
        return sum(each.high - each.low for each in found) / 20

    assert width(4) > width(10) > width(40) > width(160)


def test_many_rows_of_one_user_weigh_as_one_user() -> None:
    found = interval([(1.0, "a")] * 99 + [(0.0, "b")])
    assert found.mean == 0.5


def test_one_user_tells_nothing_of_others() -> None:
    assert interval([(0.25, "a"), (0.75, "a")], bounds=VALUES) == Interval(0.5, 0.0, 1.0, 1, 2)
    assert interval([(0.4, "a")]) == Interval(0.4, -math.inf, math.inf, 1, 1)


def test_equal_users_are_not_certainty() -> None:
    """Nobody of n users satisfied: the upper end is the exact binomial one (0.0881 for 40 users)."""
    found = interval([(0.0, str(user)) for user in range(40)], bounds=VALUES)
    assert found.low == 0.0
    assert found.high == pytest.approx(0.0881, abs=1e-4)
    assert interval([(0.2, str(user)) for user in range(40)], bounds=GAINS).low > 0
    assert interval([(0.2, str(user)) for user in range(4)], bounds=GAINS).low < 0
    assert interval([(0.2, str(user)) for user in range(40)]).low == -math.inf


def test_a_value_that_is_no_number_spreads() -> None:
    found = interval([(math.nan, "a"), (0.5, "b")], bounds=VALUES)
    assert all(map(math.isnan, (found.mean, found.low, found.high)))


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        clustered([], [])
    with pytest.raises(ValueError, match="as many"):
        clustered([1.0], ["a", "b"])
    with pytest.raises(ValueError, match="outside"):
        clustered([1.5], ["a"], bounds=VALUES)


def test_gains_are_paired_by_item_and_user_after_averaging_samples() -> None:
    champion = [result(0.0, "a", "x"), result(1.0, "a", "x"), result(0.2, "a", "y"), result(0.5, "b", "x")]
    challenger = [result(0.5, "b", "x"), result(0.4, "a", "y"), result(0.9, "a", "x")]
    found = paired_gain(champion, challenger)
    assert found.suite == "s"
    assert found.champion.mean == pytest.approx((0.35 + 0.5) / 2)
    assert found.gain.mean == pytest.approx((0.3 + 0.0) / 2)
    assert (found.gain.clusters, found.gain.items) == (2, 3)
    assert found.gain.mean == pytest.approx(found.challenger.mean - found.champion.mean)


def test_pairing_removes_what_users_have_in_common() -> None:
    rng = random.Random(0)
    champion = [result(rng.uniform(0, 0.8), str(user)) for user in range(30)]
    challenger = [result(row.value + rng.uniform(0.05, 0.15), row.user_id) for row in champion]
    found = paired_gain(champion, challenger)
    assert found.gain.low > 0
    assert found.challenger.low < found.champion.high


def test_items_of_one_model_only_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 of 2 items"):
        paired_gain([result(1, "a"), result(1, "b")], [result(1, "a")])
    with pytest.raises(ValueError, match="one suite"):
        paired_gain([result(1, "a")], [result(1, "a", suite="t")])
    with pytest.raises(ValueError, match="one suite"):
        paired_gain([], [])


def test_measure_splits_by_suite_and_model() -> None:
    results = [
        result(value, user, model=model, suite=suite)
        for suite, gain in (("b", 0.5), ("a", 0.0))
        for user in "xyz"
        for model, value in (("champion", 0.25), ("challenger", 0.25 + gain))
    ]
    assert [(found.suite, found.gain.mean) for found in measure(results[::-1])] == [("a", 0.0), ("b", 0.5)]


def test_what_the_gate_asks_of_a_suite_is_asked_and_of_the_first_champion_only_what_it_was_asked() -> None:
    spread = {"a": 0.2, "b": 0.3, "c": 0.25, "d": 0.3}
    results = [
        result(value + gain, user, model=model, suite=suite)
        for suite in ("told", "other")
        for user, gain in spread.items()
        for model, value in (("champion", 0.0), ("challenger", gain), ("first", 0.1))
        if suite == "told" or model != "first"
    ]
    other, told = measure(results, asked={"told": Asked(0.001, 0.01)})
    assert (told.level, other.level) == (0.001, 0.05)
    assert told.above is not None and other.above is not None and told.above < other.above < told.gain.mean
    assert told.least is not None and other.least is not None and told.least > other.least
    (first,) = measure(results, against="first")
    assert (first.suite, first.against) == ("told", "first")
    assert first.gain.mean == pytest.approx(told.gain.mean - 0.1)


def test_a_model_is_told_from_itself_by_chance_alone() -> None:
    """A p-value is below one in ten in one of ten cases, whatever the spread of users."""
    rng = np.random.default_rng(3)

    def itself(lift: float = 0.0) -> float:
        rows = []
        for user, level in enumerate(rng.uniform(0.2, 0.6, 40)):
            for at in range(4):
                value = float(rng.random() < level + lift * (at % 2 == 0))
                rows.append(result(value, str(user), f"request/{at}"))
        found = by_chance(rows)
        assert found is not None
        return found

    found = [itself() for _ in range(300)]
    assert np.mean([one < 0.1 for one in found]) == pytest.approx(0.1, abs=0.05)
    assert np.median([itself(0.4) for _ in range(20)]) < 0.01, "halves that differ are told apart"
    assert by_chance([result(1, "a", "i/0")]) is None


LEVEL = 0.025


@settings(deadline=None)
@given(st.floats(0.02, 0.4), st.floats(0.05, 0.5), st.integers(3, 100))
def test_power_grows_with_gain_and_users(gain: float, sd: float, users: int) -> None:
    here = power(gain, sd, users, LEVEL)
    assert 0 <= here <= power(gain + 0.05, sd, users, LEVEL)
    assert here <= power(gain, sd, users + 10, LEVEL)
    assert power(gain, sd, users, LEVEL, margin=0.05) <= here
    assert power(gain, sd, users, LEVEL / 10) <= here


@pytest.mark.parametrize(("gain", "users", "level"), [(0.05, 30, 0.025), (0.15, 20, 0.025), (0.1, 192, 0.001)])
def test_power_agrees_with_simulated_gates(gain: float, users: int, level: float) -> None:
    found = np.random.default_rng(7).normal(gain, 0.3, (400, users)).clip(-1, 1)
    assert np.mean(lower_bound(found, level) > 0) == pytest.approx(power(gain, 0.3, users, level), abs=0.08)


def test_users_for_is_the_least_number() -> None:
    enough = users_for(0.15, 0.3, LEVEL)
    assert power(0.15, 0.3, enough, LEVEL) >= 0.8 > power(0.15, 0.3, enough - 1, LEVEL)
    assert least_seen(0.3, enough, LEVEL) <= 0.15 < least_seen(0.3, enough - 2, LEVEL)
    with pytest.raises(ValueError, match="never"):
        users_for(0.0, 0.3, LEVEL)
