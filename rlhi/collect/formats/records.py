"""Bytes to records: what a log file holds, one object after another, whatever wraps it.

Content decides, not the suffix: compression, archives, parquet, Arrow, CSV, JSON documents that stand one behind the
other, or one JSON object a line. Trouble with one row becomes a :class:`~rlhi.contracts.Quarantined` and reading goes
on; a damaged rest becomes one such row.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from rlhi.collect.formats.delimited import dialect, table_of_text
from rlhi.collect.formats.documents import documents
from rlhi.collect.formats.lines import BOM, MAX_ROW_BYTES, lines_read, shown
from rlhi.collect.formats.record import Damage, Record
from rlhi.collect.formats.tables import MAGIC, Unreadable, table_rows
from rlhi.collect.formats.wrapped import Part, parts
from rlhi.contracts import Quarantined

__all__ = ["MAX_ROW_BYTES", "Damage", "Record", "by_line", "records", "rows_of", "utf8"]

PRINTED = re.compile(rb"\s*\{[ \t]*\r?\n")  # an object that goes on in the next line
WIDE = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16", b"{\0": "utf-16-le", b"[\0": "utf-16-le", b"\0{": "utf-16-be", b"\0[": "utf-16-be",
}  # fmt: skip


def records(path: Path, file: str) -> Iterator[Record | Quarantined]:
    """The objects of a log, or of all logs of an archive.

    Raises:
        OSError: the file cannot be opened.
    """
    for part in parts(path, file):
        yield from rows_of(utf8(part))


def utf8(part: Part) -> Part:
    """The part in UTF-8, as PowerShell and Excel do not write it, without a byte order mark."""
    first = part.first
    if isinstance(first, Damage):
        return part
    wide = next((name for mark, name in WIDE.items() if first.startswith(mark)), None)
    if wide is not None:
        chunks = _recoded(part.chunks(), wide)
        return utf8(Part(part.name, next(chunks, b""), chunks))
    return Part(part.name, first.removeprefix(BOM), part.rest, part.file) if first.startswith(BOM) else part


def rows_of(part: Part) -> Iterator[Record | Quarantined]:
    """The objects of a part in UTF-8."""
    first = part.first
    if isinstance(first, Damage) or by_line(first):
        yield from _lines(part.chunks(), part.name)
    elif first.startswith(MAGIC):
        yield from _table(part, first)
    elif delimiter := dialect(first):
        yield from table_of_text(part.chunks(), delimiter, part.name)
    else:
        yield from documents(part.chunks(), part.name)


def by_line(first: bytes) -> bool:
    """Whether a log that begins with these bytes has one object a line, so that it can be cut between lines."""
    return not (first.startswith(MAGIC) or first.lstrip().startswith(b"[") or PRINTED.match(first) or dialect(first))


def _recoded(chunks: Iterable[bytes | Damage], wide: str) -> Iterator[bytes | Damage]:
    decoder = codecs.getincrementaldecoder(wide)("replace")
    for chunk in chunks:
        yield chunk if isinstance(chunk, Damage) else decoder.decode(chunk).encode("utf-8", "surrogatepass")


def _lines(chunks: Iterable[bytes | Damage], file: str) -> Iterator[Record | Quarantined]:
    trouble: list[Quarantined] = []
    yield from lines_read(_split(chunks, file, trouble), 1, file)
    yield from trouble


def _split(chunks: Iterable[bytes | Damage], file: str, trouble: list[Quarantined]) -> Iterator[bytes]:
    """The lines, as far as they can be had; what ends them before the log ends goes to ``trouble``."""
    line, rest = 0, b""
    for chunk in chunks:
        if isinstance(chunk, Damage):
            trouble.append(Quarantined(file, line + 1, chunk.reason, shown(rest)))
            return
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        line += len(whole)
        yield from whole
        if len(rest) > MAX_ROW_BYTES:
            reason = f"longer than {MAX_ROW_BYTES >> 20} MiB, nothing after it is read"
            trouble.append(Quarantined(file, line + 1, reason, ""))
            return
    yield rest


def _table(part: Part, first: bytes) -> Iterator[Record | Quarantined]:
    """Columnar files are read by seeking: the file itself, or a temporary copy of what is wrapped."""
    with ExitStack() as stack:
        stream = part.file
        if stream is None:
            copy: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            for chunk in part.chunks():
                if isinstance(chunk, Damage):
                    break  # what is there may be read, and the rest is told as damage
                copy.write(chunk)
            stream = copy
        for at, row in enumerate(table_rows(stream, first), 1):
            yield Quarantined(part.name, at, row.reason, "") if isinstance(row, Unreadable) else Record(at, row)
