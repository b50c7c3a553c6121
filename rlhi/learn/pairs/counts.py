"""What is counted while pairs are made: what gave none, how rewards spread, which wishes no candidate meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rlhi.checks.demands import Demand
from rlhi.learn.reward.head import RewardError


@dataclass(slots=True)
class Dropped:
    """How many comparisons gave no pair, by reason."""

    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Spread:
    """Group statistics of the rewards of candidates: means over requests, in log-odds; ``flat`` ones have no spread."""

    groups: int = 0
    flat: int = 0
    deviation: float = 0.0
    best_to_worst: float = 0.0

    def add(self, scores: Sequence[float]) -> None:
        """Take in the rewards of one request's candidates."""
        mean = sum(scores) / len(scores)
        deviation = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5
        self.groups += 1
        self.flat += max(scores) == min(scores)
        self.deviation += (deviation - self.deviation) / self.groups
        self.best_to_worst += (max(scores) - min(scores) - self.best_to_worst) / self.groups

    def check(self) -> None:
        """Refuse rewards that tell no candidate from another.

        Raises:
            RewardError: in all of several groups of candidates every reward is the same.
        """
        if self.flat == self.groups and self.flat > 1:
            raise RewardError(
                f"the rewards of candidates have no variance in any of {self.flat} groups: the reward model tells no "
                "answer from another; look at models/reward/metrics.json, and at whether data/candidates differ"
            )


@dataclass(slots=True)
class Wanted:
    """Wishes of personas that a program can check, one for each request and wish: how many, and those never met.

    What no candidate meets gives no pair, whatever the reward model says: ``never`` counts it by the claim's text.
    """

    wishes: int = 0
    never: Counter[str] = field(default_factory=Counter)

    def add(self, asked: Iterable[Demand], texts: Sequence[str]) -> None:
        """Take in one request's candidates."""
        for one in asked:
            if not one.relative:
                self.wishes += 1
                self.never[one.text] += not any(one.met(text, "") for text in texts)
