"""The Prefect server of a workspace: the one that `rlhi up` keeps running, or one for the time of a command.

Both keep their database under ``.rlhi/prefect``, so that a run stays visible whoever started it. One process owns
that database at a time: it holds a file lock, which the system frees when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlhi.store import read_json, write_json

POOLS = ("cpu", "gpu")
TRAIN_QUEUE = "train"
LEDGER_LIMIT = "rlhi-ledger"
_HOST = "127.0.0.1"
_READY_SECONDS = 90
_STOP_SECONDS = 10

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
    # The command line prints its own lines and the one-line error; Prefect's go to its API, where the UI shows them.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
_SERVER = {
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # A lease in memory would be lost with its server, and its slot with it.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
_TEMPORARY = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
}


class ServerError(RuntimeError):
    """The server cannot be started or reached; the message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, which process answers for it and for how long."""

    url: str
    pid: int
    kind: Literal["up", "temporary", "given"]

    @property
    def api(self) -> str:
        """What PREFECT_API_URL is to be."""
        return f"{self.url}/api"


def home(workspace: Path) -> Path:
    """The Prefect home of a workspace."""
    return workspace.resolve() / ".rlhi" / "prefect"


def running(workspace: Path) -> Server | None:
    """The server that lives on this workspace's database now."""
    try:
        with _owned(home(workspace)):
            return None
    except ServerError:
        told = read_json(home(workspace) / "server.json")
    kind: Literal["up", "temporary"] = "up" if told.get("kind") == "up" else "temporary"
    return Server(str(told.get("url", "")), int(str(told.get("pid", 0))), kind)


@contextmanager
def server_for(workspace: Path) -> Iterator[Server]:
    """Let flows that are called inside the block report to a server, and yield it.

    It is the one PREFECT_API_URL names, else the workspace's `rlhi up`, else one that ends with the block.

    Raises:
        ServerError: another command is at work in this workspace, or no server would start.
    """
    given = os.environ.get("PREFECT_API_URL")
    if given:
        with _environment(QUIET):
            yield Server(given.removesuffix("/").removesuffix("/api"), 0, "given")
        return
    found = running(workspace)
    if found is not None and found.kind == "up":
        with _environment({**QUIET, "PREFECT_HOME": str(home(workspace)), "PREFECT_API_URL": found.api}):
            yield found
        return
    with _owned(home(workspace)), _serving(workspace, _free_port(), "temporary") as server:
        with _environment({**QUIET, "PREFECT_HOME": str(home(workspace)), "PREFECT_API_URL": server.api}):
            _settle()
            try:
                yield server
            finally:
                _flush()


def up(workspace: Path, port: int = 4200) -> None:
    """Keep a server, its pools and deployments, and a worker for each pool until Ctrl-C or SIGTERM.

    Raises:
        ServerError: the port is taken, another command is at work here, or a part would not start.
    """
    from rlhi.ledger import template

    _check_port(port)
    root = workspace.resolve()
    if not (root / "prefect.yaml").exists():
        (root / "prefect.yaml").write_text(template("prefect.yaml"), encoding="utf-8")
    stop = threading.Event()
    with _owned(home(root)), _signals(stop), _serving(root, port, "up") as server:
        environment = {**QUIET, "PREFECT_HOME": str(home(root)), "PREFECT_API_URL": server.api}
        with _environment(environment):
            _settle()
            _make_pools()
            _deploy(root)
            with _workers(root) as workers:
                print(f"Prefect UI: {server.url}  (workers: {', '.join(POOLS)}; Ctrl-C stops all)", flush=True)
                while not stop.wait(0.5):
                    for pool, worker in workers.items():
                        if worker.poll() is not None:
                            raise ServerError(f"the worker of pool {pool} ended: see {_log_file(root, pool)}")


@contextmanager
def _serving(workspace: Path, port: int, kind: Literal["up", "temporary"]) -> Iterator[Server]:
    folder, url = home(workspace), f"http://{_HOST}:{port}"
    told = folder / "server.json"
    told.unlink(missing_ok=True)
    environment = {**QUIET, **_SERVER, **(_TEMPORARY if kind == "temporary" else {})}
    environment |= {"PREFECT_HOME": str(folder), "PREFECT_API_URL": f"{url}/api"}
    command = ["uvicorn", "--factory", "prefect.server.api.server:create_app", "--host", _HOST, "--port", str(port)]
    log = _log_file(workspace, "server")
    child = _start([*command, "--timeout-keep-alive", "5", "--log-level", "warning"], environment, log)
    try:
        _await_health(f"{url}/api/health", child, log)
        write_json(told, {"url": url, "pid": os.getpid(), "kind": kind})
        yield Server(url, os.getpid(), kind)
    finally:
        told.unlink(missing_ok=True)
        _stop([child])


@contextmanager
def _workers(workspace: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for pool in POOLS:
            command = ["prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", f"rlhi-{pool}"]
            environment = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"}
            started[pool] = _start(command, environment, _log_file(workspace, pool))
        yield started
    finally:
        _stop(list(started.values()))


def _settle() -> None:
    """Put right what a former server left behind when it was killed: held slots, runs that look alive, late runs."""
    from datetime import datetime, timezone

    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Crashed

    lost = FlowRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}})
    now = datetime.now(timezone.utc).isoformat()
    missed = FlowRunFilter.model_validate(
        {"state": {"type": {"any_": ["SCHEDULED"]}}, "next_scheduled_start_time": {"before_": now}}
    )
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(LEDGER_LIMIT, limit=1)
        limit = client.read_global_concurrency_limit_by_name(LEDGER_LIMIT)
        if limit.active_slots:
            client.delete_global_concurrency_limit_by_name(LEDGER_LIMIT)
            client.upsert_global_concurrency_limit_by_name(LEDGER_LIMIT, limit=1)
        for run in client.read_flow_runs(flow_run_filter=lost):
            client.set_flow_run_state(run.id, Crashed(message="its process ended without a word"), force=True)
        while runs := client.read_flow_runs(flow_run_filter=missed, limit=200):
            for run in runs:
                client.delete_flow_run(run.id)
