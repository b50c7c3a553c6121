"""What reads a history: one interface, and the local reader, which is rules and counts and gives equal bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rlhi.collect.persona.evidence import Found, wishes
from rlhi.collect.persona.history import History, Said, complaints, said
from rlhi.collect.persona.observed import OBSERVED_VERSION, observed
from rlhi.collect.persona.topics import TOPICS_VERSION, Population, candidates, topics
from rlhi.collect.wishes.claims import READING
from rlhi.collect.wishes.rules import RULES_VERSION
from rlhi.config import PersonasConfig
from rlhi.contracts import content_key

REACTIONS = ("reattempt_with_feedback", "reattempt_without_feedback", "positive_feedback")


@dataclass(frozen=True, slots=True)
class Built:
    """What a builder found; ``basis`` names everything that it rests on, the builder's version included."""

    basis: str
    found: tuple[Found, ...]


class PersonaBuilder(Protocol):
    """Reads histories. Equal histories and an equal ``basis`` mean equal claims."""

    def basis(self, history: History) -> str:
        """The name of what the claims would rest on, told without building them."""
        ...

    def build(self, histories: Sequence[History]) -> list[Built]:
        """What is found in each history, in order; wishes first, the surest first."""
        ...


class LocalBuilder:
    """Wishes from complaints by rule, and what is seen of the user: languages, style, self-descriptions, topics."""

    def __init__(self, config: PersonasConfig, others: Population | None = None) -> None:
        self._config, self._others = config, others or Population()
        limits = [config.max_claims, config.min_confidence, config.half_life]
        self.version = content_key("local", READING, RULES_VERSION, OBSERVED_VERSION, TOPICS_VERSION, limits)

    def basis(self, history: History) -> str:
        """All turns of the user with what their labels mean here, and which of their terms are uncommon."""
        every = said(history)
        turns = [[one.reference, one.text, one.seen, _meaning(one)] for one in every]
        return content_key(self.version, turns, list(candidates(history.user_id, requests(every), self._others)))

    def build(self, histories: Sequence[History]) -> list[Built]:
        """See :class:`PersonaBuilder`."""
        return [Built(self.basis(history), self._read(history)) for history in histories]

    def _read(self, history: History) -> tuple[Found, ...]:
        own = requests(said(history))
        seen = (*observed(own), *topics(candidates(history.user_id, own, self._others)))
        sure = [one for one in seen if one.claim.confidence >= self._config.min_confidence]
        sure.sort(key=lambda one: (-one.claim.confidence, one.claim.text))
        return (*wishes(complaints(history), self._config), *sure)


def requests(messages: Sequence[Said]) -> tuple[Said, ...]:
    """The messages that are not only a reaction to an answer: what a user asks about and how they write."""
    return tuple(one for one in messages if one.label not in REACTIONS)


def _meaning(turn: Said) -> str:
    return "wish" if turn.label == REACTIONS[0] else "reaction" if turn.label in REACTIONS else ""
