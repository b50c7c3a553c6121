"""Files that are written whole or not at all: temporary file, fsync, rename."""

from __future__ import annotations

import json
import os
from pathlib import Path


class StoreError(RuntimeError):
    """A table or a file cannot be read or written; the message is one line with the remedy."""


def write_atomic(path: Path, data: bytes, sync: bool = True, mode: int = 0o666) -> None:
    """Write a file so that it is either the old one or the whole new one.

    Without ``sync`` that does not hold when the machine goes down: for what can be made again. ``mode`` says who may
    read it, from its first byte on and less what the process denies everyone.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    if not path.name or path.is_dir():
        raise StoreError(f"cannot write {path}: it is a folder; name a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as handle:
            handle.write(data)
            if sync:
                handle.flush()
                os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror}; make room and run the same command again") from None


def write_output(path: Path, data: bytes) -> None:
    """Write a file that a person named: whole or not at all, and through what is no plain file (a link, a device).

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    place = path.resolve() if path.is_symlink() else path
    if not place.exists() or place.is_file():
        write_atomic(place, data)
        return
    if place.is_dir():
        raise StoreError(f"cannot write {path}: it is a folder; name a file")
    try:
        place.write_bytes(data)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from None


def write_json(path: Path, value: object) -> bool:
    """Write JSON in one fixed form; True when the file changed."""
    data = (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=True) + "\n").encode()
    if path.exists() and path.read_bytes() == data:
        return False
    write_atomic(path, data)
    return True


def read_json(path: Path) -> dict[str, object]:
    """A JSON object from a file; empty when the file does not exist.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged ({error}): bring it back with `git checkout` or `dvc checkout` where these keep it, "
            "else delete it and run again"
        ) from None
    return loaded if isinstance(loaded, dict) else {}
