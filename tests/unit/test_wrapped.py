"""Compression, archives, encodings and tables as text: read as what they hold, or refused with the cause."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rlhi.collect.formats import LogError, read_log
from rlhi.collect.formats.blocks import Block, blocks
from rlhi.collect.formats.record import Damage
from rlhi.collect.formats.wrapped import is_beside, parts
from rlhi.contracts import Conversation, Quarantined, Signal

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
TALK = [
    {"role": "user", "content": "Was ist ein Wehr? Ein „Wehr“."},
    {"role": "assistant", "content": "Ein Damm, größer."},
]


def lines(*names: str) -> bytes:
    rows = [{"id": name, "messages": TALK} for name in names]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def read(folder: Path, data: bytes) -> tuple[list[str], list[Quarantined]]:
    """The ids that are read, and what is refused; the same of the blocks that workers get."""
    path = folder / "log.bin"
    path.write_bytes(data)
    rows = list(read_log(path))
    found = [one for piece in blocks(path, "log.bin", 300) if isinstance(piece, Block) for one in piece.records()]
    good = [row.conversation_id for row in rows if isinstance(row, Conversation)]
    assert sum(not isinstance(one, Quarantined) for one in found) >= len(good)
    assert all(row.turns[0].content == TALK[0]["content"] for row in rows if isinstance(row, Conversation))
    return good, [row for row in rows if isinstance(row, Quarantined)]


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def lz4(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="lz4", asbytes=True))


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def tarred(**members: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return held.getvalue()


def parquet(*names: str) -> bytes:
    held = io.BytesIO()
    pq.write_table(pa.table({"id": list(names), "messages": [TALK] * len(names)}), held)
    return held.getvalue()


COMPRESSIONS: list[Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress, zstd, lz4]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_compressed(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    names = [f"c{at}" for at in range(50)]
    assert read(tmp_path, compress(lines(*names))) == (names, [])
    assert read(tmp_path, compress(f"[{','.join(lines(*names).decode().splitlines())}]".encode())) == (names, [])
    assert read(tmp_path, compress(parquet(*names))) == (names, [])
    assert read(tmp_path, compress(lines("a")) + compress(lines("b"))) == (["a", "b"], [])
    assert read(tmp_path, compress(gzip.compress(lines("a")))) == (["a"], [])


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_damaged_rest_is_told_and_costs_no_more(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    texts = [f"{json.dumps({'id': str(at), 'messages': TALK, 'x': hash(str(at) * 9)})}\n" for at in range(3000)]
    whole = compress("".join(texts[:1500]).encode()) + compress("".join(texts[1500:]).encode())
    good, bad = read(tmp_path, whole[: len(whole) * 9 // 10])
    assert good == [str(at) for at in range(len(good))] and 1500 <= len(good) < 3000
    assert [row.line for row in bad] == [len(good) + 1] and "damaged" in bad[0].reason


def test_an_archive_of_several_logs(tmp_path: Path) -> None:
    picture = b"\x89PNG" + bytes(range(256)) * 20
    members = {
        "logs/may.jsonl": lines("a", "b"), "logs/june.json.gz": gzip.compress(lines("c")), "july.parquet": parquet("d"),
        "README.md": b"# what this is", ".hidden": b"x", "__MACOSX/._may.jsonl": b"\0\0", "seen.png": picture,
        "empty.jsonl": b"",
    }  # fmt: skip
    for archive in (zipped(**members), tarred(**members), gzip.compress(tarred(**members)), zstd(tarred(**members))):
        good, bad = read(tmp_path, archive)
        assert sorted(good) == ["a", "b", "c", "d"]
        assert [(row.file, row.line) for row in bad] == [("log.bin/seen.png", 0)]
        assert "no log: line 1: not" in bad[0].reason


def test_trouble_in_a_member_names_it(tmp_path: Path) -> None:
    good, bad = read(tmp_path, zipped(**{"a.jsonl": lines("a") + b"{oops\n", "b.json": b"[{}", "c.jsonl": lines("c")}))
    assert good == ["a", "c"]
    assert [(row.file, row.line) for row in bad] == [("log.bin/a.jsonl", 2), ("log.bin/b.json", 0)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zipped(**{"a.zip": zipped(**{"a.jsonl": lines("a")})}), "a.zip, line 0: a zip inside of another file"),
        (zipped(**{"a.jsonl": b""}), "the file is empty"),
        (zipped(**{"a.jsonl": lines("a")})[:-30], "damaged zip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), "7z is not read: unpack it"),
        (b"%PDF-1.7 ...", "PDF is not read"),
        (
            gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(lines("a")))))),
            "wrapped too many times",
        ),
        (lines("a").decode().encode("latin-1", "replace"), "not UTF-8 (byte"),
        ("id;text\n1;größer\n".encode("latin-1"), "0xf6; if it is Latin-1 or Windows-1252, save it as UTF-8"),
        (
            b"conversation_id,role,content\n7,user,Hi\n",
            "a message a row: put the messages of each conversation together",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_cause(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "log.bin"
    path.write_bytes(data)
    with pytest.raises(LogError) as caught:
        list(read_log(path))
    assert reason.removeprefix("a.zip, line 0: ") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("pack", [lambda bomb: zipped(**{"a.jsonl": lines("a"), "b.parquet": bomb}), gzip.compress])
def test_a_bomb_is_stopped_before_it_fills_a_disk(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    path.write_bytes(pack(b"PAR1" + bytes(16 << 20)))
    *_, chunks = (list(part.chunks()) for part in parts(path, "log.zip", room=1 << 20))
    assert 1 <= sum(len(one) for one in chunks if isinstance(one, bytes)) < 8 << 20
    assert isinstance(chunks[-1], Damage) and "unpacks to more than 400 times its size" in chunks[-1].reason
    assert not isinstance(chunks[0], Damage)


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("listed", [True, False])
def test_encodings_that_say_what_they_are(name: str, listed: bool, tmp_path: Path) -> None:
    text = lines("a", "b").decode()
    text = f"[{','.join(text.splitlines())}]" if listed else text
    assert read(tmp_path, text.encode(name)) == (["a", "b"], [])
    assert read(tmp_path, gzip.compress(text.encode(name))) == (["a", "b"], [])


def table(delimiter: str, rows: list[dict[str, object]], **dialect: object) -> bytes:
    held = io.StringIO()
    writer = csv.DictWriter(held, list(rows[0]), delimiter=delimiter, **dialect)  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows)
    return held.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("written", [json.dumps, repr])
def test_tables_whose_fields_hold_json(delimiter: str, written: Callable[[object], str], tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"": at, "id": f"0{at}", "messages": written(TALK), "metadata.user_id": "ines", "toxic": "True"}
        for at in range(3)
    ]
    data = table(delimiter, rows)
    assert read(tmp_path, data) == (["00", "01", "02"], [])
    assert read(tmp_path, b"\xef\xbb\xbf" + data) == (["00", "01", "02"], [])
    assert read(tmp_path, data.decode().encode("utf-16")) == (["00", "01", "02"], [])
    assert read(tmp_path, f"sep={delimiter}\r\n".encode() + data) == (["00", "01", "02"], [])
    (tmp_path / "log.bin").write_bytes(zipped(**{"log.csv": data}))
    [first, *_] = read_log(tmp_path / "log.bin")
    assert isinstance(first, Conversation) and (first.user_id, first.toxic) == ("ines", True)


def test_an_exchange_a_row() -> None:
    ford, latin, weir = read_log(LOGS / "exchanges.csv")
    assert isinstance(ford, Conversation) and isinstance(latin, Conversation) and isinstance(weir, Conversation)
    assert [turn.content for turn in ford.turns] == ["What is a ford?", "A shallow place\nin a river."]
    assert ford.conversation_id == latin.conversation_id == "w-1" != weir.conversation_id
    assert latin.turns[0].content == 'In Latin, please: "ford"?'
    assert latin.turns[1].signals == (Signal("stars", -0.5),)
    assert (ford.user_id, weir.user_id_kind, ford.created_at) == ("ines", "conversation_only", "2026-05-01T08:00:00Z")


def test_rows_of_a_table_that_do_not_fit_cost_no_other(tmp_path: Path) -> None:
    text = f'id,messages\na,"{json.dumps(TALK[:1]).replace(chr(34), chr(34) * 2)}"\nb,c,d\ne\n\nf,größer\n'
    latin = text.encode("latin-1", "replace")
    path = tmp_path / "log.csv"
    path.write_bytes(latin)
    first, *bad = read_log(path)
    assert isinstance(first, Conversation) and first.conversation_id == "a"
    assert all(isinstance(row, Quarantined) for row in bad)
    told = [(row.line, row.reason) for row in bad if isinstance(row, Quarantined)]
    assert [line for line, _ in told] == [3, 4, 6]
    assert told[0][1] == "3 fields, but 2 columns are named in the first line" and "not UTF-8" in told[2][1]


def test_a_log_of_lines_is_no_table(tmp_path: Path) -> None:
    good, bad = read(tmp_path, b"oops, not json\n" + lines("a", "b"))
    assert (good, [row.line for row in bad]) == (["a", "b"], [1])


def test_what_is_kept_beside_data() -> None:
    assert all(map(is_beside, ("README.md", "a/.git/x", "__MACOSX/a", "a/dataset_info.json", "")))
    assert not any(map(is_beside, ("a/may.jsonl", "./may.jsonl", "readme_log.jsonl")))
