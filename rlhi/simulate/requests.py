"""The requests that simulated users make: one part for conversations, another for evaluation only."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


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
