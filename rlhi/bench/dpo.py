"""How fast preference pairs are learned from: ours beside TRL's ``DPOTrainer`` on the same pairs, in one run.

Three ways, turn by turn, from the same champion, pairs, order and learning rate: TRL with its defaults (gradient
checkpointing, the reference computed in every step), TRL with our settings, and ours (our settings, and the prompt of
a pair computed once). Time counts from the made model to the last step, the reference's part included. The pairs'
text is this project's own requests, strung together until a prompt has the asked number of tokens. Last, a longer
training in the three ways, for what it comes to and not for its time: the loss of every step.

    rlhi bench dpo [--quick] [--json]
    rlhi bench dpo --shape 8b         # a large model with random weights: rlhi/bench/dpo_shape.py
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.bench.figure import figure
from rlhi.config import DpoConfig
from rlhi.contracts import Message, PreferencePair
from rlhi.learn.training import trainer as training
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import trl_row
from rlhi.models.prepare import policy_path
from rlhi.simulate.requests import conversation_requests

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, TrainingArguments

WAYS = ("TRL, its defaults", "TRL, our settings", "ours")
PROMPTS = (150, 300, 600)
ANSWER_TOKENS = 100
# Enough for a loss to fall by most of what it can.
CURVE_PAIRS, CURVE_EPOCHS = 12, 3


@dataclass(frozen=True, slots=True)
class DpoSpeed:
    """Pairs a second of the three ways at one length of prompt, ``median (lowest to highest)`` over the rounds."""

    prompt_tokens: int
    answer_tokens: int
    pairs: int
    seconds: dict[str, tuple[float, ...]]

    def rate(self, way: str) -> float:
        """Pairs a second, by the median round."""
        return self.pairs / statistics.median(self.seconds[way])

    def record(self) -> dict[str, object]:
        """All of it for a program; the baseline is TRL with its defaults."""
        runs = [self.pairs / took for took in self.seconds["ours"]]
        told = figure("dpo", "pairs a second", self.rate("ours"), self.rate(WAYS[0]), runs)
        return told | asdict(self)


@dataclass(frozen=True, slots=True)
class LossCurves:
    """The loss of every step of one training, in the three ways."""

    prompt_tokens: int
    losses: dict[str, tuple[float, ...]]

    def apart(self, way: str) -> float:
        """How far ours is at most from this way's."""
        return max(abs(one - other) for one, other in zip(self.losses["ours"], self.losses[way], strict=True))

    def record(self) -> dict[str, object]:
        """All of it for a program: the loss of the last step; the baseline is TRL with our settings."""
        ours, theirs = self.losses["ours"], self.losses[WAYS[1]]
        return figure("dpo", "loss of the last step", ours[-1], theirs[-1], ours) | asdict(self)


def run(quick: bool, as_json: bool) -> str:
    """The table, or JSON."""
    results = [measure(tokens, pairs=4 if quick else 8, rounds=1 if quick else 3) for tokens in PROMPTS]
    curves = loss_curves(PROMPTS[0], CURVE_PAIRS, 1 if quick else CURVE_EPOCHS)
    if as_json:
        return json.dumps([*(one.record() for one in results), curves.record()])
    lines = ["prompt  answer  TRL, its defaults  TRL, our settings   ours   ratio  ratio"]
    lines.append("tokens  tokens     pairs a second     pairs a second           to 1st to 2nd")
    for one in results:
        first, second, ours = (one.rate(way) for way in WAYS)
        lines.append(
            f"{one.prompt_tokens:6d}  {one.answer_tokens:6d}  {first:17.3f}  {second:17.3f}  {ours:5.3f}  "
            f"{ours / first:5.2f}x {ours / second:5.2f}x"
        )
    lines.append("rounds, seconds:")
    for one in results:
        told = "; ".join(f"{way} {' '.join(f'{each:.1f}' for each in one.seconds[way])}" for way in WAYS)
        lines.append(f"  {one.prompt_tokens} tokens: {told}")
    steps = len(curves.losses["ours"])
    lines.append(f"loss of each of {steps} steps of two pairs, prompts of {curves.prompt_tokens} tokens:")
    for way in WAYS:
        differ = f"; ours differs by {curves.apart(way):.4f} at most" if way != "ours" else ""
        lines.append(f"  {way}: {' '.join(f'{loss:.3f}' for loss in curves.losses[way])}{differ}")
    return "\n".join(lines)


def measure(prompt_tokens: int, pairs: int, rounds: int) -> DpoSpeed:
    """Train on the same pairs in the three ways, ``rounds`` times in turn."""
    from transformers import AutoTokenizer

    base = policy_path()
    made = made_pairs(AutoTokenizer.from_pretrained(base), prompt_tokens, pairs)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                took, _ = _train(prepared(way, made, base, Path(folder), prompt_tokens))
            seconds[way].append(took)
    return DpoSpeed(prompt_tokens, ANSWER_TOKENS, pairs, {way: tuple(took) for way, took in seconds.items()})


def loss_curves(prompt_tokens: int, pairs: int, epochs: int, base: Path | None = None) -> LossCurves:
    """Train on the same pairs in the three ways, a step every two pairs."""
    from transformers import AutoTokenizer

    base = base or policy_path()
    made = made_pairs(AutoTokenizer.from_pretrained(base), prompt_tokens, pairs)
    losses: dict[str, tuple[float, ...]] = {}
    for way in WAYS:
        with tempfile.TemporaryDirectory() as folder:
            _, found = _train(prepared(way, made, base, Path(folder), prompt_tokens, accumulation=1, epochs=epochs))
        losses[way] = tuple(found)
    return LossCurves(prompt_tokens, losses)


def made_pairs(tokenizer: PreTrainedTokenizerBase, prompt_tokens: int, count: int) -> list[PreferencePair]:
    """Pairs whose prompt and answers have about the asked numbers of tokens."""
    texts = cycle(conversation_requests())

    def text(tokens: int) -> str:
        words = ""
        while len(tokenizer.encode(words)) < tokens:
            words += " " + next(texts)
        return str(tokenizer.decode(tokenizer.encode(words)[:tokens]))

    prompts = [(Message("system", "You are a helpful assistant."), Message("user", text(prompt_tokens - 20)))
               for _ in range(count)]  # fmt: skip
    return [
        PreferencePair(
            f"pair{at}", prompt, text(ANSWER_TOKENS), text(ANSWER_TOKENS), f"user{at}", f"talk{at}", 1, "rewrite",
            "", "", 1.0, 0.0,
        )
        for at, prompt in enumerate(prompts)
    ]  # fmt: skip


def _train(run: tuple[PolicyPlan, TrainingArguments]) -> tuple[float, list[float]]:
    """Seconds and the loss of every step."""
    plan, arguments = run
    began = time.perf_counter()
    # Trainers print their figures; standard output is for the table.
    with contextlib.redirect_stdout(sys.stderr):
        trainer, _, _ = training.make_trainer(plan, arguments)
        trainer.train()
    took = time.perf_counter() - began
    return took, [row["loss"] for row in trainer.state.log_history if "loss" in row]


def prepared(
    way: str, pairs: list[PreferencePair], base: Path, folder: Path, tokens: int, accumulation: int = 2, epochs: int = 1
) -> tuple[PolicyPlan, TrainingArguments]:
    """What a trainer is told that goes one of the ``WAYS``, two pairs at a time; ``tokens`` are those of a prompt."""
    from trl import DPOConfig as TrlConfig

    config = DpoConfig(
        max_length=tokens + ANSWER_TOKENS + 64,
        epochs=epochs,
        batch=2,
        accumulation=accumulation,
        share_prompt=way == "ours",
        save_steps=0,
        # TRL's default loss in all ways.
        sft_weight=0.0,
        ld_alpha=1.0,
    )
    plan = PolicyPlan(base=base, output=folder, seed=0, dpo=config)
    plan.rows.write_text("".join(json.dumps(trl_row(pair)) + "\n" for pair in pairs), encoding="utf-8")
    arguments = training.trl_arguments(plan)
    if way == "TRL, its defaults":
        arguments = TrlConfig(
            output_dir=str(folder / "trainer"), per_device_train_batch_size=2, gradient_accumulation_steps=accumulation,
            num_train_epochs=epochs, learning_rate=config.learning_rate, use_cpu=arguments.use_cpu, logging_steps=1,
            save_strategy="no", disable_tqdm=True, report_to="none",
        )  # fmt: skip
    return plan, arguments
