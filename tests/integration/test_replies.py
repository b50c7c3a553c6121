"""`rlhi replies` on tables as the evaluation leaves them: text, JSON, and one line where there is nothing to show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rlhi.cli.app import app
from rlhi.contracts import EvalResult
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.evaluate.said import Model
from rlhi.stages import StageError
from rlhi.stages.conclude import DRAWN
from rlhi.stages.evaluate.replies import last_replies
from rlhi.workspace.store import Workspace, write_json, write_table
from tests.support.commands import one_line, rlhi
from tests.support.spaces import make_space

MODELS: tuple[Model, Model] = ("champion", "challenger")


def keep(space: Workspace, users: int, skipped: str = "") -> None:
    """What ``evaluate`` writes for two requests of each user; the challenger is near those of every other user."""
    replies, results = [], []
    for at in range(2 * users):
        user = f"user-{at // 2}"
        for model in MODELS:
            near = float(model == "champion") if at % 4 < 2 else float(model == "challenger")
            replies.append(EvaluatedReply(f"{at}/0", user, model, "", f"What is {at}?", f"{model} says {at}"))
            results.append(EvalResult("nearness", f"{at}/0", user, model, near))
    write_table(space.path("data/replies"), EvaluatedReply, replies, user=lambda row: row.user_id)
    note = {"skipped": skipped} if skipped else {}
    write_table(space.path("data/evaluation"), EvalResult, results, user=lambda row: row.user_id, note=note)


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    """A workspace in which nothing ran."""
    return make_space(tmp_path / "w", tiny_policy)


def told(space: Workspace, *words: str) -> str:
    done = CliRunner().invoke(app, ["--workspace", str(space.root), "replies", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def listed(space: Workspace, *words: str) -> list[dict[str, object]]:
    rows = json.loads(told(space, "--json", *words))
    assert isinstance(rows, list)
    return rows


def test_six_are_printed_and_json_has_all_of_them_in_the_same_order(space: Workspace) -> None:
    keep(space, users=10)
    write_json(space.path("metrics/decision.json"), {"cycle": 3, "champion": "v0.2.0", "verdict": "refuse"})
    rows = listed(space)
    assert len(rows) == 20 and {"user_id", "persona", "request", "champion", "challenger", "measures"} < {*rows[0]}
    assert all("met_champion" not in row for row in rows), "nobody knows the wishes"
    text = told(space)
    assert (
        f"{DRAWN} of 20 pairs of replies, drawn by seed 0; cycle 3: champion policy@v0.2.0, challenger refused" in text
    )
    of_two = {"cycle": 4, "champion": "v0.2.0", "verdict": "hold", "panel": "screen"}
    write_json(space.path("metrics/decision.json"), of_two)
    assert "cycle 4: champion policy@v0.2.0, challenger held by a screen" in told(space)
    asked = [line.split(maxsplit=1)[1].strip() for line in text.splitlines() if line.startswith("request")]
    assert asked == [row["request"] for row in rows[:DRAWN]]
    assert told(space, "--seed", "1") != text and told(space, "--number", "99").count("request") == 20


def test_one_user_those_that_won_and_those_that_lost(space: Workspace) -> None:
    keep(space, users=10)
    assert {row["user_id"] for row in listed(space, "--user", "user-3")} == {"user-3"}
    gained, fell = listed(space, "--won"), listed(space, "--lost")
    assert len(gained) == len(fell) == 10
    assert all(row["measures"] == {"nearness": {"champion": 0.0, "challenger": 1.0}} for row in gained)
    assert "2 of 10 pairs of replies whose figures fell" in told(space, "--lost", "--number", "2")
    with pytest.raises(StageError, match=r"no held-out user 'user-33' .* did you mean 'user-3'"):
        last_replies(space, "user-33")


def test_without_replies_one_line_says_what_to_do(space: Workspace) -> None:
    where = f"rlhi --workspace {space.root}"
    asking = ("--workspace", space.root, "replies")
    assert one_line(rlhi(*asking)) == f"rlhi: nothing was evaluated yet: run `{where} cycle`"
    keep(space, users=1)
    for file in space.path("data/replies").iterdir():
        file.unlink()
    assert one_line(rlhi(*asking, "--json")).endswith(f"kept no replies: run `{where} run evaluate`")


def test_a_cycle_without_a_challenger_has_none_and_says_why(space: Workspace) -> None:
    keep(space, users=0, skipped="3 new pairs, 4 are needed")
    assert told(space) == "no replies: the last cycle made no challenger: 3 new pairs, 4 are needed\n"
    done = rlhi("--workspace", space.root, "replies", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, []) and "3 new pairs" in done.stderr
    keep(space, users=0)
    assert listed(space) == [] and "no held-out user has asked" in told(space)


@pytest.mark.parametrize("words", [["--number", "0"], ["--number", "-1"], ["--won", "--lost"], ["--seed", "x"]])
def test_what_makes_no_sense_is_wrong_usage(words: list[str], tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["--workspace", str(tmp_path), "replies", *words]).exit_code == 2
