"""The table of conversations under batches that are late, repeated, reordered, overlapping, large and interrupted."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhi.config import IngestConfig
from rlhi.contracts import SCHEMA_VERSION, Conversation, Quarantined, to_record
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest import spread
from rlhi.stages.collect.ingest.fold import USUAL, Sizes
from rlhi.stages.collect.ingest.merging import Merged
from rlhi.stages.collect.ingest.pieces import write_files
from rlhi.stages.collect.ingest.spread import Piece, Result
from rlhi.stages.collect.ingest.stage import conversations, ingest
from rlhi.workspace.store import (
    MANIFEST,
    PARTITIONS,
    StoreError,
    Workspace,
    read_json,
    read_manifest,
    read_table,
    write_json,
)

# Workspaces are compared with each other, and each has a salt of its own.
CONFIG = IngestConfig(hash_users=False)
WORDS = [
    "basil", "window", "water", "light", "soil", "leaf", "pot", "summer", "winter",
    "cut", "grow", "kitchen", "morning", "slow", "fresh", "green", "salt", "oil",
]  # fmt: skip


def rows(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Conversations of a few users: copies among them, some that grew, one line that is broken."""
    random = Random(seed)
    made: list[dict[str, object]] = []
    for at in range(count):
        turns = [
            {"role": role, "content": " ".join(random.choices(WORDS, k=60))}
            for _ in range(random.choice((1, 2)))
            for role in ("user", "assistant")
        ]
        made.append({
            "conversation_id": f"c{at}", "user_id": f"u{random.randrange(6)}", "turns": turns,
            "created_at": f"2026-01-{1 + at % 28:02d}T00:00:00Z",
        })  # fmt: skip
        if at % 5 == 4:
            made.append({**made[-1], "conversation_id": f"copy{at}", "user_id": "u9"})
        if at % 4 == 3:
            made.append({**made[-1], "turns": [*turns, {"role": "user", "content": "Shorter, please."}]})
        if at % 3 == 2:  # as long as the other export, and no longer
            made.append({**made[-1], "turns": [*turns[:-1], {"role": "assistant", "content": f"Take {at}."}]})
    return made


def workspace(folder: Path) -> Workspace:
    space = Workspace(folder)
    space.path("data").mkdir(parents=True)
    return space


def take(
    space: Workspace, batches: list[list[dict[str, object]]], together: bool = False, sizes: Sizes = USUAL
) -> None:
    """Land each batch and ingest it, or land all and ingest once."""
    number = incoming.next_landing(space) if together else None
    for batch in batches:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log.jsonl"
            log.write_text("".join(json.dumps(row) + "\n" for row in batch), encoding="utf-8")
            incoming.land(space, log, 1, number)
        if not together:
            ingest(space, ingest=CONFIG, sizes=sizes)
    if together:
        ingest(space, ingest=CONFIG, sizes=sizes)


def state(space: Workspace) -> set[str]:
    """The rows, without the name of the batch that brought them."""
    table = read_table(space.path("data/conversations"), Conversation)
    return {json.dumps(to_record(replace(row, batch="")), sort_keys=True) for row in table}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_split_and_order_of_batches_ends_in_the_state_of_one_clean_batch(data: st.DataObject) -> None:
    every = rows(16)
    with tempfile.TemporaryDirectory() as folder:
        clean = workspace(Path(folder) / "clean")
        take(clean, [every])
        order = data.draw(st.permutations(every))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(every)), max_size=3)))
        batches = [order[one:other] for one, other in zip([0, *cuts], [*cuts, len(order)], strict=True) if one < other]
        again = data.draw(st.lists(st.sampled_from(every), max_size=5))
        mixed = workspace(Path(folder) / "mixed")
        take(mixed, [*batches, *([again] if again else [])])
        assert state(mixed) == state(clean)


def test_copies_are_set_aside_and_nothing_learns_from_them(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    take(space, [rows(20)])
    table = read_table(space.path("data/conversations"), Conversation)
    copies = [row for row in table if row.set_aside]
    assert {row.conversation_id for row in copies} <= {f"copy{at}" for at in range(20)} | {"c4", "c9", "c14", "c19"}
    assert len(copies) == 4 and all(row.set_aside.startswith("duplicate of ") for row in copies)
    assert len(conversations(space)) == len(table) - 4


def test_an_earlier_copy_that_comes_late_takes_the_place_of_the_one_that_was_kept(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    first, *_ = rows(1)
    take(space, [[{**first, "created_at": "2026-02-01T00:00:00Z"}]])
    assert [row.set_aside for row in read_table(space.path("data/conversations"), Conversation)] == [""]
    take(space, [[{**first, "conversation_id": "older", "user_id": "u7", "created_at": "2026-01-01T00:00:00Z"}]])
    marks = {row.conversation_id: row.set_aside for row in read_table(space.path("data/conversations"), Conversation)}
    assert marks["older"] == "" and marks["c0"].startswith("duplicate of ")


# What a hundred thousand rows are in earnest, forty are here.
SMALL = Sizes(small_rows=10, partition_rows=2)


def test_a_large_table_grows_by_segments_and_a_rebuild_has_its_bytes(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    every = rows(60)
    take(space, [every[:60], every[60:64], every[64:66]], sizes=SMALL)
    table = space.path("data/conversations")
    files = sorted(path.name for path in table.glob("*.parquet"))
    assert {name[:4] for name in files} == {"0000", "0001", "0002"}
    one = workspace(tmp_path / "one")
    take(one, [every[:66]], sizes=SMALL)
    assert state(space) == state(one)
    before = {path.name: path.read_bytes() for path in table.iterdir()}
    shutil.rmtree(table)
    ingest(space, ingest=CONFIG, sizes=SMALL)
    assert {path.name: path.read_bytes() for path in table.iterdir()} == before
    take(space, [every[66:]], sizes=SMALL)
    whole = workspace(tmp_path / "whole")
    take(whole, [every], sizes=SMALL)
    assert state(space) == state(whole)


def test_a_first_landing_is_merged_in_parts_however_few_partitions_the_table_has(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    every: list[dict[str, object]] = [{**row, "user_id": f"u{at}"} for at, row in enumerate(rows(150))]
    sizes: list[int] = []

    def watched(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        for result in spread.here(function, pieces):
            if isinstance(result, Merged):
                sizes.append(result.index.size)
            yield result

    with spread.using(watched):
        take(space, [every], sizes=SMALL)
    assert len(sizes) > 2 * PARTITIONS and max(sizes) < 6
    one = workspace(tmp_path / "one")
    take(one, [every])
    assert state(space) == state(one)


def test_many_small_landings_make_no_more_than_so_many_segments(tmp_path: Path) -> None:
    space, one = workspace(tmp_path / "w"), workspace(tmp_path / "one")
    every = rows(60)
    few = replace(SMALL, segments=2)
    for at in range(50, 58):
        take(space, [every[:at]], sizes=few)
        files = space.path("data/conversations").glob("*.parquet")
        assert max(int(file.name[:4]) for file in files) <= 2
    take(one, [every[:57]])
    assert state(space) == state(one)


@pytest.mark.parametrize("size", [None, 0, 700])
def test_a_lost_or_torn_index_is_made_again(tmp_path: Path, size: int | None) -> None:
    space, other = workspace(tmp_path / "a"), workspace(tmp_path / "b")
    every = rows(20)
    for one in (space, other):
        take(one, [every[:10]])
    for index in space.path(".rlhi/index").rglob("*.npz"):
        if size is None:
            index.unlink()
        else:
            index.write_bytes(index.read_bytes()[:size])
    for one in (space, other):
        take(one, [every[10:]])
    assert state(space) == state(other)
    assert read_manifest(space.path("data/conversations")) == read_manifest(other.path("data/conversations"))


def test_processes_come_to_the_same_as_this_one(tmp_path: Path) -> None:
    space, other = workspace(tmp_path / "a"), workspace(tmp_path / "b")
    every = rows(30)
    take(space, [every])
    with spread.processes(2) as pool, spread.using(pool):
        take(other, [every])
    assert read_manifest(space.path("data/conversations")) == read_manifest(other.path("data/conversations"))


def test_a_log_that_is_none_is_quarantined_whole_and_the_rest_is_read(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"a": 1}\n{"b": 2}\n')
    incoming.land(space, bad, 1)
    take(space, [rows(3)])
    refused = read_table(space.path("data/quarantine"), Quarantined)
    assert [(row.file, row.line) for row in refused] == [("bad.jsonl", 0)]
    assert "unknown format" in refused[0].reason
    assert len(conversations(space)) == 4


def test_what_the_quarantine_shows_is_redacted(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    bad = {**rows(1)[0], "turns": [{"role": "nobody", "content": "write to jane.doe@mailbox.org"}]}
    take(space, [[bad, *rows(3, seed=2)]])
    (refused,) = read_table(space.path("data/quarantine"), Quarantined)
    assert "unknown role" in refused.reason
    assert "<EMAIL>" in refused.raw and "jane.doe" not in refused.raw


def test_what_is_left_of_a_broken_log_is_redacted(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    listed, cut = tmp_path / "listed.json", tmp_path / "cut.jsonl.gz"
    listed.write_text(json.dumps(rows(3))[:-1] + ', {"turns": "jane.doe@mailbox.org" oops')
    lines = "".join(json.dumps(row) + "\n" for row in rows(3, seed=2)) + '{"turns": "jane.doe@mailbox.org'
    cut.write_bytes(gzip.compress(lines.encode())[:-9])
    for log in (listed, cut):
        incoming.land(space, log, 1)
    ingest(space, ingest=CONFIG)
    refused = read_table(space.path("data/quarantine"), Quarantined)
    assert {row.file for row in refused} == {"listed.json", "cut.jsonl.gz"}
    assert all("<EMAIL>" in row.raw and "jane.doe" not in row.raw for row in refused)


def test_a_lost_quarantine_is_made_again(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    bad: dict[str, object] = {**rows(1)[0], "turns": []}
    take(space, [[bad, *rows(3, seed=2)]])
    before = state(space)
    shutil.rmtree(space.path("data/quarantine"))
    take(space, [rows(2, seed=3)])
    assert len(read_table(space.path("data/quarantine"), Quarantined)) == 1
    assert before < state(space)


@pytest.mark.parametrize("table", ["data/conversations", "data/quarantine"])
def test_tables_of_another_schema_are_made_again(tmp_path: Path, table: str) -> None:
    space = workspace(tmp_path / "w")
    take(space, [rows(3)])
    manifest = read_manifest(space.path(table)) or {}
    write_json(space.path(table) / MANIFEST, {**manifest, "schema_version": SCHEMA_VERSION - 1})
    take(space, [rows(2, seed=3)])
    one = workspace(tmp_path / "one")
    take(one, [rows(3), rows(2, seed=3)])
    assert state(space) == state(one)


def test_a_landed_log_that_is_gone_is_named_and_may_be_put_back(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    log = tmp_path / "may.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows(3)))
    landed = space.path("data/incoming") / incoming.land(space, log, 1)
    take(space, [rows(2, seed=3)])
    before, listed = state(space), read_json(space.path("data/incoming") / incoming.MANIFEST)
    landed.unlink()
    with pytest.raises(StoreError, match=rf"{landed.name} is gone, the log that came as may.jsonl.*dvc checkout"):
        ingest(space, ingest=CONFIG)
    assert state(space) == before
    incoming.land(space, log, 2)
    assert ingest(space, ingest=CONFIG).made == 0
    assert state(space) == before and read_json(space.path("data/incoming") / incoming.MANIFEST) == listed


def test_a_kill_before_the_table_is_written_loses_no_refused_row(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    bad: dict[str, object] = {**rows(1)[0], "turns": []}

    def killed(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        if function is write_files:
            raise KeyboardInterrupt
        return spread.here(function, pieces)

    with spread.using(killed), pytest.raises(KeyboardInterrupt):
        take(space, [[bad, *rows(3, seed=2)]])
    ingest(space, ingest=CONFIG)
    assert len(conversations(space)) == 4
    assert len(read_table(space.path("data/quarantine"), Quarantined)) == 1


def test_two_users_with_one_conversation_id_stay_apart(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    one, other = rows(2)[0], rows(9, seed=5)[1]
    users = [(one, "ann"), (other, "bob")]
    take(space, [[{**row, "conversation_id": "same", "user_id": user} for row, user in users]])
    assert sorted(row.conversation_id for row in conversations(space)) == ["same of ann", "same of bob"]
