"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET_SECONDS = 20.0


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Yield ``advance(steps, note)``; nothing is shown when there is nothing to do.

    >>> with progress("sampling", 0) as advance:
    ...     advance(0, "")
    """
    if total <= 0:
        yield lambda steps, note: None
    elif sys.stderr.isatty():
        yield from _bar(label, total)
    else:
        yield from _lines(label, total)


def _bar(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("  {task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda steps, note: bar.update(task, advance=steps, note=note)


def _lines(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
    done, last = 0, time.monotonic()

    def advance(steps: int, note: str) -> None:
        nonlocal done, last
        done += steps
        if time.monotonic() - last >= QUIET_SECONDS and done < total:
            last = time.monotonic()
            print(f"  {label}: {done} of {total} {note}".rstrip(), file=sys.stderr, flush=True)

    yield advance
