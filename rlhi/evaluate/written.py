"""Items that were written for this project: JSON lines beside the suites that ask them."""

from __future__ import annotations

from importlib.resources import files


def lines(name: str) -> list[str]:
    """The lines of a file of items, in a fixed order."""
    return (files("rlhi.evaluate.suites") / name).read_text(encoding="utf-8").splitlines()
