"""One landing on its way into `data/conversations`: read, merge, set aside, write."""

from __future__ import annotations

import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path

from rlhi.collect.clean.duplicates import hash64
from rlhi.collect.formats import refusal, unread_part
from rlhi.collect.formats.blocks import Block, blocks
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined
from rlhi.progress import progress
from rlhi.stages.collect.incoming import Batch
from rlhi.stages.collect.ingest.chains import BEGUN_BEFORE, OutOfOrder, follow
from rlhi.stages.collect.ingest.index import Index, file_index, forget_stale, joined
from rlhi.stages.collect.ingest.marked import NOTHING, Marked, remember, remembered, write_marks
from rlhi.stages.collect.ingest.merging import Merge, Merged, merge_partition
from rlhi.stages.collect.ingest.pieces import (
    BUCKETS,
    KEY,
    Read,
    Spilled,
    Write,
    read_block,
    redacted,
    write_files,
)
from rlhi.stages.collect.ingest.spread import Spread, spread_for
from rlhi.stages.collect.ingest.told import WORDS, counted
from rlhi.workspace.store import PARTITIONS, Workspace, finish_table, read_manifest, read_note

FIRST = "0000-"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is large: the table's rows do not hang on it, the cut of its files does.

    - ``large_bytes``: starting processes takes about a second; smaller landings are read in this one.
    - ``partition_rows``: how many rows a partition has, about.
    - ``small_rows``: a table up to this size is written as one segment, and so its bytes follow from its rows alone.
    - ``compact_at``: the share of the first segment that the later ones may reach together before all become one.
    - ``segments``: so do more segments than this: each is a file more to open for a partition.
    """

    large_bytes: int = 8 << 20
    partition_rows: int = 8192
    small_rows: int = 20_000
    compact_at: float = 0.5
    segments: int = 64


USUAL = Sizes()


class Fold:
    """One landing on its way into the table."""

    def __init__(self, space: Workspace, config: IngestConfig, salt: str, figures: Counter[str], sizes: Sizes) -> None:
        self.space = space
        self.config = config
        self.salt = salt
        self.figures = figures
        self.sizes = sizes
        self.unread = Counter(counted(space)) - figures
        """What could not be read of the logs that were read before ``figures`` began."""
        self.work = space.path(".rlhi/ingest")
        manifest = read_manifest(space.path("data/conversations")) or {}
        files = manifest.get("files")
        batches = read_note(space.path("data/conversations")).get("batches")
        self.read_before = set(map(str, batches)) if isinstance(batches, list) else set()
        self.files: dict[str, int] = {str(k): int(v) for k, v in files.items()} if isinstance(files, dict) else {}
        self.partitions = int(str(read_note(space.path("data/conversations")).get("partitions", PARTITIONS)))

    def run(
        self, batches: list[Batch], keep: Callable[[Iterable[Quarantined]], None], note: dict[str, object]
    ) -> Index:
        """Read, merge, set aside, write; the table's index. ``keep`` is given what was refused."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, exist_ok=True)
        large = sum(batch.path.stat().st_size for batch in batches) > self.sizes.large_bytes
        with spread_for(large, self.config.runner == "threads") as spread:
            spilled, refused = self._read(batches, spread)
            spilled, lone, begun = follow(self.space, self.files, spilled, spread)
            refused += lone
            self.figures[BEGUN_BEFORE] += begun
            # The landing decides how finely it is merged, not the table: the first one meets a table of few partitions.
            cut = self._cut(sum(one.rows for one in spilled))
            merged = self._merge(spilled, cut, spread)
            keep(refused)
            for one in spilled:
                one.path.unlink()  # merged rows are a second copy: the disk need not hold both
            index = self._write(merged, cut, spread, note)
        shutil.rmtree(self.work, ignore_errors=True)
        self.figures["quarantined"] += len(refused)
        return index

    def _read(self, batches: list[Batch], spread: Spread) -> tuple[list[Spilled], list[Quarantined]]:
        found, broken = self._spilled(batches, spread)
        found |= self._with_marks(batches, found, spread)
        spilled: list[Spilled] = []
        refused: list[Quarantined] = []
        for batch in batches:
            blocks_of, lost = found[batch.digest], broken[batch.digest]
            files = dict.fromkeys([batch.name, *(one.file for one in blocks_of), *(row.file for row in lost)])
            members = [
                ([one for one in blocks_of if one.file == file], [row for row in lost if row.file == file])
                for file in files
            ]
            read = any(one.known for one in blocks_of)
            for file, (of_file, rest) in zip(files, members, strict=True):
                trouble = [row for one in of_file for row in one.quarantined] + rest
                if any(one.known for one in of_file):
                    self.figures["read"] += sum(one.rows for one in of_file) + len(rest)
                    self.figures["left over"] += len(rest)
                    for one in of_file:
                        self.figures.update(one.unread)
                    spilled += of_file
                    refused += trouble
                elif read and (of_file or rest):
                    refused.append(unread_part(file, batch.name, trouble))
            if not read:
                every = [row for one in blocks_of for row in one.quarantined] + lost
                refused.append(Quarantined(batch.name, 0, str(refusal(batch.name, every)), ""))
        return spilled, refused

    def _spilled(
        self, batches: list[Batch], spread: Spread, marks: Path | None = None
    ) -> tuple[dict[str, list[Spilled]], dict[str, list[Quarantined]]]:
        """By log what its blocks gave, and what could not be had of it."""
        found: dict[str, list[Spilled]] = {batch.digest: [] for batch in batches}
        broken: dict[str, list[Quarantined]] = {batch.digest: [] for batch in batches}
        under_way: deque[Batch] = deque()
        # All logs are one stream of blocks: small logs keep all workers busy too.
        pieces = (piece for batch in batches for piece in self._pieces(batch, broken[batch.digest], under_way, marks))
        with progress("reading logs", len(batches)) as advance:
            done = 0
            for one in spread(read_block, pieces):
                batch = under_way.popleft()
                ended = batches.index(batch) - done
                done += ended
                found[batch.digest].append(one)
                advance(ended, f"({batch.name})")
        return found, broken

    def _with_marks(
        self, batches: list[Batch], found: Mapping[str, list[Spilled]], spread: Spread
    ) -> dict[str, list[Spilled]]:
        """The logs of which other rows hold marks, read once more with them.

        Raises:
            OutOfOrder: a former landing holds marks of this one's answers, or the other way round.
        """
        marks = {name: [mark for one in blocks for mark in one.marks] for name, blocks in found.items()}
        held = {
            name: Marked.of(marks[name], (one for block in blocks for one in block.markable))
            for name, blocks in found.items()
        }
        every = reduce(or_, held.values(), NOTHING)
        before = remembered(self.space, self.read_before) if every != NOTHING else NOTHING
        if before is None or every.meets(before):
            raise OutOfOrder
        if every != NOTHING:
            remember(self.space, held, self.read_before)
        reachable = every.markable | before.markable
        told = [mark for of_log in marks.values() for mark in of_log if mark.signals]
        self.figures["marks unjoined"] += sum(hash64(mark.of) not in reachable for mark in told)
        again = [batch for batch in batches if held[batch.digest].markable & every.marks]
        return self._spilled(again, spread, write_marks(self.work, told))[0] if again else {}

    def _pieces(
        self, batch: Batch, broken: list[Quarantined], under_way: deque[Batch], marks: Path | None
    ) -> Iterator[Read]:
        for at, block in enumerate(blocks(batch.path, batch.name)):
            if isinstance(block, Block):
                under_way.append(batch)
                path = self.work / f"{batch.digest}-{at:06d}"
                yield Read(block, batch.digest, self.config, self.salt, path, marks)
            else:
                broken.append(redacted(block, self.config))

    def _merge(self, spilled: list[Spilled], cut: int, spread: Spread) -> dict[int, Merged]:
        waiting: dict[int, list[tuple[Path, int, int]]] = {}
        for one in spilled:
            for bucket, (offset, length) in one.buckets.items():
                waiting.setdefault(bucket % cut, []).append((one.path, offset, length))
        numbers = sorted(waiting)
        pieces = [
            Merge(
                self.space.root, self._standing(number), tuple(waiting[number]), self.work / f"merged-{number}",
                self.config.max_turns,
            )
            for number in numbers
        ]  # fmt: skip
        merged = dict(zip(numbers, spread(merge_partition, pieces), strict=True))
        for done in merged.values():
            self.figures.update(done.fates)
        return {number: done for number, done in merged.items() if done.index.size}

    def _cut(self, rows: int) -> int:
        """How many parts these rows make: the table's, or twice as many and so on."""
        parts = self.partitions
        while parts < BUCKETS and rows > parts * self.sizes.partition_rows:
            parts *= 2
        return parts

    def _standing(self, number: int) -> tuple[str, ...]:
        """The table's files that hold what a part, numbered as finely as you like, has of it."""
        wanted = number % self.partitions
        return tuple(name for name in sorted(self.files) if int(name.split("-")[1]) == wanted)

    def _write(self, merged: dict[int, Merged], cut: int, spread: Spread, note: dict[str, object]) -> Index:
        """The table with one segment more, or as one segment; the manifest says which logs are in it."""
        import numpy as np

        changed = joined([merged[number].index for number in sorted(merged)])
        rows = joined([*(file_index(self.space, name) for name in sorted(self.files)), changed]).latest()
        found = rows.marked(self.config.spam_repeats)
        aside = np.flatnonzero(found)
        again = rows.take(np.flatnonzero((rows.marks != found) & ~np.isin(rows.names, changed.names)))
        first = sum(count for name, count in self.files.items() if name.startswith(FIRST))
        later = sum(self.files.values()) - first
        segment = 1 + max((int(name[:4]) for name in self.files), default=0)
        whole = (
            rows.size <= self.sizes.small_rows
            or changed.size + later > self.sizes.compact_at * first
            or segment > self.sizes.segments
        )
        partitions = self._cut(rows.size) if whole else self.partitions
        segment = 0 if whole else segment
        remarked: dict[int, set[int]] = {number: set() for number in range(partitions)}
        for user, name in zip(again.users.tolist(), again.names.tolist(), strict=True):
            remarked[user % partitions].add(name)
        marks: dict[int, dict[int, int]] = {number: {} for number in range(partitions)}
        for user, name, mark in zip(*(one[aside].tolist() for one in (rows.users, rows.names, found)), strict=True):
            marks[user % partitions][name] = mark
        # Parts of the merge and partitions are numbered by the lowest bits of one hash: where the bits that both have
        # agree, they may hold the same users.
        changes = {
            number: tuple(part for other, part in merged.items() if (number - other) % min(partitions, cut) == 0)
            for number in range(partitions)
        }
        pieces = [
            Write(
                self.space.root, f"{segment:04d}-{number:04d}", number, partitions, changes[number],
                self._standing(number), whole, marks[number], frozenset(remarked[number]),
            )
            for number in range(partitions)
            if whole or changes[number] or remarked[number]
        ]  # fmt: skip
        written = dict(done for done in spread(write_files, pieces) if done is not None)
        files = written if whole else {**self.files, **written}
        unread = {name: self.unread[name] + self.figures[name] for name in WORDS}
        told = {"partitions": partitions} | ({"unread": unread} if any(unread.values()) else {})
        finish_table(self.space.path("data/conversations"), Conversation, files, key=KEY, note={**note, **told})
        forget_stale(self.space, files)
        return replace(rows, marks=found)
