"""Simulated users talk to a workspace's own champion, and the demo tells how well they were read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rlhi import stages
from rlhi.bench.experiments.sizes import DEMO
from rlhi.bench.experiments.world import LEARN
from rlhi.checks.answers import AnswerKey
from rlhi.cli.demo import DemoCycle, _size, _table
from rlhi.config import GateConfig, load_params
from rlhi.contracts import Conversation, EvalResult, FeedbackTurn, Interval, Measurement
from rlhi.models.base import Sampling
from rlhi.simulate import SimulatorConfig, TruthRow, WishRow
from rlhi.stages.collect.salt import SALT
from rlhi.stages.simulator.recovery import TRUTH, readings
from rlhi.stages.simulator.talk import talk
from rlhi.stages.simulator.truth import EVALUATION_REQUESTS, WISHES
from rlhi.workspace import ledger
from rlhi.workspace.store import read_table
from tests.support.cycles import COLLECT
from tests.support.spaces import make_space


def test_talk_lands_a_log_and_the_table_tells_how_it_was_read(
    tmp_path: Path, tiny_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = make_space(tmp_path / "w", tiny_policy, ingest={"hash_users": True})
    space.path(SALT).write_text("0" * 32)  # it draws who is held out
    root = space.root
    # Such a model answers nothing: of users who want an answer, none would come to speak of a wish.
    said = talk(root, SimulatorConfig(users=24, answers=False), Sampling(max_new_tokens=8))
    assert (said.users, said.conversations) == (24, 72) and said.messages > 72
    for name in COLLECT:
        stages.run(name, root)
    known = {row.user_id for row in read_table(space.path("data/conversations"), Conversation)}
    assert known == {row.user_id for row in read_table(space.path(WISHES), WishRow)}
    kept = json.loads(space.path(EVALUATION_REQUESTS).read_text())
    assert [str(AnswerKey.parse(text)) for text in kept["keys"].values()] == list(kept["keys"].values())
    assert set(kept["keys"]) == set(kept["requests"]) and not kept["checks"]
    assert len(known) == 24 and all(user.startswith("user-") for user in known)
    read = readings(root)
    assert read[0].follow_ups > 0 and read[0].wishes > 0 and read[1].follow_ups > 0
    assert all(0 <= one.f1 <= 1 and 0 <= one.recovered <= 1 for one in read)
    assert read[0].f1 > 0.5 and read[0].recovered > 0.3, "plain complaints are read"
    half = Interval(0.5, 0.4, 0.6, 9, 9)
    found = tuple(
        Measurement(suite, half, half, Interval(0.02, -0.1, 0.1, 9, 9))
        for suite in ("satisfaction", "persona_lift", "kept")
    )
    _table([DemoCycle(1, 2.0, 48, 3, 0.7, 0.4, found, "no_reference", "refuse", "v0.1.0", ("why",), read)])
    told = capsys.readouterr().out
    assert "50.0% (40.0% to 60.0%)" in told and "refuse" in told and f"{read[0].f1:.2f}" in told
    assert "+2.0 points (-10.0 to +10.0)" in told and "+4.0 points" in told, "persona lift is told as a difference"
    assert "50% of 9" in told and "not measured" in told


def test_arithmetic_is_measured_by_right_answers(tmp_path: Path, tiny_policy: Path) -> None:
    space = make_space(tmp_path / "w", tiny_policy, pairs={"filter": False}, candidates={"persona_only": False})
    talk(space.root, SimulatorConfig(users=24, task="arithmetic"), Sampling(max_new_tokens=8))
    kept = json.loads(space.path(EVALUATION_REQUESTS).read_text())
    assert set(kept["checks"]) == set(kept["requests"]) and not kept["keys"]
    assert not read_table(space.path(WISHES), WishRow)
    for name in COLLECT:
        stages.run(name, space.root)
    labels = {(row.conversation_id, row.turn_index): row.label
              for row in read_table(space.path("data/feedback"), FeedbackTurn)}  # fmt: skip
    told = [row for row in read_table(space.path(TRUTH), TruthRow) if row.wish == "number"]
    read = [labels[row.conversation_id, row.turn_index] == "reattempt_with_feedback" for row in told]
    # Answers of random letters puzzle the labeller.
    assert len(read) > 20 and sum(read) > 0.5 * len(read), "a model that knows nothing is told so, and it is read"
    ledger.begin(space.root)
    for name in LEARN:
        stages.run(name, space.root)
    rows = [row for row in read_table(space.path("data/evaluation"), EvalResult) if row.suite == "satisfaction"]
    assert rows and {row.value for row in rows} <= {0.0, 1.0}


def test_the_demo_sizes_are_parameters_and_its_gate_differs_in_what_few_users_show(tmp_path: Path) -> None:
    """A demo with margins or drops of its own would prove nothing."""
    (tmp_path / "params.yaml").write_text(ledger.template("params.yaml"), encoding="utf-8")
    before = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    _size(tmp_path, 3)
    params, default = load_params(tmp_path / "params.yaml"), GateConfig()
    assert params.seed == 3 and params.confirm.users == DEMO["confirm"]["users"] and params.evaluate.users == 0
    after = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    assert after["drift"] == before["drift"] and params.gate.gains == default.gains
    assert {**params.gate.guards, "kept": default.guards["kept"]} == default.guards
    assert params.gate.budget.error == default.budget.error and params.gate.drift == default.drift
