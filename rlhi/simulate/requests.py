"""The requests that simulated users make: one part for conversations, another for evaluation only.

Requests of the task ``arithmetic`` have a right answer each; those of ``style`` have none, there users wish for a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from rlhi.checks import Check
from rlhi.simulate.arithmetic import problems

Task = Literal["style", "arithmetic"]


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked in one task; by request, the ``checks`` of right answers and the ``reasons`` for them."""

    conversation: tuple[str, ...]
    evaluation: tuple[str, ...]
    checks: Mapping[str, Check] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


@cache
def requests_of(task: Task) -> Requests:
    """All requests of a task."""
    if task == "style":
        return Requests(conversation_requests(), evaluation_requests())
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
def _sections() -> dict[str, tuple[str, ...]]:
    sections: dict[str, list[str]] = {}
    text = files("rlhi.simulate").joinpath("requests.txt").read_text(encoding="utf-8")
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            sections[line] = []
        elif not line.startswith("#"):
            list(sections.values())[-1].append(line)
    return {name: tuple(lines) for name, lines in sections.items()}
