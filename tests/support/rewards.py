"""Comparisons that a tiny model can learn: two personas want opposite answers to the same requests."""

from __future__ import annotations

import json
from pathlib import Path

from rlhi.collect.wishes.claims import read_profile
from rlhi.config import RewardConfig
from rlhi.contracts import Message
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.training.launch import Trained, train
from rlhi.learn.training.plan import RewardPlan
from rlhi.learn.training.reward_model import training
from rlhi.learn.training.rows import reward_row
from rlhi.models.base import Scored
from tests.support.training import WORDS, quiet, train_here, zero

BULLETS, PROSE = "Use bullet points.", "Write in prose."
FAST = {"epochs": 6.0, "learning_rate": 1e-2, "batch": 8, "max_length": 256, "precision": "fp32"}


def compared(at: int, persona: str, weight: float = 1.0) -> Comparison:
    """A user of this persona prefers a list, or a sentence of as many words; what it speaks of follows from ``at``."""
    one, other = WORDS[at % 8], WORDS[(3 * at + 1) % 8]
    prompt = (Message("user", f"How do I keep plant {at} alive?"),)
    answers = f"- {one}\n- {other} {at}", f"It needs {one} and {other} {at}."
    better, worse = answers if persona == BULLETS else answers[::-1]
    told = read_profile(persona)
    return Comparison(
        f"u{at}",
        Scored(told, prompt, better),
        Scored(told, prompt, worse),
        weight=weight,
    )


def opposed(start: int, count: int) -> list[Comparison]:
    """Every request from ``start`` on, of a user of each persona."""
    return [compared(at, persona) for at in range(start, start + count) for persona in (BULLETS, PROSE)]


def config(kind: str = "lora", **tuned: object) -> RewardConfig:
    """Sizes for a tiny model."""
    return RewardConfig.model_validate({"kind": kind, "tuned": {**FAST, **tuned}})


def trained(base: Path, output: Path, reward: RewardConfig, rows: list[Comparison]) -> Trained:
    """Train here and wait."""
    plan = RewardPlan(base=base, output=output, seed=0, preset=zero(reward.tuned.deepspeed), reward=reward)
    return train(plan, map(reward_row, rows), quiet)


def trained_here(base: Path, output: Path, reward: RewardConfig, rows: list[Comparison]) -> Trained:
    """As :func:`trained`, in this process: without DeepSpeed, where it is not the process that is tested."""
    plan = RewardPlan(base=base, output=output, seed=0, reward=reward)
    return train_here(plan, list(map(reward_row, rows)), training())


def main(base: str, output: str, reward: str) -> None:
    """What ``run_and_kill`` starts: on :func:`opposed` rows, as the tests' first model."""
    trained(Path(base), Path(output), RewardConfig.model_validate_json(reward), opposed(0, 24))


def as_rows(folder: Path, rows: list[Comparison]) -> Path:
    """The comparisons as the launcher writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(reward_row(one)) + "\n" for one in rows), encoding="utf-8")
    return file
