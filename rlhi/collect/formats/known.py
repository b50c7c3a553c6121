"""The log formats we read. To add one, write ``matches`` and ``parse`` and a row of :data:`FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from rlhi.collect.formats.fields import first_text, items, mapping, moment, text, turns_of
from rlhi.collect.languages import language_code
from rlhi.contracts import Conversation, Turn, UserKind, content_key

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Format:
    """A log format: ``label`` is for people, ``parse`` raises ValueError with the reason it refuses a row."""

    name: str
    label: str
    matches: Callable[[Row], bool]
    parse: Callable[[Row], Conversation]


def _conversation(
    source: str,
    turns: tuple[Turn, ...],
    *,
    conversation_id: str | None,
    user_id: str | None,
    kind: UserKind = "real",
    created_at: str | None = None,
    model: str | None = None,
    language: str | None = None,
    toxic: bool = False,
    redacted: bool = False,
) -> Conversation:
    """Fill in what a log leaves out: the id, and for an unknown user an anonymous one of its own.

    A missing id is the hash of the user, the time and the first exchange: these stay when a conversation grows.
    """
    if not any(turn.role == "user" for turn in turns):
        raise ValueError("no user turn")
    created_at = created_at or next((turn.created_at for turn in turns if turn.created_at), None)
    if conversation_id is None:
        dialogue = [turn.content for turn in turns if turn.role != "system"]
        conversation_id = content_key(user_id, created_at, dialogue[:2])
    if user_id is None or kind == "conversation_only":
        user_id, kind = f"anonymous-{content_key(conversation_id)}", "conversation_only"
    return Conversation(
        conversation_id, user_id, kind, created_at, model, language_code(language), turns, source, toxic, redacted
    )  # fmt: skip


def _wildchat(row: Row) -> Conversation:
    """WildChat (``conversation_id``) and WildChat-1M (``conversation_hash``); LMSYS-Chat has the same turns.

    The user is the hashed address with the hash of the browser's header: an address alone is a household.
    """
    turns = items(row, "conversation")
    address = first_text([row, *turns], "hashed_ip")
    header = next((found for part in [row, *turns] if (found := mapping(part, "header"))), {})
    header = {name: value for name, value in header.items() if value is not None}
    user = f"{address}-{content_key(header)[:8]}" if address and header else address
    return _conversation(
        "wildchat" if address or "conversation_hash" in row or "toxic" in row else "lmsys",
        turns_of(turns),
        conversation_id=text(row, "conversation_id") or text(row, "conversation_hash"),
        user_id=text(row, "user_id") or user,
        created_at=next((at for part in turns if (at := moment(part, "timestamp"))), moment(row, "timestamp")),
        model=text(row, "model"),
        language=text(row, "language"),
        toxic=row.get("toxic") is True,
        redacted=row.get("redacted") is True,
    )


def _openai(row: Row) -> Conversation:
    """OpenAI's ``messages``; ids and times beside them or in ``metadata``. Tool calls are left out."""
    return _messages(row, "openai", "messages")


def _sharegpt(row: Row) -> Conversation:
    """ShareGPT's ``conversations`` of ``from`` and ``value``."""
    return _messages(row, "sharegpt", "conversations")


def _messages(row: Row, source: str, field: str) -> Conversation:
    about = [row, mapping(row, "metadata")]
    return _conversation(
        source,
        turns_of(items(row, field)),
        conversation_id=first_text(about, "conversation_id") or first_text(about, "id"),
        user_id=first_text(about, "user_id") or first_text(about, "user"),
        created_at=next((at for part in about for name in _TIMES if (at := moment(part, name))), None),
        model=first_text(about, "model"),
        language=first_text(about, "language"),
        toxic=row.get("toxic") is True,
        redacted=row.get("redacted") is True,
    )


_TIMES = ("created_at", "created", "timestamp", "create_time")


def _platform(row: Row) -> Conversation:
    """The platform's own rows; fields that it does not know are left out."""
    kind = text(row, "user_id_kind") or "real"
    if kind not in get_args(UserKind):
        raise ValueError(f"user_id_kind is {kind!r}, not one of {', '.join(get_args(UserKind))}")
    return _conversation(
        text(row, "source") or "conversations",
        turns_of(items(row, "turns")),
        conversation_id=text(row, "conversation_id"),
        user_id=text(row, "user_id"),
        kind=cast(UserKind, kind),
        created_at=moment(row, "created_at"),
        model=text(row, "model"),
        language=text(row, "language"),
        toxic=row.get("toxic") is True,
        redacted=row.get("redacted") is True,
    )


def _has_turns(field: str, *names: str) -> Callable[[Row], bool]:
    """Whether a field is a list of objects that speak: the first of them has one of ``names``."""

    def matches(row: Row) -> bool:
        turns = row.get(field)
        if not isinstance(turns, list):
            return False
        return not turns or (isinstance(turns[0], Mapping) and any(name in turns[0] for name in names))

    return matches


FORMATS: tuple[Format, ...] = (
    Format("conversations", "Conversation jsonl", _has_turns("turns", "role"), _platform),
    Format("wildchat", "WildChat or LMSYS jsonl or parquet", _has_turns("conversation", "role"), _wildchat),
    Format("openai", "OpenAI messages jsonl", _has_turns("messages", "role"), _openai),
    Format("sharegpt", "ShareGPT json or jsonl", _has_turns("conversations", "from", "role"), _sharegpt),
)
