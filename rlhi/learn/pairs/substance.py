"""The chosen side of a pair must answer at least as well as the rejected one: else a model learns to stop answering.

Of the chosen rewrites of one demo 46% had left their request, of the candidates 20% (docs/log.md, 2026-11-29). Answers
are told by nearness alone (:mod:`rlhi.checks.relevance`); the yardstick that measures challengers is asked of no pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlhi.checks.form import language_of
from rlhi.checks.relevance import nearness
from rlhi.config import PairsConfig
from rlhi.models.base import Embedder

LEFT = "chosen is not about the request"
LESS = "chosen answers less than rejected"


@dataclass(frozen=True, slots=True)
class Substance:
    """Tells whether answers are near their request, as ``config`` asks; anything passes without an embedder."""

    config: PairsConfig
    embedder: Embedder | None = None

    def near(self, request: str, texts: Sequence[str]) -> list[float]:
        """The nearness of each text to the request; 1 where nothing is to be told."""
        if self.embedder is None or not self.config.filter or not request.strip():
            return [1.0] * len(texts)
        return nearness([request] * len(texts), texts, self.embedder)

    def answers(self, request: str, text: str, near: float) -> bool:
        """Whether a text is near enough to be an answer; of another language than English nobody can tell."""
        return near >= self.config.least_near or not _english(request, text)

    def lacking(self, request: str, chosen: str, near: float, rejected_near: float, alone: bool = True) -> str:
        """Why ``chosen`` may not be learned from beside the rejected side; empty when it may.

        ``alone``: it has to be near the request whatever the rejected side is. An answer of the log's own has not: what
        it answers may stand further up in its conversation.
        """
        if alone and not self.answers(request, chosen, near):
            return LEFT
        return LESS if near < rejected_near - self.config.max_less_near else ""


def _english(*texts: str) -> bool:
    # The embedded embedder knows no other language: a French answer looks far from an English request.
    return all(language_of(text) in ("en", "") for text in texts)
