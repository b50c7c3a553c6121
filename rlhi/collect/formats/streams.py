"""Answers that were logged as they were streamed: server-sent events of several providers, or a list of their chunks.

A chunk holds a piece of an answer, or of a thought: pieces are put one behind the other. What holds no piece (a
beginning, an end, a count of tokens, a call of a tool) says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from rlhi.collect.formats.fields import Row, mapping

_STREAM = re.compile(r"\s*(?:(?::|event:|id:|retry:)[^\n]*\n\s*)*data:\s*(?:\{|\[DONE\])")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")


def events_in(value: str) -> list[Row] | None:
    """The objects of a text that is a stream, server-sent events or a chunk a line; None of one that is none.

    What is broken or no object, as its end is, is left out. Prose that begins with "data:" is no stream.

    >>> events_in('event: ping\\ndata: {"type": "ping"}\\n\\ndata: [DONE]'), events_in("data: see below")
    ([{'type': 'ping'}], None)
    """
    if _STREAM.match(value):
        return _objects_in(line.strip()[5:] for line in value.splitlines() if line.lstrip().startswith("data:"))
    if value.lstrip().startswith("{") and "\n{" in value:
        found = _objects_in(value.splitlines())
        return found if are_chunks(found) else None
    return None


def _objects_in(lines: Iterable[str]) -> list[Row]:
    found = []
    for line in lines:
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(one, Mapping):
            found.append(one)
    return found


def are_chunks(values: Sequence[object]) -> bool:
    """Whether a list holds the chunks of a stream, in place of parts of an answer."""
    return any(isinstance(one, Mapping) and any(_pieces(one)) for one in values)


def put_together(chunks: Sequence[object]) -> tuple[str, str]:
    """The answer and the thought that chunks hold; empty for none.

    >>> put_together([{"choices": [{"delta": {"content": "A "}}]}, {"choices": [{"delta": {"content": "fern."}}]}])
    ('A fern.', '')
    """
    pieces = [piece for one in chunks if isinstance(one, Mapping) for piece in _pieces(one)]
    return (
        "".join(text for thought, text in pieces if not thought),
        "".join(text for thought, text in pieces if thought),
    )


def _pieces(event: Row) -> Iterator[tuple[bool, str]]:
    """(is a thought, text) of one chunk, in whatever provider's form."""
    kind = str(event.get("type") or event.get("event") or "")
    delta = event.get("delta")
    if kind.endswith("output_text.delta") and isinstance(delta, str):  # OpenAI's responses
        yield False, delta
    elif kind.endswith(("reasoning_text.delta", "reasoning_summary_text.delta")) and isinstance(delta, str):
        yield True, delta
    elif isinstance(delta, Mapping):  # Anthropic, Cohere
        yield from _delta(delta)
    if isinstance(block := event.get("contentBlockDelta"), Mapping):  # Bedrock
        yield from _delta(mapping(block, "delta"))
    for choice in _objects(event, "choices")[:1]:  # OpenAI's chat and completions
        if isinstance(choice.get("delta"), Mapping):
            yield from _delta(mapping(choice, "delta"))
        elif "finish_reason" in choice and "message" not in choice:
            yield from _text(choice.get("text"))
    if "done" in event:  # Ollama
        yield from _text(mapping(event, "message").get("content", event.get("response")))
    for candidate in _objects(event, "candidates")[:1]:  # Gemini
        for part in _objects(mapping(candidate, "content"), "parts"):
            yield from ((part.get("thought") is True, text) for _, text in _text(part.get("text")))


def _delta(delta: Row) -> Iterator[tuple[bool, str]]:
    for name in _THOUGHTS:
        yield from ((True, text) for _, text in _text(delta.get(name)))
    for name in ("text", "content"):
        yield from _text(delta.get(name))
    if isinstance(message := delta.get("message"), Mapping):
        yield from _text(mapping(message, "content").get("text"))


def _text(value: object) -> Iterator[tuple[bool, str]]:
    if isinstance(value, str) and value:
        yield False, value
    elif isinstance(value, list):
        for part in value:
            yield from _text(part.get("text") if isinstance(part, Mapping) else None)


def _objects(row: Row, name: str) -> list[Row]:
    value = row.get(name)
    return [cast(Row, one) for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
