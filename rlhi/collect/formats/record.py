"""One object of a log, and what is kept of one that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from rlhi.contracts import Quarantined

RAW_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Record:
    """One object of a log with the line it began on (the row, in parquet; both from 1)."""

    line: int
    value: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Damage:
    """Where a stream broke off: the bytes behind it cannot be had."""

    reason: str


def record_of(value: object, line: int, file: str) -> Record | Quarantined:
    """A value of a log, quarantined where it is no object."""
    if isinstance(value, dict):
        return Record(line, value)
    return Quarantined(file, line, f"not an object but a {type(value).__name__}", show(value))


def show(value: object) -> str:
    """A row as it is kept in quarantine: text that can be written anywhere, cut."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, TypeError, ValueError):
        text = "nested too deeply to be shown"
    return text[:RAW_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
