"""Logs with a whole conversation a row: our own, WildChat, LMSYS-Chat, OpenAI messages, ShareGPT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from rlhi.collect.formats.fields import TIMES, Row, first_moment, first_text, mapping, moment, rows_in, text
from rlhi.collect.formats.format import conversation, has_turns
from rlhi.collect.formats.ids import first_id, identity
from rlhi.collect.formats.instructions import instructed
from rlhi.collect.formats.turns import messages, messages_in
from rlhi.contracts import Conversation, UserKind, content_key

HAS_CONVERSATION = has_turns("conversation", "role")
WILDCHAT = ("conversation_hash", "hashed_ip", "header", "toxic", "timestamp")


def platform(row: Row) -> Conversation:
    """The platform's own rows; fields that it does not know are left out."""
    kind = text(row, "user_id_kind") or "real"
    if kind not in get_args(UserKind):
        raise ValueError(f"user_id_kind is {kind[:40]!r}, not one of {', '.join(get_args(UserKind))}")
    return conversation(
        text(row, "source") or "conversations",
        messages(row, "turns"),
        conversation_id=identity(row, "conversation_id"),
        user_id=identity(row, "user_id"),
        kind=cast(UserKind, kind),
        created_at=moment(row, "created_at"),
        model=text(row, "model"),
        language=text(row, "language"),
        toxic=row.get("toxic") is True,
        redacted=row.get("redacted") is True,
    )


def is_wildchat(row: Row) -> bool:
    """``conversation`` with what only WildChat has beside it."""
    return HAS_CONVERSATION(row) and any(name in row for name in WILDCHAT)


def wildchat(row: Row) -> Conversation:
    """WildChat (``conversation_id``), WildChat-1M and WildChat-4.8M (``conversation_hash``).

    The user is the hashed address with the hash of the browser's header: an address alone is a household.
    """
    turns = [turn for turn in messages_in(row.get("conversation")) or () if isinstance(turn, Mapping)]
    address = first_id([row, *turns], "hashed_ip")
    header = next((found for part in [row, *turns] if (found := mapping(part, "header"))), {})
    browser = {name: value for name, value in header.items() if isinstance(value, str)}
    user = f"{address}-{content_key(browser)[:8]}" if address and browser else address
    return conversation(
        "wildchat",
        messages(row, "conversation"),
        conversation_id=first_id([row], "conversation_id", "conversation_hash"),
        user_id=identity(row, "user_id") or user,
        created_at=first_moment([*turns, row], "timestamp"),
        model=text(row, "model"),
        language=text(row, "language"),
        toxic=row.get("toxic") is True,
        redacted=row.get("redacted") is True,
    )


def lmsys(row: Row) -> Conversation:
    """LMSYS-Chat-1M: no users, no times; toxic is what OpenAI's moderation flagged in any turn."""
    return conversation(
        "lmsys",
        messages(row, "conversation"),
        conversation_id=identity(row, "conversation_id"),
        user_id=identity(row, "user_id"),
        model=text(row, "model"),
        language=text(row, "language"),
        toxic=any(verdict.get("flagged") is True for verdict in rows_in(row.get("openai_moderation")) or ()),
        redacted=row.get("redacted") is True,
    )


def openai(row: Row) -> Conversation:
    """OpenAI's ``messages``; ids and times beside them or in ``metadata``. Tool calls are left out."""
    return _messages(row, "openai", "messages")


def sharegpt(row: Row) -> Conversation:
    """ShareGPT's ``conversations`` of ``from`` and ``value``."""
    return _messages(row, "sharegpt", "conversations")


def _messages(row: Row, source: str, field: str) -> Conversation:
    about = [row, mapping(row, "metadata")]
    said = instructed(messages(row, field).marked(*about), row)
    created_at, model = first_moment(about, *TIMES), first_text(about, "model")
    name = first_id(about, "conversation_id")
    if name is None and (name := first_id(about, "session_id", "thread_id")):  # a log of requests, answers among them
        source, said = "completions", said.dated(created_at, model)
    return conversation(
        source,
        said,
        conversation_id=name or first_id(about, "id"),
        user_id=first_id(about, "user_id", "user"),
        created_at=created_at,
        model=model,
        language=first_text(about, "language"),
        toxic=row.get("toxic") is True,
        redacted=row.get("redacted") is True,
    )
