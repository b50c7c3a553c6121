"""A stage runs once at a time in a workspace, and so does the landing of logs, which ends in the stage ``ingest``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from rlhi.file_lock import locked
from rlhi.workspace.store import Workspace

_held: ContextVar[frozenset[Path]] = ContextVar("rlhi_stage_locks", default=frozenset())


@contextmanager
def alone(space: Workspace, stage: str = "ingest") -> Iterator[None]:
    """Wait for any other process that runs this stage here, saying so once, and keep others out meanwhile.

    The system frees the lock when its holder dies. Whoever holds it may ask for it again: landing ingests.
    """
    path = space.path(f".rlhi/{stage}.lock").resolve()
    if path in _held.get():
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait=False))
        except BlockingIOError:
            what = "takes in logs" if stage == "ingest" else f"runs the stage {stage}"
            print(f"  waiting for another command that {what} in {space.root}", file=sys.stderr, flush=True)
            stack.enter_context(locked(path))
        token = _held.set(_held.get() | {path})
        try:
            yield
        finally:
            _held.reset(token)
