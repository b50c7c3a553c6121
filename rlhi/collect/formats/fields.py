"""Fields of foreign rows, read with care: what is missing is None, what cannot be meant raises ValueError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rlhi.contracts import Role, Turn

Row = Mapping[str, object]

ROLES: dict[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "model": "assistant", "bot": "assistant",
}  # fmt: skip
TOOLS = frozenset({"tool", "function", "function_call", "function_response", "observation", "tool_call"})


def text(row: Row, name: str) -> str | None:
    """A string or a number as text; blank counts as missing."""
    value = row.get(name)
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    return str(value).strip() or None


def first_text(rows: Iterable[Row], name: str) -> str | None:
    """The field in the first row that has it."""
    return next((found for row in rows if (found := text(row, name))), None)


def mapping(row: Row, name: str) -> Row:
    """A nested object; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, Mapping) else {}


def items(row: Row, name: str) -> list[Row]:
    """A list of objects.

    Raises:
        ValueError: it is no such list.
    """
    value = row.get(name)
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return value
    raise ValueError(f"{name} is not a list of objects")


def moment(row: Row, name: str) -> str | None:
    """A time as ISO 8601 in UTC (``2024-05-01T12:00:00Z``), from ISO text, seconds since 1970 or a datetime.

    A time that cannot be read counts as missing: it is no reason to lose a conversation.
    """
    value = row.get(name)
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        elif isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
        else:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found.isoformat().replace("+00:00", "Z")


def number(row: Row, name: str) -> float | None:
    """A number, or None."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def turns_of(rows: Iterable[Row]) -> tuple[Turn, ...]:
    """Turns from ``role`` or ``from`` and ``content`` or ``value``; what tools said is left out.

    Raises:
        ValueError: an unknown role, or content that is no text.
    """
    turns = []
    for at, row in enumerate(rows):
        said = (text(row, "role") or text(row, "from") or "").lower()
        if said in TOOLS:
            continue
        if said not in ROLES:
            raise ValueError(f"turn {at + 1} has the unknown role {said[:40]!r}")
        content = _content(row, at)
        if content is None:
            continue
        at_time = moment(row, "created_at") or moment(row, "timestamp")
        turns.append(Turn(ROLES[said], content, at_time, text(row, "model"), number(row, "rating")))
    return tuple(turns)


def _content(row: Row, at: int) -> str | None:
    """The text of a turn; None for a call of a tool, which has none. Parts that are no text are left out."""
    value = row["content"] if "content" in row else row.get("value")
    if isinstance(value, str):
        return value
    if value is None and (row.get("tool_calls") or row.get("function_call")):
        return None
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, Mapping)]
        if said := [part for part in parts if isinstance(part, str)]:
            return "\n".join(said)
    raise ValueError(f"turn {at + 1} has no text")
