"""Sampled text as versioned data: ``data/samples/STAGE`` holds a parquet file for every block that was sampled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rlhi.contracts import Sample, from_record, schema_of, to_record
from rlhi.store import Workspace, write_atomic


class SampleStore:
    """The samples of one stage. A block is on disk before the next is sampled, so a killed run loses one block."""

    def __init__(self, space: Workspace, stage: str) -> None:
        self.folder: Path = space.path(f"data/samples/{stage}")
        self.samples: dict[str, Sample] = {}
        for file in sorted(self.folder.glob("*.parquet")):
            for record in pq.read_table(file, partitioning=None).to_pylist():
                sample = from_record(Sample, record)
                self.samples[sample.request] = sample

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
