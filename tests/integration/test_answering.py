"""The share of replies that answer is a limit of training: it stops by name, and looking changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlhi.config import DpoConfig
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.run import TrainingError
from tests.support import answering
from tests.support.training import run_here

# Lists are the chosen side: what the tests' embedder finds far from any request.
FORGETS: dict[str, Any] = {
    "method": "sft", "batch": 2, "accumulation": 1, "epochs": 6, "learning_rate": 1e-2, "lora_rank": 0,
    "precision": "fp32", "max_length": 256, "save_steps": 0,
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "LoRA": {"lora_rank": 4},
    "ZeRO-2 over two processes": {"processes": 2, "deepspeed": 2, "precision": "bf16"},
}


def config(way: dict[str, Any], drop: float) -> DpoConfig:
    """Looks every fourth step."""
    return DpoConfig.model_validate(FORGETS | way | {"limits": {"answers_every": 4, "answers_drop": drop}})


def shares(output: Path) -> dict[int, float]:
    """What metrics.jsonl tells, by step."""
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["step"]: row["answers"] for row in rows if "answers" in row}


def told(done: Trained) -> list[dict[str, float]]:
    """The figures of every step, but for the share."""
    return [{name: value for name, value in step.items() if name != "answers"} for step in done.history]


@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.long] * (way != "LoRA")) for way in WAYS])
def test_a_model_that_stops_answering_stops_its_training_by_name(tmp_path: Path, tiny_policy: Path, way: str) -> None:
    with pytest.raises(TrainingError) as error:
        answering.run(tiny_policy, tmp_path, config(WAYS[way] | {"learning_rate": 3e-2}, 0.3))
    said = str(error.value)
    assert "rlhi: training stopped: the model stops answering: " in said and "\n" not in said
    assert "100% were before the first" in said and "dpo.limits.answers_drop=0.3: lower dpo.learning_rate" in said
    found = shares(tmp_path)
    assert found[0] == 1.0 and not (tmp_path / "model").exists()


def test_looking_changes_neither_losses_nor_weights(tmp_path: Path, tiny_policy: Path) -> None:
    asked = config({"gradient_checkpointing": True, "method": "dpo", "epochs": 1, "learning_rate": 5e-3}, 1.0)
    watched = run_here(tiny_policy, tmp_path / "watched", asked, yardstick=answering.yardstick)
    alone = run_here(tiny_policy, tmp_path / "alone", asked)
    assert [step["step"] for step in watched.history if "answers" in step] == [4, 8]
    assert watched.answers == {"before": 1.0, "requests": 12, "off": ""}
    assert alone.answers["off"] == "no sentence embedder was given"
    assert not any("answers" in step for step in alone.history)
    assert told(watched) == told(alone)
    first, second = ((one.model / "model.safetensors").read_bytes() for one in (watched, alone))
    assert first == second
