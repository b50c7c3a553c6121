"""The application's own system turn where requests hold it beside their messages and not among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rlhi.collect.formats.contents import words_of
from rlhi.collect.formats.fields import Row, loaded
from rlhi.collect.formats.turns import Dialogue
from rlhi.contracts import Turn

NAMES = ("system", "instructions", "systemInstruction", "system_instruction")
"""Of Anthropic's requests (ShareGPT's rows, too), OpenAI's responses, Gemini's."""


def instructed(said: Dialogue, *requests: Row) -> Dialogue:
    """The turns behind the instructions of the first request that has some, unless a system's turn comes first already.

    >>> instructed(Dialogue((Turn("user", "Hi"),)), {"system": "Be brief."}).turns[0].content
    'Be brief.'
    """
    if not said.turns or said.turns[0].role == "system":
        return said
    told = next((words for request in requests if (words := _instructions(request))), "")
    return replace(said, turns=(Turn("system", told), *said.turns)) if told else said


def _instructions(request: Row) -> str:
    return next((words for words in map(_words, _held(request)) if words), "")


def _held(request: Row) -> Iterable[object]:
    return (loaded(request[name]) for name in NAMES if request.get(name))


def _words(value: object) -> str:
    """Text, or the text of parts; of Gemini's content object the parts of it."""
    if isinstance(value, Mapping):
        return words_of(value).said.strip()
    return words_of({"content": value}).said.strip() if isinstance(value, str | list) else ""
