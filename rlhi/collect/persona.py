"""A user's history -> the persona: standing wishes, each with its evidence (paper, section 3).

Wishes are read from the follow-ups that ask for an answer again and say why. Rules propose, evidence disposes: a
wish that keeps coming back gains confidence, a stray one among many others loses it, and of two that contradict each
other the better supported, then the newer, stays.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rlhi.collect.claims import Wish, wishes_in
from rlhi.collect.rules import RULES_VERSION
from rlhi.config import PersonasConfig
from rlhi.contracts import Claim, Conversation, FeedbackTurn, Persona, content_key

SAME_CONVERSATION = 0.5  # what a complaint counts that repeats itself within one conversation
QUOTED = 0.6  # what a complaint counts that is only quoted
VERSION_DIGITS = 8


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one user: all conversations, and the labels of their follow-ups."""

    user_id: str
    conversations: tuple[Conversation, ...]
    feedback: tuple[FeedbackTurn, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """A follow-up that asks for the answer again and says what to change."""

    conversation_id: str
    turn_index: int
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One wish in one complaint; ``order`` grows with time."""

    wish: Wish
    order: int
    conversation_id: str
    turn: str


def personas(histories: Iterable[History], config: PersonasConfig) -> Iterator[Persona]:
    """One persona for each user who can be told from others; its text is empty where nothing is known."""
    for history in histories:
        if any(conversation.has_user for conversation in history.conversations):
            yield persona(history, config)


def persona(history: History, config: PersonasConfig) -> Persona:
    """The persona of one history; the order of its rows does not matter."""
    known = complaints(history)
    claims = _claims(known, config)
    text = " ".join(claim.text for claim in claims)
    total = len({conversation.conversation_id for conversation in history.conversations})
    return Persona(
        key=content_key(history.user_id, known, total, config.model_dump(), RULES_VERSION),
        user_id=history.user_id,
        version=content_key(text)[:VERSION_DIGITS],
        text=text,
        claims=claims,
        conversations=total,
    )


def complaints(history: History) -> tuple[Complaint, ...]:
    """The follow-ups labelled ``reattempt_with_feedback``, oldest first.

    A label whose turn is not in the history (an older growth, another user's) is passed over.
    """
    by_id = {row.conversation_id: row for row in history.conversations if row.has_user}
    found = set()
    for label in history.feedback:
        row = by_id.get(label.conversation_id)
        if row is None or label.label != "reattempt_with_feedback" or not 0 <= label.turn_index < len(row.turns):
            continue
        turn = row.turns[label.turn_index]
        if turn.role == "user":
            when = row.created_at or ""
            found.add((when, row.conversation_id, label.turn_index, turn.content))
    return tuple(Complaint(conversation, turn, text) for _, conversation, turn, text in sorted(found))


def _claims(known: Sequence[Complaint], config: PersonasConfig) -> tuple[Claim, ...]:
    by_topic: dict[str, list[Evidence]] = defaultdict(list)
    for order, complaint in enumerate(known):
        for wish in wishes_in(complaint.text):
            turn = f"{complaint.conversation_id}#{complaint.turn_index}"
            by_topic[wish.topic].append(Evidence(wish, order, complaint.conversation_id, turn))
    if not by_topic:
        return ()
    found = [_best(evidence) for evidence in by_topic.values()]
    most = max(support for _, support, _ in found)
    claims = [_claim(pole, support, rival, most) for pole, support, rival in found]
    kept = [claim for claim in claims if claim.confidence >= config.min_confidence]
    return tuple(sorted(kept, key=lambda claim: (-claim.confidence, claim.text))[: config.max_claims])


def _best(evidence: Sequence[Evidence]) -> tuple[list[Evidence], float, float]:
    """Of wishes that contradict each other the better supported, then the newer; its support and the rest's."""
    poles: dict[str, list[Evidence]] = defaultdict(list)
    for one in evidence:
        poles[one.wish.pole].append(one)
    best = max(poles.values(), key=_weight)
    rival = sum(_support(pole) for pole in poles.values() if pole is not best)
    return best, _support(best), rival


def _claim(evidence: Sequence[Evidence], support: float, rival: float, most: float) -> Claim:
    """The claim of one pole in its most exact words, vague complaints counting for it too.

    Confidence is ``support / (support + rival + 1)``, damped by the root of its share of the best supported wish: a
    stray complaint among many of another kind is likely noise.
    """
    exact = [one for one in evidence if not one.wish.vague] or evidence
    texts: dict[str, list[Evidence]] = defaultdict(list)
    for one in exact:
        texts[one.wish.text].append(one)
    wish = max(texts.values(), key=_weight)[0].wish
    confidence = support / (support + rival + 1) * math.sqrt(support / most)
    return Claim(wish.kind, wish.text, round(confidence, 4), tuple(dict.fromkeys(one.turn for one in evidence)))


def _weight(evidence: Sequence[Evidence]) -> tuple[float, int, str]:
    return _support(evidence), max(one.order for one in evidence), evidence[-1].wish.text


def _support(evidence: Sequence[Evidence]) -> float:
    """How much evidence there is: each conversation counts in full once, and by half for each further complaint."""
    turns = {(one.conversation_id, one.turn): QUOTED if one.wish.quoted else 1.0 for one in evidence}
    support = 0.0
    seen: set[str] = set()
    for (conversation, _), weight in turns.items():
        support += weight * (SAME_CONVERSATION if conversation in seen else 1.0)
        seen.add(conversation)
    return support
