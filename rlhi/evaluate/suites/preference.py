"""Held-out users' preference, as the persona-conditioned reward model tells it."""

from __future__ import annotations

from collections.abc import Sequence

from rlhi.contracts import EvalResult
from rlhi.evaluate.likelihood import either
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import MODELS, Replies, Reply
from rlhi.models.base import Scored, Scorer


def preference(*, replies: Replies, judge: Scorer) -> list[EvalResult]:
    """The probability that users prefer the one model's reply to the other's."""
    before, after = (
        judge.score([Scored(reply.persona, reply.prompt, reply.text) for reply in replies[model]]) for model in MODELS
    )
    return preferred(replies["champion"], before, after)


def preferred(
    replies: Sequence[Reply], champion_rewards: Sequence[float], challenger_rewards: Sequence[float]
) -> list[EvalResult]:
    """From both models' rewards: the challenger's probability, and 1 less it for the champion.

    Bradley-Terry: p = sigmoid(challenger's reward - champion's), so that the gain is 2p - 1: 0 at no preference.
    ``replies`` are either model's: they name the items.

    Raises:
        ValueError: the lengths differ.
    """
    rows = []
    for reply, before, after in zip(replies, champion_rewards, challenger_rewards, strict=True):
        p = either(after, before)
        rows.append(EvalResult("preference", reply.item, reply.user_id, "champion", 1 - p))
        rows.append(EvalResult("preference", reply.item, reply.user_id, "challenger", p))
    return rows


MEASURES = (Measure(preference),)
