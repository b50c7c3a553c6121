"""The pieces of work of the stage `ingest`: each runs alone, in any process, on files that it is told."""

from __future__ import annotations

import marshal
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from rlhi.collect.clean.accept import emptied_in, harmless, impersonal, with_languages
from rlhi.collect.clean.chains import Link, link, waits
from rlhi.collect.clean.duplicates import hash64
from rlhi.collect.clean.users import hide_user
from rlhi.collect.formats import read_record
from rlhi.collect.formats.blocks import Block
from rlhi.collect.formats.format import cut_in, unread_in
from rlhi.collect.formats.marks import Mark, marks_elsewhere
from rlhi.collect.formats.otlp import unfolded
from rlhi.collect.formats.unread import KINDS, unread_of
from rlhi.collect.pii.redact import redact
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, to_record
from rlhi.stages.collect.ingest.index import KEPT, Index, file_index, index_path, joined, reason_of
from rlhi.stages.collect.ingest.marked import marks_at
from rlhi.stages.collect.ingest.merging import Merged, load, row_name
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
    marks: Path | None = None
    """Where the marks lie that rows of their own hold, if the landing has any for this log."""


@dataclass(frozen=True, slots=True)
class Spilled:
    """What a block gave: rows waiting in ``path`` at ``(offset, length)`` of each bucket, and what was refused.

    In the bucket ``BUCKETS`` wait those that go on from other rows; ``links`` tell from which.

    ``known`` is the number of rows in a known format, accepted or not. ``unread`` counts what in them says nothing.
    ``marks`` stand in rows of their own; ``markable`` are the hashes of the ids that others' marks may be of.
    """

    path: Path
    buckets: Mapping[int, tuple[int, int]]
    rows: int
    known: int
    quarantined: tuple[Quarantined, ...]
    unread: Mapping[str, int]
    links: tuple[Link, ...] = ()
    marks: tuple[Mark, ...] = ()
    markable: frozenset[int] = frozenset()
    file: str = ""


def read_block(piece: Read) -> Spilled:
    """Parse, clean and sort into buckets: rows as plain records, each with its entry of the index.

    Text is looked at here and not again: merging and writing move records.
    """
    conversations: list[Conversation] = []
    lines: list[int] = []
    refused, rows, known = [], 0, 0
    unread: Counter[str] = Counter()
    marks: list[Mark] = []
    with marks_elsewhere(marks_at(piece.marks) if piece.marks else {}) as asked:
        for record in unfolded(piece.block.records()):
            rows += 1
            unread["left over"] += isinstance(record, Quarantined)
            found, row = read_record(
                record,
                piece.block.file,
                lambda conversation: harmless(conversation, piece.config),
                piece.config.user_column,
            )
            known += found
            if isinstance(row, Quarantined):
                refused.append(redacted(row, piece.config))
            elif isinstance(row, Mark):
                marks.append(row)
            else:
                conversations.append(row)
                lines.append(record.line)
                if row.changes:
                    unread.update(_unread(row))
    told = with_languages(conversations, piece.config)
    conversations = [hide_user(impersonal(conversation, piece.config), piece.salt) for conversation in told]
    records = [to_record(row) | {"batch": piece.digest} for row in conversations]
    links = tuple(one for row in conversations if row.chain and (one := link(row, piece.digest)))
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
    markable = frozenset(map(hash64, asked))
    return Spilled(
        piece.spill, buckets, rows, known, tuple(refused), unread, links, tuple(marks), markable, piece.block.file
    )


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


def _unread(row: Conversation) -> Counter[str]:
    """What of a row could not be read."""
    kinds = [f"{kind}s unread" for kind in KINDS if unread_of(kind) in row.changes]
    others = {"turns left out": unread_in(row), "results emptied": emptied_in(row), "answers cut": cut_in(row)}
    return Counter(dict.fromkeys(kinds, 1)) + Counter(others)


def redacted(row: Quarantined, config: IngestConfig) -> Quarantined:
    """A refused row as the quarantine shows it."""
    return replace(row, raw=redact(row.raw, config.redact)[0])


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
        named = {row_name(row): row for row in read_records(folder / file)}
        rows |= named if piece.whole else {name: row for name, row in named.items() if name in piece.again}
        indexes.append(file_index(space, file))
    for changed in piece.changed:
        rows |= zip(changed.index.names.tolist(), load(changed.path), strict=True)
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
