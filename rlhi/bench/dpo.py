"""How fast preference pairs are learned from: ours beside TRL's ``DPOTrainer`` on the same pairs, in one run.

Three ways, turn by turn, from the same champion, pairs, order and learning rate: TRL with its defaults (gradient
checkpointing, the reference computed in every step), TRL with our settings, and ours (our settings, and the prompt of
a pair computed once). Time counts from the made model to the last step, the reference's part included. The pairs'
text is this project's own requests, strung together until a prompt has the asked number of tokens.

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
from rlhi.learn import methods
from rlhi.learn.resolved import Resolved
from rlhi.learn.rows import trl_row
from rlhi.models.prepare import policy_path
from rlhi.simulate.requests import conversation_requests

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, TrainingArguments

WAYS = ("TRL, its defaults", "TRL, our settings", "ours")
PROMPTS = (150, 300, 600)
ANSWER_TOKENS = 100


@dataclass(frozen=True, slots=True)
class DpoSpeed:
    """Pairs a second of the three ways at one length of prompt, ``median (lowest to highest)`` over the rounds."""

    prompt_tokens: int
    answer_tokens: int
    pairs: int
    seconds: dict[str, tuple[float, ...]]
    loss_difference: float
    losses: tuple[float, ...]

    def rate(self, way: str) -> float:
        """Pairs a second, by the median round."""
        return self.pairs / statistics.median(self.seconds[way])

    def record(self) -> dict[str, object]:
        """All of it for a program; the baseline is TRL with its defaults."""
        runs = [self.pairs / took for took in self.seconds["ours"]]
        told = figure("dpo", "pairs a second", self.rate("ours"), self.rate(WAYS[0]), runs)
        return told | asdict(self)


def run(quick: bool, as_json: bool) -> str:
    """The table, or JSON."""
    results = [measure(tokens, pairs=4 if quick else 8, rounds=1 if quick else 3) for tokens in PROMPTS]
    if as_json:
        return json.dumps([one.record() for one in results])
    lines = ["prompt  answer  TRL, its defaults  TRL, our settings   ours   ratio  ratio   losses differ"]
    lines.append("tokens  tokens     pairs a second     pairs a second           to 1st to 2nd         at most")
    for one in results:
        first, second, ours = (one.rate(way) for way in WAYS)
        lines.append(
            f"{one.prompt_tokens:6d}  {one.answer_tokens:6d}  {first:17.3f}  {second:17.3f}  {ours:5.3f}  "
            f"{ours / first:5.2f}x {ours / second:5.2f}x  {one.loss_difference:14.4f}"
        )
    lines.append("rounds, seconds:")
    for one in results:
        told = "; ".join(f"{way} {' '.join(f'{each:.1f}' for each in one.seconds[way])}" for way in WAYS)
        lines.append(f"  {one.prompt_tokens} tokens: {told}")
    return "\n".join(lines)


def measure(prompt_tokens: int, pairs: int, rounds: int) -> DpoSpeed:
    """Train on the same pairs in the three ways, ``rounds`` times in turn."""
    from transformers import AutoTokenizer

    base = policy_path()
    made = made_pairs(AutoTokenizer.from_pretrained(base), prompt_tokens, pairs)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    losses: dict[str, list[float]] = {}
    for _ in range(rounds):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                took, losses[way] = _train(way, made, base, Path(folder), prompt_tokens)
            seconds[way].append(took)
    apart = max(abs(one - other) for one, other in zip(losses["ours"], losses["TRL, our settings"], strict=True))
    return DpoSpeed(
        prompt_tokens, ANSWER_TOKENS, pairs, {way: tuple(took) for way, took in seconds.items()}, apart,
        tuple(losses["ours"]),
    )  # fmt: skip


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


def _train(way: str, pairs: list[PreferencePair], base: Path, folder: Path, tokens: int) -> tuple[float, list[float]]:
    """Seconds and the loss of every step."""
    resolved, arguments = prepared(way, pairs, base, folder, tokens)
    began = time.perf_counter()
    # Trainers print their figures; standard output is for the table.
    with contextlib.redirect_stdout(sys.stderr):
        trainer, _, _ = methods.make_trainer(resolved, arguments)
        trainer.train()
    took = time.perf_counter() - began
    return took, [row["loss"] for row in trainer.state.log_history if "loss" in row]


def prepared(
    way: str, pairs: list[PreferencePair], base: Path, folder: Path, tokens: int, accumulation: int = 2
) -> tuple[Resolved, TrainingArguments]:
    """What a trainer is told that goes one of the ``WAYS``, two pairs at a time; ``tokens`` are those of a prompt."""
    from trl import DPOConfig as TrlConfig

    rows = folder / "pairs.jsonl"
    rows.write_text("".join(json.dumps(trl_row(pair)) + "\n" for pair in pairs), encoding="utf-8")
    config = DpoConfig(
        max_length=tokens + ANSWER_TOKENS + 64,
        epochs=1,
        batch=2,
        accumulation=accumulation,
        share_prompt=way == "ours",
        save_steps=0,
    )
    resolved = Resolved(base=str(base), pairs=str(rows), output=str(folder), seed=0, dpo=config)
    arguments = methods.trl_arguments(resolved)
    if way == "TRL, its defaults":
        arguments = TrlConfig(
            output_dir=str(folder / "trainer"), per_device_train_batch_size=2, gradient_accumulation_steps=accumulation,
            num_train_epochs=1, learning_rate=config.learning_rate, use_cpu=arguments.use_cpu, logging_steps=1,
            save_strategy="no", disable_tqdm=True, report_to="none",
        )  # fmt: skip
    return resolved, arguments
