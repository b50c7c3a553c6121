"""Runs of training: their folders, how they are told, and the folder of what they made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rlhi.learn.training.launch import is_running
from rlhi.learn.training.run import RESULT
from rlhi.progress import progress
from rlhi.workspace import ledger

RUNS = ".rlhi/training"
"""Where the runs of the stage ``dpo`` are, each in a folder named by its content."""


@contextmanager
def steps_told(what: str) -> Iterator[Callable[[int, int, float], None]]:
    """A bar of per cents, moved by whoever calls with the step, how many there are, and the loss."""
    with progress(f"{what}, percent", 100) as advance:
        shown = 0

        def on_step(step: int, of: int, loss: float) -> None:
            nonlocal shown
            advance(100 * step // of - shown, f"step {step} of {of}, loss {loss:.3f}")
            shown = 100 * step // of

        yield on_step


def keep_only(folder: Path, *works: Path) -> None:
    """Remove what other runs left in ``folder``: nobody will ask for their checkpoints. One that still runs stays."""
    for other in folder.glob("*/"):
        if other not in works and not is_running(other):
            discard(other)


def discard(work: Path) -> None:
    """Remove a run's folder, its result first: a folder that is half gone must not pass for a run that has ended."""
    (work / RESULT).unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)


def zero_preset(stage: int) -> dict[str, object] | None:
    """DeepSpeed's configuration for a ZeRO stage; None for 0."""
    if stage == 0:
        return None
    loaded: dict[str, object] = json.loads(ledger.template(f"deepspeed/zero{stage}.json"))
    return loaded


def replace_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a folder beside the old one and swap them: a killed run leaves one of the two."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    fill(fresh)
    take_place(fresh, folder)


def take_place(fresh: Path, folder: Path) -> None:
    """Let a folder take the place of another one, if there is one: a killed run leaves one of the two, and whole."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
