"""Columns as warehouses have them: maps, binary ids, decimals, times of any unit, and names that are paths."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from rlhi.collect.formats import read_log
from rlhi.collect.formats.blocks import Block, blocks
from rlhi.collect.formats.fields import nested
from rlhi.contracts import Conversation, Quarantined

TALK = [{"role": "user", "content": "What is a moraine?"}, {"role": "assistant", "content": "Rubble of a glacier."}]
AT = datetime(2026, 9, 21, 13, 33, 20, tzinfo=UTC)
ID = UUID("6f1c1f04-9b2e-4c58-9d7a-0a1b2c3d4e5f")


def column(value: object, kind: pa.DataType) -> pa.Array:
    return pa.array([value, value], kind)


def read(folder: Path, name: str = "log.parquet", **columns: pa.Array) -> Conversation:
    """The first of two rows that are alike but for their messages."""
    given = {"messages": pa.array([TALK, TALK[:1]])} | columns
    table = pa.table(given)
    path = folder / name
    if name.endswith(".feather"):
        feather.write_feather(table, str(path))
    else:
        pq.write_table(table, path)
    first, second = read_log(path)
    assert isinstance(first, Conversation) and isinstance(second, Conversation)
    assert first.user_id == second.user_id or first.user_id_kind == "conversation_only"
    return first


@pytest.mark.parametrize(
    "kind",
    [pa.map_(pa.string(), pa.string()), pa.map_(pa.binary(), pa.binary()), pa.map_(pa.string(), pa.large_string())],
)
@pytest.mark.parametrize("name", ["log.parquet", "log.feather"])
def test_a_map_is_an_object(kind: pa.DataType, name: str, tmp_path: Path) -> None:
    pairs = [("user_id", "ines"), ("conversation_id", "q-1")]
    row = read(tmp_path, name, metadata=column(pairs, kind))
    assert (row.user_id, row.user_id_kind, row.conversation_id) == ("ines", "real", "q-1")


def test_maps_within_maps(tmp_path: Path) -> None:
    inner = pa.map_(pa.string(), pa.struct([("id", pa.binary(16)), ("at", pa.timestamp("ns"))]))
    pairs = [("user", {"id": ID.bytes, "at": AT}), ("nobody", None)]
    assert read(tmp_path, metadata=column(pairs, inner)).user_id == str(ID)


@pytest.mark.parametrize("pairs", [[["user_id", "ines"]], [{"key": "user_id", "value": "ines"}]])
def test_a_map_that_became_pairs_in_json(pairs: object, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"messages": TALK, "metadata": pairs}))
    [row] = read_log(path)
    assert isinstance(row, Conversation) and row.user_id == "ines"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (ID.bytes, pa.binary(16), str(ID)),
        (ID.bytes, pa.uuid(), str(ID)),
        (ID.bytes, pa.binary(), str(ID)),
        (bytes.fromhex("66f1a2b3c4d5e6f708192a3b"), pa.binary(12), "66f1a2b3c4d5e6f708192a3b"),
        (b"ines", pa.binary(), "ines"),
        (Decimal("41"), pa.decimal128(38, 0), "41"),
        (Decimal("41.00"), pa.decimal128(10, 2), "41"),
        (Decimal("12345678901234567890"), pa.decimal128(38, 0), "12345678901234567890"),
        ("ines", pa.dictionary(pa.int32(), pa.string()), "ines"),
        ("ines", pa.large_string(), "ines"),
        (41, pa.uint64(), "41"),
    ],
)
def test_an_id_of_any_type(value: object, kind: pa.DataType, expected: str, tmp_path: Path) -> None:
    row = read(tmp_path, user_id=column(value, kind), conversation_id=column(value, kind))
    assert (row.user_id, row.conversation_id) == (expected, expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *[(AT, pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Tokyo")],
        (AT, pa.timestamp("us", "Nowhere/Atall")),
        *[(int(AT.timestamp()) * size, pa.int64()) for size in (1, 10**3, 10**6, 10**9)],
        (Decimal("1789997600.000000"), pa.decimal128(38, 6)),
        ("2026-09-21 13:33:20.000000 UTC", pa.string()),
    ],
)
def test_a_time_of_any_unit_and_zone(value: object, kind: pa.DataType, tmp_path: Path) -> None:
    values = column(value, kind)
    assert read(tmp_path, created_at=values).created_at == "2026-09-21T13:33:20Z"
    # as the workers get it, through JSON
    rows = [
        one for piece in blocks(tmp_path / "log.parquet", "log") if isinstance(piece, Block) for one in piece.records()
    ]
    path = tmp_path / "again.jsonl"
    path.write_text("".join(json.dumps(one.value) + "\n" for one in rows if not isinstance(one, Quarantined)))
    first = next(iter(read_log(path)))
    assert isinstance(first, Conversation) and first.created_at == "2026-09-21T13:33:20Z"


def test_a_date_and_a_part_of_a_nanosecond(tmp_path: Path) -> None:
    assert read(tmp_path, created_at=column(date(2026, 9, 21), pa.date32())).created_at == "2026-09-21T00:00:00Z"
    odd = pa.array([1789997600123456789] * 2, pa.timestamp("ns", "UTC"))
    assert read(tmp_path, created_at=odd).created_at == "2026-09-21T13:33:20.123456Z"


def test_a_time_that_python_has_not_costs_no_row(tmp_path: Path) -> None:
    row = read(tmp_path, created_at=pa.array([2**40] * 2, pa.timestamp("s", "UTC")), user_id=pa.array(["ines"] * 2))
    assert (row.created_at, row.user_id, row.changes) == (None, "ines", ("time unread",))


def test_names_that_are_paths(tmp_path: Path) -> None:
    flat = {"metadata.user.id": pa.array(["ines"] * 2), "metadata.conversation_id": pa.array(["q-1"] * 2)}
    row = read(tmp_path, **flat)
    assert (row.user_id, row.conversation_id) == ("ines", "q-1")
    path = tmp_path / "log.jsonl"
    asked = {"request.messages": TALK[:1], "request.user": "ines", "response.choices": [{"message": TALK[1]}]}
    path.write_text(json.dumps(asked))
    [one] = read_log(path)
    assert isinstance(one, Conversation) and (one.user_id, len(one.turns)) == ("ines", 2)
    [named] = read_log(path, user_column="request.user")
    assert isinstance(named, Conversation) and named.user_id == "ines"


def test_what_stands_beside_a_path_stays() -> None:
    row = {"a": {"b": 1}, "a.b": 2, "a.c": 3, "d": "text", "d.e": 4, ".": 5, "f.g.h": 6, "f.g": None}
    assert nested(row) == {**row, "a": {"b": 1, "c": 3}, "f": {"g": {"h": 6}}}
    assert row["a"] == {"b": 1}
    plain: dict[str, object] = {"a": 1}
    assert nested(plain) is plain


def test_columns_of_json_text(tmp_path: Path) -> None:
    texts = pa.array([json.dumps(TALK), json.dumps(TALK[:1])], pa.large_string())
    meta = pa.array([json.dumps({"user_id": "ines"})] * 2)
    assert read(tmp_path, messages=texts, metadata=meta).user_id == "ines"


def test_bytes_of_a_picture_are_left_out_and_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    part = pa.struct([("type", pa.string()), ("image", pa.struct([("bytes", pa.binary())]))])
    turn = pa.struct([("role", pa.string()), ("content", pa.binary()), ("parts", pa.list_(part))])
    seen: list[dict[str, object]] = [{"type": "image", "image": {"bytes": b"\x89PNG\xff"}}]
    rows = [
        [{"role": "user", "content": b"And this?", "parts": seen}],
        [{"role": "user", "content": "é".encode("latin-1")}],
    ]
    pq.write_table(pa.table({"messages": pa.array(rows, pa.list_(turn))}), tmp_path / "log.parquet")
    good, bad = read_log(tmp_path / "log.parquet")
    assert isinstance(good, Conversation) and good.turns[0].content == "And this?"
    assert isinstance(bad, Quarantined) and "content is bytes that are no UTF-8 (byte 1)" in bad.reason
