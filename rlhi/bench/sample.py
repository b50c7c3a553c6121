"""How fast candidates are sampled: ours beside ``generate`` per prompt with ``num_return_sequences``, in one run.

Both draw N replies for each of the same prompts from the same weights, with the same temperature, top-k and length, in
turn. Ours computes each prompt once for all of its candidates, samples several prompts together, and lets replies that
have ended leave the batch. The prompts are this project's own requests, strung together to the asked number of tokens.

    rlhi bench sample [--quick] [--json]
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rlhi.bench.dpo import made_pairs
from rlhi.bench.figure import figure
from rlhi.contracts import Message
from rlhi.models.base import Sampling
from rlhi.models.local import LocalChatModel, quiet
from rlhi.models.prepare import policy_path

N = 16
SHAPES = ((142, 64), (300, 96))  # tokens of a prompt, tokens of a reply at most


@dataclass(frozen=True, slots=True)
class SampleSpeed:
    """Seconds and new tokens of each round; ``distinct`` is the share of our candidates that differ in their group."""

    prompt_tokens: int
    new_tokens: int
    prompts: int
    n: int
    ours: tuple[tuple[float, int], ...]
    generate: tuple[tuple[float, int], ...]
    distinct: float

    def rate(self, rounds: Sequence[tuple[float, int]]) -> float:
        """New tokens a second, by the median round."""
        return statistics.median(tokens / seconds for seconds, tokens in rounds)

    def record(self) -> dict[str, object]:
        """All of it for a program; the baseline is ``generate``."""
        runs = [tokens / seconds for seconds, tokens in self.ours]
        told = figure("sample", "tokens a second", self.rate(self.ours), self.rate(self.generate), runs)
        return told | {"rounds": asdict(self)}


def run(quick: bool, as_json: bool) -> str:
    """The table, or JSON."""
    quiet()
    results = [measure(*shape, prompts=3 if quick else 6, rounds=1 if quick else 3) for shape in SHAPES]
    if as_json:
        return json.dumps([one.record() for one in results])
    lines = [
        f"{N} candidates a prompt; tokens a second, median (lowest to highest)",
        "prompt  reply at most  generate per prompt         ours              ratio  distinct",
    ]
    for one in results:
        ours, other = one.rate(one.ours), one.rate(one.generate)
        lines.append(
            f"{one.prompt_tokens:6d}  {one.new_tokens:13d}  {_told(one.generate):24}  {_told(one.ours):24}"
            f"{ours / other:5.2f}x  {one.distinct:7.1%}"
        )
    return "\n".join(lines)


def measure(prompt_tokens: int, new_tokens: int, prompts: int, rounds: int) -> SampleSpeed:
    """Sample in both ways, in turn, ``rounds`` times."""
    model = LocalChatModel(policy_path(), context_tokens=prompt_tokens + 64)
    asked = [pair.prompt for pair in made_pairs(model.tokenizer, prompt_tokens, prompts)]
    ours: list[tuple[float, int]] = []
    other: list[tuple[float, int]] = []
    distinct: list[float] = []
    model.chat(asked[:1], Sampling(n=2, max_new_tokens=4))  # loads the weights
    for seed in range(rounds):
        sampling = Sampling(n=N, max_new_tokens=new_tokens, seed=seed)
        began = time.perf_counter()
        drawn = model.draw(asked, sampling)
        ours.append((time.perf_counter() - began, sum(len(one.tokens) for group in drawn for one in group)))
        distinct += [len({tuple(one.tokens) for one in group}) / N for group in drawn]
        other.append(_generate(model, asked, sampling))
    return SampleSpeed(prompt_tokens, new_tokens, prompts, N, tuple(ours), tuple(other), sum(distinct) / len(distinct))


def _generate(model: LocalChatModel, asked: Sequence[Sequence[Message]], sampling: Sampling) -> tuple[float, int]:
    """Seconds and new tokens of ``generate``, a prompt at a time."""
    import torch

    torch.manual_seed(sampling.seed)
    stops = model.stop_tokens.tolist()
    began, count = time.perf_counter(), 0
    for messages in asked:
        ids = torch.tensor([model.encode(messages)], device=model.weights.device)
        with torch.inference_mode():
            made = model.weights.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=sampling.temperature,
                top_k=sampling.top_k, top_p=1.0, max_new_tokens=sampling.max_new_tokens,
                num_return_sequences=sampling.n, pad_token_id=model.tokenizer.pad_token_id, eos_token_id=stops,
            )  # fmt: skip
        for row in made[:, ids.shape[1] :].tolist():
            ended = next((at for at, token in enumerate(row) if token in stops), len(row))
            count += ended
    return time.perf_counter() - began, count


def _told(rounds: Sequence[tuple[float, int]]) -> str:
    rates = sorted(tokens / seconds for seconds, tokens in rounds)
    return f"{statistics.median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})"
