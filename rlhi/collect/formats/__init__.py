"""Any log of conversations -> :class:`~rlhi.contracts.Conversation`, one row at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rlhi.collect.formats.known import FORMATS, Format
from rlhi.collect.formats.records import Record, records, show
from rlhi.contracts import Conversation, Quarantined

__all__ = ["FORMATS", "Format", "LogError", "read_log"]

MAX_UNKNOWN = 1000  # rows that are looked at before a file is given up as no log at all


class LogError(ValueError):
    """A file that is no log; the message is one line with the file, the reason and what is accepted."""


def read_log(
    path: Path, file: str | None = None, accept: Callable[[Conversation], Conversation] | None = None
) -> Iterator[Conversation | Quarantined]:
    """Read a log in any of :data:`FORMATS`; ``.gz`` or not, told by content.

    ``file`` is the name that quarantined rows carry (the path's last part by default). ``accept`` is a further
    check (:func:`rlhi.collect.clean.accept` with its bounds): what it raises as ValueError is quarantined here,
    where the line is known.

    Raises:
        LogError: the file is missing or empty, or no row of it is in a known format.
    """
    name = file or path.name
    held: list[Quarantined] = []
    known = False
    try:
        for record in records(path, name):
            found, row = _read(record, name, accept)
            known = known or found
            if known:
                yield from held
                held.clear()
                yield row
            elif isinstance(row, Quarantined):
                held.append(row)
            if len(held) >= MAX_UNKNOWN:
                break
    except OSError as error:
        raise _refused(name, (error.strerror or str(error)).lower()) from None
    if not known:
        raise _refused(name, f"line {held[0].line}: {held[0].reason}" if held else "the file is empty")


def _read(
    record: Record | Quarantined, file: str, accept: Callable[[Conversation], Conversation] | None
) -> tuple[bool, Conversation | Quarantined]:
    """Whether the record is in a known format, and what became of it."""
    if isinstance(record, Quarantined):
        return False, record
    format = next((format for format in FORMATS if format.matches(record.value)), None)
    if format is None:
        fields = show(", ".join(sorted(map(str, record.value))[:8]))[:200]
        return False, Quarantined(file, record.line, f"unknown format (fields: {fields})", show(record.value))
    try:
        conversation = format.parse(record.value)
        return True, accept(conversation) if accept else conversation
    except (ValueError, RecursionError) as error:
        return True, Quarantined(file, record.line, f"{format.name}: {error}", show(record.value))


def _refused(file: str, reason: str) -> LogError:
    one_line = " ".join(reason.split())[:300]
    return LogError(f"{file}: {one_line}; accepted are {', '.join(format.label for format in FORMATS)}, also gzipped")
