"""Open WebUI: exported chats, and exported feedback with the chat that it was given in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rlhi.collect.formats.contents import words_of
from rlhi.collect.formats.fields import Row, first_moment, first_text, mapping, moment, number, text
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id, identity
from rlhi.collect.formats.roles import role_named, speaker_of
from rlhi.collect.formats.signals import marked, stars
from rlhi.collect.formats.turns import Dialogue, reply
from rlhi.contracts import Conversation, Signal, Turn
from rlhi.contracts.thoughts import Parted, parted

# What the interface folds away in an answer: thoughts and tools are no part of what was said to the user.
FOLDED = re.compile(r'<details\b[^<>]*\btype="(?:reasoning|tool_calls|code_interpreter)"[^<>]*>')
CLOSING = "</details>"
DETAILED = (1.0, 10.0)  # the scale of ``annotation.details.rating``


def is_webui(row: Row) -> bool:
    """A chat with its ``history`` of messages by id, bare, in ``chat``, or in the ``snapshot`` of a feedback."""
    chat = _chat(row)
    return isinstance(mapping(chat, "history").get("messages"), Mapping)


def webui(row: Row) -> Conversation:
    """The branch that the user looks at, with the thumbs, comments and edits on its answers."""
    kept = mapping(mapping(row, "snapshot"), "chat") or row
    chat = _chat(row)
    kept_nodes = mapping(mapping(chat, "history"), "messages").items()
    messages: dict[str, Row] = {name: node for name, node in kept_nodes if isinstance(node, Mapping)}
    given = mapping(row, "meta")
    rated = text(given, "message_id") or ""
    if rated in messages and not mapping(messages[rated], "annotation"):
        messages[rated] = {**messages[rated], "annotation": mapping(row, "data")}
    branch = _branch(chat, messages)
    turns = [turn for node in branch if (turn := _turn(node, messages))]
    unread = tuple(role_named(node) for node in branch if speaker_of(node) is None)
    return conversation(
        "open-webui",
        Dialogue(tuple(turns), unread),
        conversation_id=identity(given, "chat_id") or first_id([kept, chat], "id"),
        user_id=first_id([row, kept], "user_id"),
        created_at=first_moment([kept, chat], "created_at", "timestamp"),
        model=next((turn.model for turn in reversed(turns) if turn.model), None),
    )


def _chat(row: Row) -> Row:
    kept = mapping(mapping(row, "snapshot"), "chat") or row
    return mapping(kept, "chat") or kept


def _branch(chat: Row, messages: Mapping[str, Row]) -> list[Row]:
    """From the message that is shown back to the first one; the newest message where none is."""
    shown = text(mapping(chat, "history"), "currentId") or ""
    if shown not in messages:
        shown = max(messages, key=lambda name: moment(messages[name], "timestamp") or "", default="")
    path: dict[str, Row] = {}
    while shown in messages and shown not in path:
        path[shown] = messages[shown]
        shown = text(messages[shown], "parentId") or ""
    return list(reversed(path.values()))


def _turn(node: Row, messages: Mapping[str, Row]) -> Turn | None:
    role = speaker_of(node)
    if role is None or role == "tool" or role == "thought":
        return None
    if role != "assistant":
        return Turn(role, words_of(node).said, moment(node, "timestamp"))
    shown = _answer(node)
    original = node.get("originalContent")
    answer = parted(unfolded(original)) if isinstance(original, str) and original.strip() else shown
    edits = (Signal("edit", -1.0, shown.answer),) if shown.answer and answer.answer != shown.answer else ()
    signals = (*_marks(node), *_choices(node, answer.answer, messages), *edits)
    thought = answer.thought or shown.thought
    return Turn(role, answer.answer, moment(node, "timestamp"), text(node, "model"), signals, thought)


def _answer(node: Row) -> Parted:
    content = node.get("content")
    if isinstance(content, str) and content.strip():
        return parted(unfolded(content))
    return reply(node.get("output")) or reply(content) or Parted("", "")


def _said(node: Row) -> str:
    return _answer(node).answer


def unfolded(content: str) -> str:
    """An answer without what the interface folds away."""
    if not FOLDED.search(content):
        return content
    *parts, rest = content.split(CLOSING)
    kept = [part[: fold.start()] if (fold := FOLDED.search(part)) else part + CLOSING for part in parts]
    return "".join([*kept, rest]).strip()


def _thumb(node: Row) -> float:
    """1, -1, or 0 for an answer that nobody marked."""
    rating = mapping(node, "annotation").get("rating")
    found = marked(rating, "thumbs")
    return found[0].value if found else 0.0


def _marks(node: Row) -> tuple[Signal, ...]:
    given = mapping(node, "annotation")
    comment = first_text([given], "comment", "reason") or ""
    detailed = number(mapping(given, "details"), "rating")
    thumbs = marked(given.get("rating"), "thumbs", comment)
    return (*thumbs, *(stars(detailed, *DETAILED) if detailed is not None else ()))


def _choices(node: Row, said: str, messages: Mapping[str, Row]) -> tuple[Signal, ...]:
    """A thumb on one of several answers to a request is a choice among them, as in Open WebUI's own leaderboard."""
    found: dict[str, Signal] = {}
    for other in messages.values():
        if other is node or text(other, "parentId") != text(node, "parentId") or text(other, "role") != "assistant":
            continue
        better = _thumb(node) - _thumb(other)
        text_of_other = _said(other)
        if better and text_of_other and text_of_other != said:
            found[text_of_other] = Signal("choice", 1.0 if better > 0 else -1.0, text_of_other)
    return tuple(found.values())
