"""Messages of foreign rows -> :class:`~rlhi.contracts.Turn`, and the text of a model's answer in what wraps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rlhi.collect.formats.fields import DEPTH, Row, first_moment, first_text, number, text
from rlhi.collect.formats.signals import scale_of, signals_of
from rlhi.contracts import Role, Turn

ROLES: dict[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "model": "assistant", "bot": "assistant", "ai": "assistant",
}  # fmt: skip
TOOLS = frozenset({
    "tool", "function", "function_call", "function_response", "observation", "tool_call", "function_call_output",
    "reasoning",
})  # fmt: skip
# Where an answer lies in what chat APIs and tracers keep of it, the likeliest first.
WRAPPINGS = ("body", "choices", "message", "content", "output", "text", "completion", "answer", "response")


def role_of(row: Row, at: int) -> Role | None:
    """Who speaks, None for tools.

    Raises:
        ValueError: an unknown role.
    """
    if isinstance(role := row.get("role"), str) and role in ROLES:  # as nearly every log writes it
        return ROLES[role]
    said = (first_text([row], "role", "from", "type") or "").lower()
    if said in TOOLS:
        return None
    if said not in ROLES:
        raise ValueError(f"turn {at + 1} has the unknown role {said[:40]!r}")
    return ROLES[said]


def turns_of(rows: Sequence[Row]) -> tuple[Turn, ...]:
    """Turns from ``role`` or ``from`` and ``content`` or ``value``; what tools said is left out.

    Raises:
        ValueError: an unknown role, content that is no text, or a signal that is none.
    """
    scale = scale_of(number(row, "rating") for row in rows)
    turns = []
    for at, row in enumerate(rows):
        role = role_of(row, at)
        content = None if role is None else _content(row, at)
        if role is None or content is None:
            continue
        signals = signals_of(row, content, scale) if role == "assistant" else ()
        turns.append(Turn(role, content, first_moment([row], "created_at", "timestamp"), text(row, "model"), signals))
    return tuple(turns)


def _content(row: Row, at: int) -> str | None:
    """The text of a turn; None for a call of a tool, which has none. Parts that are no text are left out."""
    value = row["content"] if "content" in row else row.get("value")
    calls = bool(row.get("tool_calls") or row.get("function_call"))
    if isinstance(value, str):
        return None if calls and not value.strip() else value
    if value is None and calls:
        return None
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, Mapping)]
        if said := [part for part in parts if isinstance(part, str)]:
            return "\n".join(said)
    raise ValueError(f"turn {at + 1} has no text")


def reply(value: object, depth: int = DEPTH) -> str | None:
    """The text that a model answered, out of a chat completion, a message, its parts or plain text; None where none is.

    >>> reply({"choices": [{"message": {"role": "assistant", "content": "Yes."}}, {"message": {"content": "No."}}]})
    'Yes.'
    """
    if isinstance(value, str):
        return value if value.strip() else None
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        kind = text(value, "type") or ""
        if kind == "reasoning" or kind.endswith(("_call", "_output")):  # thoughts, and what tools were asked and said
            return None
        for name in WRAPPINGS:
            inner = value.get(name)
            if name == "choices" and isinstance(inner, list):
                inner = inner[:1]
            if found := reply(inner, depth - 1):
                return found
    if isinstance(value, list):
        return "\n".join(found for part in value if (found := reply(part, depth - 1))) or None
    return None
