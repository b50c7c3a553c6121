"""Likelihoods of texts of unlike length, and of models with unlike tokenizers."""

from __future__ import annotations

import math
from collections.abc import Sequence


def per_byte(text: str, nats: float) -> float:
    """A log-likelihood by the text's UTF-8 bytes, one at least: as lm-evaluation-harness's ``acc_norm``."""
    return nats / max(1, len(text.encode("utf-8", "surrogatepass")))


def either(first: float, second: float) -> float:
    """The probability of the first of two, where one of them happens: from their logarithms (nats).

    NaN where that cannot be told. There is no overflow at either end.

    >>> either(-3.0, -3.0)
    0.5
    """
    small = math.exp(-abs(first - second))
    return 1 / (1 + small) if first >= second else small / (1 + small)


def first_of_pairs(nats: Sequence[float]) -> float:
    """From the log-likelihoods of answers in pairs: how probable the first of a pair is, in the mean over the pairs."""
    pairs = [either(*pair) for pair in zip(nats[::2], nats[1::2], strict=True)]
    return math.fsum(pairs) / len(pairs)
