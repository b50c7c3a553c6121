"""Intervals clustered by user, paired gains, and the power of the gate that reads them.

A user's replies resemble one another, so the user is the unit: values are averaged per user first, then over
users, and users are what is resampled (Miller 2024, "Adding Error Bars to Evals", arXiv 2411.00640).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlhi.contracts import EvalResult, Interval, Measurement, content_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEW_USERS = 8
"""Below this many users a bootstrap has too few distinct resamples: Student's t is used in its place."""

Bounds = tuple[float, float]
VALUES: Bounds = (0.0, 1.0)
"""The range of every suite's values; gains then lie in -1 to 1."""
GAINS: Bounds = (-1.0, 1.0)


def clustered(
    values: Sequence[float],
    clusters: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    bounds: Bounds | None = None,
) -> Interval:
    """The mean over users of each user's mean value, with its interval. The order of the rows does not matter.

    * Eight users or more: a percentile bootstrap over users, its quantiles widened to the width that Student's t
      has at this number of users (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", 5.3).
    * Two to seven users: Student's t.
    * All users with one mean: no resample can vary, yet an unseen share p of users may differ, where
      ``(1 - p) ** users = (1 - confidence) / 2``. With ``bounds`` these users are set to either end of the range
      (for shares this is the exact binomial interval); without, the interval is infinite.
    * One user: nothing is known of others: the interval is ``bounds``, or infinite.
    * A value that is not finite: mean and interval are NaN, which the gate refuses.

    ``values`` and ``clusters`` have one entry a row; ``bounds`` is the range that a value can take at all.

    Raises:
        ValueError: there are no values, the lengths differ, or a value lies outside ``bounds``.
    """
    import numpy as np

    if not values or len(values) != len(clusters):
        raise ValueError(
            f"clustered needs as many values as clusters, and at least one: {len(values)}, {len(clusters)}"
        )
    low, high = bounds or (-math.inf, math.inf)
    if any(value < low or value > high for value in values):
        raise ValueError(f"a value lies outside {low} to {high}: {min(values)} to {max(values)}")
    means = np.sort(np.array(list(_user_means(values, clusters).values()), dtype=np.float64))
    count, items = len(means), len(values)
    if not np.isfinite(means).all():
        return Interval(math.nan, math.nan, math.nan, count, items)
    mean = math.fsum(means.tolist()) / count
    if count > 1:
        near, far = _interval(means, mean, (low, high), confidence, resamples, seed)
        low, high = max(low, min(near, mean)), min(high, max(far, mean))
    return Interval(mean, low, high, count, items)


def paired_gain(
    champion: Sequence[EvalResult],
    challenger: Sequence[EvalResult],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Measurement:
    """Both models' figures on one suite, and the challenger's gain, paired by (item, user).

    Several samples of one item are averaged first; then differences are averaged per user and clustered by user.

    Raises:
        ValueError: nothing was measured, more than one suite was given, a value lies outside 0 to 1, or the
            models did not answer the same items.
    """
    suites = {row.suite for row in (*champion, *challenger)}
    if len(suites) != 1:
        raise ValueError(f"paired_gain measures one suite at a time, not {sorted(suites)}")
    suite = suites.pop()
    before, after = _per_item(champion), _per_item(challenger)
    if before.keys() != after.keys():
        odd = len(before.keys() ^ after.keys())
        raise ValueError(f"{suite}: {odd} of {len(before.keys() | after.keys())} items have one model's value only")
    pairs = sorted(before)
    users = [user for _, user in pairs]

    def interval(values: list[float], bounds: Bounds) -> Interval:
        return clustered(values, users, confidence=confidence, resamples=resamples, seed=seed, bounds=bounds)

    return Measurement(
        suite=suite,
        champion=interval([before[pair] for pair in pairs], VALUES),
        challenger=interval([after[pair] for pair in pairs], VALUES),
        gain=interval([after[pair] - before[pair] for pair in pairs], GAINS),
    )


def measure(
    results: Sequence[EvalResult], *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[Measurement, ...]:
    """One :func:`paired_gain` for each suite in ``results``, by suite name. Raises what it raises."""
    measured = []
    for suite in sorted({row.suite for row in results}):
        champion = [row for row in results if row.suite == suite and row.model == "champion"]
        challenger = [row for row in results if row.suite == suite and row.model == "challenger"]
        measured.append(paired_gain(champion, challenger, confidence=confidence, resamples=resamples, seed=seed))
    return tuple(measured)


def power(gain: float, sd: float, users: int, *, margin: float = 0.0, confidence: float = 0.95) -> float:
    """The probability that a true ``gain`` passes the gate: that its interval's lower bound is above ``margin``.

    ``sd`` is the standard deviation of users' own gains (users differ, and each is measured on few items; take it
    from a pilot). Normal approximation of the mean, with Student's critical value as in :func:`clustered`.

    >>> round(power(gain=0.15, sd=0.30, users=40), 2)
    0.87
    """
    from scipy.stats import norm, t

    if users < 2:
        return 0.0
    if sd <= 0:
        return float(gain > margin)
    critical = t.ppf((1 + confidence) / 2, users - 1)
    return float(norm.cdf((gain - margin) * math.sqrt(users) / sd - critical))


def users_for(
    gain: float, sd: float, *, probability: float = 0.8, margin: float = 0.0, confidence: float = 0.95
) -> int:
    """The fewest users with which a true ``gain`` passes with at least this ``probability``.

    Raises:
        ValueError: the gain is not above the margin, so that no number of users is enough.
    """
    if gain <= margin:
        raise ValueError(f"a gain of {gain} never shows above a margin of {margin}")
    high = 2
    while power(gain, sd, high, margin=margin, confidence=confidence) < probability:
        high *= 2
    low = max(2, high // 2)
    while low < high:
        middle = (low + high) // 2
        enough = power(gain, sd, middle, margin=margin, confidence=confidence) >= probability
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _user_means(values: Sequence[float], clusters: Sequence[str]) -> Mapping[str, float]:
    by_user: dict[str, list[float]] = defaultdict(list)
    for value, user in zip(values, clusters, strict=True):
        by_user[user].append(value)
    return {user: _mean(group) for user, group in by_user.items()}


def _per_item(results: Sequence[EvalResult]) -> dict[tuple[str, str], float]:
    by_item: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in results:
        by_item[row.item, row.user_id].append(row.value)
    return {item: _mean(group) for item, group in by_item.items()}


def _mean(values: Sequence[float]) -> float:
    if not all(map(math.isfinite, values)):
        return math.nan
    return math.fsum(values) / len(values)


def _interval(
    means: Floats, mean: float, bounds: Bounds, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """The ends of the interval for two or more users' means, in rising order."""
    from scipy.stats import t

    count = len(means)
    tail = (1 - confidence) / 2
    spread = float(means[-1] - means[0])
    if spread <= 1e-9 * max(1.0, abs(mean)):
        unseen = 1 - tail ** (1 / count)
        return mean - unseen * (mean - bounds[0]), mean + unseen * (bounds[1] - mean)
    if count < FEW_USERS:
        half = float(t.ppf(1 - tail, count - 1)) * float(means.std(ddof=1)) / math.sqrt(count)
        return mean - half, mean + half
    return _bootstrap(means, tail, resamples, seed)


def _bootstrap(means: Floats, tail: float, resamples: int, seed: int) -> tuple[float, float]:
    """Percentiles of the mean of resampled users, at the tail that gives Student's width."""
    import numpy as np
    from scipy.stats import norm, t

    count = len(means)
    widened = norm.cdf(t.ppf(tail, count - 1) * math.sqrt(count / (count - 1)))
    rng = np.random.default_rng(int(content_key("bootstrap", seed, count), 16))
    drawn = np.empty(resamples)
    for start in range(0, resamples, 256):
        size = min(256, resamples - start)
        drawn[start : start + size] = means[rng.integers(0, count, (size, count))].mean(axis=1)
    low, high = np.quantile(drawn, [widened, 1 - widened])
    return float(low), float(high)
