"""What a labeller's head is made of: an ensemble of small networks, evaluated by numpy from plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Matrix = NDArray[np.float64]
    Arrays = Mapping[str, NDArray[np.float32]]

CLIP = 4.0  # standard deviations: one odd feature must not decide alone
NETWORKS = ("mean", "scale", "weights1", "bias1", "weights2", "bias2")


def networks(rows: Floats, arrays: Arrays) -> Matrix:
    """Mean of an ensemble's probabilities over the six labels, ``[n, 6]``.

    ``weights1`` is ``[members, inputs, hidden]``, ``weights2`` is ``[members, hidden, 6]``; ``rows`` are standardised
    by ``mean`` and ``scale`` first.
    """
    import numpy as np

    # In double precision no label hangs on how rows were batched.
    read = standardised(rows, arrays).astype(np.float64)
    layers = zip(*(arrays[name] for name in ("weights1", "bias1", "weights2", "bias2")), strict=True)
    members = [_softmax(np.maximum(read @ first + bias1, 0) @ second + bias2) for first, bias1, second, bias2 in layers]
    return cast("Matrix", np.mean(members, axis=0))


def standardised(rows: Floats, arrays: Arrays) -> Floats:
    """Zero mean and unit spread, clipped at ``CLIP``."""
    import numpy as np

    return cast("Floats", np.clip((rows - arrays["mean"]) / arrays["scale"], -CLIP, CLIP).astype(np.float32))


def shifted(rows: Matrix, slope: float, offset: float) -> Matrix:
    """The log odds of a re-attempt times ``slope`` plus ``offset``; each side keeps its inner shares."""
    import numpy as np

    reattempt = np.clip(rows[:, :2].sum(axis=1), 1e-6, 1 - 1e-6)
    odds = slope * np.log(reattempt / (1 - reattempt)) + offset
    wanted = 1 / (1 + np.exp(-odds))
    factors = np.stack([wanted / reattempt] * 2 + [(1 - wanted) / (1 - reattempt)] * (rows.shape[1] - 2), axis=1)
    moved = rows * factors
    return cast("Matrix", moved / moved.sum(axis=1, keepdims=True))


def _softmax(scores: Matrix) -> Matrix:
    import numpy as np

    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return cast("Matrix", odds / odds.sum(axis=1, keepdims=True))
