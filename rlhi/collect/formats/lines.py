"""Lines to records: one object a line, as a log has them, and what else may stand in a line or go on over several."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from rlhi.collect.formats.documents import documents
from rlhi.collect.formats.record import RAW_CHARACTERS, Record, record_of
from rlhi.contracts import Quarantined

MAX_ROW_BYTES = 64 << 20
BOM, SEPARATOR = b"\xef\xbb\xbf", b"\x1e"
PASSED = b"[], \t\r\n\v\f" + BOM + SEPARATOR
OPENING = (b"{", b"[", BOM, SEPARATOR)  # what a line begins with that begins a document


def lines_read(lines: Iterable[bytes], line: int, file: str) -> Iterator[Record | Quarantined]:
    """The objects in lines, the first of which has the number ``line``.

    A line that begins a document and does not end it is tried together with the lines behind it, up to the next one
    that begins a document. Where that gives no document either, each of them is a line of its own.
    """
    held: list[bytes] = []
    room = 0
    at = line - 1
    for at, text in enumerate(lines, line):
        if held and (text.startswith(OPENING) or len(text) > room):
            yield from _held(held, at - len(held), file)
            held = []
        if held:
            held.append(text)
            room -= len(text)
            continue
        try:
            value = json.loads(text.decode("utf-8"))
        except (ValueError, RecursionError):
            if text.startswith(OPENING):
                held, room = [text], MAX_ROW_BYTES
                continue
            value = None
        if isinstance(value, dict):
            yield Record(at, value)
        else:
            yield from line_records(text, at, file)
    if held:
        yield from _held(held, at + 1 - len(held), file)


def line_records(text: bytes, line: int, file: str) -> Iterator[Record | Quarantined]:
    """The objects in one line; nothing for a blank one, or one of brackets, which rows of a list may stand between."""
    if not text.strip(PASSED):
        return
    try:
        value = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        yield Quarantined(file, line, undecodable(error), shown(text))
    except (ValueError, RecursionError) as error:
        if text.startswith(OPENING):
            yield from _several(text, line, file, f"not JSON: {error}")
        else:
            yield Quarantined(file, line, f"not JSON: {error}", shown(text))
    else:
        if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
            yield from documents([text], file, line)
        else:
            yield record_of(value, line, file)


def undecodable(error: UnicodeDecodeError) -> str:
    """Why bytes are no text, and what they may be."""
    byte = error.object[error.start]
    return f"not UTF-8 (byte {error.start + 1} is 0x{byte:02x}; if it is Latin-1 or Windows-1252, save it as UTF-8)"


def shown(raw: bytes) -> str:
    """Bytes as they are kept in quarantine."""
    return raw[: RAW_CHARACTERS * 4].decode("utf-8", "replace")[:RAW_CHARACTERS]


def _several(text: bytes, line: int, file: str, reason: str) -> Iterator[Record | Quarantined]:
    """The documents of one line; the line as a whole where there is not one that can be read."""
    found = list(documents([text], file, line))
    if any(isinstance(one, Record) for one in found):
        yield from found
    elif found:
        yield Quarantined(file, line, reason, shown(text))


def _held(lines: list[bytes], line: int, file: str) -> Iterator[Record | Quarantined]:
    if len(lines) > 1:
        found = list(documents([b"\n".join(lines)], file, line))
        if all(isinstance(one, Record) for one in found):
            yield from found
            return
    for at, text in enumerate(lines, line):
        yield from line_records(text, at, file)
