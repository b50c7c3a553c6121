"""`rlhi ingest` from a folder, an address and standard input, with users under a salted hash."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from rlhi import stages
from rlhi.contracts import Conversation, Quarantined
from rlhi.stages.collect import incoming
from rlhi.stages.collect.landing import take_in
from rlhi.stages.collect.salt import SALT
from rlhi.stages.status import status
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import Workspace, read_table

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"

RLHI = "from rlhi.cli.app import main; main()"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the parameters that everybody gets, around a stand-in for a model."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    ledger.init(folder / "w", folder / "model")
    return folder / "w"


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return Workspace(Path(shutil.copytree(made, tmp_path / "w", symlinks=True)))


def users(space: Workspace) -> dict[str, str]:
    return {row.conversation_id: row.user_id for row in read_table(space.path("data/conversations"), Conversation)}


def test_a_folder_is_landed_but_for_what_is_no_log(workspace: Workspace, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "may").mkdir(parents=True)
    for name in ("conversations.jsonl", "open_webui.json", "troubled.jsonl"):
        shutil.copy(LOGS / name, logs / "may" / name)
    (logs / "prose.txt").write_text("nobody logged this\n")
    report = take_in(workspace.root, [logs])
    assert (report.read, report.new, report.quarantined) == (12, 7, 5)
    [refused] = report.refused
    assert refused.startswith("prose.txt: line 1: not JSON")
    assert {row.file for row in read_table(workspace.path("data/quarantine"), Quarantined)} == {"may/troubled.jsonl"}
    assert "name no user" in report.note
    again = take_in(workspace.root, [str(logs)])
    assert (again.read, again.new, again.duplicate) == (12, 0, 12)


def test_a_log_that_comes_again_tells_what_is_in_quarantine_of_it(workspace: Workspace) -> None:
    first = take_in(workspace.root, [LOGS / "troubled.jsonl"])
    assert (first.quarantined, first.held) == (5, 0) and "before" not in first.as_text()
    assert take_in(workspace.root, [LOGS / "conversations.jsonl"]).held == 0
    again = take_in(workspace.root, [LOGS / "troubled.jsonl", LOGS / "conversations.jsonl"])
    assert (again.quarantined, again.held, again.as_json()["quarantined_before"]) == (0, 5, 5)
    told = "0 quarantined; 5 in quarantine from before under these names (see `rlhi quarantine`)"
    assert told in again.as_text()
    call = [sys.executable, "-c", RLHI, "--workspace", str(workspace.root), "ingest", str(LOGS / "troubled.jsonl")]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0 and f"(see `rlhi --workspace {workspace.root} quarantine`)" in done.stdout


def test_status_counts_the_anonymous_apart(workspace: Workspace) -> None:
    take_in(workspace.root, [LOGS / "conversations.jsonl"])
    found = status(workspace.root)
    assert (found.conversations, found.users, found.anonymous) == (3, 2, 1)
    assert "conversations  3: 2 of 2 users with an id, 1 anonymous\n" in found.as_text()


def test_an_address_and_standard_input(workspace: Workspace) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/landing/lmsys.jsonl", (LOGS / "lmsys.jsonl").read_bytes())
    try:
        report = take_in(workspace.root, ["memory://landing", "s3://bucket/log.jsonl", "memory://nowhere/x"])
    finally:
        memory.rm("/landing", recursive=True)
    code = "from rlhi.cli.app import main; main()"
    words = [sys.executable, "-c", code, "--workspace", str(workspace.root), "ingest", "-", "--json"]
    piped = subprocess.run(words, input=(LOGS / "oasst.jsonl").read_bytes(), capture_output=True, check=True)
    assert (report.read + json.loads(piped.stdout)["read"], report.new + json.loads(piped.stdout)["new"]) == (3, 3)
    assert [line.partition(":")[0] for line in report.refused] == ["s3", "memory"]
    assert set(users(workspace)) == {"lm-1", "lm-2", "tree-1"}


def test_users_are_hidden_and_a_lost_salt_makes_them_others(workspace: Workspace) -> None:
    take_in(workspace.root, [LOGS / "conversations.jsonl"])
    first = users(workspace)
    assert first["c-1"].startswith("user-") and first["c-2"].startswith("anonymous-")
    assert not any("u-1" in text for text in first.values())
    assert SALT.partition("/")[0] in (workspace.root / ".gitignore").read_text()
    workspace.path(SALT).unlink()
    take_in(workspace.root, [LOGS / "lmsys.jsonl"])
    second = users(workspace)
    assert first.keys() < second.keys()
    assert second["c-1"] != first["c-1"] and second["c-2"] == first["c-2"]


def versions(space: Workspace) -> int:
    told = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=space.root, capture_output=True, check=True)
    return int(told.stdout)


def test_what_a_kill_left_unrecorded_is_recorded_by_the_next(workspace: Workspace) -> None:
    incoming.land(workspace, LOGS / "conversations.jsonl", 1)
    stages.run("ingest", workspace.root)
    before = versions(workspace)
    assert take_in(workspace.root, [LOGS / "conversations.jsonl"]).new == 0
    assert versions(workspace) == before + 1
    take_in(workspace.root, [LOGS / "conversations.jsonl"])
    assert versions(workspace) == before + 1, "and once only"


def test_what_landed_before_a_kill_is_counted_once(workspace: Workspace) -> None:
    incoming.land(workspace, LOGS / "conversations.jsonl", 1)
    report = take_in(workspace.root, [LOGS / "conversations.jsonl"])
    assert (report.read, report.new, report.duplicate) == (3, 3, 0)


def test_what_lands_while_a_cycle_runs_is_news_to_the_next(workspace: Workspace) -> None:
    def news() -> dict[str, int]:
        return {batch.name: batch.cycle for batch in incoming.batches(workspace)}

    take_in(workspace.root, [LOGS / "conversations.jsonl"])
    stages.run("feedback", workspace.root)
    take_in(workspace.root, [LOGS / "lmsys.jsonl"])
    assert incoming.begin(workspace) == 1
    assert news() == {"conversations.jsonl": 1, "lmsys.jsonl": 2}, "what came too late for its labels, too"
    take_in(workspace.root, [LOGS / "sharegpt.json"])
    assert news()["sharegpt.json"] == 2
    stages.run("feedback", workspace.root)
    assert incoming.begin(workspace) == 1
    assert set(news().values()) == {1}, "a cycle that goes on after a kill has collected them first"


def test_a_second_command_waits_for_the_first_and_says_so(workspace: Workspace) -> None:
    commands = []
    with alone(workspace):
        for name in ("conversations.jsonl", "lmsys.jsonl"):
            call = [sys.executable, "-c", RLHI, "--workspace", str(workspace.root), "ingest", str(LOGS / name)]
            commands.append(subprocess.Popen(call, stderr=subprocess.PIPE, text=True))
        for command in commands:
            assert command.stderr is not None
            assert "waiting for another command that takes in logs" in command.stderr.readline()
        assert not users(workspace)
    assert [command.wait(120) for command in commands] == [0, 0]
    assert set(users(workspace)) == {"c-1", "c-2", "c-3", "lm-1", "lm-2"}
    assert len(incoming.landings(workspace)) == 2, "each is a landing of its own"
