"""What simulated users want: an answer, in the form that they wish for; and how many of them lose it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rlhi.checks.answers import answers
from rlhi.checks.form import share_met
from rlhi.contracts import EvalResult
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import MODELS, Model, Replies, Reply, Truth


def wishes(*, replies: Replies, truth: Truth) -> list[EvalResult]:
    """The share of the user's hidden wishes that a reply meets. Users without wishes give no row."""
    return [EvalResult("wishes", one.item, one.user_id, model, met) for model, one, met, _ in _found(replies, truth)]


def answered(*, replies: Replies, truth: Truth) -> list[EvalResult]:
    """Whether a reply to a user with wishes answers by the request's key; one without a key gives no row."""
    return [
        EvalResult("answered", one.item, one.user_id, model, answer)
        for model, one, _, answer in _found(replies, truth)
        if answer is not None
    ]


def satisfaction(*, replies: Replies, truth: Truth) -> list[EvalResult]:
    """The product of ``wishes`` and ``answered``: a form without an answer is no satisfaction."""
    return [
        EvalResult("satisfaction", one.item, one.user_id, model, met * answer)
        for model, one, met, answer in _found(replies, truth)
        if answer is not None
    ]


def kept(*, replies: Replies, truth: Truth, lost: float) -> list[EvalResult]:
    """By user: 0 for a challenger under which the user's own satisfaction fell by ``lost``, else 1.

    A mean that rises does not tell of those who lose. With few replies a user, some lose much by chance alone.
    """
    return kept_by_user(satisfaction(replies=replies, truth=truth), lost)


def kept_by_user(satisfied: Sequence[EvalResult], lost: float) -> list[EvalResult]:
    """The suite ``kept`` from rows of ``satisfaction``."""
    means: dict[str, dict[str, list[float]]] = {}
    for row in satisfied:
        means.setdefault(row.user_id, {}).setdefault(row.model, []).append(row.value)
    rows = []
    for user, sides in sorted(means.items()):
        before, after = (math.fsum(sides[model]) / len(sides[model]) for model in MODELS)
        # A NaN is told on and refused by the gate.
        value = math.nan if math.isnan(before - after) else float(round(before - after, 9) < lost)
        rows += [EvalResult("kept", user, user, "champion", 1.0), EvalResult("kept", user, user, "challenger", value)]
    return rows


def _found(replies: Replies, truth: Truth) -> Iterator[tuple[Model, Reply, float, float | None]]:
    """For each reply that something is wished of: the share of it that is met, and whether it answers, if one can tell.

    Of a request that has one right result, this is all that is wished for.
    """
    for model, said in replies.items():
        for reply in said:
            right, key = truth.right.get(reply.request), truth.keys.get(reply.request)
            asked = (right,) if right else truth.wishes.get(reply.user_id)
            if asked:
                met = share_met(asked, reply.text)
                answer = float(answers(key, reply.request, reply.text)) if key else met if right else None
                yield model, reply, met, answer


MEASURES = (Measure(satisfaction), Measure(wishes), Measure(answered), Measure(kept))
