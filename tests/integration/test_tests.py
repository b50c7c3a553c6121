"""Complaints of a log become tests, both models are asked them, and what became of each is kept and told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rlhi import stages
from rlhi.cli.app import app
from rlhi.config import SplitConfig
from rlhi.contracts import AnsweredTest, Conversation, EvalResult, FeedbackTurn
from rlhi.stages import StageError
from rlhi.stages.collect.tests import read_tests
from rlhi.stages.conclude import conclude, recorded
from rlhi.stages.evaluate.tested import drawn, keep_tested, read_tested
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.status import status
from rlhi.stages.tests import find, listed
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_table
from tests.support.spaces import configure, land_talk, make_space

ASKED = 6


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    """A workspace after a cycle whose challenger is the champion under another name."""
    space = make_space(tmp_path_factory.mktemp("tests") / "w", tiny_policy)
    configure(space, "evaluate", {}, users=4, requests=1, recognised=0, lift_samples=0, samples=2, tests=ASKED)
    land_talk(space)
    for name in stages.stages_of("collect"):
        stages.run(name, space.root)
    ledger.begin(space.root)
    for name in stages.stages_of("learn"):
        stages.run(name, space.root)
    challenger = space.path("models/challenger")
    for file in tiny_policy.iterdir():
        shutil.copy(file, challenger / file.name)
    (challenger / TRAINING).write_text(json.dumps({"lessons": [], "history": []}), encoding="utf-8")
    for name in stages.stages_of("evaluate"):
        stages.run(name, space.root)
    conclude(space.root)
    return space


@pytest.fixture
def space(measured: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(measured.root, tmp_path / "w", symlinks=True)
    return Workspace(tmp_path / "w")


def told(space: Workspace, *words: str) -> str:
    done = CliRunner().invoke(app, ["--workspace", str(space.root), "tests", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_held_out_users_alone_are_asked_each_before_a_second_of_any(space: Workspace) -> None:
    tests, split = read_tests(space), SplitConfig()
    assert {one.held_out for one in tests} == {True, False}
    assert all(one.held_out == split.holds_out(one.user_id) for one in tests)
    assert all(one.persona.text == "" for one in tests if not one.held_out)
    said = {row.conversation_id: row for row in read_table(space.path("data/conversations"), Conversation)}
    for one in tests:
        complaint = said[one.conversation_id].turns[one.turn_index].content
        assert complaint not in {message.content for message in one.prompt}
        assert one.original == said[one.conversation_id].turns[one.turn_index - 1].content
    asked = {row.test for row in read_tested(space)}
    by_key = {one.key: one for one in tests}
    assert len(asked) == ASKED and all(by_key[key].held_out for key in asked)
    assert asked == {one.key for one in drawn([one for one in tests if one.held_out], space.params.seed)[:ASKED]}
    assert len({by_key[key].user_id for key in asked}) == ASKED


def test_both_models_are_measured_and_the_gate_asks_nothing_of_it(space: Workspace) -> None:
    rows = [row for row in read_table(space.path("data/evaluation"), EvalResult) if row.suite == "resolution"]
    assert len(rows) == 2 * 2 * ASKED and {row.user_id for row in rows} <= {one.user_id for one in read_tests(space)}
    tested = read_tested(space)
    assert {(row.model, row.version, row.cycle, row.replies) for row in tested} == {
        ("champion", "v0.1.0", 1, 2), ("challenger", "", 1, 2),
    }  # fmt: skip
    told = (space.path("reports") / "index.html").read_text(encoding="utf-8")
    assert "What users had to ask for, as tests" in told and "resolution" not in space.params.gate.guards
    (cycle,) = recorded(space)
    assert cycle.tests and (cycle.tests.asked, cycle.tests.fixed, cycle.tests.broken) == (ASKED, 0, 0)


def test_the_tests_are_listed_with_what_became_of_them(space: Workspace) -> None:
    rows = json.loads(told(space, "--json"))
    assert len(rows) == len(read_tests(space)) and rows[-1]["state"] == "learned"
    assert [row["id"] for row in rows if row["state"] not in ("waiting", "learned")]
    (row,) = (one for one in rows if one["id"] == rows[0]["id"])
    text = told(space, row["id"][:10])
    assert "complaint" in text and row["wish"][:20] in text and "replies do it" in text
    one = json.loads(told(space, row["id"], "--json"))
    assert one["complaint"] and one["entered"] == ledger.history(space.root)[0].date[:10]
    table = told(space, "--number", "1")
    assert rows[0]["id"] in table and rows[1]["id"] not in table and f"{len(rows) - 1} more" in table
    assert dict(status(space.root).tests)["learned"] == sum(row["state"] == "learned" for row in rows)
    assert "tests          " in status(space.root).as_text()
    assert json.loads(told(space, "--state", "fixed", "--json")) == []


def test_bad_input_is_told_in_a_line(space: Workspace, tmp_path: Path, tiny_policy: Path) -> None:
    with pytest.raises(StageError, match="no state 'green' of tests: one of broken, fixed"):
        listed(space, "green")
    with pytest.raises(StageError, match="no test 'zzzz': `rlhi tests` lists all"):
        find(space, "zzzz")
    keys = sorted(one.key for one in read_tests(space))
    with pytest.raises(StageError, match=f"did you mean {keys[0]}"):
        find(space, keys[0][:-1] + "_")
    with pytest.raises(StageError, match="no tests were collected yet: run `rlhi run tests`"):
        listed(make_space(tmp_path / "new", tiny_policy))
    both = CliRunner().invoke(app, ["--workspace", str(space.root), "tests", "abc", "--state", "fixed"])
    assert both.exit_code == 2 and "not both" in both.output


def test_a_user_who_is_erased_takes_their_tests_along(space: Workspace) -> None:
    user = read_tested(space)[0].user_id
    before = read_tests(space)
    for name, kind in (("data/conversations", Conversation), ("data/feedback", FeedbackTurn)):
        rows = [row for row in read_table(space.path(name), kind) if row.user_id != user]  # type: ignore[attr-defined]
        write_table(space.path(name), kind, rows, user=lambda row: row.user_id)  # type: ignore[attr-defined]
    done = stages.run("tests", space.root)
    assert "gone with their conversations" in done.note
    assert {one.key for one in read_tests(space)} == {one.key for one in before if one.user_id != user}
    keep_tested(space, None, [])  # what `evaluate` does of nights without a challenger, too
    assert user not in {row.user_id for row in read_table(space.path("data/tested"), AnsweredTest)}
