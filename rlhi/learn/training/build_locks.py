"""Locks of compilers that were killed.

DeepSpeed compiles a part of itself at its first use on a machine. torch then holds a file ``lock`` in the folder of the
build, which whoever is killed leaves behind, and every later training would wait for it for ever.
"""

from __future__ import annotations

import os
from pathlib import Path

from rlhi.file_lock import locked


def free_dead_locks(root: Path) -> list[Path]:
    """Remove the locks under torch's folder of builds that no living process holds open; those removed.

    For whoever starts the processes of a training, before they start: among themselves they lock and unlock all the
    time. torch closes a lock before it removes it, so a lock goes only if it is still the very file that was seen.
    """
    import psutil

    if not root.is_dir():
        return []
    # One at a time: a lock that another process has freed may be taken anew before we remove it.
    with locked(root / ".rlhi.lock"):
        found = {lock: file for lock in root.glob("**/lock") if (file := _file(lock))}
        held: set[str] = set()
        for process in psutil.process_iter() if found else ():
            try:
                held |= {file.path for file in process.open_files()}
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        dead = [lock for lock, file in found.items() if str(lock.resolve()) not in held and _file(lock) == file]
        for lock in dead:
            lock.unlink(missing_ok=True)
    return dead


def builds() -> Path:
    """Where torch keeps what it compiles."""
    from torch.utils.cpp_extension import get_default_build_root

    return Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root())


def _file(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to, and since when; None for none."""
    try:
        told = path.stat()
    except FileNotFoundError:
        return None
    return told.st_ino, told.st_mtime_ns
