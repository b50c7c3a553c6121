"""What a Prefect server holds for us: work pools, a queue, a limit, deployments; and what a killed one left behind.

Every function speaks to the server that Prefect's settings name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

POOLS = ("cpu", "gpu")
TRAIN_QUEUE = "train"
LEDGER_LIMIT = "rlhi-ledger"
"""The global concurrency limit that flows hold while they write to a workspace."""


def make_limit() -> None:
    """Make the limit that flows hold, where the server has none: without it Prefect lets all of them through."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(LEDGER_LIMIT)
        except ObjectNotFound:
            client.upsert_global_concurrency_limit_by_name(LEDGER_LIMIT, limit=1)


def settle() -> None:
    """Put right what a killed server left behind: held slots, runs that look alive, scheduled runs long missed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Crashed

    lost = FlowRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}})
    missed = FlowRunFilter.model_validate(
        {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "tags": {"all_": ["auto-scheduled"]},
            "next_scheduled_start_time": {"before_": datetime.now(UTC).isoformat()},
        }
    )
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(LEDGER_LIMIT, limit=1)
        for limit in client.read_global_concurrency_limits(limit=200):
            if limit.active_slots:
                client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active_slots=0))
        for run in client.read_flow_runs(flow_run_filter=lost):
            client.set_flow_run_state(run.id, Crashed(message="its process ended without a word"), force=True)
        while runs := client.read_flow_runs(flow_run_filter=missed, limit=200):
            for run in runs:
                client.delete_flow_run(run.id)


def make_pools() -> None:
    """Make the pools ``cpu`` and ``gpu``, run by processes, and the queue that trains one model at a time."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    with get_client(sync_client=True) as client:
        for pool in POOLS:
            blank = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=blank), overwrite=True)
        try:
            client.create_work_queue(TRAIN_QUEUE, work_pool_name="gpu", concurrency_limit=1)
        except ObjectAlreadyExists:
            queue = client.read_work_queue_by_name(TRAIN_QUEUE, work_pool_name="gpu")
            client.update_work_queue(queue.id, concurrency_limit=1)


def deploy(workspace: Path) -> str | None:
    """Deploy the flows as the workspace's prefect.yaml says; on failure what Prefect printed, else None."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "prefect.yaml"]
    environment = {**os.environ, "PWD": str(workspace)}
    done = subprocess.run(
        command, cwd=workspace, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else done.stdout + done.stderr
