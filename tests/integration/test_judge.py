"""A judge of its own through the stages: what it learned from chose no pairs, and evaluations ask it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from rlhi import stages
from rlhi.collect.wishes.claims import read_profile
from rlhi.contracts import Candidate, EvalResult, JudgedAnswer, Message, PreferencePair, Profile, Rewrite
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.evaluate.said import Model, Reply
from rlhi.evaluate.suites.preference import preference
from rlhi.learn.reward.head import RewardHead
from rlhi.models.base import RewardModel, Scored
from rlhi.stages.conclude import recorded
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.evaluate import REPLIES, RESULTS
from rlhi.stages.learn.judge import FOLDER, has_judge, judge_of
from rlhi.stages.learn.log import read_log
from rlhi.stages.learn.reward_models import scorer
from rlhi.stages.trace import trace
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_json
from tests.support.cycles import run_cycle
from tests.support.spaces import configure, land_talk, make_space

HALF = {"judges": 0.5}


@pytest.fixture(scope="module")
def cycled(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    """A workspace after a cycle in which half of those who are not held out judge."""
    space = make_space(tmp_path_factory.mktemp("judge") / "w", tiny_policy, split=HALF, reward={"judge_pairs": 8})
    land_talk(space, users=40)
    run_cycle(space.root)
    return space


@pytest.fixture
def space(cycled: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    shutil.copytree(cycled.root, tmp_path / "w", symlinks=True)
    return Workspace(tmp_path / "w")


def users_of(space: Workspace, part: str) -> set[str]:
    return {
        row.user_id for row in read_log(space).conversations.values() if space.params.split.part_of(row.user_id) == part
    }


def test_what_judges_said_makes_no_pair_and_is_sampled_for_nobody(cycled: Workspace) -> None:
    judges, teachers = users_of(cycled, "judges"), users_of(cycled, "teaches")
    assert len(judges) >= 5 and len(teachers) >= 5
    made = {
        "pairs": [(row.user_id, row.conversation_id) for row in read_table(cycled.path("data/pairs"), PreferencePair)],
        "judged": [(row.user_id, row.conversation_id) for row in read_table(cycled.path("data/judged"), JudgedAnswer)],
        "candidates": [
            (row.user_id, row.conversation_id) for row in read_table(cycled.path("data/candidates"), Candidate)
        ],
        "rewrites": [
            (row.user_id, row.conversation_id)
            for row in read_table(cycled.path("data/rewrites"), Rewrite)
            if row.source == "rewrite"
        ],
    }
    # The answers of a pair are its user's own, or those that somebody else who teaches was given.
    theirs = {name for name, row in read_log(cycled).conversations.items() if row.user_id in judges}
    for name, rows in made.items():
        assert rows and {user for user, _ in rows} <= teachers, name
        assert not {conversation for _, conversation in rows} & theirs, name
    found = trace(cycled.root, min(theirs))
    assert found.judges and not found.held_out and not any(turn.pairs for turn in found.turns)


def test_the_reward_model_learns_from_those_who_teach_and_the_judge_from_judges(cycled: Workspace) -> None:
    reward, judge = (read_json(cycled.path(f"models/{name}/metrics.json")) for name in ("reward", "judge"))
    assert int(str(reward["trained_on"])) >= 8 and int(str(judge["trained_on"])) >= 8
    assert judge["trained_on_users"] <= len(users_of(cycled, "judges"))  # type: ignore[operator]
    assert reward["trained_on"] != judge["trained_on"], "so that the two are told apart here"
    assert (judge["comparisons"], judge["users"]) == (reward["comparisons"], reward["users"]), "both tested on the same"
    own, other = (
        RewardHead.from_bytes(cycled.path(f"models/{name}/head.npz").read_bytes()) for name in ("reward", "judge")
    )
    assert own.weights.any() and other.weights.any() and own.to_bytes() != other.to_bytes()


def preferences(space: Workspace, judge: RewardModel) -> dict[tuple[str, str, str], float]:
    """What a model makes of the replies that were kept."""
    said: dict[Model, list[Reply]] = {"champion": [], "challenger": []}
    for row in read_table(space.path(REPLIES), EvaluatedReply):
        prompt = (Message("user", row.request),)
        said[row.model].append(Reply(row.item, row.user_id, read_profile(row.persona), prompt, row.text))
    for rows in said.values():
        rows.sort(key=lambda row: (row.item, row.user_id))
    return {(row.item, row.user_id, row.model): row.value for row in preference(replies=said, judge=judge)}


def test_preference_is_the_judge_s_word(cycled: Workspace) -> None:
    rows = [row for row in read_table(cycled.path(RESULTS), EvalResult) if row.suite == "preference"]
    measured = {(row.item, row.user_id, row.model): row.value for row in rows}
    models = cycled.params.models
    assert len(measured) >= 8 and measured == pytest.approx(preferences(cycled, judge_of(cycled, models)), abs=1e-3)
    assert measured != pytest.approx(preferences(cycled, scorer(cycled, models)), abs=1e-3), "not the reward model's"


def test_its_accuracy_is_told_wherever_the_verdict_is(cycled: Workspace) -> None:
    judge = read_json(cycled.path(f"{FOLDER}/metrics.json"))
    share = judge["judge"]
    assert isinstance(share, dict) and share["clusters"] == judge["users"] and share["items"] == judge["comparisons"]
    assert share["low"] < share["mean"] < share["high"]
    told = read_json(cycled.path("metrics/metrics.json"))["judge"]
    assert told == {
        "accuracy": share["mean"], "low": share["low"], "high": share["high"], "comparisons": share["items"],
        "users": share["clusters"], "longer_wins": judge["longer_wins"], "independent": 1,
    }  # fmt: skip
    (cycle,) = recorded(cycled)
    assert cycle.judge is not None and cycle.judge.independent
    assert cycle.judge.accuracy.mean == share["mean"] and cycle.judge.longer_wins == judge["longer_wins"]
    page = cycled.path("reports/index.html").read_text(encoding="utf-8")
    assert "Judge accuracy" in page and "it chose no pairs" in page
    assert not any("it chose the pairs" in reason for reason in read_decision(cycled).reasons)


def run_with(space: Workspace, judge_pairs: int) -> dict[str, str]:
    """Run the stage with another least number of judges' comparisons; its figures."""
    configure(space, "reward", {}, judge_pairs=judge_pairs)
    return dict(stages.run("reward", space.root).counts)


def test_too_few_comparisons_train_no_judge_and_the_reward_model_nominates(space: Workspace) -> None:
    trained_on = int(str(read_json(space.path(f"{FOLDER}/metrics.json"))["trained_on"]))
    told = run_with(space, trained_on + 1)["judge"]
    assert told == f"none: {trained_on} comparisons of judges, {trained_on + 1} are asked for"
    assert not has_judge(space) and "judge" not in read_json(space.path(f"{FOLDER}/metrics.json"))
    stages.run("gate", space.root)
    told_by = read_json(space.path("metrics/metrics.json"))["judge"]
    assert isinstance(told_by, dict) and told_by["independent"] == 0
    some = [Scored(Profile(), (Message("user", "How?"),), text) for text in ("- Sun\n- Water", "It wants sun.")]
    models = space.params.models
    assert judge_of(space, models).score(some) == scorer(space, models).score(some)
    assert "ranks " in run_with(space, trained_on)["judge"] and has_judge(space)
    assert judge_of(space, models).score(some) != scorer(space, models).score(some)


def test_a_workspace_that_began_without_judges_goes_on_without(space: Workspace) -> None:
    pin = read_json(space.path("cycle.json"))
    fixed = pin["split"]
    assert isinstance(fixed, dict) and fixed.pop("split.judges") == 0.5
    write_json(space.path("cycle.json"), pin)
    params = yaml.safe_load(space.path("params.yaml").read_text(encoding="utf-8"))
    del params["split"]["judges"]
    space.path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    before = int(str(read_json(space.path("models/reward/metrics.json"))["trained_on"]))
    assert users_of(space, "judges") == set()
    assert "judge" not in dict(stages.run("reward", space.root).counts) and not has_judge(space)
    assert int(str(read_json(space.path("models/reward/metrics.json"))["trained_on"])) > before, "all teach"
    assert ledger.begin(space.root).cycle == 2
    assert read_json(space.path("cycle.json"))["split"] == {**fixed, "split.judges": 0.0}
    configure(space, "split", HALF)
    with pytest.raises(stages.StageError, match=r"split.judges is 0.5 in params.yaml, and 0.0 in this workspace's"):
        stages.run("reward", space.root)


def test_what_chose_between_two_reward_models_tests_none(space: Workspace) -> None:
    """The held-out users whose comparisons chose are others than those whose comparisons are told as its accuracy."""
    all_of_them = int(str(read_json(space.path("models/reward/metrics.json"))["users"]))
    ledger.begin(space.root)
    stages.run("reward", space.root)
    second = read_json(space.path("models/reward/metrics.json"))
    assert second["former_accuracy"] is not None and 0 < int(str(second["users"])) < all_of_them
    judge = read_json(space.path(f"{FOLDER}/metrics.json"))
    assert judge["users"] == all_of_them, "no judge was chosen: all test it"
