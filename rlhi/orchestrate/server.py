"""The Prefect server of a workspace: the one that `rlhi up` keeps running, or one for the time of a command.

Both keep their database under ``.rlhi/prefect``, so that a run stays visible whoever started it. One process owns
that database at a time: it holds a file lock, which the system frees when its holder dies.

Whoever may call a server can let its workers run any command. Ours asks for the workspace's password (``password.py``),
tells browsers to keep pages of other sites away from it, and answers to no name but this machine's (``app.py``).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlhi.file_lock import locked
from rlhi.orchestrate import children, deploy
from rlhi.orchestrate.password import password, sign_in
from rlhi.workspace.ledger import template
from rlhi.workspace.store import Workspace, read_json, write_json

_HOST = "127.0.0.1"
_READY_SECONDS = 90

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
        with _using(found, workspace), _flushed():
            yield found
        return
    with _owned(home(workspace)), _serving(workspace, _free_port(), "temporary") as (server, _), _flushed():
        yield server


def up(workspace: Path, port: int = 4200) -> None:
    """Keep a server, its pools and deployments, and a worker for each pool until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: this is no workspace; nothing is written.
        ServerError: the port is taken, another command is at work here, or a part would not start.
    """
    root = Workspace.open(workspace).root
    _check_port(port)
    if not (root / "prefect.yaml").exists():
        (root / "prefect.yaml").write_text(template("prefect.yaml"), encoding="utf-8")
    stop = threading.Event()
    with _owned(home(root)), _signals(stop), _serving(root, port, "up") as (server, child):
        deploy.make_pools()
        _deploy(root)
        with _workers(root) as workers:
            print(f"Prefect UI: {server.url}  (workers: {', '.join(workers)}; Ctrl-C stops all)")
            print(f"  {sign_in(home(root), sys.stdout.isatty())}", flush=True)
            parts = {"server": child, **workers}
            while not stop.wait(0.5):
                for name, part in parts.items():
                    if part.poll() is not None:
                        raise ServerError(f"the {name} process ended by itself: see {_log_file(root, name)}")


def _deploy(workspace: Path) -> None:
    said = deploy.deploy(workspace)
    if said is not None:
        log = _log_file(workspace, "deploy")
        log.write_text(said, encoding="utf-8")
        raise ServerError(f"{workspace / 'prefect.yaml'} cannot be deployed: see {log}")


@contextmanager
def _serving(workspace: Path, port: int, kind: Literal["up", "temporary"]) -> Iterator[tuple[Server, children.Child]]:
    folder, url = home(workspace), f"http://{_HOST}:{port}"
    told = folder / "server.json"
    told.unlink(missing_ok=True)
    environment = {**QUIET, **_SERVER, **(_TEMPORARY if kind == "temporary" else {})}
    environment |= {"PREFECT_HOME": str(folder), "PREFECT_API_URL": f"{url}/api", **_closed(folder, port)}
    command = ["uvicorn", "--factory", "rlhi.orchestrate.app:create_app", "--host", _HOST, "--port", str(port)]
    log = _log_file(workspace, "server")
    server = Server(url, os.getpid(), kind)
    child = children.start([*command, "--timeout-keep-alive", "5", "--log-level", "warning"], environment, log)
    try:
        # Prefect is imported here, while the server does the same.
        with _using(server, workspace):
            _await_health(f"{url}/api/health", child, log)
            write_json(told, {"url": url, "pid": os.getpid(), "kind": kind})
            deploy.settle()
            yield server, child
    finally:
        told.unlink(missing_ok=True)
        children.stop([child])


def _closed(folder: Path, port: int) -> dict[str, str]:
    """The server's settings that close it to all but who knows the password. Full names: Prefect's short ones yield."""
    return {
        "PREFECT_SERVER_API_AUTH_STRING": password(folder),
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://{_HOST}:{port},http://localhost:{port}",
    }


@contextmanager
def _workers(workspace: Path) -> Iterator[dict[str, children.Child]]:
    started: dict[str, children.Child] = {}
    try:
        for pool in deploy.POOLS:
            command = ["prefect", "worker", "start", "--pool", pool, "--type", "process", "--name", f"rlhi-{pool}"]
            environment = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"}
            started[pool] = children.start(command, environment, _log_file(workspace, pool))
        yield started
    finally:
        children.stop(list(started.values()))


@contextmanager
def _flushed() -> Iterator[None]:
    """Send what is still on its way when the block ends: logs, and the events that tell a server of task runs."""
    try:
        yield
    finally:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        for worker in (APILogWorker, EventsWorker):
            worker.drain_all(timeout=5)


def _await_health(url: str, child: children.Child, log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise ServerError(f"the Prefect server did not start: see {log}")


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Own the database in a Prefect home."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder / "lock", wait=False))
        except BlockingIOError:
            holder = read_json(folder / "server.json").get("pid", "of unknown number")
            raise ServerError(f"process {holder} is at work in {folder.parent.parent}: wait for it to end") from None
        yield


def _using(server: Server, workspace: Path) -> AbstractContextManager[None]:
    folder = home(workspace)
    ours = {"PREFECT_HOME": str(folder), "PREFECT_API_URL": server.api, "PREFECT_API_AUTH_STRING": password(folder)}
    return _environment({**QUIET, **ours})


@contextmanager
def _environment(updates: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and Prefect's settings with them, for it reads the environment only once."""
    before = {name: os.environ.get(name) for name in updates}
    os.environ.update(updates)
    try:
        import prefect.settings as settings

        known = {getattr(settings, name): text for name, text in updates.items() if hasattr(settings, name)}
        with settings.temporary_settings(updates=known):
            yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM set ``stop`` inside the block."""
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            raise ServerError(f"port {port} is taken: choose another with `rlhi up --port N`") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _log_file(workspace: Path, name: str) -> Path:
    return home(workspace) / "logs" / f"{name}.log"
