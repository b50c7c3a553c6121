"""Training in a process of its own: plain, and with DeepSpeed's ZeRO-2 over two processes on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhi import ledger
from rlhi.config import DpoConfig
from rlhi.contracts import Message, PreferencePair
from rlhi.learn.dpo import TrainingError
from rlhi.learn.launch import train

PAIRS = [
    PreferencePair(
        f"key{at}", (Message("system", "You are a helpful assistant."), Message("user", f"How do I do {at}?")),
        "- one\n- two", "There are many things which one can do in order to do that.", f"user{at}", f"talk{at}", 1,
        "rewrite", "", "", 1.0, 0.0,
    )
    for at in range(16)
]  # fmt: skip


def quiet(step: int, of: int, loss: float) -> None:
    """Nothing to show in a test."""


def test_zero_2_over_two_processes_learns(tmp_path: Path, tiny_policy: Path) -> None:
    config = DpoConfig(
        processes=2, deepspeed=2, lora_rank=0, precision="fp32", batch=2, accumulation=1, epochs=3,
        learning_rate=5e-3, max_length=256,
    )  # fmt: skip
    zero = json.loads(ledger.template("deepspeed/zero2.json"))
    done = train(PAIRS, tiny_policy, tmp_path, config, zero, 0, quiet)
    assert (done.world_size, done.engine) == (2, "DeepSpeedEngine")
    losses = [step["loss"] for step in done.history]
    assert losses[0] == pytest.approx(0.693, abs=0.01) and losses[-1] < 0.5
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert AutoModelForCausalLM.from_pretrained(done.model).num_parameters() > 0
    assert AutoTokenizer.from_pretrained(done.model).chat_template


def test_pairs_that_do_not_fit_are_counted_and_an_empty_set_stops_by_name(tmp_path: Path, tiny_policy: Path) -> None:
    with pytest.raises(TrainingError, match="none of 16 pairs fits dpo.max_length=32 tokens"):
        train(PAIRS, tiny_policy, tmp_path, DpoConfig(max_length=32), None, 0, quiet)
