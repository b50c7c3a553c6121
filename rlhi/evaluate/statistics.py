"""Intervals clustered by user, and paired gains with the bounds that the gate reads.

A user's replies resemble one another, so the user is the unit: values are averaged per user first, then over
users, and users are what is resampled (Miller 2024, "Adding Error Bars to Evals", arXiv 2411.00640).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rlhi.contracts import Against, EvalResult, Interval, Measurement, content_key
from rlhi.evaluate.bounds import GAINS, VALUES, Bounds, lower_bound, upper_bound
from rlhi.evaluate.power import least_seen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEW_USERS = 8
"""Below this many users a bootstrap has too few distinct resamples: Student's t is used in its place."""


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
    level: float = 0.05,
    margin: float = 0.0,
) -> Measurement:
    """Both models' figures on one suite, and the challenger's gain, paired by (item, user).

    Several samples of one item are averaged first; then differences are averaged per user and clustered by user. The
    gain's one-sided bounds are at ``level``; the least gain that could have been seen is one above ``margin``.

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

    gains = [after[pair] - before[pair] for pair in pairs]
    own = _by_user(gains, users)
    return Measurement(
        suite=suite,
        champion=interval([before[pair] for pair in pairs], VALUES),
        challenger=interval([after[pair] for pair in pairs], VALUES),
        gain=interval(gains, GAINS),
        level=level,
        above=float(lower_bound(own, level)),
        below=float(upper_bound(own, level)),
        least=least_seen(float(own.std(ddof=1)), len(own), level, margin=margin) if len(own) > 1 else None,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the gate asks of a gain: to be shown above ``margin`` at ``level``."""

    level: float = 0.05
    margin: float = 0.0


def measure(
    results: Sequence[EvalResult],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    asked: Mapping[str, Asked] | None = None,
    against: Against = "champion",
) -> tuple[Measurement, ...]:
    """One :func:`paired_gain` for each suite in ``results``, by suite name, with what is ``asked`` of it.

    Suites that the model ``against`` was not measured on are left out where that is not the champion. Raises what
    :func:`paired_gain` raises.
    """
    measured = []
    suites = {row.suite for row in results if against == "champion" or row.model == against}
    for suite in sorted(suites):
        before = [row for row in results if row.suite == suite and row.model == against]
        after = [row for row in results if row.suite == suite and row.model == "challenger"]
        told = (asked or {}).get(suite, Asked())
        one = paired_gain(
            before, after, confidence=confidence, resamples=resamples, seed=seed, level=told.level, margin=told.margin
        )
        measured.append(replace(one, against=against))
    return tuple(measured)


def by_chance(rows: Sequence[EvalResult]) -> float | None:
    """How sure one half of a model's replies makes it that the model is better than itself: a one-sided p-value.

    The halves are every other sample of each item (``ITEM/0``, ``ITEM/2`` ... against ``ITEM/1`` ...). None where fewer
    than two users have both, or all agree.
    """
    from scipy.stats import ttest_1samp

    halves: tuple[dict[tuple[str, str], list[float]], ...] = ({}, {})
    for row in rows:
        item, _, at = row.item.rpartition("/")
        if at.isdigit():
            halves[int(at) % 2].setdefault((item, row.user_id), []).append(row.value)
    both = sorted(halves[0].keys() & halves[1].keys())
    own = _by_user([_mean(halves[0][pair]) - _mean(halves[1][pair]) for pair in both], [user for _, user in both])
    if len(own) < 2 or not float(own.std()) > 0:
        return None
    return float(ttest_1samp(own, 0.0, alternative="greater").pvalue)


def _by_user(values: Sequence[float], users: Sequence[str]) -> Floats:
    """Users' means, in an order that has nothing to do with them: a bound by betting reads them one by one."""
    import numpy as np

    means = _user_means(values, users)
    return np.array([means[user] for user in sorted(means, key=lambda user: content_key("order", user))], np.float64)


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
