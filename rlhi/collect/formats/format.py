"""What a log format is, and how any of them comes to a :class:`~rlhi.contracts.Conversation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rlhi.collect.formats.fields import Row
from rlhi.collect.formats.turns import Dialogue
from rlhi.contracts import Conversation, Turn, UserKind, content_key
from rlhi.contracts.apart import anonymous
from rlhi.lexicons.languages import language_code

UNREAD = "turn of an unknown role left out x"
CUT = "answer cut at its limit of tokens x"


@dataclass(frozen=True, slots=True)
class Format:
    """A log format: ``label`` is for people, ``parse`` raises ValueError with the reason it refuses a row."""

    name: str
    label: str
    matches: Callable[[Row], bool]
    parse: Callable[[Row], Conversation]


def conversation(
    source: str,
    said: Dialogue,
    *,
    conversation_id: str | None,
    user_id: str | None,
    kind: UserKind = "real",
    created_at: str | None = None,
    model: str | None = None,
    language: str | None = None,
    toxic: bool = False,
    redacted: bool = False,
    chain: tuple[str, ...] = (),
) -> Conversation:
    """Fill in what a log leaves out: the id, and for an unknown user an anonymous one of its own.

    A missing id is the hash of the user, the time and the first exchange: these stay when a conversation grows. Turns
    that could not be read are told in ``changes``.

    Raises:
        ValueError: no user speaks.
    """
    turns = said.turns
    if not any(turn.role == "user" for turn in turns) and not (chain and turns):
        raise ValueError(f"no user turn, the unknown role {said.unread[0]!r}" if said.unread else "no user turn")
    created_at = created_at or next((turn.created_at for turn in turns if turn.created_at), None)
    if conversation_id is None:
        conversation_id = content_key(user_id, created_at, first_exchange(turns))
    if user_id is None or kind == "conversation_only":
        user_id, kind = anonymous(conversation_id), "conversation_only"
    spoken = None if language and language.strip().lower() == "unknown" else language_code(language)
    changes = (f"{UNREAD}{len(said.unread)}",) if said.unread else ()
    if cut := sum(turn.cut for turn in turns):
        changes = (f"{CUT}{cut}", *changes)
    return Conversation(
        conversation_id, user_id, kind, created_at, model, spoken, turns, source, toxic, redacted, changes=changes,
        chain=chain,
    )  # fmt: skip


def unread_in(conversation: Conversation) -> int:
    """How many turns of a conversation could not be read."""
    return _counted(conversation, UNREAD)


def cut_in(conversation: Conversation) -> int:
    """How many answers of a conversation were cut."""
    return _counted(conversation, CUT)


def _counted(conversation: Conversation, change: str) -> int:
    return sum(int(one.removeprefix(change)) for one in conversation.changes if one.startswith(change))


def first_exchange(turns: Sequence[Turn]) -> list[str]:
    """The first two turns of the dialogue, the system's and tools' left aside."""
    return [turn.content for turn in turns if turn.speaks][:2]


def has_turns(field: str, *names: str) -> Callable[[Row], bool]:
    """Whether a field is a list of objects that speak: the first of them has one of ``names``."""

    def matches(row: Row) -> bool:
        turns = row.get(field)
        if isinstance(turns, Mapping):  # a list of objects as columnar files keep it
            return any(isinstance(turns.get(name), list) for name in names)
        if not isinstance(turns, list):
            return False
        first = next((turn for turn in turns if isinstance(turn, Mapping)), None)
        return not turns or (first is not None and any(name in first for name in names))

    return matches
