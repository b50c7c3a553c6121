"""Every log format is read by content, and trouble is told with file, line and reason."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from rlhi.collect.clean.accept import accept
from rlhi.collect.formats import FORMATS, LogError, read_log
from rlhi.collect.formats.otlp import unfolded
from rlhi.collect.formats.records import Record, records
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, Signal, from_record, to_record

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
DATA = Path(os.environ.get("RLHI_DATA", Path(__file__).parents[3] / "shared" / "data"))


def conversations(path: Path) -> list[Conversation]:
    rows = list(read_log(path))
    assert not [row for row in rows if isinstance(row, Quarantined)]
    return [row for row in rows if isinstance(row, Conversation)]


def test_wildchat_in_both_schemas() -> None:
    [old] = conversations(LOGS / "wildchat_old.jsonl")
    assert (old.conversation_id, old.source, old.language, old.redacted) == ("wc-old-1", "wildchat", "en", True)
    assert old.user_id_kind == "conversation_only"
    [new] = conversations(LOGS / "wildchat_1m.jsonl")
    assert (new.conversation_id, new.source, new.toxic) == ("wc-hash-1", "wildchat", True)
    assert new.user_id_kind == "real"
    assert new.user_id.startswith("aa11-")
    assert new.created_at == "2024-05-01T12:00:00Z"
    assert [turn.created_at for turn in new.turns] == ["2024-05-01T12:00:00Z", "2024-05-01T12:00:30Z"]


def test_the_browser_tells_two_users_of_one_address_apart(tmp_path: Path) -> None:
    row = json.loads((LOGS / "wildchat_1m.jsonl").read_text())
    other = json.loads(json.dumps(row).replace("TestBrowser/1.0", "Elsewhere/2.0"))
    path = tmp_path / "log.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps(row | {'toxic': False})}\n{json.dumps(other)}\n")
    first, same, different = conversations(path)
    assert first.user_id == same.user_id != different.user_id


def test_openai_messages_with_parts_tools_and_metadata() -> None:
    ann, nobody, bob = conversations(LOGS / "openai.jsonl")
    assert [turn.role for turn in ann.turns] == ["system", "user", "tool", "assistant"]
    assert ann.turns[1].content == "Plan a picnic."
    assert (ann.user_id, ann.user_id_kind, ann.created_at) == ("ann", "real", "2024-05-01T12:00:00Z")
    assert nobody.user_id_kind == "conversation_only"
    assert bob.user_id == "bob"
    assert len({ann.conversation_id, nobody.conversation_id, bob.conversation_id}) == 3


def test_sharegpt_as_a_list_and_as_lines(tmp_path: Path) -> None:
    listed = conversations(LOGS / "sharegpt.json")
    assert [row.conversation_id for row in listed] == ["sg-1", "sg-2"]
    assert [turn.role for turn in listed[0].turns] == ["user", "assistant"]
    lines = tmp_path / "sharegpt.jsonl"
    lines.write_text("\n".join(json.dumps(row) for row in json.loads((LOGS / "sharegpt.json").read_text())))
    assert conversations(lines) == listed


def test_own_rows_with_fields_that_are_not_known() -> None:
    known, unknown, _ = conversations(LOGS / "conversations.jsonl")
    assert (known.conversation_id, known.user_id) == ("c-1", "u-1")
    assert known.turns[1].signals == (Signal("stars", 0.5),)
    assert unknown.user_id.startswith("anonymous-")
    assert unknown.user_id_kind == "conversation_only"


def test_users_that_are_not_known_are_never_one_user(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    turns = [{"role": "user", "content": "Hi"}]
    kinds = ["conversation_only", "conversation_only", "real_root_only"]
    path.write_text(
        "\n".join(
            json.dumps({"conversation_id": f"c{at}", "user_id": "someone", "user_id_kind": kind, "turns": turns})
            for at, kind in enumerate(kinds)
        )
    )
    one, two, root = conversations(path)
    assert one.user_id != two.user_id
    assert (root.user_id, root.user_id_kind) == ("someone", "real_root_only")


def test_a_conversation_without_id_keeps_its_id_when_it_grows(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello, traveller."}]
    path = tmp_path / "log.jsonl"
    longer = [*turns, {"role": "user", "content": "More"}]
    path.write_text(f"{json.dumps({'messages': turns})}\n{json.dumps({'messages': longer})}\n")
    short, long = conversations(path)
    assert short.conversation_id == long.conversation_id
    assert len(short.turns) < len(long.turns)


FIXTURES = sorted(path.name for path in LOGS.glob("*.*") if path.name != "troubled.jsonl")


@pytest.mark.parametrize("name", FIXTURES)
def test_what_is_read_can_be_written_and_is_read_again(name: str, tmp_path: Path) -> None:
    rows = conversations(LOGS / name)
    path = tmp_path / "again.jsonl"
    path.write_text("".join(json.dumps(to_record(row)) + "\n" for row in rows))
    assert conversations(path) == rows


def test_every_format_has_a_fixture() -> None:
    every = (one for name in FIXTURES for one in unfolded(records(LOGS / name, name)))
    rows = [record.value for record in every if isinstance(record, Record)]
    found = {next(format.name for format in FORMATS if format.matches(row)) for row in rows}
    assert found == {format.name for format in FORMATS}


def test_a_row_of_one_format_is_no_row_of_an_earlier_one() -> None:
    for name, expected in {
        "conversations.jsonl": "conversations", "wildchat_old.jsonl": "wildchat", "wildchat_1m.jsonl": "wildchat",
        "wildchat_4_8m.jsonl": "wildchat", "lmsys.jsonl": "lmsys", "litellm.jsonl": "litellm",
        "completions.jsonl": "completions", "openai.jsonl": "openai", "sharegpt.json": "sharegpt",
        "oasst.jsonl": "oasst", "open_webui.json": "open-webui", "langfuse.json": "langfuse",
        "langfuse_table.json": "langfuse", "exchanges.csv": "exchanges", "preferences.jsonl": "preferences",
        "prism.jsonl": "prism", "chatgpt.json": "chatgpt", "claude.json": "claude", "librechat.json": "librechat",
        "bedrock.jsonl": "bedrock", "mlflow.jsonl": "mlflow", "openinference.jsonl": "otel",
    }.items():  # fmt: skip
        rows = [record.value for record in records(LOGS / name, name) if isinstance(record, Record)]
        assert {next(format.name for format in FORMATS if format.matches(row)) for row in rows} == {expected}, name


@pytest.mark.parametrize("name", FIXTURES)
def test_gzip_changes_nothing_whatever_the_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(gzip.compress((LOGS / name).read_bytes()))
    assert conversations(path) == conversations(LOGS / name)
    path.write_bytes(b"\xef\xbb\xbf" + (LOGS / name).read_bytes())
    assert conversations(path) == conversations(LOGS / name)


@pytest.mark.parametrize("zipped", [False, True])
def test_parquet(zipped: bool, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [json.loads((LOGS / "wildchat_1m.jsonl").read_text())]
    path = tmp_path / "log.bin"
    pq.write_table(pa.Table.from_pylist(rows), path)
    if zipped:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert conversations(path) == conversations(LOGS / "wildchat_1m.jsonl")


@pytest.mark.parametrize("kind", ["stream", "file"])
@pytest.mark.parametrize("zipped", [False, True])
def test_arrow(kind: str, zipped: bool, tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.Table.from_pylist([json.loads((LOGS / "wildchat_1m.jsonl").read_text())] * 300)
    path = tmp_path / "data-00000-of-00001.arrow"
    new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(whole) if zipped else whole)
    assert conversations(path) == conversations(LOGS / "wildchat_1m.jsonl") * 300
    if kind == "stream" and not zipped:
        path.write_bytes(whole[: len(whole) // 2])
        *kept, rest = read_log(path)
        assert len(kept) in (100, 200)
        assert isinstance(rest, Quarantined)
        assert "damaged arrow" in rest.reason


def test_a_list_of_objects_as_columns_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    talk = {"from": ["human", "gpt"], "value": ["What is a fjord?", "A drowned valley."]}
    path.write_text(json.dumps({"id": "sg-1", "conversations": talk}))
    assert conversations(path) == conversations(LOGS / "sharegpt.json")[:1]


def test_objects_that_are_printed_over_many_lines(tmp_path: Path) -> None:
    rows = json.loads((LOGS / "sharegpt.json").read_text())
    path = tmp_path / "log.json"
    path.write_text("\n".join(json.dumps(row, indent=2) for row in rows))
    assert conversations(path) == conversations(LOGS / "sharegpt.json")
    path.write_text(json.dumps(rows[0], indent=2) + "\nthe end")
    kept, rest = read_log(path)
    assert isinstance(kept, Conversation)
    assert isinstance(rest, Quarantined)
    assert "not JSON" in rest.reason


def test_a_column_names_the_user(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}]
    given: list[dict[str, object]] = [{"account": {"id": 7}}, {"account": None}, {}]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps({"user": "shared", "messages": turns, "metadata": row}) for row in given))
    rows = [row for row in read_log(path, user_column="metadata.account.id") if isinstance(row, Conversation)]
    assert [(row.user_id, row.user_id_kind) for row in rows[:1]] == [("7", "real")]
    assert all(row.user_id_kind == "conversation_only" and row.user_id.startswith("anonymous-") for row in rows[1:])
    [turn] = [row for row in read_log(LOGS / "wildchat_1m.jsonl", user_column="conversation.0.hashed_ip")]
    assert isinstance(turn, Conversation) and turn.user_id == "aa11"


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"PAR1" + bytes(range(256)))
    with pytest.raises(LogError, match=r"log.parquet: .*damaged parquet"):
        list(read_log(path))


def test_trouble_in_a_row_costs_that_row_alone() -> None:
    rows = list(read_log(LOGS / "troubled.jsonl", file="batch/troubled.jsonl"))
    bad = [row for row in rows if isinstance(row, Quarantined)]
    assert [row.conversation_id for row in rows if isinstance(row, Conversation)] == ["ok-1", "ok-2"]
    assert [row.line for row in bad] == [1, 3, 4, 5, 6]
    assert {row.file for row in bad} == {"batch/troubled.jsonl"}
    expected = ["not JSON", "not UTF-8", "unknown format (fields: colour)", "not an object", "unknown role 'wizard'"]
    assert all(reason in row.reason for reason, row in zip(expected, bad, strict=True))
    assert '"colour": "blue"' in bad[2].raw
    assert all(from_record(Quarantined, to_record(row)) == row for row in bad)


def test_bounds_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    rows = [{"id": "short", "messages": [{"role": "user", "content": "x"}]}]
    rows.append({"id": "long", "messages": [{"role": "user", "content": "x" * 5000}]})
    path.write_text("\n".join(map(json.dumps, rows)))
    config = IngestConfig(max_characters=1000)
    good, bad = read_log(path, accept=lambda row: accept(row, config))
    assert isinstance(good, Conversation)
    assert isinstance(bad, Quarantined)
    assert bad.line == 2
    assert "max_characters" in bad.reason
    assert len(bad.raw) == 2000


def test_a_truncated_gzip_keeps_what_was_readable(tmp_path: Path) -> None:
    rows = [{"id": f"c{at}", "messages": [{"role": "user", "content": os.urandom(2000).hex()}]} for at in range(50)]
    whole = gzip.compress("\n".join(map(json.dumps, rows)).encode())
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    read = list(read_log(path))
    *kept, rest = read
    assert 10 < len(kept) < 40
    assert [row.conversation_id for row in kept if isinstance(row, Conversation)] == [
        f"c{at}" for at in range(len(kept))
    ]
    assert isinstance(rest, Quarantined)
    assert rest.line == len(kept) + 1
    assert "damaged gzip" in rest.reason


@pytest.mark.parametrize("end", ["", ', {"id": oops}]', ", "])
def test_a_broken_list_keeps_what_stands_before(end: str, tmp_path: Path) -> None:
    whole = (LOGS / "sharegpt.json").read_text()
    path = tmp_path / "log.json"
    path.write_text(whole.rstrip().removesuffix("]").rstrip() + end)
    *kept, rest = read_log(path)
    assert [row.conversation_id for row in kept if isinstance(row, Conversation)] == ["sg-1", "sg-2"]
    assert isinstance(rest, Quarantined)
    assert rest.line >= 27


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"[]", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (bytes(range(256)) * 40, "line 1: not"),
        (b'{"colour": "blue"}\n' * 3000, "unknown format"),
        (b"just some prose\nthat nobody logged\n", "line 1: not JSON"),
        (gzip.compress(b"x" * 10_000, mtime=0)[:20], "damaged gzip"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.dat"
    path.write_bytes(content)
    with pytest.raises(LogError) as caught:
        list(read_log(path))
    message = str(caught.value)
    assert message.startswith("thing.dat: ")
    assert reason in message
    assert "\n" not in message
    assert all(format.label in message for format in FORMATS)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"gone.jsonl: no such file"):
        list(read_log(tmp_path / "gone.jsonl"))
    with pytest.raises(LogError, match="directory"):
        list(read_log(tmp_path))


def test_reading_is_streaming(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    line = json.dumps({"messages": [{"role": "user", "content": "x" * 1000}]}) + "\n"
    path.write_text(line * 2000 + "{broken\n")
    rows = read_log(path)
    assert isinstance(next(rows), Conversation)
    assert sum(1 for _ in rows) == 2000


def test_the_real_log_is_read_whole() -> None:
    path = DATA / "conversations.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no real conversations at {DATA}: set RLHI_DATA")
    config = IngestConfig()
    rows = [row for row in read_log(path, accept=lambda row: accept(row, config)) if isinstance(row, Conversation)]
    assert len(rows) == 1523
    kinds = [row.user_id_kind for row in rows]
    assert [kinds.count(kind) for kind in ("real", "real_root_only", "conversation_only")] == [810, 144, 569]
    assert len({row.user_id for row in rows if row.user_id_kind == "conversation_only"}) == 569
    assert all(from_record(Conversation, to_record(row)) == row for row in rows)
    signals = Counter(signal.kind for row in rows for turn in row.turns for signal in turn.signals)
    # 7 more stars stand in conversations where every rating is 1: thumbs up, for all that such a row tells.
    assert signals == {"stars": 1269, "choice": 597}
