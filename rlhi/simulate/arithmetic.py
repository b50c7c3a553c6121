"""Arithmetic problems with one right answer, so that a user can say that an answer is wrong, and why.

Sums, differences and products of small numbers, made from a fixed seed: of larger ones a model of 135M gets hardly any
right. Evaluation asks of other numbers than conversations do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

from rlhi.contracts import content_key
from rlhi.simulate.phrasings import Phrasings

WORDINGS = {
    "+": (
        "What is {a} + {b}?",
        "Calculate {a} plus {b}.",
        "I have {a} stamps and get {b} more. How many stamps do I have now?",
        "A train has {a} people in it and {b} more get on. How many are in it now?",
    ),
    "-": (
        "What is {a} - {b}?",
        "Calculate {a} minus {b}.",
        "I had {a} stamps and gave away {b}. How many stamps are left?",
        "There are {a} people in a train and {b} get off. How many are left in it?",
    ),
    "x": (
        "What is {a} x {b}?",
        "Calculate {a} times {b}.",
        "I have {a} bags with {b} apples in each. How many apples do I have?",
        "A hall has {a} rows with {b} seats in each. How many seats does it have?",
    ),
}
EVALUATED = 4  # one problem in so many is for evaluation only


# What users say of a wrong answer: {n} is the right one, {why} the working.
CORRECTIONS = Phrasings(
    (
        "That's wrong, it should be {n}: {why}.",
        "No, the answer is {n}. You {why}.",
        "Incorrect. It is {n}, because you {why}.",
        "You made a mistake, the right answer is {n}: {why}.",
        "I get {n}, not what you say: {why}.",
        "Please check that again, the result should be {n}. I {why}.",
        "This can't be right. It should be {n}, since you {why}.",
        "Wrong result! The answer is {n}: {why}.",
    ),
    (
        "Your sum is off, the answer is {n}: {why}.",
        "Hm, my calculator disagrees, it should be {n}. You {why}.",
        "That doesn't add up: {why}, so the result is {n}.",
        "Nope. {n}. You {why}, and so it is {n}.",
    ),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A request, its right answer, and the working that a user would show."""

    request: str
    answer: int
    why: str


Part = Literal["conversation", "evaluation"]


@cache
def problems(part: Part) -> tuple[Problem, ...]:
    """The problems of one part, in an order of their own; the two parts share no pair of numbers."""
    found = [
        _problem(sign, a, b)
        for sign, a, b in _operands()
        if (int(content_key(min(a, b), max(a, b))[:8], 16) % EVALUATED == 0) == (part == "evaluation")
    ]
    Random(part).shuffle(found)
    return tuple(found)


def _operands() -> Iterator[tuple[str, int, int]]:
    small = range(2, 10)
    yield from (("+", a, b) for a in small for b in small)
    yield from (("-", a, b) for a in range(5, 17) for b in small if a - b > 1)
    yield from (("x", a, b) for a in small for b in small)


def _problem(sign: str, a: int, b: int) -> Problem:
    wording = Random(content_key("wording", sign, a, b)).choice(WORDINGS[sign]).format(a=a, b=b)
    if sign == "x":
        return Problem(wording, a * b, f"take {a - 1} times {b} for {(a - 1) * b}, then add another {b}")
    side, step = (1, "add") if sign == "+" else (-1, "take away")
    half = b // 2
    why = f"start from {a}, {step} {half} for {a + side * half}, then {step} {b - half}"
    return Problem(wording, a + side * b, why)
