"""What `rlhi ingest` could not read, or could not tell, in words: nothing of it passes in silence."""

from __future__ import annotations

from collections.abc import Mapping

from rlhi.workspace.store import Workspace, read_note

WORDS = {
    "times unread": "{} rows have a time that cannot be read and stand without it",
    "ids unread": "{} rows have in the place of an id what is none (NaN, null, ...) and count as without it",
    "turns left out": "{} turns of unknown roles are left out (`rlhi quarantine --changes`)",
    "answers cut": "{} answers were cut at their limit of tokens and are no chosen side and no revision",
    "results emptied": "{} results of tools stand without their text, which went beyond ingest.max_characters",
    "without beginning": "of {} conversations the beginning is missing, for what they go on from was not logged",
    "kept apart": "{} conversations begin otherwise than another of the same id and are kept apart from it",
    "marks unjoined": "{} marks are of answers that are in no log",
    "left over": "{} pieces of logs are no rows and are quarantined",
}
"""The counts, and how they are said."""


def told(counts: Mapping[str, int]) -> str:
    """What there is to say of the counts; empty for nothing.

    >>> told({"kept apart": 1234, "left over": 0})
    '1,234 conversations begin otherwise than another of the same id and are kept apart from it'
    """
    return "; ".join(words.format(f"{counts[name]:,}") for name, words in WORDS.items() if counts.get(name))


def counted(space: Workspace) -> dict[str, int]:
    """The counts of all logs that the table of conversations was made of."""
    noted = read_note(space.path("data/conversations")).get("unread")
    return {name: int(noted.get(name, 0)) for name in WORDS} if isinstance(noted, dict) else {}
