"""Bytes to records: what a log file holds, one object after another, whatever wraps it.

Content decides, not the suffix: gzip, parquet, Arrow, JSON documents that stand one behind the other, or one JSON
object a line. Trouble with one row becomes a :class:`~rlhi.contracts.Quarantined` and reading goes on; a damaged rest
becomes one such row.
"""

from __future__ import annotations

import codecs
import gzip
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from rlhi.collect.formats.documents import documents
from rlhi.collect.formats.lines import BOM, MAX_ROW_BYTES, lines_read, shown
from rlhi.collect.formats.record import Damage, Record
from rlhi.collect.formats.tables import MAGIC, Unreadable, table_rows
from rlhi.contracts import Quarantined

__all__ = ["MAX_ROW_BYTES", "Damage", "Record", "by_line", "chunks_of", "records", "starts"]

CHUNK_BYTES = 1 << 18
PRINTED = re.compile(rb"\s*\{[ \t]*\r?\n")  # an object that goes on in the next line
GZIP, WIDE = b"\x1f\x8b", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def records(path: Path, file: str) -> Iterator[Record | Quarantined]:
    """The objects of a log.

    Raises:
        OSError: the file cannot be opened.
    """
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(path.open("rb"))
        if starts(stream, GZIP):
            stream = cast("IO[bytes]", stack.enter_context(gzip.open(stream, "rb")))
        chunks = chunks_of(stream)
        first = next(chunks, b"")
        if isinstance(first, Damage) or by_line(first):
            yield from _lines(_joined(first, chunks), file)
        elif first.startswith(MAGIC):
            yield from _table(_seekable(stream, first, stack), first, file)
        else:
            yield from documents(_joined(first, chunks), file)


def by_line(first: bytes) -> bool:
    """Whether a log that begins with these bytes has one object a line, so that it can be cut between lines."""
    head = first.removeprefix(BOM)
    return not first.startswith(MAGIC) and not head.lstrip().startswith(b"[") and not PRINTED.match(head)


def starts(stream: IO[bytes], magic: bytes) -> bool:
    """Whether a stream begins with these bytes; it is left at its beginning."""
    head = stream.read(len(magic))
    stream.seek(0)
    return head == magic


def chunks_of(stream: IO[bytes]) -> Iterator[bytes | Damage]:
    """The bytes of a stream, and where they break off."""
    read = cast("gzip.GzipFile", stream).read1  # hands out what is there before it meets the damage
    wide: codecs.IncrementalDecoder | None = None
    first = True
    try:
        while chunk := read(CHUNK_BYTES):
            if first and chunk.startswith(WIDE):  # as PowerShell writes what a command prints
                wide = codecs.getincrementaldecoder("utf-16")("replace")
            first = False
            yield wide.decode(chunk).encode("utf-8", "surrogatepass") if wide else chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Damage(f"damaged gzip, the rest cannot be read: {error}")


def _joined(first: bytes | Damage, rest: Iterable[bytes | Damage]) -> Iterator[bytes | Damage]:
    yield first.removeprefix(BOM) if isinstance(first, bytes) else first
    yield from rest


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


def _seekable(stream: IO[bytes], first: bytes, stack: ExitStack) -> IO[bytes]:
    """Columnar files are read by seeking: the file itself, or a temporary copy of what gzip wraps."""
    if not isinstance(stream, gzip.GzipFile):
        return stream
    copy: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    copy.write(first)
    shutil.copyfileobj(stream, copy)
    return copy


def _table(stream: IO[bytes], head: bytes, file: str) -> Iterator[Record | Quarantined]:
    for at, row in enumerate(table_rows(stream, head), 1):
        yield Quarantined(file, at, row.reason, "") if isinstance(row, Unreadable) else Record(at, row)
