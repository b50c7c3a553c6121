"""Ingest over a Dask cluster through Prefect's task runner, by one line of params.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.spread import spread_as_configured
from rlhi.orchestrate.server import server_for
from rlhi.stages import StageError
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest import spread
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_manifest

LOGS = Path(__file__).resolve().parents[1] / "fixtures" / "logs"


def workspace(root: Path, runner: str) -> Path:
    """A workspace with two logs that landed together, read by this runner."""
    (root / "model").mkdir(parents=True)
    (root / "model" / "config.json").write_text("{}")
    ledger.init(root / "w", root / "model")
    path = root / "w" / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["ingest"] |= {"runner": runner, "hash_users": False}
    path.write_text(yaml.safe_dump(params))
    for log in ("conversations.jsonl", "wildchat_1m.jsonl"):
        incoming.land(Workspace(root / "w"), LOGS / log, 1, 1)
    return root / "w"


@pytest.mark.long
def test_a_dask_cluster_comes_to_the_same_table(tmp_path: Path) -> None:
    from prefect import flow
    from prefect.client.orchestration import get_client

    from flows.tasks import stage

    tables = []
    for runner in ("dask", "threads"):
        root = workspace(tmp_path / runner, runner)
        with server_for(root):
            report = flow(name=f"ingest-{runner}")(lambda path=str(root): stage("ingest", path))()
            with get_client(sync_client=True) as client:
                pieces = [run.name for run in client.read_task_runs() if run.name.startswith("read_block")]
        assert report.made > 0
        assert len(pieces) == (2 if runner == "dask" else 0)
        tables.append(read_manifest(root / "data" / "conversations"))
    first, second = tables
    assert first and second and first["files"] == second["files"]


def test_a_task_runner_that_is_not_installed_is_named(tmp_path: Path) -> None:
    root = workspace(tmp_path, "ray")
    with pytest.raises(StageError, match="install prefect-ray"), spread_as_configured("ingest", root):
        pass


def test_no_more_pieces_are_taken_than_were_allowed() -> None:
    taken: list[int] = []

    class Done:
        def __init__(self, value: int) -> None:
            self.value = value

        def result(self) -> int:
            return self.value

    def pieces() -> object:
        for at in range(50):
            taken.append(at)
            yield at

    results = spread.windowed(lambda at: Done(2 * at), pieces(), 4)  # type: ignore[arg-type]
    assert [next(results) for _ in range(3)] == [0, 2, 4]
    assert len(taken) <= 7
    assert list(results) == [2 * at for at in range(3, 50)]
