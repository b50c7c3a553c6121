"""Flows on real Prefect servers: one for the time of a command, and the one that `rlhi up` keeps running."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rlhi import stages
from rlhi.config import ConfigError
from rlhi.models.base import ModelError
from rlhi.models.prepare import embedder_path
from rlhi.orchestrate.server import Server, ServerError, running, server_for, up
from rlhi.stages import StageError
from rlhi.stages.collect import incoming
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace
from tests.support.commands import free_port
from tests.support.spaces import land_choices, land_talk, make_space

REPOSITORY = Path(__file__).resolve().parents[2]
LOG = REPOSITORY / "tests" / "fixtures" / "logs" / "conversations.jsonl"
SECONDS = 120

STUCK = """
import sys, time
from pathlib import Path
from rlhi.orchestrate.server import server_for
with server_for(Path(sys.argv[1])) as server:
    from prefect import flow
    @flow(name="stuck")
    def stuck():
        print("running", flush=True)
        time.sleep(600)
    stuck()
"""
UP = """
import sys; from pathlib import Path; from rlhi.orchestrate.server import up; up(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a stand-in for a model and one small log that landed."""
    try:
        embedder_path()
    except ModelError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("flows")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    ledger.init(folder / "workspace", folder / "model")
    incoming.land(Workspace(folder / "workspace"), LOG, 1)
    return folder / "workspace"


def spawn(script: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def gone(processes: list[psutil.Process], seconds: float = 20) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def attempts(name: str) -> int:
    """How often the failed task of this name was run; a task run is told by events, which arrive a little later."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter

    wanted = TaskRunFilter.model_validate({"name": {"any_": [name]}, "state": {"type": {"any_": ["FAILED"]}}})
    with get_client(sync_client=True) as client:
        for _ in range(50):
            if found := client.read_task_runs(task_run_filter=wanted):
                return found[0].run_count
            time.sleep(0.1)
    return 0


class TestTemporaryServer:
    """One server for the class: it costs some seconds to start."""

    @pytest.fixture(scope="class")
    def server(self, workspace: Path) -> Iterator[Server]:
        with server_for(workspace) as server:
            yield server

    def test_collect_is_seen_and_recorded(self, workspace: Path, server: Server) -> None:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter
        from prefect.client.schemas.objects import State

        from flows.collect import collect

        state = collect(str(workspace), return_state=True)
        assert isinstance(state, State) and state.is_completed()
        made = {report.stage: report.made for report in state.result()}
        assert made["ingest"] > 0 and list(made) == ["ingest", "feedback", "personas", "tests"]
        run_id = state.state_details.flow_run_id
        with get_client(sync_client=True) as client:
            tasks = {}
            for _ in range(50):  # a task run is told by events, which arrive a little later
                found = client.read_task_runs(flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [run_id]}}))
                tasks = {task.name: task for task in found if task.state and task.state.is_final()}
                if len(tasks) == 5:
                    break
                time.sleep(0.1)
            keys = {artifact.key for artifact in client.read_artifacts()}
        assert set(tasks) == {"ingest", "feedback", "personas", "tests", "publish"}
        assert all(task.state and task.state.is_completed() for task in tasks.values())
        assert "cpu" in tasks["ingest"].tags
        assert {"ingest-report", "feedback-report", "personas-report"} <= keys
        # The flow's own task has recorded all of it.
        assert ledger.record_collect(workspace, stages.stages_of("collect")) is None

    def test_nothing_new_makes_nothing(self, workspace: Path, server: Server) -> None:
        from flows.collect import collect

        start = time.monotonic()
        assert all(report.made == 0 for report in collect(str(workspace)))
        assert time.monotonic() - start < 10

    def test_what_a_killed_collect_made_is_recorded_by_the_next(self, workspace: Path, server: Server) -> None:
        from flows.collect import collect

        land_talk(Workspace(workspace), users=6, seed=9)
        for name in stages.stages_of("collect"):
            stages.run(name, workspace)
        assert all(report.made == 0 for report in collect(str(workspace)))
        assert ledger.record_collect(workspace, stages.stages_of("collect")) is None

    def test_an_error_for_a_person_is_raised_as_it_is_and_not_tried_again(
        self, tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
    ) -> None:
        from flows.tasks import stage

        with pytest.raises(ConfigError, match="not a workspace"):
            stage("feedback", str(tmp_path))
        assert "Traceback" not in capfd.readouterr().err
        assert attempts("feedback") == 1

    def test_a_hiccup_of_the_machine_is_tried_once_more(self, tmp_path: Path, server: Server) -> None:
        from flows.tasks import stage

        for folder in (".dvc", "data/incoming", ".rlhi/stages/ingest.json"):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / "params.yaml").touch()
        with pytest.raises(IsADirectoryError):
            stage("ingest", str(tmp_path))
        assert attempts("ingest") == 2

    def test_the_reward_model_is_trained_between_cycles(
        self, tmp_path: Path, tiny_policy: Path, server: Server
    ) -> None:
        from prefect.client.orchestration import get_client

        from flows.learn import reward

        space = make_space(tmp_path / "w", tiny_policy)
        land_talk(space)
        for name in stages.stages_of("collect"):
            stages.run(name, space.root)
        with pytest.raises(StageError, match="stage reward needs cycle.json"):
            reward(str(space.root))
        ledger.begin(space.root)
        stages.run("rewrites", space.root)
        first = reward(str(space.root))
        assert first.stage == "reward" and first.made > 0 and space.path("models/reward/metrics.json").is_file()
        before = stages.state(space)
        assert reward(str(space.root)).made == 0 and stages.state(space) == before, "nothing is new"
        land_choices(space, cycle=2)
        for name in (*stages.stages_of("collect"), "rewrites"):
            stages.run(name, space.root)
        again = reward(str(space.root))
        assert again.made > first.made and stages.state(space) != before, "the next cycle takes it up"
        with get_client(sync_client=True) as client:
            assert "reward-report" in {artifact.key for artifact in client.read_artifacts()}

    def test_a_second_command_is_told_to_wait(
        self, workspace: Path, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert running(workspace) == server
        with server_for(workspace) as again:
            assert (again.kind, again.url) == ("given", server.url)
        monkeypatch.delenv("PREFECT_API_URL")
        with pytest.raises(ServerError, match=f"process {os.getpid()} is at work"), server_for(workspace):
            pass


def test_a_taken_port_is_one_clear_line(workspace: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {port} is taken"):
            up(workspace, port)


class TestUp:
    """`rlhi up` after a command that was killed in the middle of a flow."""

    @pytest.fixture(scope="class")
    def killed(self, workspace: Path) -> list[psutil.Process]:
        process = spawn(STUCK, str(workspace))
        assert process.stdout is not None and process.stdout.readline() == "running\n"
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        return children

    def test_the_server_of_a_killed_command_ends_too(self, killed: list[psutil.Process]) -> None:
        assert killed and gone(killed)

    def test_it_starts_all_shows_all_and_stops_all(self, workspace: Path, killed: list[psutil.Process]) -> None:
        from prefect.client.orchestration import get_client

        assert gone(killed)
        port = free_port()
        process = spawn(UP, str(workspace), str(port))
        try:
            assert process.stdout is not None and f"http://127.0.0.1:{port}" in process.stdout.readline()
            found = running(workspace)
            assert found is not None and (found.kind, found.pid) == ("up", process.pid)
            with server_for(workspace) as used, get_client(sync_client=True) as client:
                assert used == found
                assert {pool.name: pool.type for pool in client.read_work_pools()} == {
                    "cpu": "process",
                    "gpu": "process",
                }
                assert client.read_work_queue_by_name("train", work_pool_name="gpu").concurrency_limit == 1
                deployments = {one.name: one for one in client.read_deployments()}
                assert set(deployments) == {"collect", "learn", "reward", "evaluate", "improve"}
                crons = {
                    name: [(getattr(one.schedule, "cron", ""), one.active) for one in row.schedules]
                    for name, row in deployments.items()
                }
                hourly, nightly, asleep = [("0 * * * *", True)], [("0 2 * * *", True)], [("30 */6 * * *", False)]
                assert crons == {
                    "collect": hourly, "learn": [], "reward": asleep, "evaluate": [], "improve": nightly,
                }  # fmt: skip
                assert "gpu" in deployments["improve"].tags and deployments["improve"].work_queue_name == "train"
                before = [run.state.name for run in client.read_flow_runs() if run.state and run.start_time]
                assert sorted(map(str, before)) == [*6 * ["Completed"], "Crashed", "Failed"]
                # What the earlier command did is there; now the worker does the same.
                asked = client.create_flow_run_from_deployment(deployments["collect"].id)
                until = time.monotonic() + SECONDS
                while time.monotonic() < until:
                    state = client.read_flow_run(asked.id).state
                    if state is not None and state.is_final():
                        break
                    time.sleep(0.5)
                assert state is not None and state.is_completed(), state
            started = psutil.Process(process.pid).children(recursive=True)
            assert len(started) >= 3
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=40) == 0
            assert gone(started, 1) and running(workspace) is None
        finally:
            process.kill()
            process.wait()
