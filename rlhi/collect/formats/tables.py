"""Columnar files: parquet, and Arrow as Hugging Face `datasets` saves it, a row at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from rlhi.collect.formats.columns import Reader, comparable, reader

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
    readers: dict[str, Reader] | None = None
    try:
        for batch in map(comparable, _batches(stream, head)):
            if readers is None:
                readers = {field.name: one for field in batch.schema if (one := reader(field.type, field.name))}
            for at in range(batch.num_rows):
                yield _row(batch.slice(at, 1), readers)
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


def _row(batch: pa.RecordBatch, readers: Mapping[str, Reader]) -> Mapping[str, object] | Unreadable:
    import pyarrow.types as types

    try:
        row: dict[str, object] = batch.to_pylist()[0]
    except (ValueError, OverflowError):
        row = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                row[name] = column.to_pylist()[0]
            except (ValueError, OverflowError) as error:
                if not types.is_temporal(column.type):
                    return Unreadable(f"{name} cannot be read: {error}", rest=False)
                row[name] = f"no time: {error}"  # it is counted among those that cannot be read
    try:
        return row | {name: read(row[name]) for name, read in readers.items()} if readers else row
    except ValueError as error:
        return Unreadable(f"cannot be read: {error}", rest=False)
