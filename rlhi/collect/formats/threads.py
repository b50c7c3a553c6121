"""Messages that name the one before them, with branches where an answer was asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rlhi.collect.formats.fields import Row, text


def branch(messages: Mapping[str, Row], shown: str, parent: str) -> list[Row]:
    """From the message that is shown back to the first one; a circle ends where it begins."""
    path: dict[str, Row] = {}
    while shown in messages and shown not in path:
        path[shown] = messages[shown]
        shown = text(messages[shown], parent) or ""
    return list(reversed(path.values()))


def newest_branch(rows: Sequence[Row], name: str, parent: str) -> list[Row]:
    """The branch of the last row that no other goes on from; all rows as they stand where none names another.

    What is shown of several branches is the newest one, and exports hold messages in the order of their times.
    """
    messages = {found: row for row in rows if (found := text(row, name))}
    if not any(text(row, parent) in messages for row in rows):
        return list(rows)
    gone_on = {text(row, parent) for row in rows}
    return branch(messages, next((one for one in reversed(messages) if one not in gone_on), ""), parent)
