"""How much the demo and the experiments do: sections of params.yaml, and who talks.

The gate's margins and suites are the defaults: a demo with a gate of its own would prove nothing. What differs is what
some 45 held-out users can show: they are fewer than a decision asks for by default, so two decisions share the year's
error, one after the other, and with 6 replies each some lose 25 points by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlhi.config import ServedConfig
from rlhi.models.base import Sampling
from rlhi.simulate import SimulatorConfig
from rlhi.simulate.wishes import only

USERS = 100
HELD_OUT = 0.45
"""Users' gains in wish and answer together had a standard deviation of 0.27 in trials of 4 replies each: 45 users show
a true gain of 13 points 8 times in 10 (rlhi.evaluate.power.users_for). What is smaller may not be shown."""
REWRITES: Mapping[str, object] = {"turns": 24, "tries": 4}
CANDIDATES: Mapping[str, object] = {"prompts": 56, "n": 4, "persona_only": True}
LENGTH: Mapping[str, object] = {"max_length": 256}
REQUESTS, SAMPLES = 3, 2
TOKENS = 96
TEXT: Mapping[str, object] = {"max_new_tokens": TOKENS, "context_tokens": 320}
DEMO: Mapping[str, Mapping[str, object]] = {
    "ingest": {"hash_users": False},  # nobody is to be hidden, and a seed is to draw the same users in every workspace
    "split": {"held_out": HELD_OUT, "judges": 0},  # hidden wishes are what rises: no judge is asked
    "rewrites": REWRITES,
    "candidates": CANDIDATES,
    "dpo": LENGTH,
    "evaluate": {"users": 0, "instruction_samples": 2, "lost": 0.5},
    "confirm": {"users": 56, "requests": REQUESTS, "samples": SAMPLES, "lift_samples": 1},
    "gate": {"min_users": 30, "budget": {"decisions": 2, "days": 0}, "guards": {"kept": {"max_drop": 0.2}}},
}
ANY_TEACHER: Mapping[str, float] = {"answers": 0.0, "ended": 0.0, "language": 0.0}
"""Arms are compared by what they learned, whoever taught: a weak policy is part of the question."""
# Three matters, both sides of each wished for as often. All eleven are too many for what two cores train in minutes: of
# some hundreds of pairs each of 24 forms gets too few to be learned by who asks for it, each of these eight enough
# (docs/log.md, 2026-11-30).
MATTERS = ("length", "breaks", "lists")
TALK = Sampling(1, ServedConfig().temperature, ServedConfig().top_k, TOKENS)


def simulator(users: int, seed: int, **others: object) -> SimulatorConfig:
    """Users of the demo's matters; ``others`` are fields of :class:`SimulatorConfig`."""
    return SimulatorConfig(**{"users": users, "seed": seed, "weights": only(*MATTERS), **others})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Size:
    """How much an experiment does. ``users`` talk; ``held_out`` of them are measured."""

    users: int
    held_out: float
    rewrites: int
    candidates: int
    pairs: int
    requests: int
    samples: int

    @property
    def params(self) -> dict[str, dict[str, object]]:
        """As sections of params.yaml."""
        return {
            "ingest": {"hash_users": False},
            "split": {"held_out": self.held_out, "judges": 0},
            "rewrites": {**REWRITES, "turns": self.rewrites, "competence": ANY_TEACHER},
            "candidates": {**CANDIDATES, "prompts": self.candidates, "competence": ANY_TEACHER},
            "dpo": {"max_pairs": self.pairs, **LENGTH, "min_new_pairs": 8},
            "evaluate": {
                "users": self.users,
                "requests": self.requests,
                "samples": self.samples,
                # No experiment reads these, and they take as long as the rest.
                "instruction_samples": 1,
                "recognised": 0,
                "lift_samples": 0,
            },
            "confirm": {"users": 0},
            "gate": {"min_users": 2, "budget": {"decisions": 2, "days": 0}},
        }


# As much as the demo does, so that its figures and an experiment's can be laid side by side.
FULL = Size(USERS, HELD_OUT, rewrites=24, candidates=56, pairs=240, requests=REQUESTS, samples=SAMPLES)
QUICK = Size(users=40, held_out=HELD_OUT, rewrites=12, candidates=16, pairs=32, requests=1, samples=1)
