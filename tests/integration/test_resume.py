"""A training that is killed with -9 goes on from its last checkpoint, and ends as if nothing had happened."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from rlhi.config import DpoConfig
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.resume import COMPLETE, drop_unfinished, last_checkpoint, step_of
from tests.support import answering, training
from tests.support.training import run_and_kill

STEPS = 16
EVERY = 3
WAYS: dict[str, dict[str, object]] = {
    "LoRA": {"lora_rank": 4},
    "full": {"lora_rank": 0, "precision": "fp32"},
    "ZeRO-2 over two processes": {"lora_rank": 0, "processes": 2, "deepspeed": 2},
    "LoRA, answers watched": {"lora_rank": 4, "limits": {"answers_every": 2, "answers_drop": 1.0}},
    "KTO on both kinds": {"lora_rank": 4, "method": "kto", "user_cap": 0.5},
}


def told(output: Path) -> list[dict[str, float]]:
    """Every figure of every step as the process told it, but for the time it took and the count of tokens."""
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key != "num_tokens"} for row in rows]


def weights(done: Trained) -> bytes:
    """The model's file."""
    return (done.model / "model.safetensors").read_bytes()


@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.long] * (way != "LoRA")) for way in WAYS])
def test_a_killed_training_ends_with_the_losses_and_the_weights_of_an_undisturbed_one(
    tmp_path: Path, tiny_policy: Path, way: str
) -> None:
    config = DpoConfig.model_validate(
        {"batch": 1, "accumulation": 1, "epochs": 1, "learning_rate": 5e-3, "max_length": 256, "save_steps": EVERY}
        | ({"batch": 2, "epochs": 4} if "ZeRO" in way else {}) | WAYS[way]
    )  # fmt: skip
    trains = answering if "watched" in way else training
    undisturbed = trains.run(tiny_policy, tmp_path / "undisturbed", config)
    assert len(undisturbed.history) == STEPS and undisturbed.resumed_from == 0
    step = random.randint(EVERY + 1, STEPS - 2)
    # What was there before the first step is told first.
    lines = step + (trains is answering)
    run_and_kill(tiny_policy, tmp_path / "killed", config, lines, trains.__name__)
    figures = {file: file.stat().st_mtime_ns for file in (tmp_path / "killed" / "trainer").glob("reference-*")}
    resumed = trains.run(tiny_policy, tmp_path / "killed", config)
    assert resumed.resumed_from >= EVERY * ((step - 1) // EVERY), f"killed at {step}, began at {resumed.resumed_from}"
    assert resumed.history == undisturbed.history, f"killed at step {step}"
    assert told(tmp_path / "killed") == told(tmp_path / "undisturbed")
    assert weights(resumed) == weights(undisturbed)
    # The reference was not asked again.
    assert bool(figures) == (config.deepspeed == 0)
    assert {file: file.stat().st_mtime_ns for file in figures} == figures
    # Who waited for another process to end in this folder trains nothing again.
    before = resumed.model.stat().st_mtime_ns
    assert (
        trains.run(tiny_policy, tmp_path / "killed", config) == resumed and resumed.model.stat().st_mtime_ns == before
    )


def test_only_whole_checkpoints_count(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None and step_of(None) == 0
    rest = ("trainer_state.json", "rng_state.pth", COMPLETE)
    whole = ("optimizer.pt", "scheduler.pt", *rest)
    # Of some the removal began: transformers would go on without their optimizer's state, and not say so.
    written = {8: ("global_step8", *rest), 9: whole, 10: whole, 12: whole[1:], 13: whole[:1] + rest, 14: whole[:-1]}
    for step, names in written.items():
        for name in names:
            (tmp_path / f"checkpoint-{step}").mkdir(exist_ok=True)
            (tmp_path / f"checkpoint-{step}" / name).touch()
    assert step_of(last_checkpoint(tmp_path)) == 10
    drop_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-8", "checkpoint-9"]
