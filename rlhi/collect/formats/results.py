"""What tools answered: it was in the prompt of the answer that follows, so a conversation keeps it as a turn.

What a model asked of a tool is left out, and so are results that are no text: pictures, what the provider alone reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from rlhi.collect.formats.contents import CONTENT, words_of
from rlhi.collect.formats.fields import DEPTH, Row, first_moment, loaded, text
from rlhi.collect.formats.roles import is_call, is_tools, may_answer
from rlhi.contracts import Turn

OUTPUTS = ("output", "outputs", "result", "results", "response")
GEMINI = ("functionResponse", "function_response")


def results_in(row: Row, whole: bool = False) -> list[Turn]:
    """What tools say among the parts of a message: Anthropic's and Gemini's results stand in the user's.

    ``whole`` takes a message or item without such parts for a tool's own. A call says nothing.
    """
    parts = next((value for name in CONTENT if isinstance(value := row.get(name), list)), None)
    found = [said for part in parts or () if isinstance(part, Mapping) for said in _results(part) if said]
    if whole and not found and may_answer(row) and (said := result_of(row)):
        found = [said]
    when = first_moment([row], "created_at", "timestamp") if found else None
    return [Turn("tool", said, when) for said in found]


def result_of(row: Row) -> str:
    """The words of a result, or the data that it is; empty for none. Of a call only what stands as its result."""
    names = OUTPUTS if is_call(row) else (*OUTPUTS, *CONTENT)
    return next((said for name in names if (said := _said(row.get(name), DEPTH))), "")


def _results(part: Row) -> Iterator[str]:
    for name in GEMINI:
        if isinstance(inner := part.get(name), Mapping):
            yield result_of(inner)
            return
    if is_tools(text(part, "type") or ""):
        yield result_of(part)


def _said(value: object, depth: int) -> str:
    """Text as it is; parts as text, a line each; data as the JSON that models are given of it."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and depth:
        if any(isinstance(part, Mapping) and "type" in part for part in value):
            return "\n".join(said for part in value if (said := _said(part, depth - 1)))
        return json.dumps(value, ensure_ascii=False, default=str) if value else ""
    if isinstance(value, Mapping) and value and depth:
        return _part(value, depth) if "type" in value else _data(value, depth)
    return ""


def _part(value: Row, depth: int) -> str:
    kind = text(value, "type") or ""
    if kind == "document":
        source = value.get("source")
        return (
            _said(source.get("data"), depth - 1) if isinstance(source, Mapping) and source.get("type") == "text" else ""
        )
    return result_of(value) if is_tools(kind) else words_of({"content": [value]}).said.strip()


def _data(value: Row, depth: int) -> str:
    """An object without a type: what it wraps, where it is a wrapping, else all of it."""
    [*names] = value
    if len(names) == 1 and names[0] in (*OUTPUTS, *CONTENT):
        return _said(loaded(value[names[0]]), depth - 1)
    return json.dumps(value, ensure_ascii=False, default=str)
