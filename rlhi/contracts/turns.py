"""Which turn follows which: system turns, wherever a log has them, are passed over.

Rows name a turn by its place in ``Conversation.turns``, system turns counted. An application that puts retrieved
documents or the time before every request logs such a turn between any two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from rlhi.contracts import Turn

NOWHERE = -1


def spoken(turns: Sequence[Turn]) -> list[int]:
    """The places of what the user and the assistant said."""
    return [at for at, turn in enumerate(turns) if turn.role != "system"]


def beside(turns: Sequence[Turn], at: int, by: int) -> int:
    """The place of what was said ``by`` turns after the turn ``at`` (before it, if negative); NOWHERE if nothing was.

    >>> turns = [Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("system", "It is noon."), Turn("user", "Why?")]
    >>> beside(turns, 1, 1), beside(turns, 3, -1), beside(turns, 3, 1)
    (3, 1, -1)
    """
    places = range(at + 1, len(turns)) if by > 0 else range(at - 1, -1, -1)
    said = (place for place in places if turns[place].role != "system")
    return next(islice(said, abs(by) - 1, None), NOWHERE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The places of a user's request, of the answer right after it, and of what the user said to that, or NOWHERE."""

    request: int
    answer: int
    follow_up: int = NOWHERE


def exchanges(turns: Sequence[Turn]) -> Iterator[Exchange]:
    """Every request that was answered, in order.

    >>> turns = [Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "Why?"), Turn("assistant", "So.")]
    >>> list(exchanges(turns))
    [Exchange(request=0, answer=1, follow_up=2), Exchange(request=2, answer=3, follow_up=-1)]
    """
    places = spoken(turns)
    after = dict(pairwise(places))
    for request, answer in after.items():
        if (turns[request].role, turns[answer].role) == ("user", "assistant"):
            said = after.get(answer, NOWHERE)
            yield Exchange(request, answer, said if said != NOWHERE and turns[said].role == "user" else NOWHERE)


def opening(turns: Sequence[Turn]) -> str:
    """The first words of the user, empty if there are none."""
    return next((turn.content for turn in turns if turn.role == "user"), "")


def request(turns: Sequence[Turn], at: int) -> str:
    """What the answer at ``at`` answers: the words said right before it, empty if nothing was."""
    place = beside(turns, at, -1)
    return "" if place == NOWHERE else turns[place].content
