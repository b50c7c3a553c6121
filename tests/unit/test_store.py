"""Tables: equal rows give equal bytes, writing is atomic, only what changed is written, damage is said plainly."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.config import ConfigError
from rlhi.contracts import Candidate, FeedbackTurn, Sample
from rlhi.stages.samples import SampleStore
from rlhi.workspace.store import (
    MANIFEST,
    PARTITIONS,
    StoreError,
    Workspace,
    finish_table,
    partition_of,
    read_json,
    read_note,
    read_table,
    write_atomic,
    write_json,
    write_output,
    write_table,
)


def feedback(at: int, user: str | None = None) -> FeedbackTurn:
    return FeedbackTurn(f"k{at}", f"c{at}", user or f"user{at % 40}", at, "continuation", at / 1000)


def write(folder: Path, rows: list[FeedbackTurn], **note: object) -> bool:
    return write_table(folder, FeedbackTurn, rows, user=lambda row: row.user_id, note=note)


def content(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def one_line(error: pytest.ExceptionInfo[StoreError]) -> str:
    text = str(error.value)
    assert text and "\n" not in text
    return text


@settings(max_examples=20)
@given(
    st.lists(st.builds(feedback, st.integers(0, 2**40), st.sampled_from(["a", "b", "ü\n", "../x", ""])), max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_leaves_no_trace(
    tmp_path_factory: pytest.TempPathFactory, rows: list[FeedbackTurn], shuffler: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("table")
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    write(folder / "one", rows)
    write(folder / "two", shuffled)
    assert content(folder / "one") == content(folder / "two")
    read = read_table(folder / "one", FeedbackTurn)
    assert sorted(read, key=repr) == sorted(rows, key=repr)


def test_writing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    rows = [feedback(at) for at in range(100)]
    assert write(tmp_path / "t", rows)
    before = stamps(tmp_path / "t")
    assert not write(tmp_path / "t", rows[::-1])
    assert stamps(tmp_path / "t") == before


def test_only_the_changed_partition_is_written(tmp_path: Path) -> None:
    rows = [feedback(at) for at in range(200)]
    write(tmp_path / "t", rows)
    before = stamps(tmp_path / "t")
    assert len(before) > PARTITIONS // 2
    assert write(tmp_path / "t", [*rows, feedback(1000, "user3")])
    after = stamps(tmp_path / "t")
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    prefix = f"{partition_of('user3'):04d}-"
    assert len(gone) == len(new) == 1 and gone.pop().startswith(prefix) and new.pop().startswith(prefix)
    assert all(after[name] == stamp for name, stamp in before.items() if name in after and name != MANIFEST)


def test_a_users_rows_lie_in_one_file(tmp_path: Path) -> None:
    write(tmp_path / "t", [feedback(at, "ann") for at in range(50)])
    assert len(list((tmp_path / "t").glob("*.parquet"))) == 1
    write(tmp_path / "t", [])
    assert [path.name for path in (tmp_path / "t").iterdir()] == [MANIFEST]
    assert read_table(tmp_path / "t", FeedbackTurn) == []


def test_what_a_killed_writer_left_is_not_read_and_goes_away(tmp_path: Path) -> None:
    rows = [feedback(at) for at in range(10)]
    write(tmp_path / "t", rows)
    clean = content(tmp_path / "t")
    # Killed before the manifest: new partitions and half a temporary file lie about, the old table still stands.
    write(tmp_path / "u", [feedback(at) for at in range(500, 520)])
    for stray in (tmp_path / "u").glob("*.parquet"):
        (tmp_path / "t" / stray.name).write_bytes(stray.read_bytes())
    (tmp_path / "t" / ".00-0.parquet.1.tmp").write_bytes(b"half")
    assert sorted(read_table(tmp_path / "t", FeedbackTurn), key=repr) == sorted(rows, key=repr)
    write(tmp_path / "t", rows)
    assert content(tmp_path / "t") == clean


def test_a_table_is_read_whole_while_a_log_lands(tmp_path: Path) -> None:
    """What the manifest listed is gone before it is read: a stage of a night must not stop for it."""
    tables = [[feedback(at) for at in range(start, start + 40)] for start in (0, 40)]
    write(tmp_path / "t", tables[0])
    done = threading.Event()

    def land() -> None:
        while not done.is_set():
            for rows in tables:
                write(tmp_path / "t", rows)

    landing = threading.Thread(target=land)
    landing.start()
    try:
        for _ in range(60):
            found = sorted(row.turn_index for row in read_table(tmp_path / "t", FeedbackTurn))
            assert found in [sorted(row.turn_index for row in rows) for rows in tables]
    finally:
        done.set()
        landing.join()


def test_a_table_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert read_table(tmp_path / "none", FeedbackTurn) == []
    assert read_note(tmp_path / "none") == {}


def test_a_note_rides_in_the_manifest(tmp_path: Path) -> None:
    write(tmp_path / "t", [feedback(1)], batches=["b", "a"])
    assert read_note(tmp_path / "t") == {"batches": ["b", "a"]}
    assert write(tmp_path / "t", [feedback(1)], batches=["b", "a", "c"])


def cut(folder: Path) -> None:
    file = next(folder.glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:40])


def lose(folder: Path) -> None:
    next(folder.glob("*.parquet")).unlink()


def garble(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b'{"row": "Feedba')


def binary(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b"\xff\xfe\x00garbage")


def replace(folder: Path) -> None:
    (folder / MANIFEST).write_text("[]")


def age(folder: Path) -> None:
    manifest = read_json(folder / MANIFEST)
    write_json(folder / MANIFEST, {**manifest, "schema_version": 0})


@pytest.mark.parametrize("damage", [cut, lose, garble, binary, replace, age], ids=lambda damage: damage.__name__)
def test_a_damaged_table_is_an_error_in_one_line(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    write(tmp_path / "t", [feedback(1)])
    damage(tmp_path / "t")
    with pytest.raises(StoreError) as error:
        read_table(tmp_path / "t", FeedbackTurn)
    assert str(tmp_path / "t") in one_line(error)


def test_rows_of_another_kind_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "t", [feedback(1)])
    with pytest.raises(StoreError, match="FeedbackTurn, not Candidate"):
        read_table(tmp_path / "t", Candidate)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk; it needs a process of its own.
    target = tmp_path / "file"
    target.write_bytes(b"old")
    code = (
        "import resource, sys; from pathlib import Path; from rlhi.workspace.store import StoreError, write_atomic\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomic(Path(sys.argv[1]), b'x' * 100_000)\n"
        "except StoreError as error: print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, text=True, env=environment, check=True
    )
    assert str(target) in done.stdout and done.stdout.count("\n") == 1 and not done.stderr
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_write_atomic_makes_folders_and_replaces(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "file"
    write_atomic(target, b"one")
    write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_json_has_one_form(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert write_json(file, {"b": 1, "a": "é"})
    stamp = file.stat().st_mtime_ns
    assert not write_json(file, {"a": "é", "b": 1})
    assert file.stat().st_mtime_ns == stamp
    assert read_json(file) == {"a": "é", "b": 1}
    assert read_json(tmp_path / "absent.json") == {}


@given(st.text())
def test_a_partition_is_the_users_alone(user: str) -> None:
    assert 0 <= partition_of(user) < PARTITIONS
    assert partition_of(user) == partition_of(user)


def test_partitions_stay_where_they_are() -> None:
    # Workspaces hold files under these numbers.
    assert [partition_of(user) for user in ("ann", "bob", "", "\ud800")] == [9, 1, 3, 1]


def test_a_folder_without_a_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rlhi init"):
        _ = Workspace(tmp_path).params


def test_paths_of_a_workspace(tmp_path: Path) -> None:
    assert Workspace(tmp_path).path("data/feedback") == tmp_path / "data" / "feedback"


def test_a_file_of_other_columns_or_torn_json_is_an_error_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    write_table(folder, FeedbackTurn, [], user=lambda row: row.user_id)
    pq.write_table(pa.table({"x": [1]}), folder / "0001-x.parquet")
    finish_table(folder, FeedbackTurn, {"0001-x.parquet": 1})
    with pytest.raises(StoreError, match="0001-x.parquet holds no rows of FeedbackTurn") as error:
        read_table(folder, FeedbackTurn)
    assert "\n" not in str(error.value)
    torn = tmp_path / "cycle.json"
    torn.write_text("")
    with pytest.raises(StoreError, match="cycle.json is damaged"):
        read_json(torn)


def test_a_folder_is_no_file_to_write_to(tmp_path: Path) -> None:
    for place in (tmp_path, Path(".")):
        with pytest.raises(StoreError, match="it is a folder"):
            write_atomic(place, b"")


def test_a_damaged_file_of_samples_is_named_with_what_to_do(tmp_path: Path) -> None:
    store = SampleStore(Workspace(tmp_path), "rewrites")
    store.keep([Sample("r", ("text",), "m", 0, 1)])
    [file] = store.folder.glob("*.parquet")
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(StoreError, match=f"{file.name} cannot be read .*: delete it"):
        SampleStore(Workspace(tmp_path), "rewrites")


def test_what_a_person_names_is_written_through_links_and_devices(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("before")
    (tmp_path / "link").symlink_to("real")
    write_output(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "after"
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        said = pool.submit((tmp_path / "pipe").read_bytes)
        write_output(tmp_path / "pipe", b"through")
        assert said.result() == b"through" and (tmp_path / "pipe").is_fifo()
    with pytest.raises(StoreError, match="it is a folder"):
        write_output(tmp_path, b"")
