"""Sampled text as versioned data: ``data/samples/STAGE`` holds a parquet file for every block that was sampled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rlhi.contracts import Message, Sample, content_key, schema_of, to_record
from rlhi.models.base import Answer, StructuredModel, Usage
from rlhi.workspace.store import Workspace, read_file, write_atomic


class SampleStore:
    """The samples of one stage. A block is on disk before the next is sampled, so a killed run loses one block.

    Raises:
        StoreError: a file is damaged.
    """

    def __init__(self, space: Workspace, stage: str) -> None:
        self.folder: Path = space.path(f"data/samples/{stage}")
        self.samples: dict[str, Sample] = {}
        for file in sorted(self.folder.glob("*.parquet")):
            for sample in read_file(file, Sample, "delete it, its requests are sampled again"):
                self.samples[sample.request] = sample

    def answered(self, model: str) -> bool:
        """Whether the model of this name has given text."""
        return any(one.model == model and one.texts for one in self.samples.values())

    def taken(self, cycle: int, requests: Iterable[str]) -> int:
        """How many of these requests this cycle has sampled."""
        return sum(self.samples[name].cycle == cycle for name in requests if name in self.samples)

    def keep(self, block: list[Sample]) -> None:
        """Store a block of samples for good."""
        sink = pa.BufferOutputStream()
        table = pa.Table.from_pylist([to_record(sample) for sample in block], schema=schema_of(Sample))
        pq.write_table(table, sink, compression="zstd")
        data = bytes(sink.getvalue())
        write_atomic(self.folder / f"{hashlib.sha256(data).hexdigest()[:16]}.parquet", data)
        self.samples.update({sample.request: sample for sample in block})


class RecordedModel:
    """A ``StructuredModel`` that asks nothing twice: a reply that fitted is kept as a sample, and read from there."""

    def __init__(self, model: StructuredModel, store: SampleStore, cycle: int) -> None:
        self._model, self._store, self._cycle = model, store, cycle
        self.name: str = model.name
        self.usage: Usage = model.usage

    def structured(self, batch: Sequence[Sequence[Message]], shape: type[Answer]) -> list[Answer | None]:
        """As the model's; only conversations without a kept reply are sent to it."""
        schema = shape.model_json_schema()
        keys = [content_key(self.name, schema, [to_record(one) for one in messages]) for messages in batch]
        fresh = {key: messages for key, messages in zip(keys, batch, strict=True) if key not in self._store.samples}
        replies = self._model.structured(list(fresh.values()), shape) if fresh else []
        kept = [
            Sample(key, (reply.model_dump_json(),), self.name, 0, self._cycle)
            for key, reply in zip(fresh, replies, strict=True)
            if reply is not None
        ]
        if kept:
            self._store.keep(kept)
        held = (self._store.samples.get(key) for key in keys)
        return [shape.model_validate_json(one.texts[0]) if one else None for one in held]
