"""Experiments on a tiny model: worlds, forks, arms, results that are kept, and the table."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from rlhi import stages
from rlhi.bench.experiments import world as worlds
from rlhi.bench.experiments.catalogue import CATALOGUE, Arm, Experiment
from rlhi.bench.experiments.run import Bench, ExperimentError, run
from rlhi.bench.experiments.sizes import QUICK
from rlhi.bench.experiments.tables import table
from rlhi.config import Params, SplitConfig
from tests.support.cycles import digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiments")


def test_every_arm_asks_for_parameters_that_there_are() -> None:
    for experiment in CATALOGUE.values():
        assert len({arm.name for arm in experiment.arms}) == len(experiment.arms) > 1
        for arm in experiment.arms:
            Params.model_validate({**QUICK.params, **arm.overrides})


def test_an_unknown_experiment_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="no experiment 'rewrite': one of rewrites, persona-reward"):
        run("rewrite", True, 1, tmp_path)


def test_an_experiment_is_told_and_its_results_are_kept(folder: Path, tmp_path: Path, tiny_policy: Path) -> None:
    told = run("rewrites", True, 1, folder, tiny_policy)
    assert [arm.name for arm in told.arms] == [arm.name for arm in CATALOGUE["rewrites"].arms]
    assert told.arms[0].against_first is None
    assert (against := told.arms[1].against_first) and against.clusters > 3
    # Where users complain more often than may be rewritten, each arm draws complaints of its own.
    assert all(arm.before.clusters > 3 and 0 <= arm.before.mean <= 1 for arm in told.arms)
    began = time.perf_counter()
    assert run("rewrites", True, 1, folder, tiny_policy) == told, "from disk, minutes included"
    assert time.perf_counter() - began < 60 * told.minutes
    printed = table(told)
    assert "| guided by the user's words | 0 |" in printed and "95% intervals by user" in printed
    page = tmp_path / "docs" / "experiments.md"
    assert run("rewrites", True, 1, folder, tiny_policy, page) == told
    assert run("rewrites", True, 1, tmp_path / "elsewhere", tiny_policy, page) == told, "results lie beside the page"
    assert not (tmp_path / "elsewhere").exists()
    kept = page.with_suffix("") / "rewrites-quick-seed-0.json"
    kept.write_text(kept.read_text().replace('"asked": "', '"asked": "x'), encoding="utf-8")
    with pytest.raises(ExperimentError, match="rewrites-quick-seed-0.json holds results of other arms"):
        run("rewrites", True, 1, folder, tiny_policy, page)
    results = sorted((folder / "results").iterdir())
    assert len(results) == 3 and not list(folder.glob("arm-*"))
    assert len(list(folder.glob("*.learned"))) == 3, "arms that sample otherwise share no samples"


def test_a_fork_changes_nothing_of_its_world_and_the_next_does_not_sample_again(
    folder: Path, tiny_policy: Path
) -> None:
    world = worlds.make_world(folder / "world", 1, QUICK, {}, tiny_policy)
    before = digest(world.root, "data", "models", "params.yaml")
    learned = folder / "learned"
    arm = worlds.fork(world, learned, learned, {"rewrites": {"guidance": "none"}})
    assert arm.params.rewrites.guidance == "none" and world.params.rewrites.guidance == "words"
    made = {name: stages.run(name, arm.root).made for name in ("rewrites", "candidates", "reward")}
    assert made["rewrites"] and made["candidates"] and digest(world.root, "data", "models", "params.yaml") == before
    kept = digest(learned, "data", "models", "params.yaml")
    again = worlds.fork(world, learned, folder / "again", {})
    assert again.params.rewrites.guidance == "words", "parameters are the world's and the arm's own"
    assert stages.run("rewrites", again.root).made, "asked otherwise, it is sampled"
    assert stages.run("candidates", again.root).note.startswith("up to date")
    fresh = worlds.fork(world, folder / "nothing", folder / "fresh", {})
    worlds.learn(fresh, ("rewrites", "candidates"))
    tables = "data/rewrites", "data/candidates"
    assert digest(fresh.root, *tables) == digest(again.root, *tables), "the order of arms changes nothing"
    assert digest(learned, "data", "models", "params.yaml") == kept


def test_an_arm_sees_no_text_that_only_another_one_sampled(folder: Path, tiny_policy: Path) -> None:
    bench, asked = Bench(folder, QUICK, tiny_policy), {"revisions": False}
    arms = [Arm("some", {"rewrites": asked}), Arm("none", {"rewrites": {**asked, "turns": 0}})]
    experiment = Experiment("Does the order matter?", tuple(arms), measured="rewrites")
    some, none = (bench.arm(experiment, arm, 0)["users"] for arm in arms)
    assert some and none == {}


@pytest.mark.long
def test_online_and_offline_learn_from_as_many_pairs(folder: Path, tiny_policy: Path) -> None:
    # A tiny model's words are no language, and a quick world has 16 requests to answer anew.
    size = {"lora_rank": 4, "batch": 4, "accumulation": 1, "max_pairs": 24}
    experiment, bench = CATALOGUE["online"], Bench(folder, QUICK, tiny_policy)
    # And nobody is answered by it, so that few complain of a form and have a persona.
    anybody = {"pairs": {"filter": False}, "candidates": {"persona_only": False}}
    arms = [Arm(arm.name, {**anybody, "dpo": {**arm.overrides["dpo"], **size}}) for arm in experiment.arms]
    results: list[dict[str, Any]] = [bench.arm(experiment, arm, 1) for arm in arms]
    offline, online = results
    assert offline["pairs"] == online["pairs"] == 24
    before = [{user: both[0] for user, both in held["users"].items()} for held in (offline, online)]
    assert before[0] == before[1] and len(before[0]) > 3, "both are measured against the same champion"
    assert (folder / "results").is_dir() and not list(folder.glob("arm-*"))


@pytest.mark.long
def test_cycles_follow_one_another_and_are_measured_against_the_base(folder: Path, tiny_policy: Path) -> None:
    arm = Arm("everything", {"pairs": {"filter": False}, "dpo": {"lora_rank": 4, "batch": 4}})
    held = Bench(folder, QUICK, tiny_policy).arm(Experiment("Does it run on?", (arm,), cycles=2), arm, 1)
    users = held["users"]
    assert isinstance(users, dict) and all(0 <= value <= 1 for both in users.values() for value in both)
    assert all(SplitConfig(held_out=QUICK.held_out).holds_out(user) for user in users)
    assert int(str(held["pairs"])) > 16, "both cycles learned"
