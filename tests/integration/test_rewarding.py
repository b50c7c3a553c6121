"""The stage `reward` in a workspace: a new head scores only when it is no worse than the one before."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rlhi import stages
from rlhi.learn.reward.head import RewardHead
from rlhi.stages.learn.reward_models import FOLDER, HEAD
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json
from tests.support.spaces import land_talk, make_space


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    made = make_space(tmp_path_factory.mktemp("rewarding") / "w", tiny_policy)
    land_talk(made)
    for name in stages.stages_of("collect"):
        stages.run(name, made.root)
    ledger.begin(made.root)
    for name in ("rewrites", "reward"):
        stages.run(name, made.root)
    return made


def turned(head: RewardHead) -> RewardHead:
    """The head that ranks everything the other way round."""
    made = RewardHead(head.mean, head.scale, head.center, head.directions, -head.weights)
    made.probe = head.probe
    return made


def run_with(space: Workspace, former: RewardHead, min_pairs: int) -> str:
    """Run the stage as if ``former`` had scored in the cycle before; what it tells."""
    file = space.path("params.yaml")
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params["reward"]["min_pairs"] = min_pairs
    file.write_text(yaml.safe_dump(params), encoding="utf-8")
    space.path(f"{FOLDER}/heads/0000.npz").write_bytes(former.to_bytes())
    return stages.run("reward", space.root).note


def told(space: Workspace) -> dict[str, object]:
    """What the stage wrote of itself."""
    return read_json(space.path(f"{FOLDER}/metrics.json"))


def test_the_former_head_stays_where_a_new_one_ranks_worse(space: Workspace) -> None:
    first = RewardHead.from_bytes(space.path(HEAD).read_bytes())
    # Too few comparisons train a head that finds all alike: it ranks half of them right.
    run_with(space, first, 10_000)
    accuracy = float(str(told(space)["former_accuracy"]))
    assert accuracy != 0.5, "a head that learned something"
    good, bad = (first, turned(first)) if accuracy > 0.5 else (turned(first), first)
    note = run_with(space, good, 10_001)
    assert note.startswith("the former reward model stays: it ranks") and note.endswith("a new one 50%")
    assert space.path(HEAD).read_bytes() == good.to_bytes()
    assert told(space)["former_kept"] is True
    assert told(space)["former_accuracy"] == pytest.approx(max(accuracy, 1 - accuracy))
    if accuracy > 0.5:
        assert "stays" not in run_with(space, bad, 8)
        assert told(space)["former_kept"] is False
        assert space.path(HEAD).read_bytes() == first.to_bytes()


def test_held_out_comparisons_are_told_apart_by_source(space: Workspace) -> None:
    run_with(space, RewardHead.neutral(), 8)
    by_source = told(space)["by_source"]
    assert isinstance(by_source, dict) and "feedback" in by_source
