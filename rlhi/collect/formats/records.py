"""Bytes to records: what a log file holds, one object after another, whatever wraps it.

Content decides, not the suffix: gzip, parquet, Arrow, a JSON list, objects that are printed over many lines, or one
JSON object a line. Trouble with one row becomes a :class:`~rlhi.contracts.Quarantined` and reading goes on; a damaged
rest becomes one such row.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from rlhi.collect.formats.tables import MAGIC, Unreadable, table_rows
from rlhi.contracts import Quarantined

RAW_CHARACTERS = 2000
MAX_ROW_BYTES = 64 << 20
CHUNK_BYTES = 1 << 18
SPACE = re.compile(r"[ \t\r\n]+")
PRINTED = re.compile(rb"\s*\{[ \t]*\r?\n")  # an object that goes on in the next line
GZIP, BOM = b"\x1f\x8b", b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One object of a log with the line it began on (the row, in parquet; both from 1)."""

    line: int
    value: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a stream broke off: the bytes behind it cannot be had."""

    reason: str


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
            yield from _elements(_joined(first, chunks), file)


def by_line(first: bytes) -> bool:
    """Whether a log that begins with these bytes has one object a line, so that it can be cut between lines."""
    head = first.removeprefix(BOM)
    return not first.startswith(MAGIC) and not head.lstrip().startswith(b"[") and not PRINTED.match(head)


def show(value: object) -> str:
    """A row as it is kept in quarantine: text that can be written anywhere, cut."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, TypeError, ValueError):
        text = "nested too deeply to be shown"
    return text[:RAW_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def starts(stream: IO[bytes], magic: bytes) -> bool:
    """Whether a stream begins with these bytes; it is left at its beginning."""
    head = stream.read(len(magic))
    stream.seek(0)
    return head == magic


def chunks_of(stream: IO[bytes]) -> Iterator[bytes | Damage]:
    """The bytes of a stream, and where they break off."""
    read = cast("gzip.GzipFile", stream).read1  # hands out what is there before it meets the damage
    try:
        while chunk := read(CHUNK_BYTES):
            yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Damage(f"damaged gzip, the rest cannot be read: {error}")


def _joined(first: bytes | Damage, rest: Iterable[bytes | Damage]) -> Iterator[bytes | Damage]:
    yield first.removeprefix(BOM) if isinstance(first, bytes) else first
    yield from rest


def _lines(chunks: Iterable[bytes | Damage], file: str) -> Iterator[Record | Quarantined]:
    line, rest = 0, b""
    for chunk in chunks:
        if isinstance(chunk, Damage):
            yield Quarantined(file, line + 1, chunk.reason, _text(rest))
            return
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        for text in whole:
            line += 1
            yield from line_records(text, line, file)
        if len(rest) > MAX_ROW_BYTES:
            yield Quarantined(file, line + 1, f"longer than {MAX_ROW_BYTES >> 20} MiB, nothing after it is read", "")
            return
    yield from line_records(rest, line + 1, file)


def line_records(text: bytes, line: int, file: str) -> Iterator[Record | Quarantined]:
    """The object in one line; nothing for a blank one."""
    if not text.strip():
        return
    try:
        value = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        yield Quarantined(file, line, f"not UTF-8 (byte {error.start + 1})", _text(text))
    except (ValueError, RecursionError) as error:
        yield Quarantined(file, line, f"not JSON: {error}", _text(text))
    else:
        yield _record(value, line, file)


def _record(value: object, line: int, file: str) -> Record | Quarantined:
    if isinstance(value, dict):
        return Record(line, value)
    return Quarantined(file, line, f"not an object but a {type(value).__name__}", show(value))


def _text(raw: bytes) -> str:
    return raw[: RAW_CHARACTERS * 4].decode("utf-8", "replace")[:RAW_CHARACTERS]


def _elements(chunks: Iterable[bytes | Damage], file: str) -> Iterator[Record | Quarantined]:
    """A JSON list or objects one after the other. Behind a malformed one nothing can be told apart: it ends there."""
    window = _Window(chunks)
    window.skip(" \t\r\n")
    listed = window.text.startswith("[", window.at)
    window.advance(window.at + listed)
    while True:
        window.skip(" \t\r\n," if listed else " \t\r\n")
        line = window.line
        if window.at == len(window.text):
            if listed or window.damage:
                yield Quarantined(file, line, window.damage or "not JSON: the list does not end", "")
            return
        if listed and window.text.startswith("]", window.at):
            return
        try:
            value = window.value(listed)
        except UnicodeDecodeError as error:
            yield Quarantined(file, line, "not UTF-8", show(error.object.decode("utf-8", "replace")))
        except ValueError as error:
            yield Quarantined(file, line, f"{error}; the rest is not read", show(window.text[window.at :]))
            return
        else:
            yield _record(value, line, file)


class _Window:
    """The part of a long JSON text that is being looked at, and the line it has come to."""

    def __init__(self, chunks: Iterable[bytes | Damage]) -> None:
        self._chunks = iter(chunks)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._json = json.JSONDecoder()
        self._done, self.damage = False, ""
        self.text, self.at, self.line = "", 0, 1

    def advance(self, to: int) -> None:
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def skip(self, characters: str) -> None:
        while True:
            to = self.at
            while to < len(self.text) and self.text[to] in characters:
                to += 1
            self.advance(to)
            if to < len(self.text) or not self._more():
                return

    def value(self, listed: bool) -> object:
        """The element that begins here; raises ValueError where none can be read."""
        while True:
            value, end, follows = None, -1, ""
            try:
                value, end = self._json.raw_decode(self.text, self.at)
                follows = SPACE.sub("", self.text[end : end + 64])[:1]
                reason = "not JSON: a comma is missing" if listed and follows else ""
            except (ValueError, RecursionError) as error:
                reason = f"not JSON: {str(error).split(':')[0]}"
            if follows and (follows in ",]" or not (listed or reason)):
                break
            if not self._more():
                if reason:
                    raise ValueError(self.damage or reason)
                break
        raw = self.text[self.at : end].encode("utf-8", "surrogateescape")
        self.advance(end)
        raw.decode("utf-8")
        return value

    def _more(self) -> bool:
        """Read as much again as is held, so that a long element is tried a few times only."""
        want, parts = len(self.text) - self.at, [self.text[self.at :]]
        while want >= 0 and not self._done:
            chunk = next(self._chunks, None)
            if not isinstance(chunk, bytes):
                self._done, self.damage = True, chunk.reason if chunk else ""
                break
            parts.append(self._utf8.decode(chunk))
            want -= len(parts[-1])
        self.text, self.at = "".join(parts), 0
        return len(parts) > 1


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
