"""How well a judge judges: on choices that people made themselves, beside the rule that the longer answer wins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rlhi.contracts import Interval
from rlhi.evaluate.bounds import VALUES
from rlhi.evaluate.judges.compare import Judgement, Pair
from rlhi.evaluate.statistics import clustered

UNTRIED = Interval(0.5, 0.0, 1.0, 0, 0)
"""How well a judge judges whom no choice tested."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A judge's accuracy on choices, that of "the longer wins" on the same ones, and the share of them it flipped."""

    accuracy: Interval
    longer_wins: float
    flipped: float


def tried(
    choices: Sequence[Pair], judgements: Sequence[Judgement | None], confidence: float, resamples: int, seed: int
) -> Trial:
    """Of choices whose side ``one`` was chosen; those without a judgement count as ties.

    Accuracy is balanced: each choice stands once with the chosen side first and once with it last, so who always
    names one place, or always says tie, gets one half. It is averaged by user, then over users.

    Raises:
        ValueError: the lengths differ.
    """
    if not choices:
        return Trial(UNTRIED, 0.5, 0.0)
    users = [choice.user_id for choice in choices]
    found = [one["overall"] if one else None for one in judgements]
    right = [one.share if one else 0.5 for one in found]
    accuracy = clustered(right, users, confidence=confidence, resamples=resamples, seed=seed, bounds=VALUES)
    longer = clustered([_longer(choice) for choice in choices], users, resamples=resamples, bounds=VALUES)
    return Trial(accuracy, longer.mean, math.fsum(bool(one and one.flipped) for one in found) / len(choices))


def _longer(choice: Pair) -> float:
    apart = len(choice.one) - len(choice.other)
    return 0.5 if apart == 0 else float(apart > 0)
