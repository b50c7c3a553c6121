"""One cycle of the loop: collect -> learn -> evaluate -> promote or refuse, with a record of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from flows.collect import collect
from flows.evaluate import evaluate
from flows.learn import learn
from flows.tasks import alone, escaped
from rlhi import stages
from rlhi.stages import StageReport
from rlhi.stages.collect import incoming
from rlhi.stages.conclude import CycleSummary
from rlhi.stages.conclude import conclude as conclude_cycle
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace


@dataclass(frozen=True, slots=True)
class ImproveReport:
    """What a cycle came to; ``cycle`` is None and ``verdict`` empty when there was nothing to do."""

    cycle: int | None
    verdict: str
    version: str
    reasons: tuple[str, ...]
    stages: tuple[StageReport, ...]
    note: str


@task(name="begin", task_run_name="begin", persist_result=True, cache_policy=NO_CACHE)
def begin(workspace: str) -> int:
    """Pin a new cycle to the champion, or go on with the one that was not finished."""
    return incoming.begin(Workspace(Path(workspace)))


@task(name="conclude", task_run_name="conclude", persist_result=True, cache_policy=NO_CACHE)
def conclude(workspace: str) -> CycleSummary:
    """Promote or refuse as the gate said, and record the cycle."""
    return conclude_cycle(Path(workspace))


@flow(name="improve", persist_result=True)
def improve(workspace: str = ".") -> ImproveReport:
    """Run a cycle, unless nothing is new since the last one."""
    with alone():
        collected = collect(workspace)
        idle = stages.pending(Path(workspace))
        if idle is not None:
            return _shown(ImproveReport(None, "", ledger.champion(Path(workspace)), (), collected, idle))
        begin(workspace)
        reports = (*collected, *learn(workspace), *evaluate(workspace))
        end = conclude(workspace)
        note = f"cycle {end.cycle}: {end.verdict}, champion {end.version}"
        return _shown(ImproveReport(end.cycle, end.verdict, end.version, end.reasons, reports, note))


def _shown(report: ImproveReport) -> ImproveReport:
    reasons = "".join(f"- {escaped(reason)}\n" for reason in report.reasons)
    rows = "".join(f"| {one.stage} | {one.seconds:.1f} | {escaped(one.note)} |\n" for one in report.stages)
    text = f"**{escaped(report.note)}**\n\n{reasons}\n| stage | seconds | note |\n|---|---|---|\n{rows}"
    create_markdown_artifact(text, key="cycle-report", description="What the cycle came to")
    return report
