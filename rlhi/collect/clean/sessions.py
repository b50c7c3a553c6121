"""One conversation of the rows of a session, of which each holds an exchange, some of the history, or all of it.

What two rows hold is put together by what was said and when: an exchange that both hold is one, a row that goes on
where another ends goes on from there, and an exchange that no other row repeats stands where its time puts it. Without
a time it comes after what was there. Where all exchanges have times, the order of rows does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rlhi.collect.clean.accept import merge, talk
from rlhi.contracts import Conversation, Turn

SOURCES = frozenset({"completions", "litellm", "langfuse", "bedrock", "mlflow", "otel"})
"""The formats with a request a row: rows of one id are parts of one session."""
SAME_WITHIN = timedelta(seconds=60)
"""One exchange is logged more than once, as a trace and its generation or on another try, at slightly other times."""


@dataclass(frozen=True, slots=True)
class Part:
    """A request with its answer, what tools said for it, and the system's turns before it."""

    turns: tuple[Turn, ...]

    @property
    def said(self) -> list[tuple[str, str]]:
        """Who said what; the system is left aside, and so are answers without words, which another row may have."""
        return [(self.turns[at].role, self.turns[at].content) for at in _worded(self.turns)]

    @property
    def moment(self) -> datetime | None:
        """When it was asked."""
        times = (turn.created_at for turn in self.turns if turn.speaks and turn.created_at)
        return _moment(next(times, None))

    def is_same(self, other: Part) -> bool:
        """Whether both are one exchange, of which one row may lack the answer."""
        mine, theirs = self.said, other.said
        shared = min(len(mine), len(theirs))
        if mine[:shared] != theirs[:shared]:
            return False
        one, two = self.moment, other.moment
        if one is None or two is None:  # two pictures without words are not one for that
            return mine == theirs or any(text.strip() for _, text in mine[:shared])
        return abs(one - two) <= SAME_WITHIN

    @property
    def _length(self) -> tuple[int, int]:
        return len(self.said), len(self.turns)

    def with_what(self, other: Part) -> Part:
        """The whole of one exchange that two rows hold."""
        longer, shorter = (other, self) if other._length > self._length else (self, other)
        return Part(_filled(longer.turns, shorter.turns))


def put_together(old: Conversation, new: Conversation, max_turns: int) -> Conversation | None:
    """One conversation of two rows of a session; None where they contradict each other, or are too many turns.

    They contradict each other where both hold a history, and neither goes on with the other's.
    """
    mine, theirs = parts_of(old.turns), parts_of(new.turns)
    if len(mine) > 1 and len(theirs) > 1:
        return _histories(old, new, mine, theirs, max_turns)
    long, [one] = (mine, theirs) if len(theirs) == 1 else (theirs, mine)
    at = next((at for at, part in enumerate(long) if part.is_same(one)), None)
    if at is not None:
        whole = merge(old, new) if len(mine) == len(theirs) else _flagged(old if long is mine else new, old, new)
        return _told(whole, [*long[:at], long[at].with_what(one), *long[at + 1 :]])
    moment = one.moment
    later = (at for at, part in enumerate(long) if moment and part.moment and part.moment > moment)
    at = next(later, len(long))
    return _joined(old, new, [*long[:at], one, *long[at:]], max_turns)


def parts_of(turns: Sequence[Turn]) -> list[Part]:
    """The exchanges; a system's turn belongs to the request that follows it."""
    found: list[list[Turn]] = [[]]
    system: list[Turn] = []
    answered = False
    for turn in turns:
        if turn.role == "system":
            system.append(turn)
            continue
        if turn.role == "user" and answered:
            found.append([])
            answered = False
        answered = answered or (turn.role == "assistant" and any(one.role == "user" for one in found[-1]))
        found[-1] += [*system, turn]
        system = []
    found[-1] += system
    return [Part(tuple(part)) for part in found]


def _histories(
    old: Conversation, new: Conversation, mine: list[Part], theirs: list[Part], max_turns: int
) -> Conversation | None:
    if _all_same(mine, theirs):
        longer = merge(old, new)
        one, two = (mine, theirs) if longer.turns is old.turns else (theirs, mine)
        both = [part.with_what(again) for part, again in zip(one, two, strict=False)]
        return _told(longer, [*both, *one[len(both) :], *two[len(both) :]])
    for one, two in ((mine, theirs), (theirs, mine)):
        for shared in range(min(len(one), len(two)), 0, -1):
            if _all_same(one[-shared:], two[:shared]):  # the last exchanges of one are the first that the other repeats
                both = [part.with_what(again) for part, again in zip(one[-shared:], two, strict=False)]
                return _joined(old, new, [*one[:-shared], *both, *two[shared:]], max_turns)
    return merge(old, new) if mine[0].is_same(theirs[0]) else None


def _all_same(one: Sequence[Part], two: Sequence[Part]) -> bool:
    return all(part.is_same(other) for part, other in zip(one, two, strict=False))


def _filled(turns: Sequence[Turn], others: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with what the same turns of another row say of them."""
    made = list(turns)
    for place, other in zip(_worded(turns), _worded(others), strict=False):
        turn, again = turns[place], others[other]
        if turn != again:
            times = [time for time in (turn.created_at, again.created_at) if time]
            signals = max(turn.signals, again.signals, key=lambda signals: (len(signals), repr(signals)))
            made[place] = replace(
                turn, created_at=min(times, default=None), model=turn.model or again.model, signals=signals,
                thought=turn.thought or again.thought, cut=turn.cut or again.cut,
            )  # fmt: skip
    return tuple(made)


def _joined(old: Conversation, new: Conversation, parts: Sequence[Part], max_turns: int) -> Conversation | None:
    """The conversation of exchanges that neither row holds all of."""
    early, late = sorted((old, new), key=lambda row: row.created_at or "")
    whole = replace(
        _flagged(early, old, new),
        created_at=early.created_at or late.created_at,
        language=early.language or late.language,
        batch=new.batch,
        changes=_summed(old.changes, new.changes),
        chain=(*early.chain, *late.chain[1:]),
    )
    made = _told(whole, parts)
    models = [turn.model for turn in made.turns if turn.role == "assistant" and turn.model]
    made = replace(made, model=models[-1] if models else late.model or early.model)
    return made if talk(made.turns) <= max_turns else None


def _worded(turns: Sequence[Turn]) -> list[int]:
    """The places of requests, and of answers with words."""
    return [at for at, turn in enumerate(turns) if turn.role == "user" or (turn.role == "assistant" and turn.has_text)]


def _flagged(row: Conversation, old: Conversation, new: Conversation) -> Conversation:
    return replace(row, toxic=old.toxic or new.toxic, redacted=old.redacted or new.redacted)


def _told(row: Conversation, parts: Iterable[Part]) -> Conversation:
    """The row with these exchanges; what the system says before each of them is told once."""
    turns: list[Turn] = []
    said: set[str] = set()
    for part in parts:
        turns += [turn for turn in part.turns if turn.role != "system" or turn.content not in said]
        said |= {turn.content for turn in part.turns if turn.role == "system"}
    began = next((turn.created_at for turn in turns if turn.speaks), None)
    times = [time for time in (row.created_at, began) if time]
    return replace(row, turns=tuple(turns), created_at=min(times, default=None))


def _summed(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """What was changed in both: ``email x2`` and ``email x1`` are ``email x3``."""
    counts: Counter[str] = Counter()
    others = set[str]()
    for change in (*one, *other):
        kind, _, number = change.rpartition(" x")
        if kind and number.isdecimal():
            counts[kind] += int(number)
        else:
            others.add(change)
    return tuple(sorted([*others, *(f"{kind} x{number}" for kind, number in counts.items())]))


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
