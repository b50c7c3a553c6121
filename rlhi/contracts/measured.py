"""What an evaluation measures, what changed in the log, and what the gate makes of both."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rlhi.contracts.options import DriftDoes

Verdict = Literal["promote", "refuse", "hold", "invalid"]
"""Better; shown worse, or a guard shown broken; not enough evidence; a measurement is missing or odd."""
PAST: Mapping[str, str] = {"promote": "promoted", "refuse": "refused", "hold": "held", "invalid": "invalid"}
"""What a verdict made of a challenger, in a word."""
Against = Literal["champion", "first"]
"""The model in production, or the workspace's first one."""
Panel = Literal["screen", "decision"]
"""Who was asked: the same users and requests every night, or all held-out users, what was drawn for this decision."""


FAR = 100
"""A bound so many times as far off as a line is asked of nobody: no number of users that anybody has would show it."""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One measured value of one model on one held-out user's item; higher is better."""

    suite: str
    item: str
    user_id: str
    model: Literal["champion", "challenger", "first"]
    value: float


@dataclass(frozen=True, slots=True)
class AnsweredTest:
    """How one model did on one test of the workspace in one cycle.

    Attributes:
        test: the test's key.
        version: the model's where it has one; empty for a challenger, which has none before it is promoted.
        resolved: how many of its ``replies`` are about the request and do all that was asked.
        reply: the first of them.
    """

    test: str
    user_id: str
    cycle: int
    model: Literal["champion", "challenger"]
    version: str
    resolved: int
    replies: int
    reply: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval; ``clusters`` users, ``items`` values."""

    mean: float
    low: float
    high: float
    clusters: int
    items: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One suite's figures in one evaluation: both models, and the gain, clustered by user.

    Attributes:
        champion, challenger, gain: two-sided intervals, for people. ``champion`` is that of the model ``against``.
        group: the kind of users, by what their personas say; empty for all.
        level: the gain lies above ``above``, and below ``below``, but for this chance each; None in older records,
            whose gates read the interval's ends.
        least: the smallest true gain that so many users, with their spread, show four times in five.
    """

    suite: str
    champion: Interval
    challenger: Interval
    gain: Interval
    against: Against = "champion"
    group: str = ""
    level: float | None = None
    above: float | None = None
    below: float | None = None
    least: float | None = None

    @property
    def lower(self) -> float:
        """What the gain is shown to be above."""
        return self.gain.low if self.above is None else self.above

    @property
    def upper(self) -> float:
        """What the gain is shown to be below."""
        return self.gain.high if self.below is None else self.below

    def users_to_show(self, line: float) -> int | None:
        """With how many users, as widely spread, the bound would lie above ``line``; None where the mean does not."""
        over, width = self.gain.mean - line, self.gain.mean - self.lower
        if not over > width / FAR or not math.isfinite(width):
            return None
        return math.ceil(self.gain.clusters * (width / over) ** 2)


@dataclass(frozen=True, slots=True)
class Spending:
    """A decision that was taken: the day (ISO), and its chance to promote what is no better."""

    day: str
    level: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent on decisions on one day.

    Attributes:
        level: one decision's chance to promote what is no better.
        taken: decisions in the year that ends this day, and ``spent``, their levels' sum.
        left: what is left of the year's error.
        risk: the chance, at most, that any promotion since the first decision was false: all levels' sum.
        since: the day of the first decision of all; empty before it.
        wait: why none may be taken this day; empty where one may.
    """

    level: float
    taken: int
    spent: float
    left: float
    risk: float
    since: str
    wait: str

    def as_text(self) -> str:
        """The ledger in one line."""
        decisions = f"{self.taken} decision{'' if self.taken == 1 else 's'} in the past year"
        told = f"{decisions}, {self.spent:.2%} of error spent, {self.left:.2%} left"
        since = f"; chance that any promotion since {self.since} was false: {min(self.risk, 1):.2%} at most"
        return told + (since if self.since else "")


@dataclass(frozen=True, slots=True)
class Account:
    """The error budget after a cycle, or on any day.

    Attributes:
        day: of the account (ISO).
        budget: what may be spent that day.
        spendings: every decision so far, oldest first.
        free: the first day, from ``day`` on, on which a decision may be taken.
    """

    day: str
    budget: Budget
    spendings: tuple[Spending, ...]
    free: str

    def as_text(self) -> str:
        """In one line."""
        return f"{self.budget.as_text()}; the next may be taken {'now' if self.free == self.day else f'on {self.free}'}"


@dataclass(frozen=True, slots=True)
class DriftColumn:
    """One column of users' side of conversations, compared by user.

    Attributes:
        name: which one; ``test`` is by what, and ``distance`` its: KS statistic, or total variation distance.
        current, reference: users with a value.
        p: corrected by Holm over all columns.
        least: the distance from which on it counts, as it was told.
        does: what a drift of it does to a promotion.
        evidently: whether Evidently's own test of this column called it drifted; None where it was not asked.
    """

    name: str
    test: Literal["ks", "chi_square"]
    current: int
    reference: int
    distance: float
    p: float
    least: float
    does: DriftDoes
    drifted: bool
    evidently: bool | None = None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """How this cycle's new conversations differ from the former ones', by user.

    Attributes:
        status: ``drifted`` where any column did; ``too_few`` users on a side say nothing.
        share: of the columns, those that drifted; ``columns`` are those that could be compared.
        current, reference: conversations that were compared.
        found: each column's figures. Empty in reports of cycles before 2026-12, which compared rows by Evidently:
            all that drifted there blocked.
        current_users, reference_users: of those conversations.
        visible: the least distance that numbers of so many users can show.
        splits, false_alarms: how often the former users were split in two at random, and the share that drifted.
        raised: what each column's ``least`` was multiplied by, so that this share is no more than the level.
    """

    status: Literal["no_reference", "too_few", "stable", "drifted"]
    share: float
    columns: tuple[str, ...]
    failed: tuple[str, ...]
    current: int
    reference: int
    found: tuple[DriftColumn, ...] = ()
    current_users: int = 0
    reference_users: int = 0
    visible: float = 0.0
    splits: int = 0
    false_alarms: float = 0.0
    raised: float = 1.0

    def failed_that(self, does: DriftDoes) -> tuple[str, ...]:
        """The drifted columns that do this to a promotion."""
        if self.status != "drifted":
            return ()
        told = {column.name: column.does for column in self.found}
        return tuple(name for name in self.failed if told.get(name, "block") == does)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's verdict with every reason, and what it could not measure.

    Attributes:
        panel: who was asked; a screen promotes nothing.
        budget: what may be spent, before this decision; None in older records.
        by_chance: how sure the same users made it that the champion is better than itself, one half of its replies
            against the other: the one-sided p-value, which an honest gate finds below 5% in one decision of twenty;
            None where it could not be computed.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    not_measured: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    drift: DriftReport
    panel: Panel = "decision"
    budget: Budget | None = None
    by_chance: float | None = None

    @property
    def overall(self) -> tuple[Measurement, ...]:
        """A measurement a suite: of all users, against the champion."""
        return tuple(one for one in self.measurements if one.against == "champion" and not one.group)

    @property
    def not_counted(self) -> tuple[str, ...]:
        """Gains that were measured and are no evidence, for their judge is not proven."""
        return tuple(one.suite for one in self.overall if one.suite in self.not_measured)
