"""What is known of one user, when it was said, and how much of it may be used to predict a turn.

A turn's time is its own, else the next that its conversation tells (so that it is never taken for older than it is),
else the last one told before it, else the conversation's. Rows without any time are ordered within their conversation
and not across conversations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from rlhi.contracts import Conversation, FeedbackLabel, FeedbackTurn

_START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one user: all conversations, and the labels of their follow-ups."""

    user_id: str
    conversations: tuple[Conversation, ...]
    feedback: tuple[FeedbackTurn, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of the user; ``seen`` is its time as ISO 8601, None where the log tells none."""

    conversation_id: str
    turn_index: int
    text: str
    seen: str | None = None
    label: FeedbackLabel | None = None

    @property
    def reference(self) -> str:
        """What a claim names as its evidence."""
        return f"{self.conversation_id}#{self.turn_index}"

    @property
    def at(self) -> datetime | None:
        """``seen``, to compare with."""
        return moment(self.seen)

    @property
    def place(self) -> tuple[datetime, str, int]:
        """A total order for listing; across undated conversations it is no order of time."""
        return self.at or _START, self.conversation_id, self.turn_index

    def later_than(self, other: Said) -> bool:
        """Known to be later: in the same conversation by turn, across conversations by time."""
        if self.conversation_id == other.conversation_id:
            return self.turn_index > other.turn_index
        mine, theirs = self.at, other.at
        return mine is not None and theirs is not None and mine > theirs


def said(history: History) -> tuple[Said, ...]:
    """All turns of the user in conversations that are known to be theirs, oldest first, with their labels.

    A label whose turn is not in the history (an older growth, another user's) is passed over.
    """
    labels = {(row.conversation_id, row.turn_index): row.label for row in history.feedback}
    found = [
        Said(row.conversation_id, at, turn.content, said_at(row, at), labels.get((row.conversation_id, at)))
        for row in {row.conversation_id: row for row in history.conversations if row.has_user}.values()
        for at, turn in enumerate(row.turns)
        if turn.role == "user" and turn.has_text
    ]
    return tuple(sorted(found, key=lambda one: one.place))


def said_at(conversation: Conversation, index: int) -> str | None:
    """When a turn was said, by the rule in this module's docstring."""
    times = [turn.created_at for turn in conversation.turns]
    return next(
        (time for time in (*times[index:], *reversed(times[:index]), conversation.created_at) if time is not None), None
    )


@lru_cache(maxsize=4096)
def moment(text: str | None) -> datetime | None:
    """A time in UTC from ISO 8601; None for None and for what is no time.

    >>> moment("2024-05-01T12:00:00Z") == moment("2024-05-01T14:00:00+02:00")
    True
    """
    try:
        found = datetime.fromisoformat(text) if text else None
        if found is None:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def before(history: History, time: str) -> History:
    """The history as it was known just before ``time``: each conversation up to its first turn that is not older.

    What has no time is not known to be older and is left out.

    Raises:
        ValueError: ``time`` is no ISO 8601.
    """
    limit = moment(time)
    if limit is None:
        raise ValueError(f"no ISO 8601 time: {time!r}")
    return _of(history, (_up_to(row, _older(row, limit)) for row in history.conversations))


def without(history: History, conversation_id: str) -> History:
    """The history without one conversation."""
    return _of(history, (row for row in history.conversations if row.conversation_id != conversation_id))


def known_at(history: History, conversation_id: str, turn_index: int) -> History:
    """What may be used to predict the turn ``turn_index`` of a conversation, whoever's turn it is.

    A dated turn: the turns before it in its own conversation, and what is older than it in the others. An undated one:
    all other conversations whole and nothing of its own (leave one conversation out), for nothing tells their order.

    Raises:
        ValueError: the history holds no such turn.
    """
    own = next((row for row in history.conversations if row.conversation_id == conversation_id), None)
    if own is None or not 0 <= turn_index < len(own.turns):
        raise ValueError(f"no turn {turn_index} of a conversation {conversation_id!r} in this history")
    others, time = without(history, conversation_id), said_at(own, turn_index)
    if time is None or moment(time) is None:
        return others
    older = before(others, time)
    return _of(history, (*older.conversations, _up_to(own, turn_index)))


def complaints(history: History) -> tuple[Said, ...]:
    """The turns labelled ``reattempt_with_feedback``, oldest first."""
    return tuple(one for one in said(history) if one.label == "reattempt_with_feedback")


def _older(conversation: Conversation, limit: datetime) -> int:
    """How many of its turns, from the first on, are older than the limit."""
    for at in range(len(conversation.turns)):
        time = moment(said_at(conversation, at))
        if time is None or time >= limit:
            return at
    return len(conversation.turns)


def _up_to(conversation: Conversation, turns: int) -> Conversation:
    return replace(conversation, turns=conversation.turns[:turns])


def _of(history: History, conversations: Iterable[Conversation]) -> History:
    """A history of these; labels of turns that are gone go too."""
    kept = tuple(row for row in conversations if row.turns)
    turns = {row.conversation_id: len(row.turns) for row in kept}
    labels = tuple(row for row in history.feedback if row.turn_index < turns.get(row.conversation_id, 0))
    return History(history.user_id, kept, labels)
