"""One-sided bounds for a mean over users at the small levels that an error budget leaves for one decision.

At a level of one in a thousand the shape of users' differences matters: where most gain a little and a few lose much,
Student's t has promised more than it keeps. Three bounds are computed and the lowest counts:

* Student's t;
* Johnson's t, which corrects for skew (Johnson 1978, "Modified t Tests and Confidence Intervals for Asymmetrical
  Populations"), in the form that is monotone in the mean (Hall 1992, "On the Removal of Skewness by Transformation");
* from ``ANY_SHAPE`` users on a bound by betting, valid for values of any shape in a known range (Waudby-Smith and
  Ramdas 2024, "Estimating Means of Bounded Random Variables by Betting", arXiv 2010.09686, section 4). Below that
  number it is too wide to show anything.

All take an array of users' means, shape ``(..., users)``, and bound each row.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Bounds = tuple[float, float]
VALUES: Bounds = (0.0, 1.0)
"""The range of every suite's values; gains then lie in -1 to 1."""
GAINS: Bounds = (-1.0, 1.0)

ANY_SHAPE = 400
"""From so many users on the bound by betting is asked too."""
_EVEN = 1e-9
"""A spread, or a skew, below this is none."""
_STEPS = 40
"""Halvings of the range: the bound by betting is found to 2e-12 of it."""


def lower_bound(values: Floats, level: float, bounds: Bounds = GAINS) -> Floats:
    """What the mean over all users is above, but for a chance of ``level`` at most; shape ``(...)``.

    Users come in an order that has nothing to do with their values (:func:`rlhi.evaluate.statistics.user_means`). One
    user shows nothing: the lower end of ``bounds``. Where all users agree, an unseen share of them may have that end's
    value (:func:`rlhi.evaluate.statistics.clustered`).
    """
    import numpy as np

    count = values.shape[-1]
    if count < 2:
        return np.full(values.shape[:-1], bounds[0], dtype=np.float64)
    found = np.minimum(students(values, level), johnsons(values, level))
    if count >= ANY_SHAPE:
        found = np.minimum(found, by_betting(values, level, bounds))
    mean = values.mean(axis=-1)
    unseen = mean - (1 - level ** (1 / count)) * (mean - bounds[0])
    even = np.ptp(values, axis=-1) <= _EVEN
    return np.clip(np.where(even, unseen, found), bounds[0], bounds[1])


def upper_bound(values: Floats, level: float, bounds: Bounds = GAINS) -> Floats:
    """What the mean is below, but for a chance of ``level``: the mirror of :func:`lower_bound`."""
    return -lower_bound(-values, level, (-bounds[1], -bounds[0]))


def students(values: Floats, level: float) -> Floats:
    """Student's one-sided lower bound."""
    told: Floats = values.mean(axis=-1) - _critical(values, level) * _error(values)
    return told


def johnsons(values: Floats, level: float) -> Floats:
    """Johnson's, corrected for the skew of the values: lower than Student's where a few users lose much."""
    import numpy as np

    count = values.shape[-1]
    skew = _skewness(values)
    level_of_t = _critical(values, level)
    slope = np.where(np.abs(skew) < _EVEN, _EVEN, skew) / (3 * math.sqrt(count))
    corrected = (np.cbrt(1 + 3 * slope * (level_of_t - slope / 2)) - 1) / slope
    told: Floats = values.mean(axis=-1) - corrected * _error(values)
    return told


def by_betting(values: Floats, level: float, bounds: Bounds = GAINS) -> Floats:
    """The least mean against which betting would not have multiplied its stake by ``1 / level``.

    Stakes follow from what was seen before each user (the predictable plug-in), and never risk more than nine tenths.
    """
    import numpy as np

    low, high = bounds
    scaled = (values - low) / (high - low)
    count = values.shape[-1]
    seen = np.arange(1, count + 1)
    mean = (0.5 + np.cumsum(scaled, axis=-1)) / (seen + 1)
    spread = (0.25 + np.cumsum((scaled - mean) ** 2, axis=-1)) / (seen + 1)
    before = np.concatenate([np.full((*scaled.shape[:-1], 1), 0.25), spread[..., :-1]], axis=-1)
    stake = np.sqrt(2 * math.log(1 / level) / (count * before))
    near, far = np.zeros(scaled.shape[:-1]), np.ones(scaled.shape[:-1])
    for _ in range(_STEPS):
        middle = (near + far) / 2
        asked = middle[..., None]
        won = np.log1p(np.minimum(stake, 0.9 / np.maximum(asked, _EVEN)) * (scaled - asked)).sum(axis=-1)
        refuted = won > math.log(1 / level)
        near, far = np.where(refuted, middle, near), np.where(refuted, far, middle)
    told: Floats = low + near * (high - low)
    return told


def _critical(values: Floats, level: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - level, values.shape[-1] - 1))


def _error(values: Floats) -> Floats:
    """The standard error of the mean."""
    error: Floats = values.std(axis=-1, ddof=1) / math.sqrt(values.shape[-1])
    return error


def _skewness(values: Floats) -> Floats:
    import numpy as np

    off = values - values.mean(axis=-1, keepdims=True)
    skew: Floats = (off**3).mean(axis=-1) / np.maximum((off**2).mean(axis=-1), _EVEN**2) ** 1.5
    return skew
