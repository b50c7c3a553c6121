"""Rows to records and back: one dataclass is the schema, the parquet column and the JSON object.

:func:`schema_of` derives a pyarrow schema from a dataclass's type hints; :func:`to_record` and :func:`from_record` go
back and forth, so that a row read from parquet equals the row that was written.
"""

from __future__ import annotations

import hashlib
import json
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2

Row = TypeVar("Row")


def content_key(*parts: object) -> str:
    """A stable 16-hex-digit hash of strings, numbers, dataclasses and nested sequences of them.

    >>> content_key("a", 1) == content_key("a", 1), content_key("a", "1") == content_key("a", 1)
    (True, False)
    """
    text = json.dumps([_plain(part) for part in parts], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def to_record(row: object) -> dict[str, object]:
    """A dataclass as plain dicts, lists and scalars, ready for pyarrow or JSON."""
    return cast(dict[str, object], _plain(row))


def from_record(kind: type[Row], record: Mapping[str, object]) -> Row:
    """The inverse of :func:`to_record`. A whole number is a float where one is wanted; nothing else is converted.

    Raises:
        ValueError: a field is missing, unknown or of the wrong kind; the message names it.
    """
    try:
        row = msgspec.convert(record, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{kind.__name__}: {error}{_choices(kind, str(error))}") from None
    if unknown := _unknown(kind, record):
        raise ValueError(f"{kind.__name__} has unknown field {unknown!r}")
    return row


@cache
def schema_of(kind: type) -> pa.Schema:
    """The pyarrow schema of a row type, carrying its name and ``SCHEMA_VERSION`` as metadata."""
    import pyarrow as pa

    hints = get_type_hints(kind)
    columns = [_arrow_field(field.name, hints[field.name]) for field in fields(kind)]
    return pa.schema(columns, metadata={"rlhi.row": kind.__name__, "rlhi.schema_version": str(SCHEMA_VERSION)})


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _plain(value: object) -> object:
    kind: type = type(value)
    if kind in _SCALARS:  # most values: no other question is asked of them
        return value
    if kind is tuple or kind is list:
        return [_plain(item) for item in cast(Sequence[object], value)]
    if names := _names(kind):
        # Most fields are scalars, and a call costs more than the question.
        return {name: held if type(held := getattr(value, name)) in _SCALARS else _plain(held) for name in names}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise TypeError(f"not a row value: {kind.__name__}")


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass; none for anything else."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _unknown(kind: type, record: Mapping[str, object]) -> str:
    """The first field that a row of this kind, or one inside of it, does not have; empty for none."""
    if odd := record.keys() - set(_names(kind)):
        return min(odd)
    for name, inner in _inner(kind):
        held = record.get(name)
        parts = list(enumerate(held)) if isinstance(held, list | tuple) else [(-1, held)]
        for at, part in parts:
            if isinstance(part, Mapping) and (odd_inside := _unknown(inner, part)):
                return f"{name}[{at}].{odd_inside}" if at >= 0 else f"{name}.{odd_inside}"
    return ""


def _choices(kind: type, error: str) -> str:
    """What a field may say, where an error names one that says something else (``... at `$.turns[0].role` ``)."""
    hint: object = kind
    place = re.search(r"Invalid enum value .* at `\$\.(.+)`$", error)
    for name in place[1].split(".") if place else ():
        hint = _optional(get_type_hints(hint)[name.partition("[")[0]])[0]
        hint = get_args(hint)[0] if get_origin(hint) is tuple else hint
    return f", not one of {', '.join(map(str, get_args(hint)))}" if place else ""


@cache
def _inner(kind: type) -> tuple[tuple[str, type], ...]:
    """The fields that hold rows, one or several, with the kind of these."""
    kinds = ((name, _optional(hint)[0]) for name, hint in get_type_hints(kind).items())
    held = ((name, get_args(hint)[0] if get_origin(hint) is tuple else hint) for name, hint in kinds)
    return tuple((name, cast(type, hint)) for name, hint in held if is_dataclass(hint))


def _optional(hint: object) -> tuple[object, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return inner[0], len(inner) < len(get_args(hint))
    return hint, False


def _arrow_field(name: str, hint: object) -> pa.Field:
    import pyarrow as pa

    inner, nullable = _optional(hint)
    return pa.field(name, _arrow_type(inner), nullable=nullable)


def _arrow_type(hint: object) -> pa.DataType:
    import pyarrow as pa

    plain: dict[object, pa.DataType] = {
        str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(),
    }  # fmt: skip
    if hint in plain:
        return plain[hint]
    origin = get_origin(hint)
    if origin is Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(pa.field("item", _arrow_type(get_args(hint)[0]), nullable=False))
    if is_dataclass(hint):
        return pa.struct(list(schema_of(cast(type, hint))))
    raise TypeError(f"no arrow type for {hint!r}")
