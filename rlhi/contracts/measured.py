"""What an evaluation measures, what changed in the log, and what the gate makes of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlhi.contracts.options import DriftDoes

Verdict = Literal["promote", "refuse"]


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One measured value of one model on one held-out user's item; higher is better."""

    suite: str
    item: str
    user_id: str
    model: Literal["champion", "challenger"]
    value: float


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
    """One suite's figures in one evaluation: both models, and the gain, clustered by user."""

    suite: str
    champion: Interval
    challenger: Interval
    gain: Interval


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
    """The gate's verdict with every reason, and what it could not measure."""

    verdict: Verdict
    reasons: tuple[str, ...]
    not_measured: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    drift: DriftReport
