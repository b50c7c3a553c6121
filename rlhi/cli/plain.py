"""What users and models wrote, for a terminal: text, never markup or control characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

LONGEST = 1500
"""Texts are cut after this many characters on a terminal."""


def plain(text: str, most: int = LONGEST, hint: str = ": --json") -> Text:
    """The text without control characters, cut where it is very long; ``hint`` says where the rest is."""
    from rich.text import Text

    cut = f"… ({len(text) - most:,} more characters{hint})" if len(text) > most else ""
    return Text("".join(_sign(sign) for sign in text[:most]).strip() + cut or "(says nothing)")


def _sign(sign: str) -> str:
    if sign == "\n" or sign.isprintable():
        return sign
    return " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}"
