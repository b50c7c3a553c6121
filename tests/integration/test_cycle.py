"""Whole cycles on a tiny model: recorded, repeatable, killable, and blind to the simulator's wishes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from rlhi import stages
from rlhi.cli.app import app
from rlhi.config import GateConfig
from rlhi.contracts import PAST
from rlhi.simulate.users import WishRow
from rlhi.stages.evaluate.decision import may_be_decided, read_decision
from rlhi.stages.evaluate.replies import last_replies
from rlhi.stages.simulator.truth import WISHES
from rlhi.stages.status import status
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_table
from tests.support.cycles import digest, run_cycle
from tests.support.spaces import configure, land_talk, make_space

BEFORE_EVALUATE = tuple(
    output for stage in stages.STAGES.values() if stage.flow != "evaluate" for output in stage.outputs
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A workspace with a landed log, no cycle yet; copied by those who change it."""
    root = tmp_path_factory.mktemp("spaces") / "fresh"
    land_talk(make_space(root, tiny_policy))
    return root


@pytest.fixture(scope="module")
def cycled(fresh: Path) -> Path:
    """The same after one undisturbed cycle."""
    root = fresh.with_name("cycled")
    shutil.copytree(fresh, root, symlinks=True)
    run_cycle(root)
    return root


@pytest.fixture(scope="module")
def disturbed(fresh: Path) -> Path:
    """The same log, its wishes shuffled, and a cycle that is killed with -9 at three points before it may end."""
    root = fresh.with_name("disturbed")
    shutil.copytree(fresh, root, symlinks=True)
    _shuffle_wishes(root)
    points: list[Callable[[], bool]] = [
        lambda: any((root / "data/samples/candidates").glob("*.parquet")),
        lambda: any((root / ".rlhi/training").glob("*/metrics.jsonl")),
        lambda: (root / "reports/index.html").exists(),
    ]
    for reached in points:
        _run_and_kill(root, reached)
    assert run_cycle(root) is not None
    return root


def test_a_cycle_is_one_commit_and_leaves_dvc_up_to_date(cycled: Path) -> None:
    record = ledger.history(cycled)[0]
    decision = read_json(cycled / "metrics/decision.json")
    assert (record.cycle, record.verdict, record.champion) == (1, decision["verdict"], "v0.1.0")
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=cycled, capture_output=True, text=True)
    assert "up to date" in status.stdout
    repro = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=cycled, capture_output=True, text=True)
    assert "Data and pipelines are up to date." in repro.stdout, repro.stdout + repro.stderr
    challenger = {hashlib.md5(file.read_bytes()).hexdigest() for file in cycled.glob("models/challenger/*.safetensors")}
    cached = {"".join(file.parts[-2:]) for file in (cycled / ".dvc/cache/files/md5").rglob("*") if file.is_file()}
    assert record.verdict == "hold" and challenger and not challenger & cached, "a model of every night"


def test_a_cycle_tells_who_was_asked_and_what_the_budget_is(cycled: Path) -> None:
    message = subprocess.run(["git", "log", "-1", "--format=%B"], cwd=cycled, capture_output=True, text=True).stdout
    assert "- Asked: a decision: 6 held-out users, " in message and "- Budget: 1 decision in the past year" in message
    told = status(cycled)
    verdict, text = PAST[read_decision(Workspace(cycled)).verdict], told.as_text()
    assert f"last decision  {verdict} by a decision: 6 held-out users, " in text
    assert "budget         1 decision in the past year, 2.50% of error spent, 2.50% left; chance that any " in text
    assert "was false: 2.50% at most; the next may be taken now" in text
    assert all(f"would change   {change}" in text for change in told.changes) and told.changes
    shown = json.loads(json.dumps(told.as_json()))
    assert shown["budget"]["free"] == ledger.today() and shown["last_decision"]["would_change"] == [*told.changes]
    page = (cycled / "reports/index.html").read_text(encoding="utf-8")
    assert "What would change it" in page and "1 decision in the past year" in page


def test_a_cycle_with_nothing_new_does_nothing(cycled: Path) -> None:
    head = _head(cycled)
    start = time.monotonic()
    assert run_cycle(cycled) is None
    assert time.monotonic() - start < 10
    assert _head(cycled) == head


def test_a_challenger_that_waits_for_the_budget_alone_has_its_day(fresh: Path, tmp_path: Path) -> None:
    root = tmp_path / "waiting"
    shutil.copytree(fresh, root, symlinks=True)
    today = ledger.today()
    message = f"Cycle 1: refuse\n\nRLHI-Cycle: 1\nRLHI-Verdict: refuse\nRLHI-Decided: {today} 0.001"
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "--message", message], cwd=root, check=True)
    anything: dict[str, object] = {"satisfaction": {"margin": -1.0}, "preference": False}
    weekly: dict[str, object] = {"budget": {"decisions": 52, "days": 7}}
    configure(Workspace(root), "gate", weekly, gains=anything, guards={name: False for name in GateConfig().guards})
    run_cycle(root)
    decision = read_decision(Workspace(root))
    assert (decision.verdict, decision.panel) == ("hold", "screen") and decision.budget and decision.budget.wait

    def after(days: int) -> str | None:
        return stages.pending(root, (date.fromisoformat(today) + timedelta(days=days)).isoformat())

    assert stages.pending(root) == after(6) == "nothing new since the last cycle: no training, no promotion"
    assert after(7) is None, "a decision is free, and nobody takes it"
    configure(Workspace(root), "gate", {}, gains={"satisfaction": {"margin": 1.0}, "preference": False})
    assert not may_be_decided(Workspace(root), "9999-01-01"), "what promises nothing is no reason for a cycle"


def test_what_stages_made_by_hand_is_taken_up_by_the_next_cycle(cycled: Path, tmp_path: Path) -> None:
    root = tmp_path / "by hand"
    shutil.copytree(cycled, root, symlinks=True)
    assert stages.pending(root) is not None
    configure(Workspace(root), "gate", {}, drift="report")
    for name in ("confirm", "gate"):
        stages.run(name, root)
    assert all(stages.up_to_date(name, Workspace(root)) for name in stages.STAGES)
    assert stages.pending(root) is None, "no cycle has recorded that verdict"


@pytest.mark.parametrize("stage", ["ingest", "feedback", "personas", "rewrites", "candidates", "pairs"])
def test_a_rebuilt_table_has_the_same_bytes(cycled: Path, stage: str) -> None:
    before = _without_outputs(cycled, stage)
    assert not stages.run(stage, cycled).note.startswith("up to date")
    assert digest(cycled, *stages.STAGES[stage].outputs) == before


def test_dvc_rebuilds_what_the_stages_made(cycled: Path) -> None:
    before = _without_outputs(cycled, "pairs")
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--force", "--single-item", "pairs"],
        cwd=cycled, capture_output=True, text=True, env={**os.environ, "PATH": _path()},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert digest(cycled, *stages.STAGES["pairs"].outputs) == before


def test_a_killed_cycle_ends_with_the_data_of_an_undisturbed_one(cycled: Path, disturbed: Path) -> None:
    folders = [folder for folder in BEFORE_EVALUATE if folder.startswith("data/")]
    assert digest(disturbed, *folders) == digest(cycled, *folders)
    assert len(ledger.history(disturbed)) == 1


def test_the_wishes_change_no_byte_before_evaluate(cycled: Path, disturbed: Path) -> None:
    assert digest(disturbed, WISHES) != digest(cycled, WISHES)
    assert digest(disturbed, *BEFORE_EVALUATE) == digest(cycled, *BEFORE_EVALUATE)
    assert digest(disturbed, "data/evaluation") != digest(cycled, "data/evaluation")


def test_replies_are_told_and_shown_and_an_older_workspace_gets_them_by_the_advised_command(
    cycled: Path, tmp_path: Path
) -> None:
    root = tmp_path / "older"
    shutil.copytree(cycled, root, symlinks=True)
    done = CliRunner().invoke(app, ["--workspace", str(root), "replies", "--json"])
    rows = json.loads(done.stdout)
    params = Workspace(root).params
    assert params.evaluate.users
    assert len(rows) == params.evaluate.users * params.evaluate.requests * params.evaluate.samples
    assert all(params.split.holds_out(row["user_id"]) and row["request"] for row in rows)
    assert any("met_champion" in row for row in rows), "the simulator's users have wishes"
    assert all(0 <= row[met] <= 1 for row in rows for met in ("met_champion", "met_challenger") if met in row)
    assert all({"fluency", "nearness"} <= {*row["measures"]} for row in rows)
    record = read_json(root / "reports/cycle-0001.json")
    assert record["compared"] == len(rows)
    shown = [
        (one["request"], one["champion"], one["challenger"]) for one in cast(list[dict[str, str]], record["drawn"])
    ]
    assert shown == [(row["request"], row["champion"], row["challenger"]) for row in rows[:6]]
    assert "drawn by seed and not picked" in (root / "reports/index.html").read_text(encoding="utf-8")

    before = digest(root, "data/replies")
    shutil.rmtree(root / "data/replies")
    with pytest.raises(stages.StageError, match="kept no replies: run `rlhi run evaluate`"):
        last_replies(Workspace(root))
    stages.run("evaluate", root)
    assert digest(root, "data/replies") == before and len(last_replies(Workspace(root)).rows) == len(rows)


def _without_outputs(root: Path, stage: str) -> dict[str, str]:
    """Remove what a stage made; what it was, by hash."""
    outputs = stages.STAGES[stage].outputs
    before = digest(root, *outputs)
    for output in outputs:
        shutil.rmtree(root / output)
    return before


def _shuffle_wishes(root: Path) -> None:
    rows = sorted(read_table(root / WISHES, WishRow), key=lambda row: row.user_id)
    kinds = [(row.kind, row.argument) for row in rows]
    random.Random(1).shuffle(kinds)
    shuffled = [WishRow(row.user_id, *kind) for row, kind in zip(rows, kinds, strict=True)]
    write_table(root / WISHES, WishRow, shuffled, user=lambda row: row.user_id)


def _run_and_kill(root: Path, reached: Callable[[], bool]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.cycles", str(root)], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 300
    while not reached():
        if process.poll() is not None:
            raise AssertionError(f"the cycle ended before the point of its death: {process.communicate()[1][-2000:]}")
        assert time.monotonic() < until, "the cycle never came to the point of its death"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _head(root: Path) -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def test_decision_is_standard_json(cycled: Path) -> None:
    text = (cycled / "metrics/decision.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert Workspace(cycled).params.dpo.min_new_pairs == 4
