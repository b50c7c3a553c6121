"""`reward.kind: lora` in a workspace: it makes the pairs, goes on from its former self, gives way to a better one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rlhi import stages
from rlhi.contracts import Message, PreferencePair, Profile
from rlhi.learn.reward.head import RewardHead
from rlhi.learn.training.run import TrainingError
from rlhi.models.base import ModelError, Scored
from rlhi.models.tuned_reward import TunedReward
from rlhi.stages.files import score_file
from rlhi.stages.learn.reward_models import FOLDER, HEAD, HEADS, RUNS, TUNED, RewardModels, scorer
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table
from tests.support.cycles import digest, run_cycle
from tests.support.rewards import FAST
from tests.support.spaces import land_choices, land_talk, make_space

LORA: dict[str, object] = {"kind": "lora", "tuned": {**FAST, "epochs": 2, "max_length": 384}}


@pytest.fixture(scope="module")
def cycled(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    """A workspace after a whole cycle with `reward.kind: lora`."""
    # Hardly anything that a tiny model says has ended by itself.
    unfiltered = {"filter": False, "min_margin": 0.0}
    space = make_space(tmp_path_factory.mktemp("tuned") / "cycled", tiny_policy, reward=LORA, pairs=unfiltered)
    land_talk(space)
    run_cycle(space.root)
    return space


@pytest.fixture(scope="module")
def second(cycled: Workspace) -> Workspace:
    """The same in its second cycle, before the reward model."""
    root = cycled.root.with_name("second")
    shutil.copytree(cycled.root, root, symlinks=True)
    space = Workspace(root)
    # What a scripted champion's users say teaches a tiny model nothing that holds of others: choices do.
    land_talk(space, cycle=2, users=12, seed=1)
    land_choices(space, cycle=2)
    for name in stages.stages_of("collect"):
        stages.run(name, root)
    ledger.begin(root)
    stages.run("rewrites", root)
    return space


def test_between_cycles_the_model_of_the_last_one_is_what_a_new_one_has_to_beat(
    cycled: Workspace, tmp_path: Path
) -> None:
    """And it is still there for the next cycle, whatever was trained meanwhile."""
    shutil.copytree(cycled.root, tmp_path / "w", symlinks=True)
    space = Workspace(tmp_path / "w")
    before = digest(space.root, f"{TUNED}/0001")
    land_choices(space, cycle=2)
    for name in (*stages.stages_of("collect"), "rewrites", "reward"):
        stages.run(name, space.root)
    assert not ledger.under_way(space.root) and ledger.pinned(space.root).cycle == 1
    assert before == digest(space.root, f"{TUNED}/0001") and space.path(f"{TUNED}/0002").is_dir()
    told = read_json(space.path(f"{FOLDER}/metrics.json"))
    assert isinstance(told["former_accuracy"], float) and told["warm_start"] in ("", "0001")


@pytest.fixture
def space(second: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    shutil.copytree(second.root, tmp_path / "w", symlinks=True)
    return Workspace(tmp_path / "w")


def run_with(space: Workspace, **reward: object) -> str:
    """Run the stage with other parameters of its section; what it tells."""
    file = space.path("params.yaml")
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params["reward"] = {**params["reward"], **reward}
    file.write_text(yaml.safe_dump(params), encoding="utf-8")
    return stages.run("reward", space.root).note


def told(space: Workspace) -> dict[str, object]:
    """What the stage wrote of itself."""
    return dict(read_json(space.path(f"{FOLDER}/metrics.json")))


def turn_round(folder: Path) -> None:
    """Make a reward model rank everything the other way round."""
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    weights = load_file(file)
    weights["score.weight"] = -weights["score.weight"]
    save_file(weights, file, metadata={"format": "pt"})


def former_head(space: Workspace, sign: float) -> None:
    """Let a head that knows only one feature have scored in the cycle before."""
    head = RewardHead.neutral()
    head.weights[0, 0] = sign
    shutil.rmtree(space.path(f"{TUNED}/0001"), ignore_errors=True)
    space.path(HEADS).mkdir(exist_ok=True)
    space.path(f"{HEADS}/0001.npz").write_bytes(head.to_bytes())


def former_accuracy(space: Workspace) -> float:
    """How well the former model ranks; too few comparisons train no new one."""
    run_with(space, min_pairs=100_000)
    return float(str(told(space)["former_accuracy"]))


def test_a_cycle_makes_its_pairs_with_the_fine_tuned_model(cycled: Workspace, tmp_path: Path) -> None:
    assert (told(cycled)["kind"], told(cycled)["warm_start"], told(cycled)["engine"]) == (
        "lora", "", "PeftModelForSequenceClassification",
    )  # fmt: skip
    assert not cycled.path(HEAD).exists() and not any(cycled.path(HEADS).glob("*")), "no head scores beside it"
    assert not any(cycled.path(RUNS).iterdir()), "what training left is gone"
    model = scorer(cycled, cycled.params.models)
    assert isinstance(model, TunedReward) and model.path == cycled.path(f"{TUNED}/0001")
    pairs = read_table(cycled.path("data/pairs"), PreferencePair)
    sides = [
        (Scored(Profile(pair.persona), pair.prompt, text), reward)
        for pair in pairs
        for text, reward in ((pair.chosen, pair.reward_chosen), (pair.rejected, pair.reward_rejected))
    ]
    assert len(pairs) >= 4 and any(pair.persona for pair in pairs)
    rewards = [reward for _, reward in sides]
    assert model.score([one for one, _ in sides]) == pytest.approx(rewards, abs=1e-3)
    assert max(rewards) - min(rewards) > 0.1
    assert read_json(cycled.path("metrics/metrics.json"))["preference"], "the evaluation asked it too"
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=cycled.root, capture_output=True, text=True)
    assert "up to date" in status.stdout
    # `rlhi score` has its rewards from the same model.
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    some = [{"persona": pair.persona, "prompt": "How?", "response": pair.chosen} for pair in pairs[:3]]
    rows.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    score_file(cycled.root, rows, out)
    found = [json.loads(line)["reward"] for line in out.read_text(encoding="utf-8").splitlines()]
    asked = [Scored(Profile(str(row["persona"])), (Message("user", "How?"),), str(row["response"])) for row in some]
    assert found == pytest.approx(model.score(asked), abs=1e-6)


def test_the_next_cycle_goes_on_from_it_and_older_ones_are_let_go(space: Workspace) -> None:
    if former_accuracy(space) > 0.5:
        turn_round(space.path(f"{TUNED}/0001"))
    assert run_with(space, min_pairs=8).startswith("ranks ")
    assert (told(space)["former_kept"], told(space)["warm_start"]) == (False, "0001")
    history = read_json(space.path(f"{TUNED}/0002/training.json"))["history"]
    assert isinstance(history, list) and history[0]["loss"] != pytest.approx(0.693, abs=0.01), "it knew something"
    # By hand and again, it begins where it began: at the cycle before.
    once = digest(space.root, f"{TUNED}/0002")
    space.path(".rlhi/stages/reward.json").unlink()
    stages.run("reward", space.root)
    assert digest(space.root, f"{TUNED}/0002") == once
    kept = RewardModels(space, space.params.models)
    former = kept.former(3)
    assert former is not None
    kept.keep(3, former)
    assert sorted(folder.name for folder in space.path(TUNED).iterdir()) == ["0002", "0003"]


def test_the_former_model_stays_where_a_new_one_ranks_worse(space: Workspace) -> None:
    folder = space.path(f"{TUNED}/0001")
    if former_accuracy(space) < 0.5:
        turn_round(folder)
    # Too few comparisons find all answers alike: half of them are ranked right.
    note = run_with(space, min_pairs=10_000)
    assert note.startswith("the former reward model stays: it ranks") and note.endswith("a new one 50%")
    assert (told(space)["former_kept"], told(space)["kind"]) == (True, "lora")
    weights = [space.path(f"{TUNED}/{name}/model.safetensors").read_bytes() for name in ("0001", "0002")]
    assert weights[0] == weights[1] and not space.path(HEAD).exists()
    # And the other way round: what ranks worse than no knowledge at all goes.
    turn_round(folder)
    note = run_with(space, min_pairs=9_999)
    assert note.startswith("no reward model, so pairs only of choices and of what a program can tell:")
    assert space.path(HEAD).exists() and not space.path(f"{TUNED}/0002").exists()
    assert scorer(space, space.params.models).is_neutral


def test_a_head_may_follow_a_fine_tuned_model_and_the_stage_says_so(space: Workspace) -> None:
    if former_accuracy(space) > 0.5:
        turn_round(space.path(f"{TUNED}/0001"))
    assert run_with(space, kind="head", min_pairs=8).startswith("kind head now, lora before: ranks ")
    now = scorer(space, space.params.models)
    assert isinstance(now, RewardHead) and not now.is_neutral
    assert "kind" not in told(space), "a head's record is what it always was"


@pytest.mark.long
def test_a_fine_tuned_model_may_follow_a_head_unless_that_ranks_better(space: Workspace) -> None:
    former_head(space, 1.0)
    bad = -1.0 if former_accuracy(space) > 0.5 else 1.0
    former_head(space, bad)
    assert run_with(space, min_pairs=8).startswith("kind lora now, head before: ranks ")
    assert (told(space)["former_kept"], told(space)["warm_start"]) == (False, ""), "a head is no place to go on from"
    assert isinstance(scorer(space, space.params.models), TunedReward)
    former_head(space, -bad)
    note = run_with(space, min_pairs=10_000)
    assert note.startswith("the former reward model (head) stays: it ranks ") and note.endswith("a new one (lora) 50%")
    assert isinstance(scorer(space, space.params.models), RewardHead)


def test_what_cannot_be_trained_leaves_the_model_that_is_there(space: Workspace) -> None:
    before = digest(space.root, FOLDER)
    tuned = dict(yaml.safe_load(space.path("params.yaml").read_text(encoding="utf-8"))["reward"]["tuned"])
    with pytest.raises(ModelError, match=r"reward.tuned.base: /nowhere holds no model"):
        run_with(space, tuned={**tuned, "base": "local:/nowhere"})
    with pytest.raises(TrainingError, match=r"lower reward.tuned.learning_rate"):
        run_with(space, tuned={**tuned, "learning_rate": 1e30})
    assert digest(space.root, FOLDER) == before
