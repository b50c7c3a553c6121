"""A decision foresees the next nights' re-attempts, and the cycle after it counts what came."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.contracts import FeedbackTurn
from rlhi.evaluate.forecast import LEAST
from rlhi.stages.conclude import recorded
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.forecast import FORECASTS, foretell, read_forecasts
from rlhi.stages.status import status
from rlhi.workspace.store import Workspace, read_json, read_table
from tests.support.cycles import run_cycle
from tests.support.spaces import land_talk, make_space


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> tuple[stages.CycleReport, ...]:
    """The reports of two cycles; the workspace of ``root_of``."""
    space = make_space(tmp_path_factory.mktemp("spaces") / "w", tiny_policy)
    found = []
    for cycle in (1, 2):
        land_talk(space, cycle)
        report = run_cycle(space.root)
        assert report is not None
        found.append(report)
        shutil.copy2(space.path(FORECASTS), space.path(f"after-{cycle}.json"))
    Path(tmp_path_factory.getbasetemp() / "twice").write_text(str(space.root), encoding="utf-8")
    return tuple(found)


@pytest.fixture
def space(twice: tuple[stages.CycleReport, ...], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace((Path((tmp_path_factory.getbasetemp() / "twice").read_text(encoding="utf-8"))).resolve())


def test_the_second_cycle_scores_what_the_first_foresaw(space: Workspace) -> None:
    told = read_forecasts(space)
    assert [one.cycle for one in told.made] == [1, 2] and [one.of for one in told.scored] == [1]
    (came,) = told.scored
    assert came.cycle == 2 and came.model == told.made[0].model and came.foreseen == told.made[0].share
    new = len(read_table(space.path("data/feedback"), FeedbackTurn)) - told.made[0].follow_ups
    assert came.follow_ups == new == told.made[1].follow_ups >= LEAST
    assert came.hit == (came.low <= came.share <= came.high) and told.made[1].last == came.share
    assert {came.served_by, told.made[0].served_by} == {"new"}, "the script's log names no version of ours"


def test_forecast_and_score_are_told_wherever_the_decision_is(
    space: Workspace, twice: tuple[stages.CycleReport, ...]
) -> None:
    told = read_forecasts(space)
    made, came = told.made[-1], told.scored[-1]
    report = twice[-1]
    assert (report.forecast, report.scored) == (made.as_text(), came.as_text()) and twice[0].scored == ""
    assert made.as_text() in report.as_text() and came.as_text() in report.as_text()
    assert report.as_json()["last_forecast"] == came.as_text()
    found = status(space.root)
    assert f"forecast       {made.as_text()}" in found.as_text()
    assert json.loads(json.dumps(found.as_json()))["forecast"]["share"] == made.share
    commit = subprocess.run(["git", "log", "-1", "--format=%B"], cwd=space.root, capture_output=True, text=True).stdout
    assert f"- Forecast: {made.as_text()}" in commit and f"- The last forecast: {came.as_text()}" in commit
    last = recorded(space)[-1]
    assert (last.forecast, last.scored) == (made, came) and last.track is not None and last.track.scored == 1
    page = space.path("reports/index.html").read_text(encoding="utf-8")
    assert "What is foreseen" in page and "1 of 1 forecasts hit" in page or "0 of 1 forecasts hit" in page


def test_it_is_versioned_with_the_cycle(space: Workspace) -> None:
    """Each cycle's commit has its own forecast, and the former ones as they were."""
    kept = subprocess.run(["git", "show", f"HEAD:{FORECASTS}"], cwd=space.root, capture_output=True, text=True)
    assert json.loads(kept.stdout) == read_json(space.path(FORECASTS))
    first, second = (read_json(space.path(f"after-{cycle}.json"))["made"] for cycle in (1, 2))
    assert isinstance(first, list) and isinstance(second, list) and second[:1] == first


def test_it_is_repeatable(space: Workspace) -> None:
    before = space.path(FORECASTS).read_bytes()
    foretell(space, read_decision(space))
    assert space.path(FORECASTS).read_bytes() == before
