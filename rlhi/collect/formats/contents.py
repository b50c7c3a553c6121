"""What a message says: its words, and what the model thought before them, out of strings, parts and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlhi.collect.formats.fields import DEPTH, Row, text
from rlhi.collect.formats.roles import is_tools
from rlhi.contracts.thoughts import Parted, parted, together

CONTENT = ("content", "value", "text", "parts", "data")
# Where servers and clients keep a thought beside an answer, and where its words lie in the parts of it.
THOUGHTS = (
    "thought", "reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_details", "thinking_blocks",
    "reasoningContent",
)  # fmt: skip
THOUGHT_WORDS = ("thinking", "reasoning", "text", "summary", "content", "reasoningText", "thought")
SPOKEN = ("message", "markdown", "paragraph")
CALLS = ("tool_calls", "function_call", "toolCalls")


@dataclass(frozen=True, slots=True)
class Words:
    """What one message or part of it says; ``tools`` where tools are called or answer in it."""

    said: str = ""
    thought: str = ""
    tools: bool = False


def words_of(row: Row) -> Words:
    """The words of a message. Pictures, sound and files say nothing; a sound's transcript and a refusal do."""
    value = next((row[name] for name in CONTENT if row.get(name) is not None), None)
    found = Words(value) if isinstance(value, str) else _joined(value, DEPTH)
    thought = together([thought_of(row), found.thought]) if len(row) > 2 or found.thought else ""
    said = found.said if found.said.strip() else _otherwise(row) or found.said
    return Words(said, thought, found.tools or any(row.get(name) for name in CALLS))


def answer_of(words: Words) -> Parted:
    """An assistant's words, with the thoughts that stand in them."""
    found = parted(words.said)
    return Parted(together([words.thought, found.thought]), found.answer) if words.thought else found


def thought_of(row: Row) -> str:
    """What a message or an item keeps of the model's thought in fields of its own."""
    return next((found for name in THOUGHTS if (found := _thought(row.get(name), DEPTH))), "")


def is_thought(row: Row) -> bool:
    """Whether a part or an item is a thought: by its type, or as Gemini marks it."""
    kind = (text(row, "type") or "").lower()
    thinks = kind.removeprefix("redacted_").startswith(("thinking", "reasoning")) or kind == "thought"
    return thinks or row.get("thought") is True or "reasoningContent" in row


def item_thought(row: Row) -> str:
    """The words of a part or an item that is a thought; one that was redacted has none."""
    return next((found for name in (*THOUGHTS, *THOUGHT_WORDS) if (found := _thought(row.get(name), DEPTH))), "")


def _thought(value: object, depth: int) -> str:
    if isinstance(value, str):
        return value.strip()
    if depth == 0:
        return ""
    if isinstance(value, Mapping):
        return next((found for name in THOUGHT_WORDS if (found := _thought(value.get(name), depth - 1))), "")
    if isinstance(value, list):
        return together(_thought(part, depth - 1) for part in value)
    return ""


def _joined(value: object, depth: int) -> Words:
    """The words of parts, a line each.

    Raises:
        ValueError: bytes that are no text.
    """
    if isinstance(value, bytes):
        raise ValueError("content is no text")
    if isinstance(value, str):
        return Words(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Words(str(value))
    if isinstance(value, list) and depth:
        found = [_joined(part, depth - 1) for part in value]
        said = "\n".join(one.said for one in found if one.said)
        return Words(said, together(one.thought for one in found), any(one.tools for one in found))
    return _part(value, depth) if isinstance(value, Mapping) and depth else Words()


def _part(part: Row, depth: int) -> Words:
    if is_thought(part):
        return Words(thought=item_thought(part))
    kind = text(part, "type") or ""
    if is_tools(kind) or "functionCall" in part or "functionResponse" in part:
        return Words(tools=True)
    for name in ("text", "content", "parts", "value") if not kind or kind in SPOKEN or "text" in kind else ("text",):
        if (value := part.get(name)) is not None:
            return _joined(value, depth - 1)
    return Words(_otherwise(part))


def _otherwise(row: Row) -> str:
    """Words that stand in for a text: a refusal, what was said aloud."""
    audio = row.get("audio")
    held = (row.get("refusal"), row.get("transcript"), audio.get("transcript") if isinstance(audio, Mapping) else None)
    return next((said for said in held if isinstance(said, str) and said.strip()), "")
