"""Bounds hold at the levels that a budget leaves, under skew too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rlhi.evaluate.bounds import ANY_SHAPE, by_betting, johnsons, lower_bound, students, upper_bound

LEVEL = 0.05 / 52
values = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1, 1))


@given(values, st.floats(1e-4, 0.2))
def test_a_bound_lies_below_the_mean_and_inside_the_range(found: np.ndarray, level: float) -> None:
    low, high = float(lower_bound(found, level)), float(upper_bound(found, level))
    assert -1 <= low <= found.mean() + 1e-9 and found.mean() - 1e-9 <= high <= 1
    assert low <= float(lower_bound(found, min(0.2, 2 * level))) + 1e-9, "a surer bound is no higher"


@given(values)
def test_the_upper_bound_is_the_mirror(found: np.ndarray) -> None:
    assert float(upper_bound(found, LEVEL)) == pytest.approx(-float(lower_bound(-found, LEVEL)))


def test_one_user_and_users_who_agree() -> None:
    assert float(lower_bound(np.array([0.5]), LEVEL)) == -1
    all_alike = float(lower_bound(np.full(192, 0.1), LEVEL))
    unseen = 1 - LEVEL ** (1 / 192)
    assert all_alike == pytest.approx(0.1 - unseen * 1.1)


def losing(share: float, users: int, trials: int) -> np.ndarray:
    """Of these users some lose 50 points, the others gain a little; the mean is 0."""
    rng = np.random.default_rng(0)
    lose = rng.random((trials, users)) < share
    return np.where(lose, -0.5, 0.5 * share / (1 - share)) + rng.normal(0, 0.05, lose.shape)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_a_few_who_lose_much_fool_students_t_and_not_the_bound(share: float) -> None:
    found = losing(share, 192, 20_000)
    fooled = float((lower_bound(found, LEVEL) > 0).mean())
    assert fooled <= 0.002 < float((students(found, LEVEL) > 0).mean())
    assert np.all(lower_bound(found, LEVEL) <= students(found, LEVEL))


def test_johnsons_bound_is_students_without_skew() -> None:
    even = np.concatenate([np.linspace(-0.2, 0.3, 100)])
    assert float(johnsons(even, LEVEL)) == pytest.approx(float(students(even, LEVEL)), abs=1e-6)


def test_betting_holds_for_any_shape_and_counts_where_there_are_enough_users() -> None:
    """One user in 150 loses everything, and most samples have none or few of them."""
    rng = np.random.default_rng(1)
    found = np.where(rng.random((2000, ANY_SHAPE)) < 1 / 150, -1.0, 1 / 149)
    assert float((by_betting(found, 0.05) > 0).mean()) <= 0.05
    normal = rng.normal(0.06, 0.15, (200, ANY_SHAPE)).clip(-1, 1)
    assert np.all(lower_bound(normal, LEVEL) <= by_betting(normal, LEVEL) + 1e-9)
    assert float((lower_bound(normal, LEVEL) > 0.01).mean()) > 0.9, "and it still shows what is there"
