"""What an evaluation measures, what changed in the log, and what the gate makes of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
class DriftReport:
    """What Evidently said of this cycle's new conversations against the former ones'."""

    status: Literal["no_reference", "stable", "drifted"]
    share: float
    columns: tuple[str, ...]
    failed: tuple[str, ...]
    current: int
    reference: int


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's verdict with every reason, and what it could not measure."""

    verdict: Verdict
    reasons: tuple[str, ...]
    not_measured: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    drift: DriftReport
