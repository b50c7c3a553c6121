"""Typed parquet in and out of a workspace.

A table is a folder: parquet files partitioned by a hash of the user and named by their content, and a
``manifest.json`` that lists them. Writing is atomic (:mod:`rlhi.workspace.files`; the manifest last), equal rows give
equal bytes, and a partition that did not change is not written again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rlhi.config import ConfigError, Params, load_params
from rlhi.contracts import SCHEMA_VERSION, from_record, schema_of, to_record
from rlhi.contracts.apart import neighbourhood
from rlhi.workspace.files import StoreError, read_json, write_atomic, write_json, write_output

__all__ = [
    "MANIFEST",
    "PARTITIONS",
    "Record",
    "StoreError",
    "Workspace",
    "finish_table",
    "partition_of",
    "put_file",
    "put_records",
    "read_file",
    "read_json",
    "read_manifest",
    "read_note",
    "read_records",
    "read_table",
    "user_hash",
    "write_atomic",
    "write_json",
    "write_output",
    "write_table",
]

PARTITIONS = 16
MANIFEST = "manifest.json"
_ANEW = "delete the folder and run again"
_A_WORKSPACE = "make one with `rlhi init DIR`, or name one with `rlhi --workspace DIR ...`"

Row = TypeVar("Row")
Record = dict[str, object]
"""A row as plain dicts, lists and scalars."""


@dataclass(frozen=True)
class Workspace:
    """One deployment's data: a git + DVC repository at ``root``."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """The workspace in this folder.

        Raises:
            ConfigError: none is there, or a parameter is wrong.
        """
        space = cls(root.resolve())
        _ = space.params
        return space

    @property
    def params(self) -> Params:
        """params.yaml, checked.

        Raises:
            ConfigError: this is no workspace, or a parameter is wrong.
        """
        if (self.root / "rlhi" / "stages").is_dir() and (self.root / "pyproject.toml").is_file():
            raise ConfigError(f"{self.root} is the source of rlhi, no workspace: {_A_WORKSPACE}")
        if not (self.root / ".dvc").is_dir() or not (self.root / "params.yaml").is_file():
            raise ConfigError(f"{self.root} is not a workspace: {_A_WORKSPACE}")
        return load_params(self.root / "params.yaml").fixed_by(read_json(self.root / "cycle.json"))

    def path(self, name: str) -> Path:
        """A path inside the workspace, ``/`` between its parts."""
        return self.root.joinpath(*name.split("/"))


def write_table(
    folder: Path, kind: type[Row], rows: Iterable[Row], *, user: Callable[[Row], str], note: Mapping[str, object] = {}
) -> bool:
    """Make ``folder`` hold exactly these rows; ``note`` goes into the manifest as it is.

    Rows are put in the order of their JSON text, so that their order of arrival leaves no trace.

    Returns:
        True when anything on disk changed.
    """
    parts: dict[int, list[Row]] = {}
    for row in rows:
        parts.setdefault(partition_of(user(row)), []).append(row)
    files = dict(put_file(folder, kind, f"{number:04d}", part) for number, part in parts.items())
    return finish_table(folder, kind, files, note=note)


def put_file(folder: Path, kind: type[Row], prefix: str, rows: Iterable[Row]) -> tuple[str, int]:
    """Write one file of a table that :func:`finish_table` will list: its name and its number of rows."""
    return put_records(folder, kind, prefix, [to_record(row) for row in rows])


def put_records(folder: Path, kind: type, prefix: str, records: list[Record]) -> tuple[str, int]:
    """The same for rows that are records already; ``records`` is put in order."""
    records.sort(key=lambda record: json.dumps(record, ensure_ascii=True, sort_keys=True))
    data = _parquet_bytes(kind, records)
    name = f"{prefix}-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    if not (folder / name).exists():
        write_atomic(folder / name, data)
    return name, len(records)


def finish_table(
    folder: Path, kind: type, files: Mapping[str, int], *, note: Mapping[str, object] = {}, key: Sequence[str] = ()
) -> bool:
    """Make a table of files that were put: the manifest last, then what it does not list goes.

    With a ``key`` the table grows in segments: of rows that are equal in these columns the one in the last file, by
    name, holds.

    Returns:
        True when the manifest changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, object] = {
        "row": kind.__name__, "schema_version": SCHEMA_VERSION, "files": dict(files), "note": dict(note),
    }  # fmt: skip
    if key:
        manifest["key"] = list(key)
    changed = write_json(folder / MANIFEST, manifest)
    for stale in folder.iterdir():
        if stale.name != MANIFEST and stale.name not in files:
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    return changed


def read_table(folder: Path, kind: type[Row]) -> list[Row]:
    """All rows of a table, in the order of their files; nothing for a table that was never written.

    A log may land while a stage reads, and what the manifest lists be gone before it is read: then it is read anew.

    Raises:
        StoreError: the manifest or a file of it is missing or damaged, or holds rows of another kind.
    """
    while (manifest := read_manifest(folder)) is not None:
        try:
            return _listed(folder, kind, manifest)
        except StoreError:
            if read_manifest(folder) == manifest:
                raise
    return []


def _listed(folder: Path, kind: type[Row], manifest: Record) -> list[Row]:
    if manifest.get("row") != kind.__name__:
        raise StoreError(f"{folder} holds rows of {manifest.get('row')}, not {kind.__name__}")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise StoreError(
            f"{folder} has schema version {manifest.get('schema_version')}, this is {SCHEMA_VERSION}: "
            "delete the folder and run again, it is made anew from data/incoming"
        )
    files, key = manifest.get("files"), manifest.get("key")
    names = sorted(files) if isinstance(files, dict) else []
    if not isinstance(key, list):
        return [row for name in names for row in read_file(folder / name, kind)]
    columns = [str(column) for column in key]
    latest = {
        tuple(getattr(row, column) for column in columns): row
        for name in names
        for row in read_file(folder / name, kind)
    }
    return list(latest.values())


def read_file(path: Path, kind: type[Row], remedy: str = _ANEW) -> list[Row]:
    """The rows of one file of a table; ``remedy`` is what an error advises.

    Raises:
        StoreError: it is missing or damaged.
    """
    try:
        return [from_record(kind, record) for record in read_records(path, remedy=remedy)]
    except (KeyError, ValueError) as error:
        raise StoreError(f"{path} holds no rows of {kind.__name__} ({error}): {remedy}") from None


def read_records(path: Path, only: tuple[str, Sequence[str]] | None = None, remedy: str = _ANEW) -> list[Record]:
    """The same as plain records; ``only`` names a column and the values that are wanted in it.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(path, partitioning=None)
        if only is not None:
            table = table.filter(pc.is_in(table[only[0]], pa.array(only[1], pa.string())))
        records: list[Record] = table.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path} cannot be read ({error}): {remedy}") from None
    return records


def read_manifest(folder: Path) -> dict[str, object] | None:
    """The manifest of a table, None when there is none."""
    try:
        loaded = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StoreError(f"{folder / MANIFEST} is damaged ({error}): {_ANEW}") from None
    return loaded if isinstance(loaded, dict) else {}


def read_note(folder: Path) -> dict[str, object]:
    """What the writer of a table noted in its manifest."""
    note = (read_manifest(folder) or {}).get("note")
    return note if isinstance(note, dict) else {}


def user_hash(user_id: str) -> int:
    """A stable 64-bit hash of a user; its lowest bits are the partition."""
    name = neighbourhood(user_id).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "little")


def partition_of(user_id: str) -> int:
    """The partition of a user's rows: one user, one file."""
    return user_hash(user_id) % PARTITIONS


def _parquet_bytes(kind: type, records: list[Record]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records, schema=schema_of(kind)), sink, compression="zstd")
    return bytes(sink.getvalue())
