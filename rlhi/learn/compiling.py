"""Locks of compilers that were killed.

DeepSpeed compiles a part of itself at its first use on a machine. torch then holds a file ``lock`` in the folder of the
build, which whoever is killed leaves behind, and every later training would wait for it for ever.
"""

from __future__ import annotations

import fcntl
from pathlib import Path


def free_dead_locks(root: Path) -> list[Path]:
    """Remove the locks under torch's folder of builds that no living process holds open; those removed."""
    import psutil

    if not root.is_dir():
        return []
    # One at a time: a lock that another process has freed may be taken anew before we remove it.
    with (root / ".rlhi.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        found = list(root.glob("**/lock"))
        held: set[str] = set()
        for process in psutil.process_iter() if found else ():
            try:
                held |= {file.path for file in process.open_files()}
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        dead = [lock for lock in found if str(lock.resolve()) not in held]
        for lock in dead:
            lock.unlink(missing_ok=True)
    return dead
