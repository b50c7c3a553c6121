"""The requests that simulated users make: one part for conversations, another for evaluation only.

Requests of the task ``arithmetic`` have a right answer each; those of ``style`` an answer key, and there users wish for
a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check
from rlhi.simulate.arithmetic import problems

Task = Literal["style", "arithmetic"]


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked in one task; by request, ``keys`` of answers, or ``checks`` of right ones and ``reasons``."""

    conversation: tuple[str, ...]
    evaluation: tuple[str, ...]
    checks: Mapping[str, Check] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, AnswerKey] = field(default_factory=dict)


@cache
def requests_of(task: Task) -> Requests:
    """All requests of a task."""
    if task == "style":
        return Requests(conversation_requests(), evaluation_requests(), keys=answer_keys())
    asked, kept = problems("conversation"), problems("evaluation")
    both = (*asked, *kept)
    return Requests(
        tuple(one.request for one in asked),
        tuple(one.request for one in kept),
        {one.request: Check("number", str(one.answer)) for one in both},
        {one.request: one.why for one in both},
    )


def conversation_requests() -> tuple[str, ...]:
    """What users ask in logged conversations."""
    return _sections()["[conversation]"]


def evaluation_requests() -> tuple[str, ...]:
    """What models are evaluated on; never asked in a conversation."""
    return _sections()["[evaluation]"]


@cache
def answer_keys() -> dict[str, AnswerKey]:
    """What answers each request of the task ``style``, by request.

    Raises:
        ValueError: a key cannot be read, stands under no request, or a request has two.
    """
    keys: dict[str, AnswerKey] = {}
    request = ""
    for line in _lines("answer_keys.txt"):
        if line.startswith(" "):
            if not request or request in keys:
                raise ValueError(f"answer_keys.txt: a key without a request of its own: {line.strip()[:40]!r}")
            keys[request] = _key(request, line)
        elif not line.startswith("["):
            request = line
    return keys


def _key(request: str, line: str) -> AnswerKey:
    try:
        return AnswerKey.parse(line)
    except ValueError as error:
        raise ValueError(f"answer_keys.txt: {request!r}: {error}") from error


def _lines(name: str) -> list[str]:
    """The lines of a file beside this one, without comments and empty ones."""
    text = files("rlhi.simulate").joinpath(name).read_text(encoding="utf-8")
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def _sections() -> dict[str, tuple[str, ...]]:
    sections: dict[str, list[str]] = {}
    for line in _lines("requests.txt"):
        if line.startswith("["):
            sections[line] = []
        else:
            list(sections.values())[-1].append(line)
    return {name: tuple(lines) for name, lines in sections.items()}
