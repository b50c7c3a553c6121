"""A log cut in blocks is the same log: what one reader finds in it, workers find in its blocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlhi.collect.clean.accept import harmless
from rlhi.collect.formats import read_record
from rlhi.collect.formats.blocks import Block, blocks
from rlhi.collect.formats.records import MAX_ROW_BYTES, Record, records
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined


def found(path: Path, size: int = 1 << 20, calls: int = 0) -> list[Record | Quarantined]:
    """All rows, block by block; blocks are read from below so many more calls, as workers may."""
    rows: list[Record | Quarantined] = []
    for block in blocks(path, path.name, size):
        rows += below(calls, block) if isinstance(block, Block) else [block]
    return rows


def below(calls: int, block: Block) -> list[Record | Quarantined]:
    return below(calls - 1, block) if calls else list(block.records())


@pytest.mark.parametrize("size", [1, 40, 1000])
@pytest.mark.parametrize("name", ["conversations.jsonl", "open_webui.json", "troubled.jsonl", "langfuse.json"])
def test_blocks_hold_the_rows_of_their_log(name: str, size: int) -> None:
    path = Path(__file__).parents[1] / "fixtures" / "logs" / name
    assert found(path, size) == list(records(path, name))


def test_bytes_in_columns_are_text_where_they_are(tmp_path: Path) -> None:
    turn = pa.struct([("role", pa.binary()), ("content", pa.large_binary())])
    table = pa.table({
        "conversation_id": pa.array([b"one", b"two"], pa.binary()),
        "turns": pa.array([[{"role": b"user", "content": "Grüße".encode()}], [{"role": b"user", "content": b"\xff"}]],
                          pa.list_(turn)),
        "created_at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2),
        "more": pa.array([[("key", b"value")]] * 2, pa.map_(pa.string(), pa.binary())),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "log.parquet")
    for rows in (found(tmp_path / "log.parquet"), list(records(tmp_path / "log.parquet", "log"))):
        rows.sort(key=lambda row: row.line)  # what cannot be read is told before the block that it stood in
        (_, talk), (_, refused) = (read_record(row, "log", lambda row: harmless(row, IngestConfig())) for row in rows)
        assert isinstance(talk, Conversation) and isinstance(refused, Quarantined)
        assert (talk.conversation_id, talk.turns[0].content) == ("one", "Grüße")
        assert talk.created_at == "2026-01-01T00:00:00Z"
        assert "content is bytes that are no UTF-8" in refused.reason


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_nested_too_deeply_is_quarantined_and_no_more(tmp_path: Path, listed: bool) -> None:
    # Between what can be read and what can be written and read again lie a few steps of depth.
    rows = ['{"turns": ' + "[" * depth + "]" * depth + "}" for depth in range(850, 1000)]
    log = tmp_path / "log.json"
    log.write_text(f"[{','.join(rows)}]" if listed else "\n".join(rows))
    lines = found(log, calls=40)
    assert any(isinstance(row, Record) for row in lines)
    assert any(isinstance(row, Quarantined) for row in lines)
    if not listed:
        assert len(lines) == len(rows)
    assert [row.line for row in lines] == sorted(row.line for row in lines)


def test_a_row_beyond_the_bound_ends_the_log_after_what_stands_before_it(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"b": 1}) + "\n" + json.dumps({"a": "x" * (MAX_ROW_BYTES + (1 << 20))}) + "\n")
    first, last = found(log, 4 << 20)
    assert isinstance(first, Record) and isinstance(last, Quarantined)
    assert (last.line, last.reason) == (2, "longer than 64 MiB, nothing after it is read")
