"""Batches of logs as they came: landed under their hash, so that the same file twice is one batch."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rlhi.contracts import PeopleTally
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import StoreError, Workspace, read_json, read_note, write_json

MANIFEST = "batches.json"


@dataclass(frozen=True, slots=True)
class Batch:
    """A landed log: where it lies, the name it came with, the cycle that it is news to, the landing it was part of."""

    digest: str
    name: str
    cycle: int
    landing: int
    path: Path


def next_landing(space: Workspace) -> int:
    """The number of a landing that begins now."""
    return 1 + max((batch.landing for batch in batches(space)), default=0)


def land(space: Workspace, log: Path, cycle: int, landing: int | None = None, name: str = "") -> str:
    """Copy a log into the workspace, unless it is there already; its hash.

    Logs of one ``landing`` are ingested together; without a number this log is one of its own. ``name`` is what
    quarantined rows call it, the file's own when empty. A log that landed before and whose file is gone is put back
    as what it was.

    Raises:
        StoreError: the file cannot be read or copied.
    """
    with alone(space):
        return _land(space, log, cycle, landing, name)


def _land(space: Workspace, log: Path, cycle: int, landing: int | None, name: str) -> str:
    folder = space.path("data/incoming")
    try:
        with log.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()[:16]
        listed = read_json(folder / MANIFEST)
        if digest in listed and (folder / digest).is_file():
            return digest
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{digest}.tmp"
        shutil.copyfile(log, partial)
        partial.replace(folder / digest)
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"cannot copy {log} into {folder}: {why}; mend that and run the same command again") from None
    number = next_landing(space) if landing is None else landing
    entry = {"name": name or log.name, "cycle": cycle, "landing": number}
    write_json(folder / MANIFEST, {digest: entry, **listed})
    return digest


def begin(space: Workspace, compared: PeopleTally | None = None) -> int:
    """Begin a cycle, or go on with the one under way, after its collect; its number.

    The logs that this collect has labelled are news to it; what landed since is news to the next cycle. To one that
    decides on the last challenger, of which people ``compared`` replies, no log is news.
    """
    cycle = ledger.begin(space.root, compared).cycle
    labelled = [] if compared else read_note(space.path("data/feedback")).get("batches")
    if isinstance(labelled, list):
        with alone(space):
            file = space.path("data/incoming") / MANIFEST
            listed = read_json(file)
            settled = {digest: _settled(entry, cycle, digest in labelled) for digest, entry in listed.items()}
            if settled != listed:
                write_json(file, settled)
    return cycle


def _settled(entry: object, cycle: int, labelled: bool) -> object:
    if not isinstance(entry, dict) or int(str(entry["cycle"])) < cycle:
        return entry
    return {**entry, "cycle": cycle if labelled else cycle + 1}


def batches(space: Workspace) -> list[Batch]:
    """The landed logs by hash: their order of arrival leaves no trace."""
    folder = space.path("data/incoming")
    found = []
    for digest, entry in sorted(read_json(folder / MANIFEST).items()):
        if isinstance(entry, dict) and (folder / digest).is_file():
            cycle, landing = int(str(entry["cycle"])), int(str(entry.get("landing", 0)))
            found.append(Batch(digest, str(entry["name"]), cycle, landing, folder / digest))
    return found


def landings(space: Workspace) -> list[list[Batch]]:
    """The landed logs, together as they came in and in that order.

    Raises:
        StoreError: one of them is gone: the table would be made anew without it.
    """
    folder = space.path("data/incoming")
    for digest, entry in read_json(folder / MANIFEST).items():
        if not (folder / digest).is_file():
            name = entry.get("name") if isinstance(entry, dict) else None
            raise StoreError(
                f"{folder / digest} is gone, the log that came as {name}: ingest that log again or bring the file back "
                f"with `dvc checkout data/incoming.dvc`; to go on without it, take it out of {folder / MANIFEST}"
            )
    ordered = sorted(batches(space), key=lambda batch: (batch.landing, batch.digest))
    return [list(group) for _, group in groupby(ordered, key=lambda batch: batch.landing)]
