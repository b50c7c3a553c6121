"""The stage `ingest`: landed logs -> `data/conversations`, a table that grows by segments.

The logs of one `rlhi ingest` are one **landing**. Landings are folded in, one after the other:

1. *read*: each log is cut in blocks; workers parse and clean them and spill the rows, sorted into buckets by user.
2. *merge*: a worker takes a partition: its new rows among themselves, then against the table's rows of the same name.
3. *set aside*: near duplicates and templates are found over all rows, by arrays that the index keeps for each file.
4. *write*: what is new, what grew and what is marked otherwise becomes the files of one more segment. When segments
   hold half of what the first one holds, all is written as one.

Memory holds blocks, one partition a worker, and the index (about 170 bytes a conversation): never the log. A rebuild
folds the same landings in the same order and comes to the same bytes; another order comes to the same rows (and, for
a small table, the same bytes too).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rlhi.collect.formats import refusal
from rlhi.collect.formats.blocks import Block, blocks
from rlhi.config import IngestConfig, Params
from rlhi.contracts import Conversation, Quarantined, content_key
from rlhi.progress import progress
from rlhi.stages import Outcome
from rlhi.stages.incoming import Batch, landings
from rlhi.stages.ingest_index import file_index, forget_stale, joined, read_index
from rlhi.stages.ingest_pieces import (
    BUCKETS,
    KEY,
    Merge,
    Merged,
    Read,
    Spilled,
    Write,
    merge_partition,
    read_block,
    write_files,
)
from rlhi.stages.salt import salt_of
from rlhi.stages.spread import Spread, spread_for
from rlhi.store import PARTITIONS, Workspace, finish_table, read_manifest, read_note, read_table, write_table

# Starting processes takes about a second: smaller landings are read in this one.
LARGE_BYTES = 16 << 20
ROWS_PER_PARTITION = 8192
# A table up to this size is written as one segment, and so its bytes follow from its rows alone.
SMALL_ROWS = 20_000
# The share of the first segment that the later ones may reach together before all become one.
COMPACT_AT = 0.5
FIRST = "0000-"
FATES = ("read", "new", "updated", "duplicate", "quarantined")


def ingest(space: Workspace, params: Params) -> Outcome:
    """Fold in the landings that were not read before, and let known conversations grow."""
    table, refused = space.path("data/conversations"), space.path("data/quarantine")
    salt = salt_of(space, params)  # another one makes other users: then all is read again
    config = content_key(params.ingest.model_dump(mode="json", exclude={"runner", "cluster"}), salt)
    note = read_note(table)
    landed = landings(space)
    done = note.get("batches") if note.get("config") == config else None
    read = set(map(str, done)) if isinstance(done, list) else set()
    if not read or not read <= {batch.digest for landing in landed for batch in landing}:
        read = set()
        finish_table(table, Conversation, {}, key=KEY, note={"batches": [], "config": config})
    quarantine = set(read_table(refused, Quarantined)) if read else set()

    def keep(rows: Iterable[Quarantined]) -> None:
        """Before the table says that these logs were read: a kill between the two loses nothing."""
        quarantine.update(rows)
        write_table(refused, Quarantined, quarantine, user=lambda row: row.file)

    keep(())
    figures: Counter[str] = Counter(dict.fromkeys(FATES, 0))
    for landing in landed:
        todo = [batch for batch in landing if batch.digest not in read]
        if todo:
            read |= {batch.digest for batch in todo}
            _Fold(space, params.ingest, salt, figures).run(todo, keep, {"batches": sorted(read), "config": config})
    index = read_index(space)
    counts = {**figures, **index.figures()}
    text = (
        f"{figures['new']} new and {figures['updated']} grown conversations; {counts['users']} users are known by an id"
    )
    if counts["anonymous"]:
        text += f", {counts['anonymous']} conversations name no user: each is its own anonymous user, without persona"
    if counts["set aside"]:
        text += f"; {counts['set aside']} say what others say and are set aside"
    made = figures["new"] + figures["updated"]
    return Outcome(made, index.size - figures["new"], counts, text)


def forget(space: Workspace) -> None:
    """Let the next run read every landed log again."""
    finish_table(space.path("data/conversations"), Conversation, {}, key=KEY)


def conversations(space: Workspace) -> list[Conversation]:
    """What the other stages learn from: every conversation that is not set aside, each with an id of its own.

    Some public logs give one id to two users: these conversations are called after both.
    """
    rows = [row for row in read_table(space.path("data/conversations"), Conversation) if not row.set_aside]
    times = Counter(row.conversation_id for row in rows)
    return [row if times[row.conversation_id] == 1 else _called_after_both(row) for row in rows]


def _called_after_both(row: Conversation) -> Conversation:
    return replace(row, conversation_id=f"{row.conversation_id} of {row.user_id}")


class _Fold:
    """One landing on its way into the table."""

    def __init__(self, space: Workspace, config: IngestConfig, salt: str, figures: Counter[str]) -> None:
        self.space = space
        self.config = config
        self.salt = salt
        self.figures = figures
        self.work = space.path(".rlhi/ingest")
        manifest = read_manifest(space.path("data/conversations")) or {}
        files = manifest.get("files")
        self.files: dict[str, int] = {str(k): int(v) for k, v in files.items()} if isinstance(files, dict) else {}
        self.partitions = int(str(read_note(space.path("data/conversations")).get("partitions", PARTITIONS)))

    def run(self, batches: list[Batch], keep: Callable[[Iterable[Quarantined]], None], note: dict[str, object]) -> None:
        """Read, merge, set aside, write; ``keep`` is given what was refused."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        large = sum(batch.path.stat().st_size for batch in batches) > LARGE_BYTES
        with spread_for(large, self.config.runner == "threads") as spread:
            spilled, refused = self._read(batches, spread)
            merged = self._merge(spilled, spread)
            keep(refused)
            self._write(merged, spread, note)
        shutil.rmtree(self.work, ignore_errors=True)
        self.figures["quarantined"] += len(refused)

    def _read(self, batches: list[Batch], spread: Spread) -> tuple[list[Spilled], list[Quarantined]]:
        spilled: list[Spilled] = []
        refused: list[Quarantined] = []
        with progress("reading logs", len(batches)) as advance:
            for batch in batches:
                broken: list[Quarantined] = []
                found: list[Spilled] = []
                for one in spread(read_block, self._pieces(batch, broken)):
                    found.append(one)
                    advance(0, f"{sum(block.rows for block in found):,} rows of {batch.name}")
                trouble = [row for one in found for row in one.quarantined] + broken
                if any(one.known for one in found):
                    self.figures["read"] += sum(one.rows for one in found) + len(broken)
                    spilled += found
                    refused += trouble
                else:
                    refused.append(Quarantined(batch.name, 0, str(refusal(batch.name, trouble)), ""))
                advance(1, "")
        return spilled, refused

    def _pieces(self, batch: Batch, broken: list[Quarantined]) -> Iterator[Read]:
        for at, block in enumerate(blocks(batch.path, batch.name)):
            if isinstance(block, Block):
                yield Read(block, batch.digest, self.config, self.salt, self.work / f"{batch.digest}-{at:06d}")
            else:
                broken.append(block)

    def _merge(self, spilled: list[Spilled], spread: Spread) -> dict[int, Merged]:
        waiting: dict[int, list[tuple[Path, int, int]]] = {}
        for one in spilled:
            for bucket, (offset, length) in one.buckets.items():
                waiting.setdefault(bucket % self.partitions, []).append((one.path, offset, length))
        numbers = sorted(waiting)
        pieces = [
            Merge(self.space.root, self._standing(number), tuple(waiting[number]), self.work / f"merged-{number}")
            for number in numbers
        ]
        merged = dict(zip(numbers, spread(merge_partition, pieces), strict=True))
        for done in merged.values():
            self.figures.update(done.fates)
        return {number: done for number, done in merged.items() if done.index.size}

    def _standing(self, number: int) -> tuple[str, ...]:
        return tuple(name for name in sorted(self.files) if int(name.split("-")[1]) == number)

    def _write(self, merged: dict[int, Merged], spread: Spread, note: dict[str, object]) -> None:
        """The table with one segment more, or as one segment; the manifest says which logs are in it."""
        import numpy as np

        standing = joined([file_index(self.space, name) for name in sorted(self.files)]).latest()
        changed = joined([merged[number].index for number in sorted(merged)])
        rows = joined([standing, changed]).latest()
        found = rows.marked(self.config.spam_repeats)
        aside = np.flatnonzero(found)
        again = rows.take(np.flatnonzero((rows.marks != found) & ~np.isin(rows.names, changed.names)))
        first = sum(count for name, count in self.files.items() if name.startswith(FIRST))
        later = sum(self.files.values()) - first
        whole = rows.size <= SMALL_ROWS or changed.size + later > COMPACT_AT * first
        partitions, segment = self.partitions, 1 + max((int(name[:4]) for name in self.files), default=0)
        if whole:
            segment = 0
            while partitions < BUCKETS and rows.size > partitions * ROWS_PER_PARTITION:
                partitions *= 2
        remarked: dict[int, set[int]] = {number: set() for number in range(partitions)}
        for user, name in zip(again.users.tolist(), again.names.tolist(), strict=True):
            remarked[user % partitions].add(name)
        marks: dict[int, dict[int, int]] = {number: {} for number in range(partitions)}
        for user, name, mark in zip(*(one[aside].tolist() for one in (rows.users, rows.names, found)), strict=True):
            marks[user % partitions][name] = mark
        pieces = [
            Write(
                self.space.root, f"{segment:04d}-{number:04d}", number, partitions, merged.get(source),
                self._standing(source), whole, marks[number], frozenset(remarked[number]),
            )
            for number in range(partitions)
            if whole or number in merged or remarked[number]
            for source in [number % self.partitions]
        ]  # fmt: skip
        written = dict(done for done in spread(write_files, pieces) if done is not None)
        files = written if whole else {**self.files, **written}
        finish_table(
            self.space.path("data/conversations"), Conversation, files, key=KEY, note={**note, "partitions": partitions}
        )
        forget_stale(self.space, files)
