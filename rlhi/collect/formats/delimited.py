"""Tables as text: CSV and TSV with the names of their columns in the first line."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterable, Iterator

from rlhi.collect.formats.fields import loaded
from rlhi.collect.formats.lines import BOM, MAX_ROW_BYTES, undecodable
from rlhi.collect.formats.record import Damage, Record, show
from rlhi.collect.formats.signals import MARKS
from rlhi.contracts import Quarantined

DELIMITERS = ("\t", ",", ";", "|")
NAME = re.compile(r"[\w$@#][\w $@#.:/()\[\]\-]{0,99}")
SEPARATOR = re.compile(rb"sep=(.)\r?\n")  # as Excel writes it
ALONE = frozenset({"messages", "conversation", "conversations", "turns", "chat"})  # what one column alone may be
NUMBERS, NUMBER = frozenset({*MARKS, "score", "value"}), re.compile(r"[+-]?\d+(?:\.\d+)?")
FLAGS = frozenset({*MARKS, "toxic", "redacted", "bookmarked"})
LITERAL_BYTES = 1 << 20


def dialect(first: bytes) -> str:
    """What parts the columns of a table as text that begins with these bytes; empty where it is none."""
    head = first.removeprefix(BOM)
    if told := SEPARATOR.match(head):
        return told[1].decode("latin-1")
    line, _, rest = head.partition(b"\n")
    if line.lstrip()[:1] in (b"{", b"[", b"<", b"") or _is_object(rest.partition(b"\n")[0]):
        return ""
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return ""
    found = {one: _names(text, one) for one in DELIMITERS}
    best = max(found, key=lambda one: len(found[one]))
    return best if len(found[best]) > 1 or set(found[best]) & ALONE else ""


def _names(line: str, delimiter: str) -> list[str]:
    """The columns of a header, none where something in it is no name."""
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []
    told = [name for name in names if name]  # pandas' index has none
    return names if all(map(NAME.fullmatch, told)) and len(set(told)) == len(told) >= len(names) - 1 else []


def _is_object(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def table_of_text(chunks: Iterable[bytes | Damage], delimiter: str, file: str) -> Iterator[Record | Quarantined]:
    """The rows, each under the line that it begins on; fields that hold JSON as what they hold, empty ones as None."""
    csv.field_size_limit(MAX_ROW_BYTES)
    damage: list[Damage] = []
    rows = csv.reader(_lines(chunks, damage), delimiter=delimiter)
    names: list[str] = []
    at = 1
    while True:
        line = at
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Quarantined(file, line, f"no table any more: {error}, nothing after it is read", "")
            return
        at = rows.line_num + 1
        if row is None:
            break
        if not row or (line == 1 and len(row) == 2 and row[0] == "sep="):
            continue
        if not names:
            names = [name.strip() for name in row]
        elif len(row) != len(names):
            reason = f"{len(row)} fields, but {len(names)} columns are named in the first line"
            yield Quarantined(file, line, reason, show(delimiter.join(row)))
        elif (wrong := _undecoded(row)) is not None:
            yield Quarantined(file, line, wrong, show(delimiter.join(row)))
        else:
            yield Record(line, {name: _value(name, one) for name, one in zip(names, row, strict=True) if name})
    if damage:
        yield Quarantined(file, line, damage[0].reason, "")


def _lines(chunks: Iterable[bytes | Damage], damage: list[Damage]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        if isinstance(chunk, Damage):
            damage.append(chunk)
            return
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        for line in whole:
            yield _decoded(line) + "\n"
        if len(rest) > MAX_ROW_BYTES:
            damage.append(Damage(f"longer than {MAX_ROW_BYTES >> 20} MiB, nothing after it is read"))
            return
    if rest:
        yield _decoded(rest)


def _decoded(line: bytes) -> str:
    return line.replace(b"\0", b"").decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def _undecoded(row: list[str]) -> str | None:
    for one in row:
        if not one.isascii():
            try:
                one.encode("utf-8", "surrogateescape").decode("utf-8")
            except UnicodeDecodeError as error:
                return undecodable(error)
    return None


def _value(name: str, text: str) -> object:
    """A field as what it means: JSON, what Python prints of lists and objects, numbers and flags where marks stand."""
    said = text.strip()
    if not said:
        return None
    if said[0] in "[{":
        value = loaded(text)
        return _literal(said) if value is text else value
    last = name.rpartition(".")[2]
    if last in FLAGS and said.lower() in ("true", "false"):
        return said.lower() == "true"
    if last in NUMBERS and NUMBER.fullmatch(said):
        return float(said) if "." in said else int(said)
    return text


def _literal(text: str) -> object:
    """``[{'role': 'user'}]``, as pandas writes a column of lists."""
    if len(text) <= LITERAL_BYTES and re.match(r"\[?\s*[\[{(]\s*'", text):
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return text
    return text
