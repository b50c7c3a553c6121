"""How a stage runs: its inputs are there, a wing does the work, the outputs are written atomically.

It is idempotent: a stage whose inputs, parameters and outputs are those of its last run does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rlhi.config import Params
from rlhi.contracts import content_key
from rlhi.stages.evaluate.decision import DECISION, may_be_decided
from rlhi.stages.report import StageReport
from rlhi.stages.table import STAGES, Stage, StageError
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import MANIFEST, Workspace, read_json, write_json

RECORDED = ".rlhi/recorded.json"
"""The :func:`state` that the last cycle recorded."""


def run(name: str, workspace: Path) -> StageReport:
    """Run one stage on a workspace. Another process that runs it is waited for, and may leave nothing to do.

    Raises:
        StageError, ConfigError, StoreError, ModelError, LogError, TrainingError: one line that says what to do.
    """
    if name not in STAGES:
        raise StageError(f"no stage {name!r}: one of {', '.join(STAGES)}")
    space = Workspace.open(workspace)
    check_inputs(STAGES[name], space)
    with alone(space, name):
        return _run(STAGES[name], space)


def _run(stage: Stage, space: Workspace) -> StageReport:
    params = space.params
    _check_split(params, space)
    asked = _asked(stage, space, params)
    state = space.path(f".rlhi/stages/{stage.name}.json")
    before = read_json(state)
    if before.get("asked") == asked and before.get("made") == _made(stage, space):
        return StageReport(stage.name, 0.0, 0, 0, (), "up to date: nothing new")
    start = time.perf_counter()
    outcome = stage.function(space, **{name: getattr(params, name) for name in stage.params})
    seconds = time.perf_counter() - start
    write_json(state, {"asked": asked, "made": _made(stage, space)})
    counts = tuple((label, _figure(value)) for label, value in outcome.counts.items())
    return StageReport(stage.name, round(seconds, 2), outcome.made, outcome.kept, counts, outcome.note, outcome.shown)


def up_to_date(name: str, workspace: Workspace) -> bool:
    """True when running the stage now would do nothing."""
    stage = STAGES[name]
    state = read_json(workspace.path(f".rlhi/stages/{name}.json"))
    asked = _asked(stage, workspace, workspace.params)
    return state.get("asked") == asked and state.get("made") == _made(stage, workspace)


def restamp(name: str, space: Workspace) -> None:
    """What the stage has last made stands for what it would be asked now."""
    stage = STAGES[name]
    made = {"asked": _asked(stage, space, space.params), "made": _made(stage, space)}
    write_json(space.path(f".rlhi/stages/{name}.json"), made)


def pending(workspace: Path, today: str | None = None) -> str | None:
    """Why a cycle has nothing to do on a day (ISO, UTC; else the present one), or None when it has.

    The last verdict stays as long as it would be reached from the same logs and parameters. A challenger that waited
    for the budget alone gets its decision on the first day that allows one.
    """
    space = Workspace.open(workspace)
    if not _exists(space, DECISION) or ledger.under_way(space.root):
        return None
    recorded = read_json(space.path(RECORDED)).get("stages")
    idle = all(up_to_date(name, space) for name in STAGES) and recorded in (None, state(space))
    if idle and not may_be_decided(space, today or ledger.today()):
        return "nothing new since the last cycle: no training, no promotion"
    return None


def state(space: Workspace) -> str:
    """What the stages of a cycle have last made, and of what; one that runs outside a cycle, by hand, changes it."""
    pinned = [name for name, stage in STAGES.items() if "cycle.json" in stage.inputs]
    return content_key([read_json(space.path(f".rlhi/stages/{name}.json")) for name in pinned])


def check_inputs(stage: Stage, space: Workspace, given: Sequence[str] = ()) -> None:
    """See that all is there that a stage reads, but for what is ``given``.

    Raises:
        StageError: an input is missing; the message says what makes it.
    """
    for name in stage.inputs:
        if name not in given and not _exists(space, name):
            maker = next((other.name for other in STAGES.values() if name in other.outputs), None)
            remedy = f"run `rlhi run {maker}` first" if maker else "run `rlhi cycle`, which begins a cycle"
            raise StageError(f"stage {stage.name} needs {name}, which is not there: {remedy}")


def _check_split(params: Params, space: Workspace) -> None:
    pinned = read_json(space.path("cycle.json")).get("split")
    held = pinned if isinstance(pinned, dict) else {}
    for name, given in params.split_by.items():
        if name in held and given != held[name]:
            raise StageError(
                f"{name} is {given!r} in params.yaml, and {held[name]!r} in this workspace's cycles: users who were "
                "learned from would be measured on or judge; put it back, or make another workspace with `rlhi init`"
            )


def _exists(space: Workspace, name: str) -> bool:
    return space.path(name).exists()


def _asked(stage: Stage, space: Workspace, params: Params) -> str:
    sections = [params.model_dump(mode="json")[name] for name in stage.params]
    return content_key(
        stage.name, stage.version, [[name, _fingerprint(space.path(name))] for name in stage.inputs], sections
    )


def _made(stage: Stage, space: Workspace) -> str:
    return content_key([[name, _fingerprint(space.path(name))] for name in (*stage.outputs, *stage.metrics)])


def _fingerprint(path: Path) -> str:
    """What a path holds: a table's manifest with the sizes of its files, or every file's name, size and hash."""
    if path.is_file():
        return content_key(path.read_text(encoding="utf-8"))
    if not path.is_dir():
        return "absent"
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return content_key([[str(file.relative_to(path)), file.stat().st_size, _content(file)] for file in files])


def _content(file: Path) -> str:
    # Files named by their content need no reading; weights are told by their time of writing.
    if file.name == MANIFEST or file.suffix == ".json":
        return content_key(file.read_text(encoding="utf-8"))
    return "" if file.suffix == ".parquet" else str(file.stat().st_mtime_ns)


def _figure(value: int | float | str) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
