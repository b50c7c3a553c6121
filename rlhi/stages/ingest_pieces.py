"""The pieces of work of the stage `ingest`: each runs alone, in any process, on files that it is told."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rlhi.collect.clean import accept, merge
from rlhi.collect.formats import read_record
from rlhi.collect.formats.blocks import Block
from rlhi.collect.pii import redact
from rlhi.collect.users import hide_user
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined
from rlhi.stages.ingest_index import KEPT, Index, file_index, index_path, joined, name_of, reason_of
from rlhi.store import Workspace, put_file, read_file, user_hash

KEY = ("user_id", "conversation_id")
# Rows of a landing wait in this many buckets by user; a power of two, and so every smaller number of partitions fits.
BUCKETS = 256


@dataclass(frozen=True, slots=True)
class Read:
    """Read one block of the log ``digest`` and spill its rows, their users hidden, into a file of their own."""

    block: Block
    digest: str
    config: IngestConfig
    salt: str
    spill: Path


@dataclass(frozen=True, slots=True)
class Spilled:
    """What a block gave: rows waiting in ``path`` at ``(offset, length)`` of each bucket, and what was refused.

    ``known`` is the number of rows in a known format, accepted or not.
    """

    path: Path
    buckets: Mapping[int, tuple[int, int]]
    rows: int
    known: int
    quarantined: tuple[Quarantined, ...]


def read_block(piece: Read) -> Spilled:
    """Parse, clean and sort into buckets."""
    waiting: dict[int, list[Conversation]] = {}
    refused, rows, known = [], 0, 0
    for record in piece.block.records():
        rows += 1
        found, row = read_record(
            record, piece.block.file, lambda talk: hide_user(accept(talk, piece.config), piece.salt),
            piece.config.user_column,
        )  # fmt: skip
        known += found
        if isinstance(row, Quarantined):
            refused.append(redacted(row, piece.config))
        else:
            landed = replace(row, batch=piece.digest)
            waiting.setdefault(user_hash(row.user_id) % BUCKETS, []).append(landed)
    buckets = {}
    piece.spill.parent.mkdir(parents=True, exist_ok=True)
    with piece.spill.open("wb") as file:
        for bucket, talks in sorted(waiting.items()):
            data = pickle.dumps(talks, protocol=pickle.HIGHEST_PROTOCOL)
            buckets[bucket] = (file.tell(), len(data))
            file.write(data)
    return Spilled(piece.spill, buckets, rows, known, tuple(refused))


def redacted(row: Quarantined, config: IngestConfig) -> Quarantined:
    """A refused row as the quarantine shows it."""
    return replace(row, raw=redact(row.raw, config.redact)[0])


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge the rows that wait for a partition, with what the table's ``files`` hold under their names."""

    root: Path
    files: tuple[str, ...]
    waiting: tuple[tuple[Path, int, int], ...]
    output: Path


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows that are new or grew, in ``path``; their index, and the fates of what waited."""

    path: Path
    index: Index
    fates: Counter[str]


def merge_partition(piece: Merge) -> Merged:
    """The rows of a partition that change."""
    rows = [row for path, offset, length in piece.waiting for row in _load(path, offset, length)]
    before = _standing(piece, {(row.user_id, row.conversation_id) for row in rows})
    held = dict(before)
    fates: Counter[str] = Counter()
    for row in rows:
        name = (row.user_id, row.conversation_id)
        old = held.get(name)
        grown = merge(old, row)
        if old is not None and replace(grown, batch=old.batch) == old:
            fates["duplicate"] += 1
            continue
        held[name] = grown
        fates["new" if old is None else "updated"] += 1
    changed = [row for name, row in held.items() if row is not before.get(name)]
    piece.output.write_bytes(pickle.dumps(changed, protocol=pickle.HIGHEST_PROTOCOL))
    return Merged(piece.output, Index.of(changed), fates)


def _standing(piece: Merge, names: set[tuple[str, str]]) -> dict[tuple[str, str], Conversation]:
    """What the table holds under these names, unmarked: a mark is not what a log says."""
    import numpy as np

    space = Workspace(piece.root)
    wanted = np.array([_name(*name) for name in names], dtype=np.uint64)
    found: dict[tuple[str, str], Conversation] = {}
    for file in piece.files:
        if np.isin(file_index(space, file).names, wanted).any():
            ids = sorted({conversation for _, conversation in names})
            for row in read_file(space.path("data/conversations") / file, Conversation, ("conversation_id", ids)):
                if (row.user_id, row.conversation_id) in names:
                    found[row.user_id, row.conversation_id] = replace(row, set_aside="")
    return found


def _name(user: str, conversation: str) -> int:
    return name_of(Conversation(conversation, user, "real", None, None, None, (), ""))


def _load(path: Path, offset: int = 0, length: int = -1) -> list[Conversation]:
    with path.open("rb") as file:
        file.seek(offset)
        rows: list[Conversation] = pickle.loads(file.read(length))
    return rows


@dataclass(frozen=True, slots=True)
class Write:
    """Write the file ``prefix`` of partition ``number`` of ``partitions``.

    Rows come from ``changed`` and from the table's ``files``: all of theirs (``whole``), or those named in ``again``,
    whose mark changes. ``marks`` holds the marks by name; a row that is not in it is kept.
    """

    root: Path
    prefix: str
    number: int
    partitions: int
    changed: tuple[Merged, ...]
    files: tuple[str, ...]
    whole: bool
    marks: Mapping[int, int]
    again: frozenset[int]


def write_files(piece: Write) -> tuple[str, int] | None:
    """The name of the file and its rows; None when there is nothing to write."""
    space = Workspace(piece.root)
    folder = space.path("data/conversations")
    rows: dict[int, Conversation] = {}
    indexes = []
    for file in piece.files if piece.whole or piece.again else ():
        named = {name_of(row): row for row in read_file(folder / file, Conversation)}
        rows |= named if piece.whole else {name: row for name, row in named.items() if name in piece.again}
        indexes.append(file_index(space, file))
    for changed in piece.changed:
        rows |= {name_of(row): row for row in _load(changed.path)}
        indexes.append(changed.index)
    kept = {
        name: replace(row, set_aside=reason_of(piece.marks.get(name, KEPT)))
        for name, row in rows.items()
        if user_hash(row.user_id) % piece.partitions == piece.number
    }
    if not kept:
        return None
    file, count = put_file(folder, Conversation, piece.prefix, kept.values())
    joined(indexes).latest().only(kept).with_marks(piece.marks).save(index_path(space, file))
    return file, count
