"""What a user asks about: words that come back in their conversations and that few other users say.

A term is a word of four letters or more. It tells a topic when at least ``MIN_CONVERSATIONS`` of the user's
conversations say it and at most ``COMMON_SHARE`` of the other users do; terms that come in mostly the same
conversations are one topic. Who the others are is passed in as a :class:`Population`, so that the wing stays pure and
a persona does not change with every word that somebody else says.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rlhi.collect.persona.evidence import Found, claim_of
from rlhi.collect.persona.history import Said
from rlhi.collect.wishes.words import normalise
from rlhi.contracts import Claim, content_key
from rlhi.lexicons import lexicon

MIN_CONVERSATIONS = 2
MIN_USERS = 10  # fewer others say nothing about what is common
COMMON_SHARE = 0.1
RAREST = 6
CACHED = 1 << 14  # messages whose terms are remembered: a history is looked at several times
TOPICS, TERMS = 3, 3  # topics told of a user, terms told of a topic
SAME_TOPIC = 0.5  # Jaccard similarity of two terms' conversations

_TERM = re.compile(r"(?<![\w'-])[^\W\d_]{4,24}(?![\w'-])")
_ASKING = re.compile(str(lexicon("en").common.subjects))

TOPICS_VERSION = content_key(
    _ASKING.pattern, _TERM.pattern, [MIN_CONVERSATIONS, MIN_USERS, COMMON_SHARE, RAREST, TOPICS, TERMS, SAME_TOPIC]
)


@dataclass(frozen=True, slots=True)
class Population:
    """How many users say a term at all. ``members`` are the users that were counted."""

    members: frozenset[str] = frozenset()
    users_with: Mapping[str, int] | None = None

    def rarity(self, term: str, user_id: str) -> int:
        """How rare a term is among the users other than this one: whole halvings of their number, at most ``RAREST``.

        0 where too many say it, and with too few others for every term. Whole steps, so that a persona does not change
        with every word that somebody else says. The user is taken out by their id: they say it, or nobody would ask.
        """
        own = int(user_id in self.members)
        others = len(self.members) - own
        said = (self.users_with or {}).get(term, 0) - own
        if others < MIN_USERS or said > COMMON_SHARE * others:
            return 0
        return min(RAREST, int(math.log2(others / max(1, said))))


def population(users: Iterable[tuple[str, Sequence[Said]]]) -> Population:
    """Count the terms of each user's messages."""
    counts: Counter[str] = Counter()
    members = set()
    for user_id, messages in users:
        members.add(user_id)
        counts.update({term for message in messages for term in terms(message.text)})
    return Population(frozenset(members), dict(counts))


@lru_cache(maxsize=CACHED)
def terms(text: str) -> frozenset[str]:
    """The terms of a message: lower case, a plural as its singular.

    >>> sorted(terms("Please explain how my basil plants can live with 2 hours of sun"))
    ['basil', 'hour', 'live', 'plant']
    """
    said = {term for sentence in normalise(text) for term in _TERM.findall(sentence)}
    found = {_singular(term) for term in said if not _ASKING.fullmatch(term)}
    return frozenset(term for term in found if not _ASKING.fullmatch(term))


def candidates(user_id: str, messages: Sequence[Said], others: Population) -> dict[str, list[Said]]:
    """The terms that tell this user's topics with the turns that say them, by conversations times rarity (tf-idf).

    All that the population decides is which these are, and their order.
    """
    turns: dict[str, list[Said]] = defaultdict(list)
    for message in messages:
        for term in terms(message.text):
            turns[term].append(message)
    counts = {term: len(_conversations(said)) for term, said in turns.items()}
    weights = {
        term: count * others.rarity(term, user_id) for term, count in counts.items() if count >= MIN_CONVERSATIONS
    }
    chosen = sorted((term for term, weight in weights.items() if weight), key=lambda term: (-weights[term], term))
    return {term: turns[term] for term in chosen}


def topics(chosen: Mapping[str, Sequence[Said]]) -> tuple[Found, ...]:
    """The topics of :func:`candidates`, in their order; confidence ``n / (n + 1)`` for ``n`` conversations."""
    where = {term: _conversations(turns) for term, turns in chosen.items()}
    clusters: list[list[str]] = []
    for term in chosen:
        for cluster in clusters:
            mine, theirs = where[term], where[cluster[0]]
            if len(mine & theirs) >= SAME_TOPIC * len(mine | theirs):
                cluster.append(term)
                break
        else:
            clusters.append([term])
    return tuple(Found("topic", _claim(cluster[:TERMS], chosen)) for cluster in clusters[:TOPICS])


def _claim(cluster: Sequence[str], chosen: Mapping[str, Sequence[Said]]) -> Claim:
    turns = [turn for term in cluster for turn in chosen[term]]
    count = len(_conversations(turns))
    return claim_of("topic", f"Asks about {', '.join(cluster)}.", count / (count + 1), turns)


def _conversations(turns: Iterable[Said]) -> set[str]:
    return {turn.conversation_id for turn in turns}


def _singular(term: str) -> str:
    return term[:-1] if len(term) > 4 and term.endswith("s") and not term.endswith(("ss", "us", "is")) else term
