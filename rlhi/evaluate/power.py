"""What so many users can show, before they are asked: the power of the gate's rule for gains.

``spread`` is the standard deviation of users' own gains: users differ, and each is measured on few items, so take it
from a pilot. Normal approximation of the mean, with Student's critical value at the decision's one-sided ``level``.
"""

from __future__ import annotations

import math

LIKELY = 0.8
"""Four times in five."""


def power(gain: float, spread: float, users: int, level: float, *, margin: float = 0.0) -> float:
    """The probability that a true ``gain`` is shown above ``margin``.

    >>> round(power(gain=0.15, spread=0.30, users=40, level=0.025), 2)
    0.87
    """
    from scipy.stats import norm, t

    if users < 2:
        return 0.0
    if spread <= 0:
        return float(gain > margin)
    critical = t.ppf(1 - level, users - 1)
    return float(norm.cdf((gain - margin) * math.sqrt(users) / spread - critical))


def least_seen(
    spread: float, users: int, level: float, *, margin: float = 0.0, probability: float = LIKELY
) -> float:  # fmt: skip
    """The smallest true gain that is shown above ``margin`` with this ``probability``; infinite below two users.

    >>> round(least_seen(0.15, 192, 0.05 / 52, margin=0.01), 3)
    0.053
    """
    from scipy.stats import norm, t

    if users < 2:
        return math.inf
    return margin + float(t.ppf(1 - level, users - 1) + norm.ppf(probability)) * spread / math.sqrt(users)


def users_for(
    gain: float, spread: float, level: float, *, margin: float = 0.0, probability: float = LIKELY
) -> int:  # fmt: skip
    """The fewest users with which a true ``gain`` is shown above ``margin`` with at least this ``probability``.

    >>> users_for(0.05, 0.15, 0.05 / 52, margin=0.01)
    223

    Raises:
        ValueError: the gain is not above the margin, so that no number of users is enough.
    """
    if gain <= margin:
        raise ValueError(f"a gain of {gain} never shows above a margin of {margin}")
    high = 2
    while power(gain, spread, high, level, margin=margin) < probability:
        high *= 2
    low = max(2, high // 2)
    while low < high:
        middle = (low + high) // 2
        enough = power(gain, spread, middle, level, margin=margin) >= probability
        low, high = (low, middle) if enough else (middle + 1, high)
    return low
