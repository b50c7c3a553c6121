"""From what was said to claims: support grows confidence, contradiction takes it, newer contradiction takes more.

``confidence = support / (support + rival + 1)``. Each conversation counts in full once and by half for each further
turn. Evidence of a wish fades: it halves with every ``half_life`` contrary pieces of evidence that are known to be
later. So a claim that its user has gone back on loses against the newer one, falls below ``personas.min_confidence``
and disappears; an old contradiction that was itself taken back fades in the same way. Undated conversations have no
order, so nothing fades between them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rlhi.collect.persona.history import Said
from rlhi.collect.wishes.claims import Wish, wishes_in
from rlhi.collect.wishes.rules import Kind
from rlhi.config import ClaimGroup, PersonasConfig
from rlhi.contracts import Claim

SAME_CONVERSATION = 0.5  # what a turn counts that repeats itself within one conversation
QUOTED = 0.6  # what a complaint counts that is only quoted
MAX_EVIDENCE = 50  # turns that a claim names: the newest


@dataclass(frozen=True, slots=True)
class Found:
    """A claim and where it comes from: the user asked for it (``wish``), or it was seen of them."""

    group: ClaimGroup
    claim: Claim


@dataclass(frozen=True, slots=True)
class Evidence:
    """One wish in one turn."""

    wish: Wish
    turn: Said

    @property
    def weight(self) -> float:
        """What it counts by itself."""
        return QUOTED if self.wish.quoted else 1.0


def wishes(complaints: Sequence[Said], config: PersonasConfig) -> tuple[Found, ...]:
    """The standing wishes in complaints: of those that contradict each other the best supported.

    At most ``config.max_claims``, the surest first. A wish that stands alone among many of another kind is damped by
    the root of its share of the best supported one: it is likely noise.
    """
    topics: dict[str, list[Evidence]] = defaultdict(list)
    for complaint in sorted(complaints, key=lambda one: one.place):
        for wish in wishes_in(complaint.text):
            topics[wish.topic].append(Evidence(wish, complaint))
    found = [_best(evidence, config.half_life) for evidence in topics.values()]
    most = max((support for _, support, _ in found), default=0.0)
    claims = [_wish(pole, support, rival, most, config.half_life) for pole, support, rival in found]
    kept = [claim for claim in claims if claim.confidence >= config.min_confidence]
    surest = sorted(kept, key=lambda claim: (-claim.confidence, claim.text))[: config.max_claims]
    return tuple(Found("wish", claim) for claim in surest)


def claim_of(
    kind: Kind, text: str, confidence: float, turns: Iterable[Said], topics: tuple[str, ...] = (), check: str = ""
) -> Claim:
    """A claim with its confidence and the turns it rests on, oldest first.

    First and last seen are told only where every turn's time is known.
    """
    ordered = sorted(set(turns), key=lambda one: one.place)
    dated = bool(ordered) and all(one.at is not None for one in ordered)
    first, last = (ordered[0].seen, ordered[-1].seen) if dated else (None, None)
    references = tuple(dict.fromkeys(one.reference for one in ordered))[-MAX_EVIDENCE:]
    return Claim(kind, text, round(confidence, 4), references, first, last, topics, check)


def support(side: Sequence[Evidence], contrary: Sequence[Evidence] = (), half_life: float = math.inf) -> float:
    """How much evidence there is on one side, each piece halved for every ``half_life`` contrary ones after it."""
    against = _weights(contrary)
    return math.fsum(
        weight * 0.5 ** (math.fsum(other for later, other in against if later.later_than(turn)) / half_life)
        for turn, weight in _weights(side)
    )


def _weights(evidence: Sequence[Evidence]) -> list[tuple[Said, float]]:
    """Each turn with what it counts, before anything fades."""
    turns: dict[Said, float] = {}
    for one in evidence:
        turns[one.turn] = max(one.weight, turns.get(one.turn, 0.0))
    seen: set[str] = set()
    weighed = []
    for turn in sorted(turns, key=lambda one: one.place):
        weighed.append((turn, turns[turn] * (SAME_CONVERSATION if turn.conversation_id in seen else 1.0)))
        seen.add(turn.conversation_id)
    return weighed


def _best(evidence: Sequence[Evidence], half_life: float) -> tuple[list[Evidence], float, float]:
    """The winning pole of a topic, its support, and that of the others together."""
    poles: dict[str, list[Evidence]] = defaultdict(list)
    for one in evidence:
        poles[one.wish.pole].append(one)
    strength = _strengths(poles, half_life)
    best = max(poles, key=lambda pole: _rank(poles[pole], strength[pole]))
    rival = math.fsum(value for pole, value in strength.items() if pole != best)
    return poles[best], strength[best], rival


def _wish(evidence: Sequence[Evidence], support: float, rival: float, most: float, half_life: float) -> Claim:
    """The claim of one pole in its most exact words, vague complaints counting for it too."""
    exact = [one for one in evidence if not one.wish.vague] or evidence
    texts: dict[str, list[Evidence]] = defaultdict(list)
    for one in exact:
        texts[one.wish.text].append(one)
    strength = _strengths(texts, half_life)
    wish = texts[max(texts, key=lambda text: _rank(texts[text], strength[text]))][0].wish
    confidence = support / (support + rival + 1) * math.sqrt(support / most)
    turns = (one.turn for one in evidence)
    return claim_of(wish.kind, wish.text, confidence, turns, () if wish.quoted else (wish.topic,), wish.check)


def _strengths(sides: dict[str, list[Evidence]], half_life: float) -> dict[str, float]:
    """The support of each of several sides, all others being contrary to it."""
    return {
        name: support(side, [one for other, rest in sides.items() if other != name for one in rest], half_life)
        for name, side in sides.items()
    }


def _rank(evidence: Sequence[Evidence], strength: float) -> tuple[float, datetime, tuple[str, ...]]:
    """Sides in order: the stronger, then the newer, and else always the same one, whatever the order of rows."""
    newest = max(one.turn.place[0] for one in evidence)
    return round(strength, 9), newest, tuple(sorted({one.wish.text for one in evidence}))
