"""Rows of one id: exports of one conversation, parts of one session, or conversations that are to stay apart."""

from __future__ import annotations

import marshal
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from rlhi.collect.clean.accept import merge
from rlhi.collect.clean.chains import joined as follow_chain
from rlhi.collect.clean.sessions import SOURCES, put_together
from rlhi.contracts import SPEAKERS, Conversation, content_key, from_record, to_record
from rlhi.contracts.apart import MARK, anonymous, shared_id, told_apart
from rlhi.stages.collect.ingest.index import Index, file_index, joined, name_of
from rlhi.workspace.store import Record, Workspace, read_records


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge the rows that wait for a partition, with what the table's ``files`` hold under their names."""

    root: Path
    files: tuple[str, ...]
    waiting: tuple[tuple[Path, int, int], ...]
    output: Path
    max_turns: int


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows that are new or grew, in ``path``; their index, and the fates of what waited."""

    path: Path
    index: Index
    fates: Counter[str]


def merge_partition(piece: Merge) -> Merged:
    """The rows of a partition that change."""
    spilled = [load(path, offset, length) for path, offset, length in piece.waiting]
    rows = [row for records, _ in spilled for row in records]
    index = joined([Index.unpacked(packed) for _, packed in spilled])
    names = index.names.tolist()
    held = Held(piece, rows, names)
    for place in _in_order(rows):
        held.take(rows[place], names[place], place)
    held.follow_chains()
    changed = held.changed()
    as_spilled = [name for name in changed if name in held.place_of]
    others = [name for name in changed if name not in held.place_of]  # what no log has so is looked at once more
    piece.output.write_bytes(marshal.dumps([changed[name] for name in (*as_spilled, *others)]))
    entries = [
        index.take(np.array([held.place_of[name] for name in as_spilled], dtype=np.int64)),
        Index.of([from_record(Conversation, changed[name]) for name in others]),
    ]
    return Merged(piece.output, joined(entries), held.fates)


def load(path: Path, offset: int = 0, length: int = -1) -> Any:
    """What :mod:`marshal` wrote there."""
    with path.open("rb") as file:
        file.seek(offset)
        return marshal.loads(file.read(length))


def row_name(row: Record) -> int:
    """A row's name."""
    return name_of(str(row["user_id"]), str(row["conversation_id"]))


def _names(rows: Iterable[Record]) -> set[int]:
    return set(map(row_name, rows))


def _in_order(rows: Sequence[Record]) -> Sequence[int]:
    """As they stand in their logs; rows of sessions in the order of time."""
    if SOURCES.isdisjoint({str(row["source"]) for row in rows}):
        return range(len(rows))

    def moment(at: int) -> str:
        return str(rows[at]["created_at"] or "") if rows[at]["source"] in SOURCES else ""

    return sorted(range(len(rows)), key=moment)


class Held:
    """The rows of a partition by name, of the table and of a landing, and what became of each that was taken."""

    def __init__(self, piece: Merge, rows: Sequence[Record], names: Collection[int]) -> None:
        self.piece = piece
        named = [row for row in rows if MARK in str(row["conversation_id"])]
        self.before = self._standing(rows, names) | self._standing(one := [_shared(row) for row in named], _names(one))
        self.before |= self._standing(further := self._further(rows), _names(further))
        self.rows = dict(self.before)
        self.place_of: dict[int, int] = {}
        """Which row of the landing stands under a name as it came."""
        self.chained: dict[int, list[Record]] = {}
        """Rows that go on from others, of which they hold nothing."""
        self.fates: Counter[str] = Counter()

    def take(self, row: Record, name: int, place: int) -> None:
        """Put a row where it belongs; one that goes on from others waits for :meth:`follow_chains`."""
        if any(_chain(row)[:1]):
            self.chained.setdefault(name, []).append(row)
            return
        if MARK in str(row["conversation_id"]) and (shared := _shared(row)) is not row:
            row, name, place = shared, row_name(shared), -1
        old = self.rows.get(name)
        if old is None:
            self._put(row, name, place)
            self.fates["new"] += 1
        elif (whole := combined(old, row, self.piece.max_turns)) is not None:
            self._grow(name, old, whole)
        else:
            self._keep_apart(row, name, old)

    def follow_chains(self) -> None:
        """Put the rows that go on from others behind these."""
        for name, parts in self.chained.items():
            old = self.rows.get(name)
            fresh = {_chain(part)[1] for part in parts}.difference(_chain(old)[1:] if old else ())
            self.fates["duplicate"] += len(parts) - len(fresh)
            self.fates["updated"] += len(fresh) - (old is None)
            self.fates["new"] += old is None
            if old is None or fresh:
                self._put(_followed(old, parts), name)

    def changed(self) -> dict[int, Record]:
        """What is not as it stood in the table."""
        return {name: row for name, row in self.rows.items() if row is not self.before.get(name)}

    def _put(self, row: Record, name: int, place: int = -1) -> None:
        self.rows[name] = row
        self.place_of.pop(name, None)
        if place >= 0:
            self.place_of[name] = place

    def _grow(self, name: int, old: Record, whole: Record) -> None:
        if whole is old:
            self.fates["duplicate"] += 1
            return
        self._put(whole, name)
        self.fates["updated"] += 1

    def _keep_apart(self, row: Record, name: int, first: Record) -> None:
        """Under the id with the key of its first exchange.

        Of two exports the one with the lesser key has the bare id, so that any order of logs ends in the same names;
        a session keeps the id that all of its rows name.
        """
        for other in _told_apart(row):
            old = self.rows.get(row_name(other))
            if old is not None and (whole := combined(old, other, self.piece.max_turns)) is not None:
                self._grow(row_name(other), old, whole)
                return
        moved = _told_apart(row)[0]
        if row["source"] not in SOURCES and _key(row) < _key(first):
            moved = _told_apart(first)[0]
            self._put(row, name)
        old = self.rows.get(row_name(moved))
        self._put((old and combined(old, moved, self.piece.max_turns)) or moved, row_name(moved))
        self.fates["new"] += 1
        self.fates["kept apart"] += 1

    def _further(self, rows: Iterable[Record]) -> list[Record]:
        """What stands, if it does, under the ids that conversations of the table's ids are told apart by."""
        found: list[Record] = []
        for row in map(_shared, rows) if self.before else ():
            old = self.before.get(row_name(row))
            if old is not None and not agree(old, row):
                found += [*_told_apart(row), *_told_apart(old)]
        return found

    def _standing(self, rows: Sequence[Record], names: Collection[int]) -> dict[int, Record]:
        """What the table holds under the names of these rows, unmarked: a mark is not what a log says."""
        found: dict[int, Record] = {}
        if not rows:
            return found
        wanted, ids = set(names), sorted({str(row["conversation_id"]) for row in rows})
        space, looked_for = Workspace(self.piece.root), np.array(list(wanted), dtype=np.uint64)
        for file in self.piece.files:
            if np.isin(file_index(space, file).names, looked_for).any():
                for row in read_records(space.path("data/conversations") / file, ("conversation_id", ids)):
                    if (name := row_name(row)) in wanted:
                        found[name] = row | {"set_aside": ""}
        return found


def _chain(row: Record) -> list[str]:
    return cast(list[str], row["chain"])


def _followed(old: Record | None, parts: Sequence[Record]) -> Record:
    """The conversation of requests that hold what is new alone, and of what stood of it."""
    every = [*([old] if old else []), *parts]
    whole = follow_chain([from_record(Conversation, row) for row in every])
    return to_record(whole) | {"batch": every[0]["batch"]}


def combined(old: Record, new: Record, max_turns: int) -> Record | None:
    """One row for two of an id: ``old`` itself where the new one tells nothing, None where they are no one
    conversation."""
    if {**new, "batch": old["batch"]} == old:
        return old
    of_session = old["source"] in SOURCES and new["source"] in SOURCES
    if not of_session and not agree(old, new):
        return None
    one, other = from_record(Conversation, old), from_record(Conversation, new)
    whole = put_together(one, other, max_turns) if of_session else merge(one, other)
    if whole is None:
        return None
    record = to_record(whole)
    return old if {**record, "batch": old["batch"]} == old else record


def agree(one: Record, other: Record) -> bool:
    """Whether two rows may be exports of one conversation: their first exchange is the same, as far as both have it."""
    mine, theirs = _first_exchange(one), _first_exchange(other)
    shared = min(len(mine), len(theirs))
    return mine[:shared] == theirs[:shared]


def _first_exchange(row: Record) -> list[str]:
    """The first request and its answer, if it has words: one that never came may come in another export."""
    turns: Any = row["turns"]
    said = [str(turn["content"]) for turn in turns if turn["role"] in SPEAKERS][:2]
    return said if said[1:] and said[1].strip() else said[:1]


def _key(row: Record) -> str:
    """The key of the first exchange."""
    return content_key(_first_exchange(row))


def _told_apart(row: Record) -> list[Record]:
    """The row under the id with the key of its first exchange, and with that of the same one before it was answered."""
    said, shared = _first_exchange(row), str(row["conversation_id"])
    keys = dict.fromkeys([content_key(said), content_key(said[:1])])
    return [_called(row, told_apart(shared, key)) for key in keys]


def _shared(row: Record) -> Record:
    """A row that was told apart, as our own tables hold it, under the id that it had before."""
    shared, key = shared_id(str(row["conversation_id"]))
    said = _first_exchange(row) if key else []
    return _called(row, shared) if key and key in (content_key(said), content_key(said[:1])) else row


def _called(row: Record, conversation_id: str) -> Record:
    """The row under another id; a user whom nobody named is called after it."""
    unknown = row["user_id_kind"] == "conversation_only"
    user = anonymous(conversation_id) if unknown else row["user_id"]
    return row | {"conversation_id": conversation_id, "user_id": user}
