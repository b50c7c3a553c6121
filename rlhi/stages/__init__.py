"""THE table: stage -> function, parameters, inputs, outputs. dvc.yaml, the flows and the CLI read it.

``run(name, workspace)`` opens a stage's inputs, lets a wing do the work and writes the outputs atomically. It is
idempotent: a stage whose inputs, parameters and outputs are those of its last run does nothing.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, cast

from rlhi.config import Params
from rlhi.contracts import content_key
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import MANIFEST, Workspace, read_json, write_json

Counts = Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage function tells: rows made now, rows kept from before, figures by name, one plain sentence."""

    made: int
    kept: int
    counts: Counts
    note: str


@dataclass(frozen=True, slots=True)
class StageReport:
    """What one run of a stage did, for the UI, the terminal and ``--json``."""

    stage: str
    seconds: float
    made: int
    kept: int
    counts: tuple[tuple[str, str], ...]
    note: str


class StageFunction(Protocol):
    """Opens inputs, calls a wing, writes outputs."""

    def __call__(self, workspace: Workspace, params: Params) -> Outcome:
        """Run on one workspace."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the table. ``params`` are sections of params.yaml; paths are relative to the workspace.

    ``keeps`` tells DVC to leave the outputs in place before a run: the stage adds to them. ``fleeting`` outputs have a
    hash in DVC's record and no copy in its cache, which would keep a whole model of every night. ``version`` is raised
    when the stage makes something else of the same inputs: what an older one made is then out of date.
    """

    name: str
    flow: Literal["collect", "learn", "evaluate"]
    params: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pool: Literal["cpu", "gpu"] = "cpu"
    keeps: bool = False
    fleeting: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    version: int = 1

    @property
    def function(self) -> StageFunction:
        """The stage's function, ``rlhi.stages.FLOW.NAME``, imported when it is needed."""
        return cast(StageFunction, getattr(importlib.import_module(f"rlhi.stages.{self.flow}"), self.name))


RECORDED = ".rlhi/recorded.json"
"""The :func:`state` that the last cycle recorded."""
_LOG = ("data/conversations", "data/feedback", "data/personas")

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            "ingest", "collect", ("ingest",), ("data/incoming",), ("data/conversations", "data/quarantine"), keeps=True,
        ),
        Stage("feedback", "collect", ("feedback", "models"), ("data/conversations",), ("data/feedback",), keeps=True),
        Stage(
            "personas", "collect", ("personas", "split"), (*_LOG[:2], "data/persona_edits"), ("data/personas",),
            keeps=True,
        ),
        Stage(
            "rewrites", "learn", ("rewrites", "split", "models", "seed"), ("cycle.json", *_LOG), ("data/rewrites",),
            pool="gpu", keeps=True, version=6,
        ),
        Stage(
            "candidates", "learn", ("candidates", "split", "models", "seed"), ("cycle.json", *_LOG),
            ("data/candidates",), pool="gpu", keeps=True, version=4,
        ),
        Stage(
            "reward", "learn", ("reward", "personas", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/rewrites"), ("models/reward",), keeps=True, version=7,
        ),
        Stage(
            "pairs", "learn", ("pairs", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/rewrites", "data/candidates", "models/reward"), ("data/pairs", "data/judged"),
            version=12,
        ),
        Stage(
            "dpo", "learn", ("dpo", "candidates", "pairs", "split", "models", "seed"),
            ("cycle.json", *_LOG, "models/reward", "data/pairs", "data/judged"), ("models/challenger", "data/online"),
            pool="gpu", fleeting=("models/challenger",), version=5,
        ),
        Stage(
            "evaluate", "evaluate", ("evaluate", "personas", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/rewrites", "data/simulator", "models/reward", "models/challenger"),
            ("data/evaluation", "data/replies"), pool="gpu", version=7,
        ),
        Stage(
            "drift", "evaluate", ("drift",), ("cycle.json", "data/incoming", *_LOG[:2]), ("data/drift",), version=4,
        ),
        Stage(
            "gate", "evaluate", ("evaluate", "gate", "seed"),
            ("cycle.json", "data/evaluation", "data/drift", "models/reward"), (),
            metrics=("metrics/decision.json", "metrics/metrics.json"), version=3,
        ),
    )
}  # fmt: skip


class StageError(ValueError):
    """A stage cannot run; the message is one line with the remedy."""


def run(name: str, workspace: Path) -> StageReport:
    """Run one stage on a workspace. Another process that runs it is waited for, and may leave nothing to do.

    Raises:
        StageError, ConfigError, StoreError, ModelError, LogError, TrainingError: one line that says what to do.
    """
    if name not in STAGES:
        raise StageError(f"no stage {name!r}: one of {', '.join(STAGES)}")
    space = Workspace(workspace.resolve())
    _ = space.params  # says so where this is no workspace
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
    outcome = stage.function(space, params)
    seconds = time.perf_counter() - start
    write_json(state, {"asked": asked, "made": _made(stage, space)})
    counts = tuple((label, _figure(value)) for label, value in outcome.counts.items())
    return StageReport(stage.name, round(seconds, 2), outcome.made, outcome.kept, counts, outcome.note)


def line(report: StageReport) -> str:
    """A report in one line of a terminal."""
    return f"  {report.stage:11}{report.seconds:7.1f} s  {report.note}"


def up_to_date(name: str, workspace: Workspace) -> bool:
    """True when running the stage now would do nothing."""
    stage = STAGES[name]
    state = read_json(workspace.path(f".rlhi/stages/{name}.json"))
    asked = _asked(stage, workspace, workspace.params)
    return state.get("asked") == asked and state.get("made") == _made(stage, workspace)


def pending(workspace: Path) -> str | None:
    """Why a cycle has nothing to do, or None when it has.

    The last verdict stays as long as it would be reached from the same logs and parameters.
    """
    space = Workspace(workspace.resolve())
    if not _exists(space, "metrics/decision.json") or ledger.under_way(space.root):
        return None
    recorded = read_json(space.path(RECORDED)).get("stages")
    if all(up_to_date(name, space) for name in STAGES) and recorded in (None, state(space)):
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
                "learned from would be measured on; put it back, or make another workspace with `rlhi init`"
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
