"""The page's figures in plain words: one summary sentence a cycle, and one table row a suite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from rlhi.config import GainConfig, GuardConfig
from rlhi.config.suites import SUITES, Role, Suite
from rlhi.contracts import PAST, Interval, Measurement
from rlhi.report.evidence import CycleEvidence, Figure


class State(StrEnum):
    """How a suite stands: the name is its class in the style sheet."""

    PASS = "pass"
    FAIL = "fail"
    INFO = "info"

    @classmethod
    def of(cls, passed: bool) -> State:
        """Pass or fail."""
        return cls.PASS if passed else cls.FAIL


_NAMES: Mapping[str, str] = {
    "reattempt_with_feedback": "re-attempt with feedback",
    "reattempt_without_feedback": "bare re-attempt",
    "positive_feedback": "positive feedback",
    "new_request": "new request",
    "observed_revision": "revision in the log",
    "rewrite": "guided rewrite",
    "reward": "sampled and rewarded",
    "explicit_choice": "the user's own choice",
    "on_policy": "sampled in training and rewarded",
    "mirrored": "for a user who wishes the contrary",
    "edited": "sampled and edited by program",
    "request_words": "words of the request",
    "mean_words": "words of a message",
    "question_share": "questions",
    "non_ascii_share": "characters beyond ASCII",
    "reattempt_share": "complaints",
    "positive_share": "thanks",
    "claim": "personas’ wishes",
}


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """A suite as the table and the forest plot show it; ``limit`` is where the gate draws its line, if it does."""

    name: str
    role: Role
    rule: str
    limit: float | None
    state: State
    gain: Interval
    champion: str
    challenger: str
    figures: str


def name_of(identifier: str) -> str:
    """A label or source in words.

    >>> name_of("new_request"), name_of("my_suite")
    ('new request', 'my suite')
    """
    return _NAMES.get(identifier, identifier.replace("_", " "))


def summary(cycle: CycleEvidence, confidence: float) -> str:
    """The sentence at the top: what was decided and on which figures."""
    if cycle.decision is None:
        why = f": {cycle.note}" if cycle.note else ""
        return f"Cycle {cycle.number} judged no challenger{why}. {cycle.champion} stays."
    verdict = f"{PAST[cycle.decision.verdict].capitalize()} {cycle.challenger or 'the challenger'}"
    stopped = f" Stopped by: {', '.join(_causes(cycle))}." if _causes(cycle) else ""
    told = next(((suite, found) for suite in SUITES.values() if (found := _headline(suite, cycle))), None)
    if told is None:
        return f"{verdict}: no gain for held-out users was measured.{stopped}"
    suite, measured = told
    gain = measured.gain
    figures = f"gain {points(gain.mean)} points, {percent(confidence)} interval {span(gain)}"
    before, after = percent(measured.champion.mean), percent(measured.challenger.mean)
    change = after if suite.judged else f"{before} → {after}"
    return f"{verdict}: {suite.headline} {change} ({figures}).{stopped}"


def _headline(suite: Suite, cycle: CycleEvidence) -> Measurement | None:
    return cycle.measured(suite.name) if suite.headline else None


def _causes(cycle: CycleEvidence) -> list[str]:
    """What spoke against promotion, in a word or two each."""
    if cycle.decision is None or cycle.decision.verdict == "promote":
        return []
    causes = [row.name for row in suite_rows(cycle) if row.state == State.FAIL]
    required = {name for name, gain in cycle.gate.gains.items() if gain.required}
    required |= {name for name, guard in cycle.gate.guards.items() if guard.required}
    missing = [name for name in cycle.decision.not_measured if name in required]
    causes += [f"{name_of(name)} not measured" for name in missing]
    drift = cycle.decision.drift
    if cycle.gate.drift == "refuse" and (drift.failed_that("block") or drift.failed_that("ask")):
        causes.append("drift")
    return causes


def suite_rows(cycle: CycleEvidence) -> list[SuiteRow]:
    """The cycle's measurements: gains first, then guards, then what was only recorded."""
    rows = [_suite_row(measured, cycle) for measured in cycle.measurements]
    return sorted(rows, key=lambda row: (row.role, row.name))


def chips(figures: Sequence[Figure], model: Literal["champion", "challenger"]) -> list[tuple[str, str, str]]:
    """What each measure says of one model's reply: its name, the share, and for the challenger where it moved."""
    shown = []
    for one in figures:
        value = one.champion if model == "champion" else one.challenger
        change = one.challenger - one.champion if model == "challenger" else 0.0
        shown.append((name_of(one.name), percent(value), "up" if change > 0 else "down" if change < 0 else ""))
    return shown


def percent(share: float | None) -> str:
    """A share as whole percent; a dash for none."""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.0f}%"


def points(value: float) -> str:
    """A gain in whole points with its sign, and a real minus.

    >>> points(0.152), points(-0.03), points(0.0)
    ('+15', '−3', '0')
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "+∞" if value > 0 else "−∞"
    rounded = round(100 * value)
    return f"{rounded:+d}".replace("-", "−") if rounded else "0"


def span(interval: Interval) -> str:
    """An interval in whole points: ``8 to 22``."""
    return " to ".join(points(end).removeprefix("+") for end in (interval.low, interval.high))


def _suite_row(measured: Measurement, cycle: CycleEvidence) -> SuiteRow:
    gain = measured.gain
    gains: dict[str, GainConfig] = dict(cycle.gate.gains.items())
    guards: dict[str, GuardConfig] = dict(cycle.gate.guards.items())
    margin, guard = gains.get(measured.suite), guards.get(measured.suite)
    role: Role = "recorded"
    rule, limit, state = "recorded only", None, State.INFO
    if guard is not None:
        role, rule, limit = "guard", f"guard: falls at most {points(guard.max_drop).removeprefix('+')}", -guard.max_drop
        state = State.of(measured.lower > -guard.max_drop)
    if margin is not None:
        role, rule, limit = "gain", f"gain above {points(margin.margin).removeprefix('+')}", margin.margin
        state = State.of(measured.lower > margin.margin)
    return SuiteRow(
        name=name_of(measured.suite),
        role=role,
        rule=rule,
        limit=limit,
        state=state,
        gain=gain,
        champion=percent(measured.champion.mean),
        challenger=percent(measured.challenger.mean),
        figures=f"{points(gain.mean)} ({span(gain)})",
    )
