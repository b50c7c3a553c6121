"""THE table: stage -> function, parameters, inputs, outputs. dvc.yaml, the flows and the command line read it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from rlhi.config.suites import SUITES
from rlhi.workspace.store import Workspace

Flow = Literal["collect", "learn", "evaluate"]
Counts = Mapping[str, int | float | str]


class StageError(ValueError):
    """A stage cannot run; the message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage function tells: rows made now, rows kept from before, figures by name, one plain sentence.

    ``shown`` are texts to look at, each with what it shows: users' words, told in the UI and nowhere else.
    """

    made: int
    kept: int
    counts: Counts
    note: str
    shown: tuple[tuple[str, str], ...] = ()


class StageFunction(Protocol):
    """Opens inputs, calls a wing, writes outputs.

    It is given the sections of params.yaml that its row of the table names, and no other: what it depends on is what
    makes it run again. A test compares its keywords and their types with the table.
    """

    def __call__(self, space: Workspace, /, **sections: Any) -> Outcome:
        """Run on one workspace."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the table. ``params`` are sections of params.yaml; paths are relative to the workspace.

    ``keeps`` tells DVC to leave the outputs in place before a run: the stage adds to them. ``fleeting`` outputs have a
    hash in DVC's record and no copy in its cache, which would keep a whole model of every night. ``version`` is raised
    when the stage makes something else of the same inputs: what an older one made is then out of date. One that is not
    ``retried`` is too long to be tried again by itself.
    """

    name: str
    flow: Flow
    params: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pool: Literal["cpu", "gpu"] = "cpu"
    keeps: bool = False
    fleeting: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    version: int = 1
    retried: bool = True

    @property
    def function(self) -> StageFunction:
        """The stage's function, NAME in ``rlhi/stages/FLOW/NAME``, imported when it is needed."""
        module = importlib.import_module(f"rlhi.stages.{self.flow}.{self.name}")
        return cast(StageFunction, getattr(module, self.name))


_LOG = ("data/conversations", "data/feedback", "data/personas")
_JUDGES = ("models/reward", "models/judge")

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            "ingest", "collect", ("ingest",), ("data/incoming",), ("data/conversations", "data/quarantine"), keeps=True,
            version=4,
        ),
        Stage(
            "feedback", "collect", ("feedback", "models"), ("data/conversations",), ("data/feedback",), keeps=True,
            version=3,
        ),
        Stage(
            "personas", "collect", ("personas", "split"), (*_LOG[:2], "data/persona_edits"), ("data/personas",),
            keeps=True, version=2,
        ),
        Stage(
            "tests", "collect", ("personas", "split"), _LOG[:2], ("data/tests",), keeps=True,
        ),
        Stage(
            "rewrites", "learn", ("rewrites", "prompt", "split", "models", "seed"), ("cycle.json", *_LOG),
            ("data/rewrites",), pool="gpu", keeps=True, version=8,
        ),
        Stage(
            "candidates", "learn", ("candidates", "prompt", "split", "models", "seed"), ("cycle.json", *_LOG),
            ("data/candidates",), pool="gpu", keeps=True, version=6,
        ),
        Stage(
            "reward", "learn", ("reward", "personas", "prompt", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/rewrites"), ("models/reward", "models/judge"), keeps=True, version=10,
        ),
        Stage(
            "pairs", "learn", ("pairs", "prompt", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/rewrites", "data/candidates", "models/reward"), ("data/pairs", "data/judged"),
            version=14,
        ),
        Stage(
            "dpo", "learn", ("dpo", "candidates", "pairs", "prompt", "split", "models", "seed"),
            ("cycle.json", *_LOG, "models/reward", "data/pairs", "data/judged"), ("models/challenger", "data/online"),
            pool="gpu", fleeting=("models/challenger",), version=5, retried=False,
        ),
        Stage(
            "evaluate", "evaluate", ("evaluate", "personas", "prompt", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/rewrites", "data/simulator", "data/tests", *_JUDGES, "models/challenger"),
            ("data/evaluation", "data/replies", "data/tested"), pool="gpu", keeps=True,
            version=max(suite.since for suite in SUITES.values()),
        ),
        Stage(
            "confirm", "evaluate", ("confirm", "evaluate", "gate", "personas", "prompt", "split", "models", "seed"),
            ("cycle.json", *_LOG, "data/simulator", *_JUDGES, "models/challenger", "data/evaluation"),
            ("data/confirmation", "data/confirmed_replies"), pool="gpu",
            version=max(suite.since for suite in SUITES.values()),
        ),
        Stage(
            "judges", "evaluate", ("judges", "evaluate", "personas", "split", "seed"),
            ("cycle.json", *_LOG, "data/rewrites", "data/replies", "data/confirmed_replies"),
            ("data/verdicts", "data/judges"),
        ),
        Stage(
            "drift", "evaluate", ("drift", "models"), ("cycle.json", "data/incoming", *_LOG), ("data/drift",),
            version=5,
        ),
        Stage(
            "gate", "evaluate", ("confirm", "evaluate", "gate", "seed"),
            (
                "cycle.json", "data/personas", "data/evaluation", "data/confirmation", "data/verdicts", "data/judges",
                "data/drift", *_JUDGES,
            ),
            (), metrics=("metrics/decision.json", "metrics/metrics.json"), version=5,
        ),
    )
}  # fmt: skip


def stages_of(flow: Flow) -> tuple[str, ...]:
    """The names of a flow's stages, in the order in which they run."""
    return tuple(stage.name for stage in STAGES.values() if stage.flow == flow)
