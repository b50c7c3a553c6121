"""A lock that is a file: one holder among all processes of a machine, and none that has died."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[IO[str]]:
    """Hold the lock of this file, which is made if its folder is there.

    The system frees it when its holder has died, and all children that inherited the open file with it.

    Raises:
        BlockingIOError: another holds it, and this one does not ``wait``.
    """
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
