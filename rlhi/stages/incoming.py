"""Batches of logs as they came: landed under their hash, so that the same file twice is one batch."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from rlhi.store import StoreError, Workspace, read_json, write_json

MANIFEST = "batches.json"


@dataclass(frozen=True, slots=True)
class Batch:
    """A landed log: where it lies, the name it came with, the cycle that it is news to."""

    digest: str
    name: str
    cycle: int
    path: Path


def land(space: Workspace, log: Path, cycle: int) -> bool:
    """Copy a log into the workspace; False when it is there already.

    Raises:
        StoreError: the file cannot be read or copied.
    """
    folder = space.path("data/incoming")
    try:
        with log.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()[:16]
        listed = read_json(folder / MANIFEST)
        if digest in listed and (folder / digest).is_file():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{digest}.tmp"
        shutil.copyfile(log, partial)
        partial.replace(folder / digest)
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"cannot copy {log} into {folder}: {why}; mend that and run the same command again") from None
    write_json(folder / MANIFEST, {**listed, digest: {"name": log.name, "cycle": cycle}})
    return True


def batches(space: Workspace) -> list[Batch]:
    """The landed logs by hash: their order of arrival leaves no trace."""
    folder = space.path("data/incoming")
    found = []
    for digest, entry in sorted(read_json(folder / MANIFEST).items()):
        if isinstance(entry, dict) and (folder / digest).is_file():
            found.append(Batch(digest, str(entry["name"]), int(str(entry["cycle"])), folder / digest))
    return found
