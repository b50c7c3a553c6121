"""What language models that judge say of two replies, how well each judges, and how far they agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from rlhi.contracts.measured import Interval

Criterion = Literal["overall", "personalisation", "instructions"]
"""The paper's three: as a whole; does it heed what is known of this user; does it do what was asked."""
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
WhichTurn = Literal["first", "follow_up"]
"""The first request of a conversation, or a later message with what was said before it."""
Turns = Literal["", "first", "follow_up"]
"""Of which turns something is told; empty for all."""
Won = Literal["champion", "challenger", "tie"]


@dataclass(frozen=True, slots=True)
class JudgeVerdict:
    """What one judge says of both models' replies to one held-out request, by one criterion.

    Attributes:
        won: the same in both orders, else a tie.
        flipped: the two orders gave two verdicts.
        longer: how much longer the challenger's reply is: the difference of the logarithms of lengths in characters.
    """

    judge: str
    item: str
    user_id: str
    turn: WhichTurn
    criterion: Criterion
    won: Won
    flipped: bool
    longer: float

    @property
    def value(self) -> float:
        """The challenger's: 1 where it won, 0.5 for a tie."""
        return {"champion": 0.0, "tie": 0.5, "challenger": 1.0}[self.won]


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often the challenger wins by one criterion, ties counting half, over users.

    Attributes:
        raw: as judged; ``equal`` is what is left where both replies are equally long.
        ties, flipped: shares of the requests; a pair that is flipped is a tie.
    """

    criterion: Criterion
    turns: Turns
    raw: Interval
    equal: Interval
    ties: float
    flipped: float


@dataclass(frozen=True, slots=True)
class JudgeRecord:
    """One judge: how well it judges, and what it said tonight.

    Attributes:
        accuracy: balanced, on held-out users' own choices, each asked in both orders: a tie counts half.
        longer_wins: the share of the same choices that the rule "the longer wins" gets right.
        choices_flipped: the share of them whose two orders gave two verdicts.
        unanswered: pairs of replies and choices to which no answer fitted.
    """

    name: str
    accuracy: Interval
    longer_wins: float
    choices_flipped: float
    wins: tuple[WinRate, ...] = ()
    unanswered: int = 0

    def is_proven(self, least: float) -> bool:
        """Whether it is shown to judge people's choices better than this."""
        return self.accuracy.clusters > 0 and self.accuracy.low > least


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two judges say the same of ``items`` requests, by one criterion.

    ``kappa`` is Cohen's: 0 where they agree as by chance, 1 always; None where either says one thing throughout.
    """

    one: str
    other: str
    criterion: Criterion
    items: int
    share: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class JudgesReport:
    """All judges of one night, and how far each two agree."""

    judges: tuple[JudgeRecord, ...] = ()
    agreements: tuple[Agreement, ...] = ()
