"""The tasks that all flows share: one for a stage, and what is shown of it in the UI and on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.runtime import flow_run

from flows.spread import spread_as_configured
from rlhi import stages
from rlhi.orchestrate.deploy import LEDGER_LIMIT, make_limit
from rlhi.stages import STAGES, StageReport

_LEASE_SECONDS = 60


def stage(name: str, workspace: str) -> StageReport:
    """Run a stage as a task of its own name, tagged with its pool, tried again once unless it trains."""
    retries = int(STAGES[name].retried)
    named = run_stage.with_options(name=name, task_run_name=name, tags=[STAGES[name].pool], retries=retries)
    return named(name, workspace)


def _may_pass(_task: Any, _run: Any, state: State[Any]) -> bool:
    # Our own errors say what a person has to do; only a hiccup of the machine may pass by itself.
    error = state.result(raise_on_failure=False)
    return not type(error).__module__.startswith("rlhi.")


# A stage knows by itself what it has made: a cached result would only hide that its files are gone.
@task(persist_result=True, cache_policy=NO_CACHE, retry_delay_seconds=2, retry_condition_fn=_may_pass)
def run_stage(name: str, workspace: str) -> StageReport:
    """Run one stage and leave its report as an artifact ``NAME-report``."""
    with spread_as_configured(name, Path(workspace)):
        report = stages.run(name, Path(workspace))
    create_markdown_artifact(report.as_markdown(), key=f"{name}-report", description=f"What {name} did")
    print(report.as_text(), file=sys.stderr, flush=True)
    return report


@contextmanager
def alone() -> Iterator[None]:
    """Hold the ledger's limit in a flow that nobody called; a flow's subflows work under its own."""
    if is_subflow():
        yield
        return
    make_limit()
    with concurrency(LEDGER_LIMIT, lease_duration=_LEASE_SECONDS, strict=True):
        yield


def is_subflow() -> bool:
    """True when another flow called the present one."""
    return flow_run.parent_flow_run_id is not None
