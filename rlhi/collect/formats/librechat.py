"""LibreChat: a conversation a file, with its branches, and the single messages that its database holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rlhi.collect.formats.fields import Row, first_moment, first_text, mapping, rows_in, text
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id, id_of
from rlhi.collect.formats.threads import newest_branch
from rlhi.collect.formats.turns import turns_of
from rlhi.contracts import Conversation

FOLDED = re.compile(r":::thinking\s*(.*?)\s*:::\s*", re.DOTALL)
WHEN = ("createdAt", "exportAt", "updatedAt")


def is_librechat(row: Row) -> bool:
    """``messages`` (or their tree) that say whether their user wrote them, or one such message."""
    return _wrote(row) or any(
        _wrote(one) for name in ("messages", "messagesTree") for one in _listed(row.get(name))[:1]
    )


def librechat(row: Row) -> Conversation:
    """The branch that was spoken last; a message by itself goes on from the one that it names."""
    if _wrote(row):
        return _alone(row)
    rows = _flat(_listed(row.get("messages")) or _listed(row.get("messagesTree")))
    path = newest_branch(rows, "messageId", "parentMessageId")
    return conversation(
        "librechat",
        turns_of([_said(one) for one in path]),
        conversation_id=first_id([row, *path[:1]], "conversationId", "id"),
        user_id=first_id([row, *path], "user", "userId"),
        created_at=first_moment([*path[:1], row], *WHEN),
        model=next((name for one in reversed(path) if (name := text(one, "model"))), None)
        or first_text([row, mapping(row, "options")], "model"),
    )


def _alone(row: Row) -> Conversation:
    own = first_id([row], "messageId")
    if own is None:
        raise ValueError("a message without its messageId")
    return conversation(
        "librechat",
        turns_of([_said(row)]),
        conversation_id=first_id([row], "conversationId"),
        user_id=first_id([row], "user", "userId"),
        created_at=first_moment([row], *WHEN),
        model=text(row, "model"),
        chain=(id_of(row.get("parentMessageId")) or "", own),  # the UUID of zeros begins a conversation
    )


def _wrote(row: Row) -> bool:
    return isinstance(row.get("isCreatedByUser"), bool) and "messageId" in row


def _listed(value: object) -> list[Row]:
    return rows_in(value) or []


def _flat(rows: Sequence[Row]) -> list[Row]:
    """The messages of a tree, of those that answer one message the last one last."""
    found: list[Row] = []
    waiting = list(reversed(rows))
    while waiting:
        one = waiting.pop()
        found.append(one)
        inner = _listed(one.get("children"))
        waiting += [{"parentMessageId": one.get("messageId"), **child} for child in reversed(inner)]
    times = [first_moment([one], "createdAt") for one in found]
    if None in times:  # as they stand
        return found
    return [found[at] for at in sorted(range(len(found)), key=lambda at: times[at] or "")]


def _said(row: Row) -> Row:
    """A message as others have it; one that failed says nothing."""
    role = "user" if row.get("isCreatedByUser") else "assistant"
    said = text(row, "text") or ""
    thought = "\n".join(FOLDED.findall(said)) if role == "assistant" else ""
    parts = row.get("content")
    content: object = FOLDED.sub("", said) if role == "assistant" else said
    if isinstance(parts, list) and parts:
        content = [_part(one) for one in parts if isinstance(one, Mapping)]
    failed = row.get("error") is True
    kept = {name: row[name] for name in ("feedback", "model") if row.get(name)}
    return {
        "role": role,
        "content": "" if failed else content,
        "thought": thought,
        "created_at": row.get("createdAt"),
        **kept,
    }


def _part(part: Row) -> Row:
    return {"type": "thinking", "thinking": part.get("think")} if part.get("type") == "think" else part
