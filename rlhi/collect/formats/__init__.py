"""Any log of conversations -> :class:`~rlhi.contracts.Conversation`, one row at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rlhi.collect.formats.fields import Row, at, nested, opened
from rlhi.collect.formats.known import FORMATS, Format
from rlhi.collect.formats.marks import Mark, mark_in
from rlhi.collect.formats.otlp import unfolded
from rlhi.collect.formats.record import Record, show
from rlhi.collect.formats.records import rows_of, utf8
from rlhi.collect.formats.unread import noting, unread_of
from rlhi.collect.formats.wrapped import Part, parts
from rlhi.contracts import Conversation, Quarantined
from rlhi.contracts.apart import anonymous

__all__ = ["FORMATS", "Format", "LogError", "read_log", "read_record", "refusal"]

MAX_UNKNOWN = 1000  # rows that are looked at before a file is given up as no log at all


class LogError(ValueError):
    """A file that is no log; the message is one line with the file, the reason and what is accepted."""


def read_log(
    path: Path,
    file: str | None = None,
    accept: Callable[[Conversation], Conversation] | None = None,
    user_column: str = "",
) -> Iterator[Conversation | Quarantined]:
    """Read a log in any of :data:`FORMATS`, wrapped as :mod:`rlhi.collect.formats.records` says; told by content.

    ``file`` is the name that quarantined rows carry (the path's last part by default). ``accept`` is a further
    check (:func:`rlhi.collect.clean.accept.accept` with its bounds): what it raises as ValueError is quarantined here,
    where the line is known. ``user_column`` is a dotted path such as ``metadata.account_id`` that names the user in
    place of what the format takes for one.

    Raises:
        LogError: the file is missing or empty, or no row of it is in a known format.
    """
    name = file or path.name
    refused: list[Quarantined] = []
    known = False
    try:
        for part in map(utf8, parts(path, name)):
            rows: list[Quarantined] = []
            for row in _read(part, accept, user_column, rows):
                if not known:  # an archive's members that are no logs, told now that another is one
                    yield from refused
                    refused, known = [], True
                if not isinstance(row, Mark):
                    yield row
            if rows:
                refused.append(unread_part(part.name, name, rows))
    except OSError as error:
        raise _refused(name, (error.strerror or str(error)).lower()) from None
    if not known:
        raise refusal(name, refused)
    yield from refused


def _read(
    part: Part, accept: Callable[[Conversation], Conversation] | None, user_column: str, refused: list[Quarantined]
) -> Iterator[Conversation | Quarantined | Mark]:
    """The rows of a part; where none of them is in a known format, nothing, and ``refused`` says why."""
    held: list[Quarantined] = []
    known = False
    for record in unfolded(rows_of(part)):
        found, row = read_record(record, part.name, accept, user_column)
        known = known or found
        if known:
            yield from held
            held.clear()
            yield row
        elif isinstance(row, Quarantined):
            held.append(row)
        if len(held) >= MAX_UNKNOWN:
            break
    refused += held


def read_record(
    record: Record | Quarantined,
    file: str,
    accept: Callable[[Conversation], Conversation] | None = None,
    user_column: str = "",
) -> tuple[bool, Conversation | Quarantined | Mark]:
    """Whether the record is in a known format, and what became of it: of what marks an answer elsewhere, the mark."""
    if isinstance(record, Quarantined):
        return False, record
    value = nested(record.value)
    format = next((format for format in FORMATS if format.matches(value)), None)
    if format is None and (value := opened(value)) is not record.value:
        format = next((format for format in FORMATS if format.matches(value)), None)
    if format is None:
        if (mark := mark_in(value)) is not None:
            return True, mark
        return False, Quarantined(file, record.line, _unknown(value), show(record.value))
    try:
        with noting() as unread:
            conversation = format.parse(value)
            if user_column:
                conversation = _named(conversation, record.value, user_column)
        if unread:
            told = sorted({*conversation.changes, *map(unread_of, unread)})
            conversation = replace(conversation, changes=tuple(told))
        return True, accept(conversation) if accept else conversation
    except (ValueError, RecursionError) as error:
        return True, Quarantined(file, record.line, f"{format.name}: {error}", show(record.value))


def _unknown(row: Row) -> str:
    if "role" in row and "content" in row:
        return "a message a row: put the messages of each conversation together, in a list with their roles"
    return f"unknown format (fields: {show(', '.join(sorted(map(str, row))[:8]))[:200]})"


def _named(conversation: Conversation, row: Row, column: str) -> Conversation:
    """The conversation of the user that a column names; of an anonymous one where the column is empty."""
    user = at(row, column)
    if user is None:
        return replace(
            conversation, user_id=anonymous(conversation.conversation_id), user_id_kind="conversation_only"
        )  # fmt: skip
    return replace(conversation, user_id=user, user_id_kind="real")


def unread_part(part: str, file: str, rows: Sequence[Quarantined]) -> Quarantined:
    """A log in which no row is known: its first row, or as one of several in an archive why it is none."""
    if part == file and rows:
        return rows[0]
    return Quarantined(part, 0, f"no log: line {rows[0].line}: {rows[0].reason}" if rows else "the file is empty", "")


def refusal(file: str, rows: Sequence[Quarantined]) -> LogError:
    """Why a file is no log at all, from what was quarantined of it."""
    if not rows:
        return _refused(file, "the file is empty")
    inside = "" if rows[0].file == file else f"{rows[0].file.removeprefix(file).lstrip('/')}, "
    at = f"line {rows[0].line}: " if rows[0].line else ""
    return _refused(file, f"{inside}{at}{rows[0].reason}")


def _refused(file: str, reason: str) -> LogError:
    one_line = " ".join(reason.split())[:300]
    accepted = ", ".join(format.label for format in FORMATS)
    return LogError(f"{file}: {one_line}; accepted are {accepted}, also compressed and in archives")
