"""One cycle of the loop: collect -> learn -> evaluate -> promote, refuse or hold, with a record of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows.collect import collect
from flows.evaluate import evaluate
from flows.learn import learn
from flows.tasks import alone, stage
from rlhi import stages
from rlhi.contracts import PAST
from rlhi.stages import CycleReport, StageReport
from rlhi.stages.collect import incoming
from rlhi.stages.conclude import conclude as conclude_cycle
from rlhi.stages.revisit import DECIDES
from rlhi.stages.revisit import revisit as revisit_last
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace


@task(name="begin", task_run_name="begin", persist_result=True, cache_policy=NO_CACHE)
def begin(workspace: str) -> int:
    """Pin a new cycle to the champion, or go on with the one that was not finished."""
    return incoming.begin(Workspace(Path(workspace)))


@task(name="revisit", task_run_name="revisit", persist_result=True, cache_policy=NO_CACHE)
def revisit(workspace: str) -> bool:
    """Begin a cycle that decides anew on the last challenger, where people compared its replies since."""
    return revisit_last(Path(workspace))


@task(name="conclude", task_run_name="conclude", persist_result=True, cache_policy=NO_CACHE)
def conclude(workspace: str) -> CycleReport:
    """Promote or refuse as the gate said, and record the cycle."""
    return conclude_cycle(Path(workspace))


@flow(name="improve", persist_result=True)
def improve(workspace: str = ".") -> CycleReport:
    """Run a cycle, unless nothing is new since the last one."""
    with alone():
        if revisit(workspace):
            return _ended(workspace, tuple(stage(name, workspace) for name in DECIDES))
        collected = collect(workspace)
        idle = stages.pending(Path(workspace))
        if idle is not None:
            return _shown(CycleReport(0, "", ledger.champion(Path(workspace)), stages=collected, note=idle))
        begin(workspace)
        return _ended(workspace, (*collected, *learn(workspace), *evaluate(workspace)))


def _ended(workspace: str, reports: tuple[StageReport, ...]) -> CycleReport:
    end = conclude(workspace)
    note = f"cycle {end.cycle}: {PAST[end.verdict]}, champion {end.version}"
    return _shown(replace(end, stages=reports, note=note))


def _shown(report: CycleReport) -> CycleReport:
    create_markdown_artifact(report.as_markdown(), key="cycle-report", description="What the cycle came to")
    return report
