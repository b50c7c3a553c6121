"""Rounds of training: between them the model just trained answers anew, and learns from how it is judged.

Semi-online DPO: the policy that samples is renewed now and then, not at every step, which "Bridging Offline and Online
Reinforcement Learning for LLMs" (arXiv 2506.21495) found as good as fully online DPO. The reference stays the champion.

A later round learns from its fresh pairs alone. The pairs of the round before have been learned from for
``dpo.epochs`` epochs; a second time cost fluency and gained nothing (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rlhi.config import CandidatesConfig
from rlhi.contracts import FreshPair, PreferencePair, content_key
from rlhi.learn.pairs.counts import Spread
from rlhi.learn.pairs.lessons import Row, lesson
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import trl_row
from rlhi.learn.training.trl.truncated import CUT


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a model's answers between two rounds came to: pairs to learn from, and how they were judged.

    ``dropped`` counts by reason what gave no pair; ``distinct`` is the share of texts that no other of their request
    equals.
    """

    pairs: tuple[PreferencePair, ...]
    requests: int
    distinct: float
    spread: Spread
    dropped: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One training by its plan. ``weights`` is the SHA-256 of the model that it came to.

    ``fresh`` is None for the first round, which learns from the rows of the stage before.
    """

    plan: PolicyPlan
    rows: tuple[Row, ...]
    weights: str
    trained: Trained
    fresh: Fresh | None = None

    @property
    def pairs(self) -> list[PreferencePair]:
        """Its rows without judged answers."""
        return [row for row in self.rows if isinstance(row, PreferencePair)]

    @property
    def learned(self) -> list[Row]:
        """Its rows without those that were left out for their length."""
        left_out = set(self.trained.too_long)
        return [row for at, row in enumerate(self.rows) if at not in left_out]


def planned(plan: PolicyPlan, rows: Sequence[Row], before: Round | None) -> PolicyPlan:
    """The plan of one round on ``rows``, from where the round before ended, in a folder named by all that it hangs on.

    ``plan`` is that of all rounds.
    """
    begun = before.weights if before else plan.reference
    taught, how = [(row.key, trl_row(row)[CUT]) for row in rows], plan.dpo.model_dump(mode="json")
    key = content_key(taught, plan.champion, begun, how, plan.seed)
    start, number = (before.trained.unmerged, before.plan.round + 1) if before else (None, 1)
    return plan.model_copy(update={"output": plan.output / key, "start": start, "begun": begun, "round": number})


def room(most: int, used: int, number: int, rounds: int) -> int:
    """How many pairs round ``number`` may learn from: an even share of what is left of ``most``.

    >>> room(80, 0, 1, 1), room(80, 0, 1, 2), room(80, 30, 2, 2)
    (80, 40, 50)
    """
    return -(-(most - used) // (rounds - number + 1))


def fresh_requests(
    asked: Iterable[SampleRequest], prefer: Callable[[str], bool], weights: str, config: CandidatesConfig, seed: int
) -> list[SampleRequest]:
    """``config.prompts`` requests for a model of these weights, those that ``prefer`` names first, drawn by seed.

    The key of a request holds all that its answers hang on: weights, prompt and way of sampling.
    """
    ordered = sorted(asked, key=lambda one: (not prefer(one.key), content_key(seed, weights, one.key)))
    sampling = config.sampling
    how = (sampling.temperature, sampling.top_k, sampling.max_new_tokens, sampling.context_tokens)
    return [
        replace(one, key=content_key("on_policy", weights, one.key, one.messages, how, seed))
        for one in ordered[: config.prompts]
    ]


def lessons(rounds: Iterable[Round]) -> set[str]:
    """What the rounds have taught."""
    return {lesson(row) for one in rounds for row in one.learned}


def fresh_rows(rounds: Sequence[Round]) -> Iterator[FreshPair]:
    """The pairs that rounds after the first were given."""
    for one in rounds[1:]:
        yield from (FreshPair(one.plan.round, one.plan.begun, pair) for pair in one.pairs)


def history(rounds: Sequence[Round]) -> list[dict[str, float]]:
    """The figures of every step. Where there are several rounds, steps count on and each tells its round."""
    if len(rounds) == 1:
        return list(rounds[0].trained.history)
    steps: list[dict[str, float]] = []
    for one in rounds:
        before = len(steps)
        steps += [{**step, "step": before + step["step"], "round": one.plan.round} for step in one.trained.history]
    return steps


def told(one: Round) -> dict[str, object]:
    """A round as ``training.json`` has it."""
    record: dict[str, object] = {
        "round": one.plan.round, "pairs": len(one.pairs), "too_long": len(one.trained.too_long),
        "start": one.plan.begun, "reference": one.plan.reference, "weights": one.weights,
    }  # fmt: skip
    if one.fresh is not None:
        spread = one.fresh.spread
        record["fresh"] = {
            "requests": one.fresh.requests, "distinct_share": one.fresh.distinct, "groups": spread.groups,
            "flat_groups": spread.flat, "deviation": spread.deviation, "best_to_worst": spread.best_to_worst,
            "dropped": dict(one.fresh.dropped),
        }  # fmt: skip
    return record
