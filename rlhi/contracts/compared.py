"""What people say of two replies that they compare blind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PairAnswer = Literal["champion", "challenger", "tie", "neither"]
"""Whose reply a person preferred; ``tie`` where neither, ``neither`` where neither is an answer."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A person's answer to one pair of replies, which were shown without their models' names.

    Attributes:
        rater: who answered, and ``at``, when (ISO, UTC).
        champion, challenger: the models: a version, and the key of what the challenger learned from.
        user_id, item: the held-out user's request, and the pair of replies to it.
        left: whose reply stood on the left, or first.
    """

    rater: str
    at: str
    champion: str
    challenger: str
    user_id: str
    item: str
    left: Literal["champion", "challenger"]
    answer: PairAnswer


@dataclass(frozen=True, slots=True)
class PeopleTally:
    """What people said of one challenger, counted by held-out user.

    Attributes:
        challenger: the key of what it learned from.
        won, lost, even: users whose pairs it won, lost, or neither, all answers together.
        pairs: that were answered; ``answers`` counts each rater's.
        ties, neither: answers without a winner.
        raters: people who answered.
    """

    challenger: str
    won: int
    lost: int
    even: int
    pairs: int
    answers: int
    ties: int
    neither: int
    raters: int

    @property
    def decided(self) -> int:
        """Users on whom people decided for one of the two."""
        return self.won + self.lost
