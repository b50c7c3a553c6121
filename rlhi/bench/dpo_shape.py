"""How near DPO comes to what a GPU can do: a model of a given shape with random weights, ours beside TRL's trainer.

The three ways of ``rlhi bench dpo``, each over the same pairs, two a step, with LoRA. Loading a model of many gigabytes
would drown what is measured, so time is told of steps: the median, the first one left out. The reference is computed
in every step by all of them.

Tokens are counted as TRL's rows hold them: a prompt for each of its two answers, also where ours computes it once. The
share of peak counts what a way really computes, 6 operations for each weight and token (the model forward, its
reference forward, and back to the adapters), the vocabulary's head for answers alone in ours; attention, and what
checkpointing computes anew, count as nothing.

    rlhi bench dpo --shape 8b [--quick] [--json]
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.bench.dpo import ANSWER_TOKENS, WAYS, made_pairs, prepared
from rlhi.bench.figure import figure
from rlhi.bench.machine import machine
from rlhi.contracts import PreferencePair
from rlhi.learn.training import trainer as training
from rlhi.models.prepare import policy_path
from rlhi.stages import StageError

if TYPE_CHECKING:
    from transformers import TrainerCallback

# Hidden size, of the feed-forward layer, layers, heads, heads of keys, vocabulary (0: the tokenizer's). Llama 3.1 and
# 3.2; one for tests.
SHAPES: Mapping[str, tuple[int, int, int, int, int, int]] = {
    "8b": (4096, 14336, 32, 32, 8, 128_256),
    "1b": (2048, 8192, 16, 32, 8, 128_256),
    "tiny": (64, 128, 2, 4, 2, 0),
}
# Dense bf16 operations a second, of NVIDIA's data sheets, by how the device names itself.
PEAKS: Mapping[str, float] = {"H100 80GB HBM3": 989e12, "H100 PCIe": 756e12, "H200": 989e12, "A100": 312e12}
PROMPTS = (300, 600)
PAIRS_A_STEP = 2


@dataclass(frozen=True, slots=True)
class ShapeSpeed:
    """Seconds of each step but the first, by way, at one length of prompt; none where memory did not suffice.

    ``weights`` are those of the layers, ``head`` those that tell the vocabulary.
    """

    shape: str
    device: str
    weights: int
    head: int
    prompt_tokens: int
    answer_tokens: int
    seconds: dict[str, tuple[float, ...]]
    losses: dict[str, tuple[float, ...]]

    def rate(self, way: str) -> float:
        """Tokens a second, as TRL's rows hold them, by the median step."""
        tokens = PAIRS_A_STEP * 2 * (self.prompt_tokens + self.answer_tokens)
        return tokens / statistics.median(self.seconds[way]) if self.seconds[way] else math.nan

    def peak_share(self, way: str) -> float | None:
        """Of the device's dense bf16 peak; None where that is not known."""
        peak = next((value for name, value in PEAKS.items() if name in self.device), None)
        if peak is None or not self.seconds[way]:
            return None
        prompts = 1 if way == "ours" else 2
        answers = PAIRS_A_STEP * 2 * self.answer_tokens
        tokens = PAIRS_A_STEP * prompts * self.prompt_tokens + answers
        products = self.weights * tokens + self.head * (answers if way == "ours" else tokens)
        return 6 * products / statistics.median(self.seconds[way]) / peak

    def record(self) -> dict[str, object]:
        """All of it for a program; the baseline is TRL with its defaults."""
        tokens = PAIRS_A_STEP * 2 * (self.prompt_tokens + self.answer_tokens)
        runs = [tokens / took for took in self.seconds["ours"]]
        told = figure("dpo", "tokens a second", self.rate("ours"), self.rate(WAYS[0]), runs)
        return told | asdict(self) | {"share_of_peak": {way: self.peak_share(way) for way in WAYS}}


def run(shape: str, quick: bool, as_json: bool) -> str:
    """The table, or JSON.

    Raises:
        StageError: no shape is called so, or it is a GPU's and there is none.
    """
    import torch

    if shape not in SHAPES:
        raise StageError(f"no shape {shape!r}: one of {', '.join(SHAPES)}")
    if shape != "tiny" and not torch.cuda.is_available():
        raise StageError(
            f"shape {shape} wants a GPU, and torch sees none here; without --shape the embedded model is used"
        )
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "model"
        size = random_model(shape, base, policy_path())
        results = [measure(shape, base, size, tokens, steps=4 if quick else 12) for tokens in PROMPTS]
    if as_json:
        return json.dumps([one.record() for one in results])
    lines = [
        f"{shape}, {sum(size) / 1e9:.2f} billion weights that multiply, on {results[0].device}; LoRA, {PAIRS_A_STEP} "
        f"pairs a step, answers of {ANSWER_TOKENS} tokens; median of {4 if quick else 12} steps",
        "prompt  way                  tokens a second  share of peak  to TRL's defaults  first and last loss",
    ]
    for one in results:
        for way in WAYS:
            if not one.seconds[way]:
                lines.append(f"{one.prompt_tokens:6d}  {way:19}  out of memory")
                continue
            share = one.peak_share(way)
            told = "" if share is None else f"{share:.1%}"
            lines.append(
                f"{one.prompt_tokens:6d}  {way:19}  {one.rate(way):15,.0f}  {told:>13}  "
                f"{one.rate(way) / one.rate(WAYS[0]):16.2f}x  {one.losses[way][0]:.4f} {one.losses[way][-1]:.4f}"
            )
    return "\n".join(lines)


def random_model(shape: str, folder: Path, tokenizer_of: Path) -> tuple[int, int]:
    """Write a Llama of this shape with random weights in bf16, and a model's tokenizer; weights of layers and head."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    hidden, inner, depth, heads, keys, vocabulary = SHAPES[shape]
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    config = LlamaConfig(
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=depth, num_attention_heads=heads,
        num_key_value_heads=keys, vocab_size=vocabulary or len(tokenizer), max_position_embeddings=8192,
        dtype=torch.bfloat16,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM._from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    head = int(model.get_output_embeddings().weight.numel())
    # Looking a token's row up is no product.
    layers = int(model.num_parameters() - model.get_input_embeddings().weight.numel() - head)
    del model
    _free()
    return layers, head


def measure(shape: str, base: Path, size: tuple[int, int], prompt_tokens: int, steps: int) -> ShapeSpeed:
    """Train on the same pairs in the three ways, one after the other, each from the same weights."""
    import torch
    from transformers import AutoTokenizer

    pairs = made_pairs(AutoTokenizer.from_pretrained(base), prompt_tokens, PAIRS_A_STEP * (steps + 1))
    seconds: dict[str, tuple[float, ...]] = {}
    losses: dict[str, tuple[float, ...]] = {}
    for way in WAYS:
        seconds[way], losses[way] = (), ()
        with (
            tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr),
            contextlib.suppress(torch.OutOfMemoryError),
        ):  # fmt: skip
            seconds[way], losses[way] = _steps(way, pairs, base, Path(folder), prompt_tokens)
        _free()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else machine()
    return ShapeSpeed(shape, device, *size, prompt_tokens, ANSWER_TOKENS, seconds, losses)


def _steps(
    way: str, pairs: list[PreferencePair], base: Path, folder: Path, prompt_tokens: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    plan, arguments = prepared(way, pairs, base, folder, prompt_tokens, accumulation=1)
    arguments.precompute_ref_log_probs = False
    trainer, _, _ = training.make_trainer(plan, arguments)
    clock: list[float] = []
    trainer.add_callback(_clock(clock))
    trainer.train()
    losses = tuple(float(row["loss"]) for row in trainer.state.log_history if "loss" in row)
    return tuple(after - before for before, after in zip(clock, clock[1:], strict=False)), losses


def _clock(times: list[float]) -> TrainerCallback:
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]  # transformers has no types here
        """Notes when each step ended on the device."""

        def on_step_end(self, *_: object, **__: object) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.perf_counter())

    return Clock()


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
