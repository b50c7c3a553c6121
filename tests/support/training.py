"""Rows to train a tiny model on, and ways to start, kill and repeat a training run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel

from rlhi.config import DpoConfig
from rlhi.contracts import JudgedAnswer, Message, PreferencePair
from rlhi.learn.pairs.lessons import Row
from rlhi.learn.training import policy, process
from rlhi.learn.training.answering import Yardstick
from rlhi.learn.training.launch import Trained, finished, train
from rlhi.learn.training.methods import method_of
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.process import AnyPlan
from rlhi.learn.training.rows import policy_row
from rlhi.learn.training.run import weights_hash
from rlhi.workspace import ledger

PLAIN = {"sft_weight": 0.0, "ld_alpha": 1.0, "merge": 1.0}
"""DPO's loss alone, as TRL has it: it begins at log 2; and all that was learned is exported."""
WORDS = ("sun", "water", "soil", "light", "pots", "seeds", "time", "care")


def make_pair(at: int, chosen: str, rejected: str) -> PreferencePair:
    """A pair of the user ``user{at}``."""
    return PreferencePair(
        f"key{at}", (Message("system", "You are a helpful assistant."), Message("user", f"How do I do {at}?")),
        chosen, rejected, f"user{at}", f"talk{at}", 1, "rewrite", "", "", 1.0, 0.0,
    )  # fmt: skip


def made_pairs(count: int = 16) -> list[PreferencePair]:
    """A list is preferred to a sentence, in varied words."""
    return [
        make_pair(at, f"- {WORDS[at % 8]}\n- {WORDS[at // 2 % 8]} {at}",
                  f"There are many things such as {WORDS[at % 8]} {at}, which one can do in order to do that.")
        for at in range(count)
    ]  # fmt: skip


def made_judged(count: int = 16, first: int = 0) -> list[JudgedAnswer]:
    """Thumbs: up for lists, down for sentences, each on an answer to a request and of a user of its own."""
    texts = [(pair.chosen, pair.rejected)[at % 2] for at, pair in enumerate(made_pairs(first + count))][first:]
    return [
        JudgedAnswer(
            f"judged{at}", (Message("system", "You are a helpful assistant."), Message("user", f"What of {at}?")),
            text, at % 2 == 0, 1.0, f"judge{at}", f"judged-talk{at}", 1, "thumbs", "", "",
        )
        for at, text in enumerate(texts, first)
    ]  # fmt: skip


def made_rows(config: DpoConfig) -> list[Row]:
    """Sixteen pairs; where judged answers are learned from, the last four of them are such, twice as many."""
    return [*made_pairs(12), *made_judged(8)] if method_of(config.method).singly else [*made_pairs()]


def quiet(step: int, of: int, loss: float) -> None:
    """Nothing to show in a test."""


def zero(stage: int) -> dict[str, object] | None:
    """The preset of a ZeRO stage; None for 0."""
    return json.loads(ledger.template(f"deepspeed/zero{stage}.json")) if stage else None


def plan_of(base: Path, output: Path, config: DpoConfig, **more: object) -> PolicyPlan:
    """The plan of a training of ``base``, its own reference, and what a test says ``more``."""
    told = {"seed": 0, "preset": zero(config.deepspeed), "reference": weights_hash(base), **more}
    return PolicyPlan.model_validate({"base": base, "output": output, "dpo": config, **told})


def trained(plan: PolicyPlan, rows: Sequence[Row] | None = None) -> Trained:
    """Train here and wait."""
    return train(plan, map(policy_row, rows or made_rows(plan.dpo)), quiet)


def run(base: Path, output: Path, config: DpoConfig, rows: Sequence[Row] | None = None) -> Trained:
    """The same of a plan that says no more."""
    return trained(plan_of(base, output, config), rows)


def after(base: Path, output: Path, config: DpoConfig, before: Trained) -> Trained:
    """Train from where ``before`` ended, against ``base``."""
    return trained(plan_of(base, output, config, start=before.unmerged), made_pairs())


def run_here(
    base: Path,
    output: Path,
    config: DpoConfig,
    rows: Sequence[Row] | None = None,
    start: Path | None = None,
    yardstick: Yardstick | None = None,
) -> Trained:
    """As :func:`run`, in this process: a process of its own spends most of its time on imports.

    For one process without DeepSpeed, where it is not the process that is tested.
    """
    plan = plan_of(base, output, config, start=start, embedder=base if yardstick else None)
    made = [policy_row(row) for row in rows or made_rows(config)]
    return train_here(plan, made, policy.training(yardstick))


def train_here(plan: AnyPlan, rows: Sequence[dict[str, object]], training: process.Training[AnyPlan]) -> Trained:
    """What the process of a training does, here."""
    import torch

    plan.output.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    plan.rows.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        # TrainingArguments leave their precision there, for whatever is trained next.
        environment.setenv("ACCELERATE_MIXED_PRECISION", "no")
        torch.manual_seed(0)
        process.train(plan, training)
    done = finished(plan.output)
    assert done is not None
    return done


def run_and_kill(base: Path, output: Path, config: BaseModel, step: int, trains: str = __name__) -> None:
    """Train in a process of its own, and kill all of it with -9 as soon as ``step`` was told.

    ``trains`` is the module whose ``main`` trains.
    """
    program = f"import sys; from {trains} import main; main(*sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(base), str(output), config.model_dump_json()], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = output / "metrics.jsonl"
    until = time.monotonic() + 240
    while not told.exists() or told.read_text(encoding="utf-8").count("\n") < step:
        if process.poll() is not None:
            raise AssertionError(f"training ended before step {step}: {process.communicate()[1][-2000:]}")
        assert time.monotonic() < until, f"training never came to step {step}"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def main(base: str, output: str, config: str) -> None:
    """What :func:`run_and_kill` starts."""
    run(Path(base), Path(output), DpoConfig.model_validate_json(config))
