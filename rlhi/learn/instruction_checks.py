"""Whether an answer does what its user asked for, where a program can tell.

A rewrite must follow the feedback that it answers, and the feedback must fit the answer it was given to. What was asked
is read from two places: the claims that the persona rests on the complaint (``Use bullet points.``), and values that
the complaint puts right ("it should be 72"). Most complaints name nothing that a program can check: of those the reward
model alone judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from rlhi.checks.demands import Demand, demands_of
from rlhi.contracts import ToldClaim

Judgement = Literal["follows", "ignores", "unknown", "fits not"]

_VALUE = r"(?P<value>-?\d+(?:[.,]\d+)*)(?=\s*(?:[.,;:!?)]|$|\b(?:and|not|because|since|as|so|if|when)\b))"
_CORRECTED = re.compile(
    r"(?:\b(?:should (?:be|say|read)|supposed to be|ought to be|(?:number|value) (?:is|was|should be)"
    r"|not -?\d[\d.,]* but|it(?:['’]s| is| was)"
    r"|(?P<result>(?:answer|result|total|sum|solution) (?:is|was|should be)|i get|comes? (?:out )?(?:to|at)|makes"
    r"|equals))"
    rf"|(?P<sum>\d\s*[-+*/x×÷]\s*\d+(?:[.,]\d+)*\s*=))\s*(?:actually |exactly |really )?\$?{_VALUE}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")


def demands(claims: Iterable[ToldClaim], said: str = "", calculation: bool = False) -> tuple[Demand, ...]:
    """What claims of a persona, and the values in a complaint, ask for as far as a program can check it.

    The last value of a complaint has to stand in the answer; where the complaint calls it the result, or the request
    is a ``calculation``, it has to be what the answer comes to: its last number.

    >>> [one.text for one in demands([ToldClaim("Use bullet points.", "bullets")], "No, it should be 72.")]
    ['Use bullet points.', '72']
    """
    values = corrected(said)[-1:]
    return (*demands_of(claims), *(_value(value, is_result or calculation) for value, is_result in values))


def names_result(said: str, request: str) -> bool:
    """Whether a complaint says what the calculation that was asked for comes to.

    >>> names_result("No, the answer is 12.", "What is 7 + 5?"), names_result("It was 1648.", "When was that peace?")
    (True, False)
    """
    return bool(corrected(said)) and is_calculation(request)


def is_calculation(request: str) -> bool:
    """Whether a request of an arithmetic task is a calculation: it names several numbers."""
    return len(_NUMBER.findall(request)) > 1


def corrected(said: str) -> list[tuple[str, bool]]:
    """Values that a complaint puts right, as it writes them, in order; each with whether it is what all comes to.

    >>> corrected("That's wrong, it should be 1,072, not 61."), corrected("It should be 3 sentences.")
    ([('1,072', False)], [])
    >>> corrected("No, the answer is 12.")
    [('12', True)]
    """
    return [(found["value"], bool(found["result"] or found["sum"])) for found in _CORRECTED.finditer(said)]


def judge(asked: Sequence[Demand], original: str, rewrite: str) -> Judgement:
    """How a rewrite stands to what was asked of the original.

    ``fits not`` when the original did all of it already: the complaint means another answer, or something that was
    misread. ``unknown`` when nothing was asked that a program can check.
    """
    if not asked:
        return "unknown"
    if all(one.met(original, original) for one in asked):
        return "fits not"
    return "follows" if all(one.met(rewrite, original) for one in asked) else "ignores"


def _value(value: str, is_result: bool) -> Demand:
    wanted = value.replace(",", "")

    def met(answer: str, _: str) -> bool:
        # A result that is named on the way to another one ("12 * 2 = 24") is not the answer's.
        numbers = [number.replace(",", "") for number in _NUMBER.findall(answer)]
        return wanted in (numbers[-1:] if is_result else numbers)

    return Demand(value, met)
