"""Which turn follows which: turns of the system and of tools are passed over, and so are turns without text.

Rows name a turn by its place in ``Conversation.turns``, all turns counted. An application that puts retrieved documents
or the time before every request logs a system's turn between any two, one with tools what these answered. Several turns
of one speaker in a row are one turn in several parts, as where a tool was called between them: the last part stands for
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from rlhi.contracts import Message, Turn

NOWHERE = -1
BETWEEN = "\n\n"
"""What stands between the parts of one turn."""


def spoken(turns: Sequence[Turn]) -> list[int]:
    """The places of what the user and the assistant said in words."""
    return [at for at, turn in enumerate(turns) if turn.speaks and turn.has_text]


def beside(turns: Sequence[Turn], at: int, by: int) -> int:
    """The place of what was said ``by`` turns after the turn ``at`` (before it, if negative); NOWHERE if nothing was.

    >>> turns = [Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("system", "It is noon."), Turn("user", "Why?")]
    >>> beside(turns, 1, 1), beside(turns, 3, -1), beside(turns, 3, 1)
    (3, 1, -1)
    """
    places = range(at + 1, len(turns)) if by > 0 else range(at - 1, -1, -1)
    said = (place for place in places if turns[place].speaks and turns[place].has_text)
    return next(islice(said, abs(by) - 1, None), NOWHERE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The places of a user's request, of the answer to it, and of what the user said to that, or NOWHERE."""

    request: int
    answer: int
    follow_up: int = NOWHERE


def exchanges(turns: Sequence[Turn]) -> Iterator[Exchange]:
    """Every request that was answered, in order.

    Requests and answers without text, such as pictures, make none: nobody can tell from words what was found of them.

    >>> turns = [Turn("user", "Hi"), Turn("assistant", "Hello"), Turn("user", "Why?"), Turn("assistant", "So.")]
    >>> list(exchanges(turns))
    [Exchange(request=0, answer=1, follow_up=2), Exchange(request=2, answer=3, follow_up=-1)]
    >>> parts = [Turn("user", "Hi"), Turn("assistant", "One moment."), Turn("assistant", "Hello"), Turn("user", "No")]
    >>> list(exchanges(parts))
    [Exchange(request=0, answer=2, follow_up=3)]
    """
    request = answer = NOWHERE
    before = ""
    for at, turn in enumerate(turns):
        if not turn.speaks:
            continue
        if turn.role == "assistant":
            answer = at if turn.has_text and request != NOWHERE else NOWHERE
        else:
            if answer != NOWHERE:
                yield Exchange(request, answer, at if turn.has_text else NOWHERE)
            request = at if turn.has_text else NOWHERE if before != "user" else request
            answer = NOWHERE
        before = turn.role
    if answer != NOWHERE:
        yield Exchange(request, answer)


def followed(turns: Sequence[Turn]) -> dict[int, Exchange]:
    """The exchanges that a user said something to, by the place of what they said."""
    return {one.follow_up: one for one in exchanges(turns) if one.follow_up != NOWHERE}


def opening(turns: Sequence[Turn]) -> str:
    """The first words of the user, empty if there are none."""
    return next((turn.content for turn in turns if turn.role == "user" and turn.has_text), "")


def asked(turns: Sequence[Turn], at: int) -> tuple[Turn, ...]:
    """What was said up to the request that the answer at ``at`` answers, and what tools and the system said since.

    Other parts of that answer are left out.

    >>> turns = [Turn("user", "Rain?"), Turn("assistant", "A moment."), Turn("tool", "dry"), Turn("assistant", "No.")]
    >>> [turn.content for turn in asked(turns, 3)]
    ['Rain?', 'dry']
    """
    last = next((place for place in range(at - 1, -1, -1) if turns[place].role == "user" and turns[place].has_text), at)
    if last == at:
        return tuple(turns[:at])
    return (*turns[: last + 1], *(turn for turn in turns[last + 1 : at] if not turn.speaks))


def opened(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The first words of the user, with what the system and tools said before the first answer; empty without any."""
    first = next((at for at, turn in enumerate(turns) if turn.role == "user" and turn.has_text), None)
    if first is None:
        return ()
    before = (turn for turn in turns[:first] if not turn.speaks)
    return (*before, turns[first], *takewhile(lambda turn: not turn.speaks, turns[first + 1 :]))


def asked_last(messages: Sequence[Message]) -> str:
    """What a prompt asks: the user's last message, behind which a tool's results may stand; else the last message."""
    every = [message.content for message in messages if message.role == "user"] or [one.content for one in messages]
    return every[-1] if every else ""


def request(turns: Sequence[Turn], at: int) -> str:
    """What the answer at ``at`` answers: all that its user said since the answer before, empty if nothing was."""
    parts: list[str] = []
    for place in reversed(spoken(turns[:at])):
        if turns[place].role == "user":
            parts.append(turns[place].content)
        elif parts:
            break
    return BETWEEN.join(reversed(parts))


def is_first(turns: Sequence[Turn], at: int) -> bool:
    """Whether the answer at ``at`` is to a user's first request: nothing was answered before."""
    return not any(turn.role == "assistant" and turn.has_text for turn in asked(turns, at))
