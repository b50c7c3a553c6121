"""DPO in rounds: the model just trained answers anew, and the reference stays the champion."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rlhi import stages
from rlhi.config import DpoConfig
from rlhi.contracts import FreshPair, Sample
from rlhi.learn.pairs.lessons import lesson
from rlhi.learn.pairs.sampling import sample
from rlhi.learn.reward.head import RewardHead
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.resume import COMPLETE
from rlhi.learn.training.rounds import fresh_requests
from rlhi.learn.training.run import RESULT, TrainingError, weights_hash
from rlhi.models.local import LocalChatModel
from rlhi.stages.learn.dpo import FRESH, TRAINING, all_pairs, exported
from rlhi.stages.learn.log import read_log, requests
from rlhi.stages.learn.reward_models import HEAD
from rlhi.stages.learn.runs import RUNS
from rlhi.stages.samples import SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table
from tests.support.cycles import digest
from tests.support.spaces import land_talk, make_space
from tests.support.training import after, made_pairs, run, run_here

ALL = {"batch": 16, "accumulation": 1, "max_length": 256, "precision": "fp32", "save_steps": 0}
WAYS = {
    "LoRA": {"lora_rank": 4},
    "full": {"lora_rank": 0},
    "full, ZeRO-3": {"lora_rank": 0, "deepspeed": 3},
    "LoRA, ZeRO-3, TRL's own forward": {"lora_rank": 4, "deepspeed": 3, "share_prompt": False},
}
ROUNDS = {
    "rounds": 2, "min_fresh_pairs": 3, "min_new_pairs": 4, "max_pairs": 16, "batch": 2, "accumulation": 1, "epochs": 1,
    "lora_rank": 4, "save_steps": 2, "learning_rate": 5e-3,
}  # fmt: skip


def next_round(base: Path, output: Path, config: DpoConfig, before: Trained) -> Trained:
    """Train from where ``before`` ended, against the champion."""
    if config.deepspeed:
        return after(base, output, config, before)
    return run_here(base, output, config, made_pairs(), before.unmerged)


def first_round(base: Path, output: Path, config: DpoConfig) -> Trained:
    """Train from the champion."""
    return (run if config.deepspeed else run_here)(base, output, config)


def chosen_log_probabilities(base: Path, adapter: Path | None, weights: Path) -> float:
    """The mean of the chosen answers' log-probabilities (nats), computed without any trainer."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    total = 0.0
    for pair in made_pairs():
        prompt = [{"role": one.role, "content": one.content} for one in pair.prompt]
        answer = [{"role": "assistant", "content": pair.chosen}]
        head = tokenizer.apply_chat_template(prompt, add_generation_prompt=True)["input_ids"]
        whole = tokenizer.apply_chat_template([*prompt, *answer])["input_ids"]
        ids = torch.tensor([whole])
        with torch.inference_mode():
            told = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        total += float(told[len(head) - 1 :].sum())
    return total / len(made_pairs())


@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.long] * ("ZeRO" in way)) for way in WAYS])
def test_a_later_round_starts_from_the_model_just_trained_and_refers_to_the_champion(
    tmp_path: Path, tiny_policy: Path, way: str
) -> None:
    config = DpoConfig.model_validate(ALL | {"learning_rate": 5e-3} | WAYS[way])
    first = first_round(tiny_policy, tmp_path / "first", config.model_copy(update={"batch": 2}))
    second = next_round(tiny_policy, tmp_path / "second", config, first)
    adapter = first.unmerged if config.lora_rank else None
    start = chosen_log_probabilities(tiny_policy, adapter, tiny_policy if adapter else first.unmerged)
    expected = config.beta * (start - chosen_log_probabilities(tiny_policy, None, tiny_policy))
    assert abs(expected) > 0.01, "the first round must have moved the policy"
    assert first.history[0]["rewards/chosen"] == pytest.approx(0, abs=1e-4)
    # DeepSpeed holds the reference, and ZeRO-3 saves the start, in bf16.
    rounded = 0.05 * abs(expected) if config.deepspeed else 1e-3
    assert second.history[0]["rewards/chosen"] == pytest.approx(expected, abs=rounded)
    assert second.history[0]["loss"] < first.history[0]["loss"] - 0.01, "it goes on where the first round ended"


def test_an_adapter_that_does_not_fit_is_refused(tmp_path: Path, tiny_policy: Path) -> None:
    from safetensors.torch import load_file, save_file

    config = DpoConfig.model_validate(ALL | {"epochs": 1, "lora_rank": 4})
    first = first_round(tiny_policy, tmp_path / "first", config)
    file = first.unmerged / "adapter_model.safetensors"
    save_file({name.replace("q_proj", "other"): weight for name, weight in load_file(file).items()}, file)
    with pytest.raises(TrainingError, match=r"the adapter in .* does not fit the champion \(.*q_proj"):
        after(tiny_policy, tmp_path / "second", config, first)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A workspace whose pairs are made: two rounds are next. A tiny model's words are no language: no filter."""
    root = tmp_path_factory.mktemp("spaces") / "ready"
    space = make_space(root, tiny_policy, pairs={"filter": False}, dpo=ROUNDS)
    land_talk(space)
    for name in stages.stages_of("collect"):
        stages.run(name, root)
    ledger.begin(root)
    for name in ("rewrites", "candidates", "reward", "pairs"):
        stages.run(name, root)
    return root


@pytest.fixture(scope="module")
def undisturbed(ready: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, stages.StageReport]:
    """Both rounds have been run."""
    space = fork(ready, tmp_path_factory.mktemp("undisturbed") / "w")
    return space, stages.run("dpo", space.root)


def fork(ready: Path, root: Path, **sections: dict[str, object]) -> Workspace:
    """A copy with other parameters."""
    shutil.copytree(ready, root, symlinks=True)
    file = root / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name, values in sections.items():
        params[name] = {**params[name], **values}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    return Workspace(root)


def recorded(space: Workspace) -> dict[str, Any]:
    """training.json of the challenger."""
    return read_json(space.path("models/challenger") / TRAINING)


def made(space: Workspace) -> dict[str, str]:
    """All that the stage wrote, by hash."""
    return digest(space.root, "models/challenger", FRESH, "data/samples/dpo")


def test_two_rounds_are_recorded(undisturbed: tuple[Workspace, stages.StageReport]) -> None:
    space, report = undisturbed
    record, champion = recorded(space), weights_hash(ledger.policy_path(space.root, "v0.1.0"))
    first, second = record["rounds"]
    assert [one["reference"] for one in (first, second)] == [champion] * 2 == [record["reference"]] * 2
    assert (first["start"], second["start"], second["weights"]) == (champion, first["weights"], record["weights"])
    assert record["weights"] == weights_hash(space.path("models/challenger")) != first["weights"]
    assert [(step["round"], step["step"]) for step in record["history"]] == [(1 + at // 4, at + 1) for at in range(8)]
    fresh = read_table(space.path(FRESH), FreshPair)
    assert {(row.round, row.sampler, row.pair.source) for row in fresh} == {(2, first["weights"], "on_policy")}
    assert (len(fresh), record["fresh_pairs"], record["ended"]) == (8, 8, "")
    assert {lesson(row.pair) for row in fresh} < set(record["lessons"]) and len(record["lessons"]) == 16
    assert second["fresh"]["groups"] == second["fresh"]["requests"] == 12 and second["fresh"]["deviation"] > 0
    assert "in 2 rounds" in report.note and dict(report.counts)["round 2: fresh pairs"] == "8"
    assert sum(json.loads(line)["source"] == "on_policy" for line in exported(space, "dpo")) == 8
    assert len(all_pairs(space)) > 8 and not any(space.path(RUNS).iterdir())
    assert "8 of its own answers" in (space.path("models/challenger") / "README.md").read_text(encoding="utf-8")
    assert stages.run("dpo", space.root).note.startswith("up to date")


def test_fresh_answers_are_the_trained_model_s_and_not_the_champion_s(
    undisturbed: tuple[Workspace, stages.StageReport], ready: Path, tmp_path: Path
) -> None:
    space, _ = undisturbed
    # One round of as many pairs is the first of the two.
    one = fork(ready, tmp_path / "one", dpo={"rounds": 1, "max_pairs": 8})
    stages.run("dpo", one.root)
    record = recorded(one)
    assert not {"rounds", "fresh_pairs", "ended"} & set(record) and "round" not in record["history"][0]
    assert read_table(one.path(FRESH), FreshPair) == [] and not one.path("data/samples/dpo").exists()
    sampler = recorded(space)["rounds"][0]["weights"]
    assert sampler == record["weights"]
    store, params = SampleStore(space, "dpo"), space.params
    config, sampled = params.candidates, SampleStore(space, "candidates").samples
    found = requests(read_log(space), params.candidates, params.prompt, params.split)
    asked = fresh_requests(found, sampled.__contains__, sampler, config, params.seed)
    assert set(store.samples) == {one.key for one in asked} and not set(store.samples) & set(sampled)
    assert {one.model for one in store.samples.values()} == {f"cycle 1, round 1, {sampler[:12]}"}

    def drawn(folder: Path) -> dict[str, tuple[str, ...]]:
        again: list[Sample] = []
        how = config.sampling
        model = LocalChatModel(folder, "", how.context_tokens, how.batch)
        sample(asked, model, config.n, how, params.seed, 1, again.extend)
        return {one.request: one.texts for one in again}

    kept = {name: one.texts for name, one in store.samples.items()}
    assert drawn(one.path("models/challenger")) == kept
    champion = drawn(ledger.policy_path(space.root, "v0.1.0"))
    assert all(champion[name] != texts for name, texts in kept.items())


def begun(space: Workspace) -> bool:
    """A checkpoint of the first round is written."""
    return any(space.path(RUNS).glob(f"*/trainer/checkpoint-*/{COMPLETE}"))


def sampling(space: Workspace) -> bool:
    """The first block of fresh answers is there."""
    return any(space.path("data/samples/dpo").glob("*.parquet"))


def second_begun(space: Workspace) -> bool:
    """The first round has ended, and the second has a checkpoint."""
    runs = list(space.path(RUNS).iterdir()) if space.path(RUNS).is_dir() else []
    return any(
        not (one / RESULT).exists() and any(one.glob(f"trainer/checkpoint-*/{COMPLETE}"))
        for one in runs
        if any((other / RESULT).exists() for other in runs)
    )


def ended(space: Workspace) -> bool:
    """Both rounds have ended."""
    return len(list(space.path(RUNS).glob(f"*/{RESULT}"))) == 2


def killed_at(space: Workspace, moment: Callable[[Workspace], bool]) -> list[Path]:
    """Run the stage and kill all of it with -9 at a moment; the folders of the trainings that have ended."""
    program = "import sys; from pathlib import Path; from rlhi import stages; stages.run('dpo', Path(sys.argv[1]))"
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(space.root)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 240
    while not moment(space):
        assert killed.poll() is None and time.monotonic() < until, f"the moment {moment.__name__} never came"
        time.sleep(0.002)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    return [file.parent for file in space.path(RUNS).glob(f"*/{RESULT}")]


def test_a_run_that_is_killed_at_every_turn_goes_on_in_its_round_and_comes_to_the_same(
    undisturbed: tuple[Workspace, stages.StageReport], ready: Path, tmp_path: Path
) -> None:
    space = fork(ready, tmp_path / "w")
    kept: dict[Path, int] = {}
    for moment, rounds in ((begun, 0), (sampling, 1), (second_begun, 1), (ended, 2)):
        done = killed_at(space, moment)
        assert len(done) == rounds, moment.__name__
        for folder in done:
            # A training that has ended is not begun again: its pairs could not be written.
            shutil.rmtree(folder / "pairs.jsonl", ignore_errors=True)
            (folder / "pairs.jsonl").unlink(missing_ok=True)
            (folder / "pairs.jsonl" / "in the way").mkdir(parents=True, exist_ok=True)
        kept |= {file: file.stat().st_mtime_ns for file in space.path("data/samples/dpo").glob("*.parquet")}
    report = stages.run("dpo", space.root)
    assert int(dict(report.counts)["resumed from step"]) >= 2, "the second round went on from its checkpoint"
    assert kept and {file: file.stat().st_mtime_ns for file in kept} == kept
    assert made(space) == made(undisturbed[0])
    assert not any(space.path(RUNS).iterdir())


@pytest.mark.parametrize(
    ("neutral", "said"),
    [
        (False, "ended before round 2 of 2: 2 fresh pairs, dpo.min_fresh_pairs is 3"),
        pytest.param(
            True,
            "ended before round 2 of 2: the reward model was trained on too little to tell answers apart",
            marks=pytest.mark.long,
        ),
    ],
    ids=["few pairs", "no reward"],
)
def test_rounds_end_early_where_there_is_little_to_learn(
    ready: Path, undisturbed: tuple[Workspace, stages.StageReport], tmp_path: Path, neutral: bool, said: str
) -> None:
    space = fork(ready, tmp_path / "w", candidates={"prompts": 12 if neutral else 2})
    if neutral:
        space.path(HEAD).write_bytes(RewardHead.neutral().to_bytes())
    report = stages.run("dpo", space.root)
    record = recorded(space)
    assert report.note.endswith(said) and record["ended"] == said
    assert len(record["rounds"]) == 1 and record["fresh_pairs"] == 0 and len(record["lessons"]) == 8
    assert record["weights"] == recorded(undisturbed[0])["rounds"][0]["weights"], "the first round's model"
    assert read_table(space.path(FRESH), FreshPair) == [] and not any(space.path(RUNS).iterdir())


def test_a_round_that_stops_says_which_it_was(ready: Path, tmp_path: Path) -> None:
    limits = {"same_answer": 0.9, "too_long": 0.5, "loss": 1e-6, "chosen_reward": -10.0, "patience": 3}
    space = fork(ready, tmp_path / "w", dpo={"limits": limits})
    with pytest.raises(TrainingError, match=r"^round 1 of 2: training ended with code 1: .* above dpo\.limits\.loss"):
        stages.run("dpo", space.root)


@pytest.mark.long
def test_another_node_takes_part_in_every_round(ready: Path, tmp_path: Path) -> None:
    from tests.integration.test_training import free_port

    nodes = {"nodes": 2, "rendezvous": f"127.0.0.1:{free_port()}", "deepspeed": 2, "batch": 1}
    space = fork(ready, tmp_path / "w", dpo=nodes)
    other = subprocess.Popen(
        [sys.executable, "-c", "from rlhi.cli.app import main; main()", "--workspace", str(space.root), "join",
         "--rank", "1", "--patience", "240"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    report = stages.run("dpo", space.root)
    told, errors = other.communicate(timeout=60)
    assert other.returncode == 0 and told.count(str(RUNS)) == 2, errors
    assert "in 2 rounds" in report.note and recorded(space)["world_size"] == 2


def test_requests_of_this_cycle_come_first(undisturbed: tuple[Workspace, stages.StageReport]) -> None:
    space, _ = undisturbed
    params = space.params
    found = requests(read_log(space), params.candidates, params.prompt, params.split)
    config = params.candidates.model_copy(update={"prompts": 3})
    last = {one.key for one in found[-3:]}
    drawn = fresh_requests(found, last.__contains__, "weights", config, 0)
    assert {one.messages for one in drawn} == {one.messages for one in found[-3:]}
    other = fresh_requests(found, last.__contains__, "other weights", config, 0)
    assert not {one.key for one in drawn} & {one.key for one in other}
    told = [replace(found[-1], messages=found[-1].messages[-1:])]
    assert fresh_requests(told, last.__contains__, "weights", config, 0)[0].key not in {one.key for one in drawn}
