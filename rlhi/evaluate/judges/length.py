"""How often a model wins where both replies are equally long.

Judges like long answers. A logistic regression of winning on the difference of lengths tells the two apart, as
length-controlled AlpacaEval does (Dubois et al. 2024, arXiv 2404.04475): what it predicts at no difference is the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhi.contracts import Interval, content_key
from rlhi.evaluate.statistics import FEW_USERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS = 25
RIDGE = 0.01
"""On the slope, in weights of a user: where every longer reply won, length need not explain the last bit of it."""
TINY = 1e-6
"""On the level: only that it stays finite where one side won throughout."""
LARGEST = 30.0


def at_equal_length(
    won: Sequence[float],
    longer: Sequence[float],
    users: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The rate at which ``won`` (1, 0.5 for a tie, 0) is predicted where ``longer`` is 0, with an interval over users.

    ``longer`` is the difference of log lengths, taken as tanh of its standard scores, so that one very long reply does
    not weigh more than a long one. Users weigh alike. Fewer than eight users show nothing: the interval is 0 to 1.

    Raises:
        ValueError: there is nothing, or the lengths differ.
    """
    import numpy as np

    if not won or not len(won) == len(longer) == len(users):
        raise ValueError(f"as many wins as lengths and users, at least one: {len(won)}, {len(longer)}, {len(users)}")
    names, of_user = np.unique(np.array(users), return_inverse=True)
    y, x = np.array(won, np.float64), np.array(longer, np.float64)
    spread = float(x.std())
    x = np.tanh(x / spread) if spread > 0 else np.zeros_like(x)
    share = 1 / np.bincount(of_user)[of_user]
    once = np.ones((1, len(names)))
    mean = float(_rates(y, x, (once[:, of_user] * share))[0])
    if len(names) < FEW_USERS:
        return Interval(mean, 0.0, 1.0, len(names), len(won))
    rng = np.random.default_rng(int(content_key("equal length", seed, len(names)), 16))
    drawn = []
    for start in range(0, resamples, 256):
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), min(256, resamples - start))
        drawn.append(_rates(y, x, times[:, of_user] * share))
    low, high = np.quantile(np.concatenate(drawn), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, min(float(low), mean), max(float(high), mean), len(names), len(won))


def _rates(y: Floats, x: Floats, weights: Floats) -> Floats:
    """For each row of ``weights`` (``[resamples, replies]``): the rate at no difference, by Newton's method."""
    import numpy as np

    level, slope = np.zeros(len(weights)), np.zeros(len(weights))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(level[:, None] + slope[:, None] * x)))
        off, curve = weights * (y - p), weights * p * (1 - p)
        g0, g1 = off.sum(1) - TINY * level, (off * x).sum(1) - RIDGE * slope
        h00, h01, h11 = curve.sum(1) + TINY, (curve * x).sum(1), (curve * x * x).sum(1) + RIDGE
        size = h00 * h11 - h01**2
        level = np.clip(level + (h11 * g0 - h01 * g1) / size, -LARGEST, LARGEST)
        slope = np.clip(slope + (h00 * g1 - h01 * g0) / size, -LARGEST, LARGEST)
    rates: Floats = 1 / (1 + np.exp(-level))
    return rates
