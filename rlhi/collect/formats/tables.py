"""Columnar files: parquet, and Arrow as Hugging Face `datasets` saves it, a row at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
MAGIC = (PARQUET, ARROW_FILE, ARROW_STREAM)
ROWS = 256


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that cannot be had, or, with ``rest``, all that would have come from there on."""

    reason: str
    rest: bool


def table_rows(stream: IO[bytes], head: bytes) -> Iterator[Mapping[str, object] | Unreadable]:
    """The rows of a columnar file that begins with ``head``; memory holds one batch of it.

    ``stream`` stands anywhere and can seek: parquet is read from its end.
    """
    import pyarrow as pa

    name = "parquet" if head.startswith(PARQUET) else "arrow"
    try:
        for batch in _batches(stream, head):
            binary = any(_holds_bytes(field.type) for field in batch.schema)
            for at in range(batch.num_rows):
                row = _row(batch.slice(at, 1))
                yield row if isinstance(row, Unreadable) or not binary else {name: _text(row[name]) for name in row}
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        yield Unreadable(f"damaged {name}, the rest cannot be read: {reason}", rest=True)


def _batches(stream: IO[bytes], head: bytes) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream.seek(0)
    if head.startswith(PARQUET):
        yield from pq.ParquetFile(stream).iter_batches(batch_size=ROWS)
        return
    if head.startswith(ARROW_FILE):
        file = pa.ipc.open_file(stream)
        batches = (file.get_batch(at) for at in range(file.num_record_batches))
    else:
        batches = iter(pa.ipc.open_stream(stream))
    for batch in batches:
        batch.validate(full=True)  # Arrow trusts offsets: those of a damaged file lead anywhere
        yield batch


def _row(batch: pa.RecordBatch) -> Mapping[str, object] | Unreadable:
    try:
        row: Mapping[str, object] = batch.to_pylist()[0]
    except (UnicodeDecodeError, ValueError, OverflowError) as error:
        return Unreadable(f"cannot be read: {error}", rest=False)
    return row


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    checks = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(check(kind) for check in checks) or any(
        _holds_bytes(kind.field(at).type) for at in range(kind.num_fields)
    )


def _text(value: object) -> object:
    """Bytes as the text that they are: some writers do not say that a column holds text. Others are left out."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if isinstance(value, Mapping):
        return {name: _text(item) for name, item in value.items()}
    return [_text(item) for item in value] if isinstance(value, list) else value
