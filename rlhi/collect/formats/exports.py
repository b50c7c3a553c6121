"""What people download of their chats: ChatGPT's and Claude's ``conversations.json``."""

from __future__ import annotations

from collections.abc import Mapping

from rlhi.collect.formats.fields import Row, first_moment, first_text, mapping, moment, rows_in, text
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.marks import marked_elsewhere
from rlhi.collect.formats.threads import branch, newest_branch
from rlhi.collect.formats.turns import turns_of
from rlhi.contracts import Conversation

SPOKEN = ("text", "multimodal_text")


def is_chatgpt(row: Row) -> bool:
    """A conversation with its messages by id in ``mapping``."""
    nodes = row.get("mapping")
    return isinstance(nodes, Mapping) and ("current_node" in row or "conversation_id" in row or "title" in row)


def chatgpt(row: Row) -> Conversation:
    """The branch that is shown. What the application says for itself, tools and hidden messages are left out."""
    nodes = {str(name): node for name, node in mapping(row, "mapping").items() if isinstance(node, Mapping)}
    shown = text(row, "current_node") or ""
    if shown not in nodes:
        shown = max(nodes, key=lambda name: moment(mapping(nodes[name], "message"), "create_time") or "", default="")
    messages = [one for node in branch(nodes, shown, "parent") if (one := _message(mapping(node, "message")))]
    return conversation(
        "chatgpt",
        turns_of(messages),
        conversation_id=first_id([row], "conversation_id", "id"),
        user_id=first_id([row], "user_id", "user", "account"),
        created_at=first_moment([row], "create_time"),
        model=next((name for one in reversed(messages) if (name := text(one, "model"))), None)
        or text(row, "default_model_slug"),
    )


def _message(message: Row) -> Row | None:
    content, about = mapping(message, "content"), mapping(message, "metadata")
    kind, role = text(content, "content_type") or "text", text(mapping(message, "author"), "role")
    if kind == "thoughts":
        said = [text(one, "content") or text(one, "summary") or "" for one in rows_in(content.get("thoughts")) or []]
        return {"type": "reasoning", "content": "\n".join(said)}
    hidden = about.get("is_visually_hidden_from_conversation") is True
    aside = text(message, "recipient") not in (None, "all") or message.get("channel") == "commentary"
    if kind not in SPOKEN or hidden or aside or role not in ("user", "assistant"):
        return None
    marks = marked_elsewhere(text(message, "id"))
    told = {"signals": [{"kind": one.kind, "value": one.value, "text": one.text} for one in marks]} if marks else {}
    return {
        "role": role,
        "content": content.get("parts", content.get("text")),
        "created_at": message.get("create_time"),
        "model": text(about, "model_slug") if role == "assistant" else None,
        **told,
    }


def is_claude(row: Row) -> bool:
    """A conversation with ``chat_messages``."""
    return isinstance(row.get("chat_messages"), list)


def claude(row: Row) -> Conversation:
    """The messages of the newest branch; files that are attached say nothing."""
    rows = [one for one in row["chat_messages"] if isinstance(one, Mapping)]  # type: ignore[attr-defined]
    path = newest_branch(rows, "uuid", "parent_message_uuid")
    return conversation(
        "claude",
        turns_of([_said(one) for one in path]),
        conversation_id=first_id([row], "uuid", "id"),
        user_id=first_id([row], "account", "user_id"),
        created_at=first_moment([row], "created_at"),
        model=first_text([row], "model"),
    )


def _said(message: Row) -> Row:
    kept = {name: message[name] for name in ("sender", "created_at", "text") if name in message}
    if message.get("content"):
        kept["content"] = message["content"]
    return kept | ({"feedback": message["chat_feedback"]} if message.get("chat_feedback") else {})
