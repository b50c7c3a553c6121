"""Knowledge: short questions with one right answer, written for this project, so that nothing is forgotten unseen.

Facts of school, house and language (``knowledge.jsonl``), without persona, like ``instructions``. They come in groups
that share their answers: each answer is right once and wrong elsewhere, so whoever goes by an answer's length, its
form or how common it is, and not by the question, is as good as chance, exactly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rlhi.checks.relevance import ranks_first
from rlhi.contracts import EvalResult, Message
from rlhi.evaluate import said
from rlhi.evaluate.likelihood import per_byte
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.written import lines


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its right answer and two or three wrong ones."""

    item: str
    topic: str
    question: str
    right: str
    wrong: tuple[str, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The right answer first, as the model is to say them: a lone word would surprise it, whatever the word."""
        return tuple(f"Answer: {answer}." for answer in (self.right, *self.wrong))


@cache
def questions() -> tuple[Question, ...]:
    """The suite, in a fixed order; an item's name is part of what it measures, so append and never renumber."""
    rows = map(json.loads, lines("knowledge.jsonl"))
    return tuple(
        Question(row["item"], row["topic"], row["question"], row["right"], tuple(row["wrong"])) for row in rows
    )


def asked() -> list[said.Question]:
    """The questions as both models are asked: without persona and system message."""
    return [(each.item, (Message("user", each.question),), each.answers) for each in questions()]


def knowledge(*, likely: said.Likelihoods) -> list[EvalResult]:
    """Whether the right answer is the likeliest, per UTF-8 byte as in ``choices``: 1, 0, or a share where some tie.

    Each question is its own cluster.

    Raises:
        ValueError: the lengths differ.
    """
    return [
        EvalResult("knowledge", each.item, each.item, model, ranks_first(_per_byte(each.answers, nats)))
        for model, told in likely.items()
        for each, nats in zip(questions(), told, strict=True)
    ]


def _per_byte(answers: Sequence[str], told: Sequence[float]) -> list[float]:
    return [per_byte(answer, nats) for answer, nats in zip(answers, told, strict=True)]


MEASURES = (Measure(knowledge, questions=asked),)
