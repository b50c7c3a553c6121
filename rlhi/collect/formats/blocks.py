"""A log cut into blocks of a few megabytes, so that workers read it side by side and none holds the whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rlhi.collect.formats.lines import MAX_ROW_BYTES, line_records, lines_read, shown
from rlhi.collect.formats.record import Damage, Record, show
from rlhi.collect.formats.records import by_line, rows_of, utf8
from rlhi.collect.formats.wrapped import parts
from rlhi.contracts import Quarantined

BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a log. ``data`` holds lines as they came, the first of them number ``line``; or, with ``line`` 0,
    a number and a record a line, for logs that only one reader can take apart (a JSON list, parquet)."""

    file: str
    line: int
    data: bytes

    def records(self) -> Iterator[Record | Quarantined]:
        """The rows of the block."""
        lines = self.data.split(b"\n")
        if self.line:
            yield from lines_read(lines, self.line, self.file)
            return
        for text in lines:
            number, _, record = text.partition(b" ")
            yield from line_records(record, int(number), self.file)


def blocks(path: Path, file: str, size: int = BLOCK_BYTES) -> Iterator[Block | Quarantined]:
    """The blocks of a log, and the trouble that keeps the rest of it from being read.

    Raises:
        OSError: the file cannot be opened.
    """
    for part in map(utf8, parts(path, file)):
        if isinstance(part.first, Damage) or by_line(part.first):
            yield from _lines(part.chunks(), part.name, size)
        else:
            yield from _records(rows_of(part), part.name, size)


def _lines(chunks: Iterable[bytes | Damage], file: str, size: int) -> Iterator[Block | Quarantined]:
    line, held, ended = 1, bytearray(), False
    for chunk in chunks:
        if isinstance(chunk, Damage):
            whole = held.rfind(b"\n") + 1
            yield Block(file, line, bytes(held[:whole]))
            yield Quarantined(file, line + held.count(b"\n", 0, whole), chunk.reason, shown(bytes(held[whole:])))
            return
        held += chunk
        ended = ended or b"\n" in chunk  # a long row is not looked through again for each of its chunks
        if len(held) >= size and ended and (whole := _cut(held)):
            ended = False
            yield Block(file, line, bytes(held[: whole - 1]))
            line += held.count(b"\n", 0, whole)
            del held[:whole]
        elif len(held) > MAX_ROW_BYTES:  # of one row: whole lines have gone
            yield Quarantined(file, line, f"longer than {MAX_ROW_BYTES >> 20} MiB, nothing after it is read", "")
            return
    yield Block(file, line, bytes(held))


def _cut(held: bytearray) -> int:
    """Where to cut: before a line that begins a document, for one may go on over several lines. 0 for nowhere yet."""
    whole = max(held.rfind(b"\n{"), held.rfind(b"\n["))
    if whole < 0 and len(held) > MAX_ROW_BYTES // 2:
        whole = held.rfind(b"\n")
    return whole + 1


def _records(rows: Iterable[Record | Quarantined], file: str, size: int) -> Iterator[Block | Quarantined]:
    held: list[bytes] = []
    room = size
    for row in rows:
        if isinstance(row, Quarantined):
            yield row
            continue
        try:
            # Times become ISO text, which every reader of a time takes.
            text = json.dumps(row.value, default=str)
        except (RecursionError, ValueError) as error:
            # It could just be read: writing it takes more.
            yield Quarantined(file, row.line, f"cannot be passed on: {error}", show(row.value))
            continue
        held.append(b"%d %b" % (row.line, text.encode()))
        room -= len(held[-1])
        if room <= 0:
            yield Block(file, 0, b"\n".join(held))
            held, room = [], size
    if held:
        yield Block(file, 0, b"\n".join(held))
