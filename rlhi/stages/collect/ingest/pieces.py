"""The pieces of work of the stage `ingest`: each runs alone, in any process, on files that it is told."""

from __future__ import annotations

import marshal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from rlhi.collect.clean.accept import harmless, impersonal, merge, with_languages
from rlhi.collect.clean.chains import Link, link, waits
from rlhi.collect.clean.chains import joined as follow_chain
from rlhi.collect.clean.users import hide_user
from rlhi.collect.formats import read_record
from rlhi.collect.formats.blocks import Block
from rlhi.collect.formats.format import unread_in
from rlhi.collect.pii.redact import redact
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, from_record, to_record
from rlhi.stages.collect.ingest.index import KEPT, Index, file_index, index_path, joined, name_of, reason_of
from rlhi.workspace.store import Record, Workspace, put_records, read_records, user_hash

KEY = ("user_id", "conversation_id")
# Rows of a landing wait in this many buckets by user; a power of two, and so every smaller number of partitions fits.
BUCKETS = 256
Waiting = tuple[str, int, Record]
"""A row that goes on from another: its file, its line, and itself."""
# What waits is written by `marshal`: records of dicts, lists and scalars, read by processes of the same Python within
# the same command, and many times faster than pickled rows are.


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

    In the bucket ``BUCKETS`` wait those that go on from other rows; ``links`` tell from which.

    ``known`` is the number of rows in a known format, accepted or not; ``unread`` of turns whose speaker is not known.
    """

    path: Path
    buckets: Mapping[int, tuple[int, int]]
    rows: int
    known: int
    quarantined: tuple[Quarantined, ...]
    unread: int = 0
    links: tuple[Link, ...] = ()


def read_block(piece: Read) -> Spilled:
    """Parse, clean and sort into buckets: rows as plain records, each with its entry of the index.

    Text is looked at here and not again: merging and writing move records.
    """
    conversations: list[Conversation] = []
    lines: list[int] = []
    refused, rows, known = [], 0, 0
    for record in piece.block.records():
        rows += 1
        found, row = read_record(
            record,
            piece.block.file,
            lambda conversation: harmless(conversation, piece.config),
            piece.config.user_column,
        )
        known += found
        if isinstance(row, Quarantined):
            refused.append(redacted(row, piece.config))
        else:
            conversations.append(row)
            lines.append(record.line)
    told = with_languages(conversations, piece.config)
    conversations = [hide_user(impersonal(conversation, piece.config), piece.salt) for conversation in told]
    records = [to_record(row) | {"batch": piece.digest} for row in conversations]
    links = tuple(one for row in conversations if row.chain and (one := link(row)))
    waiting: list[Waiting] = []
    if links:
        whole = [at for at, row in enumerate(conversations) if not waits(row)]
        waiting = [
            (piece.block.file, line, record)
            for line, record, row in zip(lines, records, conversations, strict=True)
            if waits(row)
        ]
        conversations, records = [conversations[at] for at in whole], [records[at] for at in whole]
    buckets = spill(piece.spill, conversations, records, waiting)
    unread = sum(unread_in(row) for row in told if row.changes)
    return Spilled(piece.spill, buckets, rows, known, tuple(refused), unread, links)


def spill(
    path: Path, rows: Sequence[Conversation], records: Sequence[Record], waiting: Sequence[Waiting] = ()
) -> dict[int, tuple[int, int]]:
    """Write rows sorted into buckets by user, and those that wait; where each bucket stands in the file."""
    index = Index.of(rows)
    bucket_of = (index.users % np.uint64(BUCKETS)).astype(np.int64)
    buckets = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for bucket in np.unique(bucket_of).tolist():
            places = np.flatnonzero(bucket_of == bucket)
            data = marshal.dumps(([records[place] for place in places.tolist()], index.take(places).packed()))
            buckets[bucket] = (file.tell(), len(data))
            file.write(data)
        if waiting:
            data = marshal.dumps(cast(Any, list(waiting)))
            buckets[BUCKETS] = (file.tell(), len(data))
            file.write(data)
    return buckets


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
    spilled = [_load(path, offset, length) for path, offset, length in piece.waiting]
    rows = [row for records, _ in spilled for row in records]
    index = joined([Index.unpacked(packed) for _, packed in spilled])
    before = _standing(piece, index, rows)
    held, place_of = dict(before), dict[int, int]()
    fates: Counter[str] = Counter()
    chained: dict[int, list[Record]] = {}
    for place, (name, row) in enumerate(zip(index.names.tolist(), rows, strict=True)):
        old = held.get(name)
        if any(_chain(row)[:1]):
            chained.setdefault(name, []).append(row)
        elif old is None:
            held[name], place_of[name] = row, place
            fates["new"] += 1
        elif (grown := _grown(old, row)) is None:
            fates["duplicate"] += 1
        else:
            held[name] = grown
            place_of.pop(name, None)
            fates["updated"] += 1
    for name, parts in chained.items():
        held[name] = _chained(held.get(name), parts, fates)
        place_of.pop(name, None)
    changed = {name: row for name, row in held.items() if row is not before.get(name)}
    as_spilled = [name for name in changed if name in place_of]
    others = [name for name in changed if name not in place_of]  # text that no single log has is looked at once more
    piece.output.write_bytes(marshal.dumps([changed[name] for name in (*as_spilled, *others)]))
    entries = [
        index.take(np.array([place_of[name] for name in as_spilled], dtype=np.int64)),
        Index.of([from_record(Conversation, changed[name]) for name in others]),
    ]
    return Merged(piece.output, joined(entries), fates)


def _chained(old: Record | None, parts: Sequence[Record], fates: Counter[str]) -> Record:
    """A conversation whose requests hold what is new alone; ``old`` where the two say the same."""
    responses = {_chain(part)[1] for part in parts}
    new = len(responses - set(_chain(old)[1:] if old else ()))
    fates["duplicate"] += len(parts) - new
    fates["updated"] += new - (old is None)
    fates["new"] += old is None
    if old is not None and not new:
        return old
    rows = [from_record(Conversation, row) for row in ([old] if old else []) + list(parts)]
    return to_record(follow_chain(rows)) | {"batch": (old or parts[0])["batch"]}


def _chain(row: Record) -> list[str]:
    return cast(list[str], row["chain"])


def _grown(old: Record, new: Record) -> Record | None:
    """One row for two exports of a conversation; None where the new one tells nothing."""
    if {**new, "batch": old["batch"]} == old:
        return None
    grown = to_record(merge(from_record(Conversation, old), from_record(Conversation, new)))
    return None if {**grown, "batch": old["batch"]} == old else grown


def _standing(piece: Merge, index: Index, rows: Sequence[Record]) -> dict[int, Record]:
    """What the table holds under the names of these rows, unmarked: a mark is not what a log says."""
    wanted, ids = set(index.names.tolist()), sorted({str(row["conversation_id"]) for row in rows})
    space = Workspace(piece.root)
    found: dict[int, Record] = {}
    for file in piece.files:
        if np.isin(file_index(space, file).names, index.names).any():
            for row in read_records(space.path("data/conversations") / file, ("conversation_id", ids)):
                if (name := _name(row)) in wanted:
                    found[name] = row | {"set_aside": ""}
    return found


def _name(row: Record) -> int:
    return name_of(str(row["user_id"]), str(row["conversation_id"]))


def _load(path: Path, offset: int = 0, length: int = -1) -> Any:
    with path.open("rb") as file:
        file.seek(offset)
        return marshal.loads(file.read(length))


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
    rows: dict[int, Record] = {}
    indexes = []
    for file in piece.files if piece.whole or piece.again else ():
        named = {_name(row): row for row in read_records(folder / file)}
        rows |= named if piece.whole else {name: row for name, row in named.items() if name in piece.again}
        indexes.append(file_index(space, file))
    for changed in piece.changed:
        rows |= zip(changed.index.names.tolist(), _load(changed.path), strict=True)
        indexes.append(changed.index)
    kept = {
        name: row | {"set_aside": reason_of(piece.marks.get(name, KEPT))}
        for name, row in rows.items()
        if user_hash(str(row["user_id"])) % piece.partitions == piece.number
    }
    if not kept:
        return None
    file, count = put_records(folder, Conversation, piece.prefix, list(kept.values()))
    joined(indexes).latest().only(kept).with_marks(piece.marks).save(index_path(space, file))
    return file, count
