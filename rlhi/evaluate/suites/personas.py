"""Persona lift: is a user better served with their own persona than with another user's?

A model that learned one style for everybody gains satisfaction and no lift. Values lie in 0 to 1 like all suites':
``(1 + own - another's) / 2``, so that 0.5 says that it does not matter whose persona is told, and a gain of 5 points of
the suite is one of 10 points between the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rlhi.checks.form import Check, share_met
from rlhi.contracts import EvalResult
from rlhi.evaluate.likelihood import per_byte
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import MODELS, Choice, Chosen, Model, Replies, Reply, Truth


def persona_lift(
    *,
    replies: Replies,
    swapped: Replies | None = None,
    chosen: Chosen | None = None,
    chosen_swapped: Chosen | None = None,
    truth: Truth | None = None,
) -> list[EvalResult]:
    """By wishes where they are known, else by what users chose in the log."""
    if truth and truth.wishes:
        other = swapped or {}
        return [
            row for model, said in other.items() for row in lift_by_wishes(replies[model], said, truth.wishes, model)
        ]
    if not chosen or not chosen_swapped:
        return []
    rows = []
    for model in MODELS:
        own = {choice.item: pair for choice, pair in zip(chosen.choices, chosen.likely[model], strict=True)}
        for choice, pair in zip(chosen_swapped.choices, chosen_swapped.likely[model], strict=True):
            rows.append(lift_by_choice(choice, own[choice.item], pair, model))
    return rows


def lift_by_wishes(
    own: Sequence[Reply], shuffled: Sequence[Reply], wishes: Mapping[str, Sequence[Check]], model: Model
) -> list[EvalResult]:
    """For each request that was asked with both personas: wishes met with the own less with another user's.

    Items are requests: the mean over the samples of each side is taken first.
    """
    mine, theirs = _met(own, wishes), _met(shuffled, wishes)
    return [
        EvalResult("persona_lift", item, user, model, (1 + mine[item, user] - other) / 2)
        for (item, user), other in sorted(theirs.items())
        if (item, user) in mine
    ]


def lift_by_choice(choice: Choice, own: tuple[float, float], shuffled: tuple[float, float], model: Model) -> EvalResult:
    """Where no wish is known: does the own persona make likelier what its user chose over what was rejected?

    ``own`` and ``shuffled`` are log-likelihoods (nats) of the chosen and the rejected answer. Compared are differences
    per UTF-8 byte: 1 where the own persona tells them apart further in the right direction, 0 where it does less.
    """
    margins = [per_byte(choice.chosen, pair[0]) - per_byte(choice.rejected, pair[1]) for pair in (own, shuffled)]
    if not all(map(math.isfinite, margins)):
        return EvalResult("persona_lift", choice.item, choice.user_id, model, math.nan)
    value = 0.5 if margins[0] == margins[1] else float(margins[0] > margins[1])
    return EvalResult("persona_lift", choice.item, choice.user_id, model, value)


def _met(replies: Sequence[Reply], wishes: Mapping[str, Sequence[Check]]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], list[float]] = {}
    for reply in replies:
        if asked := wishes.get(reply.user_id):
            key = reply.item.rpartition("/")[0], reply.user_id
            found.setdefault(key, []).append(share_met(asked, reply.text))
    return {key: math.fsum(values) / len(values) for key, values in found.items()}


MEASURES = (Measure(persona_lift),)
