"""Rows of a landing that go on from other rows, wherever these lie: they get the name that their conversation has.

A block tells the links of its rows. Once all blocks are read, every link is followed to its beginning, in the landing
or in the table, and the rows that waited are put into the bucket of the user whose conversation it is.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from rlhi.collect.clean.chains import UNANSWERED, Link, beginnings, link
from rlhi.contracts import Conversation, Quarantined, from_record, to_record
from rlhi.stages.collect.ingest.pieces import BUCKETS, Spilled, spill
from rlhi.stages.collect.ingest.spread import Spread
from rlhi.workspace.store import StoreError, Workspace

COLUMNS = ["chain", "conversation_id", "user_id", "user_id_kind"]
BEGUN_BEFORE = "without beginning"


class OutOfOrder(Exception):
    """A landing holds what the table's rows go on from: all logs have to be read as one."""


@dataclass(frozen=True, slots=True)
class Relink:
    """Put the rows of a block that wait under the names that their conversations have.

    ``names`` holds the beginning of each link's conversation; ``followed`` the responses that others go on from.
    """

    spilled: Spilled
    names: Mapping[Link, Link]
    followed: frozenset[str]


def relink(piece: Relink) -> Spilled:
    """The rows that waited, in the buckets of their users."""
    offset, length = piece.spilled.buckets[BUCKETS]
    with piece.spilled.path.open("rb") as file:
        file.seek(offset)
        waiting: list[tuple[str, int, dict[str, Any]]] = marshal.loads(file.read(length))
    rows: list[Conversation] = []
    refused: list[Quarantined] = []
    batch = ""
    for file_name, line, record in waiting:
        row, batch = from_record(Conversation, record), record["batch"]
        own = cast(Link, link(row, batch))  # no others wait
        first = piece.names[own]
        if first == own and own.response not in piece.followed and _alone(row):
            refused.append(Quarantined(file_name, line, f"{row.source}: {UNANSWERED}", ""))
            continue
        rows.append(
            replace(row, conversation_id=first.conversation_id, user_id=first.user_id, user_id_kind=first.user_id_kind)
        )
    path = piece.spilled.path.with_name(f"{piece.spilled.path.name}-linked")
    buckets = spill(path, rows, [to_record(row) | {"batch": batch} for row in rows])
    return Spilled(path, buckets, 0, 0, tuple(refused), {})


def _alone(row: Conversation) -> bool:
    """Whether a row holds no exchange, so that nothing can be told of it by itself."""
    return not {"user", "assistant"} <= {turn.role for turn in row.turns}


def follow(
    space: Workspace, files: Iterable[str], spilled: Sequence[Spilled], spread: Spread
) -> tuple[list[Spilled], list[Quarantined], int]:
    """All that was spilled, the rows that waited under their names; those that are no conversation; and how many
    conversations miss their beginning.

    Raises:
        OutOfOrder: rows of the table go on from rows of this landing.
    """
    links = [one for block in spilled for one in block.links]
    if not links:
        return list(spilled), [], 0
    standing, waited_for = _standing(space, files)
    if waited_for & {one.response for one in links} - standing.keys():
        raise OutOfOrder
    names = beginnings(links, standing)
    followed = frozenset(one.before for one in links)
    pieces = [
        Relink(block, {one: names[one] for one in block.links}, followed)
        for block in spilled
        if BUCKETS in block.buckets
    ]
    kept = [replace(one, buckets={at: span for at, span in one.buckets.items() if at != BUCKETS}) for one in spilled]
    cut = {first.response for first in names.values() if not first.begins}
    named = list(spread(relink, pieces))
    return [*kept, *named], [row for one in named for row in one.quarantined], len(cut - standing.keys())


def _standing(space: Workspace, files: Iterable[str]) -> tuple[dict[str, list[Link]], set[str]]:
    """For each response in the table its conversations' names; and what conversations without beginning wait for."""
    found: dict[str, list[Link]] = {}
    waited_for: dict[tuple[str, str], str] = {}
    for file in sorted(files):
        path = space.path("data/conversations") / file
        try:
            rows = pq.read_table(path, columns=COLUMNS, partitioning=None).to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(f"{path} cannot be read ({error})") from None
        for row in rows:
            if len(row["chain"]) < 2:
                continue
            before, *responses = row["chain"]
            name = row["conversation_id"], row["user_id"]
            for one in responses:
                found.setdefault(one, []).append(Link(one, "", *name, row["user_id_kind"]))
            waited_for[name] = before if before != row["conversation_id"] else ""
    return found, set(waited_for.values()) - {""}
