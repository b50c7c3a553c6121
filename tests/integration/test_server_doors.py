"""The Prefect servers of a workspace are closed to pages in its operator's browser, and open to who has the password.

Whoever may call such a server can make a pool whose workers run any command.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from rlhi.orchestrate.password import password, password_file, sign_in
from rlhi.orchestrate.server import home, running, server_for
from tests.support.commands import free_port
from tests.support.spaces import make_space

REPOSITORY = Path(__file__).resolve().parents[2]
UP = """
import sys; from pathlib import Path; from rlhi.orchestrate.server import up; up(Path(sys.argv[1]), int(sys.argv[2]))
"""
ELSEWHERE = "http://elsewhere.example"
POOL = json.dumps({"name": "theirs", "type": "process"})
SECONDS = 60


@dataclass(frozen=True)
class Reply:
    """What a server answered: its status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: str


def call(port: int, method: str, path: str, body: str | None = None, **headers: str) -> Reply:
    """One request as a browser might send it; ``Host`` among the headers replaces the true one."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        link.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            link.putheader(name.replace("_", "-"), value)
        if body is not None:
            link.putheader("Content-Type", "application/json")
            link.putheader("Content-Length", str(len(body)))
        link.endheaders(body.encode() if body is not None else None)
        reply = link.getresponse()
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read().decode())
    finally:
        link.close()


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    return make_space(tmp_path_factory.mktemp("doors") / "w", tiny_policy).root


@contextmanager
def started(workspace: Path, port: int, output: int) -> Iterator[subprocess.Popen[bytes]]:
    """`rlhi up` with its standard output at a file descriptor."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    # A setting from elsewhere must not open what we close.
    environment |= {"PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "*", "PREFECT_API_AUTH_STRING": "another:server"}
    process = subprocess.Popen([sys.executable, "-c", UP, str(workspace), str(port)], env=environment, stdout=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Up:
    """A running `rlhi up`: its port, its process, and what it printed on its terminal."""

    port: int
    pid: int
    printed: str


@pytest.fixture(scope="module")
def up(workspace: Path) -> Iterator[Up]:
    port, (ours, theirs) = free_port(), pty.openpty()
    with started(workspace, port, theirs) as process:
        os.close(theirs)  # so that reading ends with the process
        printed = ""
        while "sign in" not in printed:
            printed += os.read(ours, 1024).decode()
        yield Up(port, process.pid, printed)
    os.close(ours)


@pytest.fixture(scope="class", params=["up", "temporary"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server of each kind."""
    if request.param == "up":
        yield request.getfixturevalue("up").port
        return
    with server_for(tmp_path_factory.mktemp("temporary")) as server:
        yield urlsplit(server.url).port or 0


class TestUp:
    def test_only_the_password_opens_the_api(self, workspace: Path, up: Up) -> None:
        right = password(home(workspace))
        for wrong in ({}, {"Authorization": basic("rlhi:guess")}, {"Authorization": basic("another:server")}):
            assert call(up.port, "POST", "/api/work_pools/filter", "{}", **wrong).status == 401
            assert call(up.port, "POST", "/api/work_pools/", POOL, **wrong).status == 401
        reply = call(up.port, "POST", "/api/work_pools/filter", "{}", Authorization=basic(right))
        assert reply.status == 200 and {pool["name"] for pool in json.loads(reply.body)} == {"cpu", "gpu"}

    def test_a_page_of_another_site_is_told_nothing(self, workspace: Path, up: Up) -> None:
        right = basic(password(home(workspace)))
        asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
        for origin in (ELSEWHERE, "null", f"http://127.0.0.1:{up.port + 1}", f"http://127.0.0.1:{up.port}.{ELSEWHERE}"):
            for reply in (
                call(up.port, "GET", "/api/admin/version", Origin=origin, Authorization=right),
                call(up.port, "OPTIONS", "/api/work_pools/", Origin=origin, **asked),
            ):
                assert "access-control-allow-origin" not in reply.headers, origin
        for name in ("127.0.0.1", "localhost"):
            origin = f"http://{name}:{up.port}"
            reply = call(up.port, "OPTIONS", "/api/work_pools/", Origin=origin, **asked)
            assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)

    def test_websockets_want_the_password_too(self, workspace: Path, up: Up) -> None:
        url = f"ws://127.0.0.1:{up.port}/api/events/in"
        with pytest.raises(InvalidStatus):
            connect(url)
        for token, answer in (("rlhi:guess", None), (password(home(workspace)), "auth_success")):
            with connect(url, subprotocols=["prefect"]) as socket:  # type: ignore[list-item]
                socket.send(json.dumps({"type": "auth", "token": token}))
                try:
                    told = json.loads(socket.recv(timeout=SECONDS))["type"]
                except ConnectionClosed:
                    told = None
            assert told == answer

    def test_the_ui_asks_for_the_password(self, up: Up) -> None:
        assert json.loads(call(up.port, "GET", "/ui-settings").body)["auth"] == "BASIC"
        assert "<html" in call(up.port, "GET", "/v2/", Accept="text/html").body

    def test_a_terminal_shows_the_password(self, workspace: Path, up: Up) -> None:
        assert f"http://127.0.0.1:{up.port}" in up.printed and password(home(workspace)) in up.printed

    def test_another_command_uses_it_and_its_workers_are_there(self, workspace: Path, up: Up) -> None:
        from prefect.client.orchestration import get_client

        with server_for(workspace) as server, get_client(sync_client=True) as client:
            assert server.kind == "up" and server == running(workspace)
            until, seen = time.monotonic() + SECONDS, 0
            while seen < 2 and time.monotonic() < until:
                time.sleep(0.5)
                seen = sum(pool.status == "READY" for pool in client.read_work_pools())
            assert seen == 2, "both workers told the server that they live"

    def test_the_password_is_nobody_elses(self, workspace: Path, up: Up) -> None:
        file = password_file(home(workspace))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        tracked = subprocess.run(["git", "check-ignore", "--quiet", str(file)], cwd=workspace, check=False)
        assert tracked.returncode == 0
        word = password(home(workspace)).partition(":")[2]
        started = [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
        assert len(started) >= 4 and not any(word in part for one in started for part in one.cmdline())
        elsewhere = [path for path in workspace.rglob("*") if path.is_file() and path != file]
        assert not [path for path in elsewhere if word.encode() in path.read_bytes()]


class TestBothKinds:
    def test_a_name_that_resolves_here_is_refused(self, port: int) -> None:
        for host in (f"elsewhere.example:{port}", "elsewhere.example", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
            for path in ("/api/health", "/api/admin/version", "/ui-settings"):
                assert call(port, "GET", path, Host=host).status == 400, host
        for name in ("127.0.0.1", "localhost", "LOCALHOST"):
            assert call(port, "GET", "/api/health", Host=f"{name}:{port}").status == 200
        headers = {"Host": "elsewhere.example", "Upgrade": "websocket", "Connection": "Upgrade"}
        headers |= {"Sec_WebSocket_Key": "x3JJHMbDL1EzLkh9GBhXDw==", "Sec_WebSocket_Version": "13"}
        assert call(port, "GET", "/api/events/in", **headers).status == 400

    def test_no_password_no_answer(self, port: int) -> None:
        assert call(port, "POST", "/api/work_pools/", POOL).status == 401
        reply = call(port, "GET", "/api/health", Origin=ELSEWHERE)
        assert reply.status == 200 and "access-control-allow-origin" not in reply.headers


def test_a_server_of_ones_own_keeps_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_AUTH_STRING, get_current_settings, temporary_settings

    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "mine:own")
    with temporary_settings({PREFECT_API_AUTH_STRING: "mine:own"}), server_for(tmp_path) as server:
        known = get_current_settings().api.auth_string
        assert server.kind == "given" and os.environ["PREFECT_API_AUTH_STRING"] == "mine:own"
        assert known is not None and known.get_secret_value() == "mine:own"
    assert not password_file(home(tmp_path)).exists()


def test_a_password_is_kept_and_printed_on_terminals_alone(tmp_path: Path) -> None:
    first = password(tmp_path)
    assert first.startswith("rlhi:") and len(first) > 40
    assert password(tmp_path) == first != password(tmp_path / "another")
    assert first in sign_in(tmp_path, terminal=True)
    assert first not in sign_in(tmp_path, terminal=False)
    assert str(password_file(tmp_path)) in sign_in(tmp_path, terminal=False)
