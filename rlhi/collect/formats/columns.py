"""Values of columns as the values that JSON would have: maps, bytes, decimals, and times of any zone and unit."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, cast
from uuid import UUID

if TYPE_CHECKING:
    import pyarrow as pa

Reader = Callable[[object], object]

IDS = re.compile(r"(?:.*[^A-Za-z])?(?:u?u?id|guid|oid|key|hash|user|ip|session|thread|conversation)|.*[a-z](?:Id|ID)")
SAID = frozenset({"content", "text", "value"})


def comparable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its times in UTC and no finer than Python's: an unknown zone or a nanosecond costs no row."""
    import pyarrow as pa

    columns = []
    for column in batch.columns:
        wanted = _utc(column.type)
        try:
            columns.append(column if wanted == column.type else column.cast(wanted, safe=False))
        except pa.ArrowException:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _utc(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as types

    if types.is_timestamp(kind):
        return pa.timestamp("us" if kind.unit == "ns" else kind.unit, kind.tz and "UTC")
    if types.is_struct(kind):
        return pa.struct([kind.field(at).with_type(_utc(kind.field(at).type)) for at in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_utc(kind.key_type), _utc(kind.item_type))
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_utc(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_utc(kind.value_type)))
    return kind


def reader(kind: pa.DataType, name: str) -> Reader | None:
    """What makes a plain value of one of this type, in a column of this name; None where it is plain as it is."""
    import pyarrow as pa
    import pyarrow.types as types

    if isinstance(kind, pa.BaseExtensionType):
        return _known(str) if kind.extension_name == "arrow.uuid" else reader(kind.storage_type, name)
    if types.is_dictionary(kind):
        return reader(kind.value_type, name)
    if types.is_decimal(kind):
        return _known(_number)
    if types.is_fixed_size_binary(kind) and kind.byte_width == 16:
        return _known(lambda value: str(UUID(bytes=cast(bytes, value))))
    if any(
        check(kind)
        for check in (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    ):
        return _known(lambda value: _text(cast(bytes, value), name))
    if types.is_map(kind):
        return _map(reader(kind.key_type, "key"), reader(kind.item_type, name))
    if types.is_struct(kind):
        fields = (kind.field(at) for at in range(kind.num_fields))
        return _struct({field.name: found for field in fields if (found := reader(field.type, field.name))})
    if kind.num_fields == 1 and (inner := reader(kind.field(0).type, name)):
        return _known(lambda value: [inner(one) for one in cast(list[object], value)])
    return None


def _known(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _map(key: Reader | None, item: Reader | None) -> Reader:
    """The object that a map's pairs are; of a key that stands twice the last value."""

    def read(value: object) -> object:
        pairs = cast(list[tuple[object, object]], value)
        return {str(key(one) if key else one): item(other) if item else other for one, other in pairs}

    return _known(read)


def _struct(readers: dict[str, Reader]) -> Reader | None:
    def read(value: object) -> object:
        row = cast(dict[str, object], value)
        return row | {name: one(row[name]) for name, one in readers.items()}

    return _known(read) if readers else None


def _number(value: object) -> int | float:
    number = cast(Decimal, value)
    return int(number) if number == number.to_integral_value() else float(number)


def _text(value: bytes, name: str) -> str | None:
    """Bytes as the text that they are, for some writers do not say that a column holds text; ids of bytes in hex.

    Other bytes, of pictures and the like, are left out.

    Raises:
        ValueError: it is no text where something is said.
    """
    named = IDS.fullmatch(name) is not None
    try:
        text = value.decode("utf-8")
        if text.isprintable() or not named:
            return text
    except UnicodeDecodeError as error:
        if name in SAID:
            raise ValueError(f"{name} is bytes that are no UTF-8 (byte {error.start + 1})") from None
    if not named:
        return None
    return str(UUID(bytes=value)) if len(value) == 16 else value.hex()
