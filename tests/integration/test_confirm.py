"""A decision asks held-out users anew, as often as the budget allows, and asks the first champion too."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.contracts import EvalResult
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.stages.conclude import conclude
from rlhi.stages.evaluate.confirm import CONFIRMED, CONFIRMED_REPLIES
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.replies import last_replies
from rlhi.stages.learn.dpo import TRAINING
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_json
from tests.support.spaces import configure, land_talk, make_space

PANEL = {"users": None, "requests": 2, "samples": 2}


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    """A workspace whose first cycle has come to its evaluation: the challenger is the champion under another name."""
    space = make_space(tmp_path_factory.mktemp("confirm") / "w", tiny_policy, confirm=PANEL)
    configure(space, "evaluate", {}, users=4, requests=1, recognised=0, lift_samples=0)
    land_talk(space, users=40)
    for name in stages.stages_of("collect"):
        stages.run(name, space.root)
    ledger.begin(space.root)
    for name in ("rewrites", "candidates", "reward", "pairs", "dpo"):
        stages.run(name, space.root)
    challenger = space.path("models/challenger")
    for file in tiny_policy.iterdir():
        shutil.copy(file, challenger / file.name)
    (challenger / TRAINING).write_text(json.dumps({"lessons": [], "history": []}), encoding="utf-8")
    stages.run("evaluate", space.root)
    return space


@pytest.fixture
def space(learned: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(learned.root, tmp_path / "w", symlinks=True)
    return Workspace(tmp_path / "w")


def confirmed(space: Workspace) -> Counter[tuple[str, str]]:
    return Counter((row.suite, row.model) for row in read_table(space.path(CONFIRMED), EvalResult))


def open_to_all(space: Workspace) -> None:
    """The same model gains nothing: only a gate that asks for nothing lets its screen be promising."""
    configure(space, "gate", {}, gains={"satisfaction": {"margin": -1.0}, "preference": {"margin": -1.0}})


def test_a_decision_is_asked_of_all_held_out_users_and_spends(space: Workspace) -> None:
    open_to_all(space)
    done = stages.run("confirm", space.root)
    rows = confirmed(space)
    held_out = {row.user_id for row in read_table(space.path(CONFIRMED), EvalResult)}
    assert len(held_out) > 4 and f"{len(held_out)} held-out users" in done.note
    assert rows["satisfaction", "champion"] == rows["satisfaction", "challenger"] == len(held_out) * 2 * 2
    assert not any(model == "first" for _, model in rows), "the champion is the first one"
    assert not rows["knowledge", "champion"], "what is asked without users is asked once a night"
    for name in ("judges", "drift", "gate"):
        stages.run(name, space.root)
    decision = read_decision(space)
    assert decision.panel == "decision" and decision.budget and decision.budget.level == 0.025
    assert {"satisfaction", "knowledge", "instructions"} <= {one.suite for one in decision.overall}
    (gain,) = (one for one in decision.overall if one.suite == "satisfaction")
    assert gain.gain.clusters == len(held_out) and gain.level == 0.025 and gain.least is not None
    assert decision.by_chance is None or 0 <= decision.by_chance <= 1
    assert len(last_replies(space).rows) == rows["satisfaction", "champion"] + 4, "a decision's, then the screen's"
    conclude(space.root)
    (record,) = ledger.history(space.root)
    assert record.decided is not None and record.decided.level == 0.025


@pytest.mark.parametrize(
    ("section", "values", "why"),
    [
        ("gate", {"min_users": 192}, r"a decision asks 192 held-out users (gate.min_users), and "),
        ("confirm", {"users": 3}, r"a decision asks 6 held-out users (gate.min_users), and 3 are to be asked"),
        ("confirm", {"users": 0}, r"the screen's replies decide (confirm.users is 0)"),
    ],
)
def test_what_cannot_decide_is_not_asked(space: Workspace, section: str, values: dict[str, object], why: str) -> None:
    open_to_all(space)
    configure(space, "gate", {}, min_users=6)
    configure(space, section, {}, **values)
    assert stages.run("confirm", space.root).note.startswith(f"no decision: {why}")
    assert not confirmed(space) and not read_table(space.path(CONFIRMED_REPLIES), EvaluatedReply)


def test_a_night_too_soon_is_screened_and_holds(space: Workspace) -> None:
    open_to_all(space)
    configure(space, "gate", {}, budget={"decisions": 52, "days": 7})
    pin = read_json(space.path("cycle.json"))
    write_json(space.path("cycle.json"), {**pin, "decisions": [{"day": pin["day"], "level": 0.05 / 52}]})
    note = stages.run("confirm", space.root).note
    assert note.startswith(f"no decision: the last decision was on {pin['day']}")
    for name in ("judges", "drift", "gate"):
        stages.run(name, space.root)
    decision = read_decision(space)
    assert (decision.verdict, decision.panel) in {("hold", "screen"), ("refuse", "screen"), ("invalid", "screen")}
    assert any(f"not decided: the last decision was on {pin['day']}" in one for one in decision.reasons)
    conclude(space.root)
    assert ledger.history(space.root)[0].decided is None, "who only screens spends nothing"


def test_requests_and_seeds_are_drawn_for_each_decision_and_the_first_champion_is_asked_once_there_is_another(
    space: Workspace,
) -> None:
    open_to_all(space)
    stages.run("confirm", space.root)
    before = {(row.user_id, row.item.partition("/")[0]) for row in read_table(space.path(CONFIRMED), EvalResult)}
    for name in ("judges", "drift", "gate"):
        stages.run(name, space.root)
    ledger.record(space.root, "promote", ["for a test"])
    assert ledger.begin(space.root).champion == "v0.2.0"
    stages.run("evaluate", space.root)
    stages.run("confirm", space.root)
    after = {(row.user_id, row.item.partition("/")[0]) for row in read_table(space.path(CONFIRMED), EvalResult)}
    assert {user for user, _ in before} <= {user for user, _ in after} and after != before
    rows = confirmed(space)
    assert rows["nearness", "first"] == rows["nearness", "champion"] > 0
    assert rows["knowledge", "first"] and rows["instructions", "first"] and not rows["satisfaction", "first"]
    for name in ("judges", "drift", "gate"):
        stages.run(name, space.root)
    first = {one.suite for one in read_decision(space).measurements if one.against == "first"}
    assert {"nearness", "fluency", "knowledge", "instructions"} <= first
