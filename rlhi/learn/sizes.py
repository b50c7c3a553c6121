"""Sizes that follow the log: how long replies and prompts may be, and how much of it all fits a night.

Proposals are plain arithmetic over measured figures; each says which figure it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rlhi.config import Params

SHARE = 0.9
"""Of the answers and prompts that should fit whole."""
USED = 0.8
"""Of the night: labels, the reward model and a slow hour want the rest."""
TRAINED = 4
"""What a token costs in training, in tokens read: forwards and backwards through the policy, forwards the reference."""
ROOM = 96 * (768 + 96)
"""Tokens that are sampled at a time, prompts and replies: as many as by default, about 4 GB at 135M in fp32."""
TOKEN = 64
"""Bytes of a token in a training step for each word of the vocabulary: 4 pairs of 384 tokens took 9.9 GB, of which
nearly all are logits and what is computed of them."""
FEWEST = 12
"""Complaints or requests of a night, below which it is not worth one."""


@dataclass(frozen=True, slots=True)
class LogSizes:
    """Tokens of a log's answers, and of what was said up to each; how many turns may be sampled for at most."""

    answers: tuple[int, ...]
    prompts: tuple[int, ...]
    requests: int
    follow_ups: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second that the policy reads and, in batches, writes on this machine."""

    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Values by their names in params.yaml, a line with the figures behind each, and what does not fit, if so."""

    values: dict[str, int]
    reasons: tuple[str, ...]
    cannot: str = ""


def quantile(values: Sequence[int], share: float) -> int:
    """The least value that ``share`` of the values do not exceed.

    >>> quantile([5, 1, 3, 2, 4], 0.9), quantile([5, 1, 3, 2, 4], 0.5)
    (5, 3)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the policy can read (``positions``), its ``vocabulary``, and the ``memory`` to train in, in bytes."""

    positions: int
    vocabulary: int
    memory: int


def lengths(log: LogSizes, bounds: Bounds, params: Params) -> Proposal:
    """How long replies, contexts and training rows should be, and how many are sampled at a time for it."""
    answer, prompt = quantile(log.answers, SHARE), quantile(log.prompts, SHARE)
    reply = min(_up(answer, 32), bounds.positions // 2)
    context = max(64, min(_up(prompt, 64), bounds.positions - reply))
    whole = reply + context
    held = int(USED * bounds.memory / (TOKEN * bounds.vocabulary * 2 * params.dpo.batch))
    row = min(whole, max(_down(held, 64), 64))
    values = {"dpo.max_length": row}
    for stage in ("rewrites", "candidates", "evaluate"):
        batch = max(1, min(params.candidates.sampling.batch, _down(ROOM // whole, 8) or ROOM // whole))
        sizes = {"max_new_tokens": reply, "context_tokens": context, "batch": batch}
        values |= {f"{stage}.sampling.{name}": value for name, value in sizes.items()}
    read = f"; the policy reads {bounds.positions:,} in all" if whole >= bounds.positions else ""
    memory = f", and what {bounds.memory / 2**30:.0f} GB hold of dpo.batch {params.dpo.batch} (estimated)"
    return Proposal(values, (
        f"sampling.max_new_tokens {reply:,}: nine in ten of {len(log.answers):,} answers have at most {answer:,} "
        f"tokens, half of them {quantile(log.answers, 0.5):,}",
        f"sampling.context_tokens {context:,}: nine in ten of the conversations up to an answer have at most "
        f"{prompt:,}, half of them {quantile(log.prompts, 0.5):,}{read}",
        f"sampling.batch {batch}: as many tokens at a time as by default",
        f"dpo.max_length {row:,}: both together{memory if row < whole else ''}",
    ))  # fmt: skip


def night(log: LogSizes, speed: Speed, hours: float, params: Params, instructions: int) -> Proposal:
    """How much a night of so many hours holds, at the lengths in ``params``; ``instructions`` are evaluated, too.

    It is a night with a decision, of as many held-out users as one asks for at least.
    """
    sampling = params.candidates.sampling
    reply = _mean(log.answers, sampling.max_new_tokens)
    prompt = _mean(log.prompts, sampling.context_tokens)

    def sampled(n: int) -> float:
        return prompt / speed.reads + n * reply / speed.writes

    least_users = params.gate.min_users
    panels = sum(
        (least_users if one.users is None else one.users) * one.requests * sampled(one.samples)
        for one in (params.evaluate, params.confirm)
    )
    tests = params.evaluate.tests * sampled(params.evaluate.samples)
    judged = 2 * (panels + tests + instructions * sampled(params.evaluate.instruction_samples))
    third = (USED * hours * 3600 - judged) / 3
    costs = {
        "rewrites.turns": sampled(params.rewrites.tries), "candidates.prompts": sampled(params.candidates.n),
        "dpo.max_pairs": 2 * TRAINED * min(prompt + reply, params.dpo.max_length) / speed.reads,
    }  # fmt: skip
    fits = {name: max(0, math.floor(third / cost)) for name, cost in costs.items()}
    least = math.ceil(params.dpo.min_new_pairs * (1 + params.pairs.replay))
    rate = f"the policy reads {speed.reads:,.0f} and writes {speed.writes:,.0f} tokens a second here"
    fewest = {"rewrites.turns": FEWEST, "candidates.prompts": FEWEST, "dpo.max_pairs": least}
    if any(fits[name] < fewest[name] for name in fits):
        needed = 3 * max(fewest[name] * costs[name] for name in fits)
        return Proposal({}, (), (
            f"this machine cannot do it in a night of {hours:g} h: {rate}, so that evaluation takes {_long(judged)} "
            f"and the least that trains another {_long(needed)}. Use a GPU or a smaller policy, give more --hours, or "
            "lower max_new_tokens, evaluate.users and confirm.samples in params.yaml; turns, prompts and pairs are "
            "left as they were"
        ))  # fmt: skip
    most = {
        "rewrites.turns": max(log.follow_ups, params.rewrites.turns),
        "candidates.prompts": max(log.requests, params.candidates.prompts),
        "dpo.max_pairs": max(log.requests, params.dpo.max_pairs),
    }
    values = {name: min(fits[name], most[name]) for name in fits}
    what = {"rewrites.turns": "a complaint", "candidates.prompts": "a request", "dpo.max_pairs": "a pair (estimated)"}
    return Proposal(values, (
        f"a night of {hours:g} h: {rate}; evaluation takes {_long(judged)}, a fifth is kept, the rest in thirds",
        *(
            f"{name} {values[name]:,}: {what[name]} takes {_long(costs[name])}, {fits[name]:,} fit"
            + (", as many as the log could need" if values[name] < fits[name] else "")
            for name in values
        ),
    ))  # fmt: skip


def _up(value: int, step: int) -> int:
    return math.ceil(value / step) * step


def _down(value: int, step: int) -> int:
    return value // step * step


def _mean(values: Sequence[int], most: int) -> float:
    return sum(min(value, most) for value in values) / len(values)


def _long(seconds: float) -> str:
    """
    >>> _long(0.42), _long(90), _long(9000)
    ('0.4 s', '2 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
