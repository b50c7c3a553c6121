"""What keeps a workspace in order: record a collect, go back to a former version, forget old runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter

from flows.tasks import alone
from rlhi.stages import stages_of
from rlhi.workspace import ledger


@task(name="publish", task_run_name="publish", persist_result=True, cache_policy=NO_CACHE)
def publish_collect(workspace: str) -> str | None:
    """Commit what a collect between cycles brought in; the revision, None when nothing changed."""
    return ledger.record_collect(Path(workspace), stages_of("collect"))


@task(name="assign", task_run_name="assign", persist_result=True, cache_policy=NO_CACHE)
def assign_champion(workspace: str, version: str | None) -> str:
    """Move the champion's tag to a former version."""
    return ledger.rollback(Path(workspace), version)


@flow(name="publish", persist_result=True)
def publish(workspace: str = ".") -> str | None:
    """Record what collect brought in."""
    with alone():
        return publish_collect(workspace)


@flow(name="rollback", persist_result=True)
def rollback(workspace: str = ".", version: str | None = None) -> str:
    """Make a former version champion again: the one given, or the one before the present."""
    with alone():
        return assign_champion(workspace, version)


@flow(name="prune", persist_result=True)
def prune(days: int = 30) -> int:
    """Forget flow runs that ended more than ``days`` days ago, for Prefect keeps them for ever; returns how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    old = FlowRunFilter.model_validate({"end_time": {"before_": before.isoformat()}})
    gone = 0
    with get_client(sync_client=True) as client:
        while runs := client.read_flow_runs(flow_run_filter=old, limit=200):
            for run in runs:
                client.delete_flow_run(run.id)
            gone += len(runs)
    return gone
