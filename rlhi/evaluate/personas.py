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
from rlhi.evaluate.suites import Choice, Model, Reply, per_byte

SUITE = "persona_lift"
WHOLE = 2
"""What a gain of the suite is multiplied by to be told in points of own less another's."""


def lift_by_wishes(
    own: Sequence[Reply], shuffled: Sequence[Reply], wishes: Mapping[str, Sequence[Check]], model: Model
) -> list[EvalResult]:
    """For each request that was asked with both personas: wishes met with the own less with another user's.

    Items are requests: the mean over the samples of each side is taken first.
    """
    mine, theirs = _met(own, wishes), _met(shuffled, wishes)
    return [
        EvalResult(SUITE, item, user, model, (1 + mine[item, user] - other) / 2)
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
        return EvalResult(SUITE, choice.item, choice.user_id, model, math.nan)
    value = 0.5 if margins[0] == margins[1] else float(margins[0] > margins[1])
    return EvalResult(SUITE, choice.item, choice.user_id, model, value)


def _met(replies: Sequence[Reply], wishes: Mapping[str, Sequence[Check]]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], list[float]] = {}
    for reply in replies:
        if asked := wishes.get(reply.user_id):
            key = reply.item.rpartition("/")[0], reply.user_id
            found.setdefault(key, []).append(share_met(asked, reply.text))
    return {key: math.fsum(values) / len(values) for key, values in found.items()}
