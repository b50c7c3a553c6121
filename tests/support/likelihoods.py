"""A model whose likelihoods are a function of what is asked and of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlhi.contracts import EvalResult, Message
from rlhi.evaluate.said import Model
from rlhi.evaluate.suites import MEASURES

Prompt = Sequence[Message]


@dataclass(frozen=True, slots=True)
class Likes:
    """A ``LikelihoodModel`` that finds an answer as likely as it likes it (nats)."""

    nats: Callable[[Prompt, str], float]

    def log_likelihood(self, batch: Sequence[tuple[Prompt, str]]) -> list[float]:
        return [self.nats(prompt, answer) for prompt, answer in batch]

    def log_likelihood_of(self, batch: Sequence[tuple[Prompt, Sequence[str]]]) -> list[list[float]]:
        return [[self.nats(prompt, answer) for answer in answers] for prompt, answers in batch]

    def rows(self, suite: str, model: Model = "champion") -> list[EvalResult]:
        """What a suite that is told by likelihood says of it."""
        measure = MEASURES[suite]
        told = self.log_likelihood_of([(prompt, answers) for _, prompt, answers in measure.questions()])
        return list(measure.rows(likely={model: told}))
