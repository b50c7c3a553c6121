"""How a challenger stands: a row for every suite, and one for every kind of persona."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from rlhi.config import GateConfig
from rlhi.config.suites import SUITES, Role
from rlhi.contracts import GateDecision, Interval, Measurement, Verdict
from rlhi.report.words import name_of, percent, points, span, tenths


class State(StrEnum):
    """How a suite stands: the name is its class in the style sheet."""

    PASS = "pass"
    OPEN = "open"
    FAIL = "fail"
    INFO = "info"


_STATES: dict[Verdict, State] = {
    "promote": State.PASS,
    "hold": State.OPEN,
    "refuse": State.FAIL,
    "invalid": State.FAIL,
}


@dataclass(frozen=True, slots=True)
class SuiteRow:
    """A suite as the table and the forest plot show it.

    Attributes:
        limit: where the gate draws its line, if it does.
        lower: what the gain is shown to be above, where that was computed: it has to clear the line.
        seen: the smallest true gain that would have been seen, in points; a dash where nobody knows.
        first: the same against the workspace's first champion, where it was measured.
    """

    name: str
    role: Role
    rule: str
    limit: float | None
    state: State
    gain: Interval
    lower: float | None
    champion: str
    challenger: str
    figures: str
    seen: str
    first: SuiteRow | None = None


@dataclass(frozen=True, slots=True)
class KindRow:
    """Users who ask for one thing: what they gained, and how many of them lost much."""

    gain: SuiteRow | None
    name: str
    users: int
    lost: str
    state: State


def suite_rows(decision: GateDecision, gate: GateConfig) -> list[SuiteRow]:
    """A decision's measurements of all users: gains first, then guards, then what was only recorded."""
    first = {one.suite: one for one in decision.measurements if one.against == "first" and not one.group}
    rows = [_suite_row(one, first.get(one.suite), decision, gate) for one in decision.overall]
    return sorted(rows, key=lambda row: (row.role, row.name))


def kind_rows(decision: GateDecision, gate: GateConfig) -> list[KindRow]:
    """Kinds of persona, from who gained most to who lost most; none where no kind has enough users."""
    groups: dict[str, dict[str, Measurement]] = {}
    for one in decision.measurements:
        if one.group and one.against == "champion":
            groups.setdefault(one.group, {})[one.suite] = one
    rows = [_kind_row(kind, by_suite, gate) for kind, by_suite in groups.items()]
    return sorted(rows, key=lambda row: (-row.gain.gain.mean if row.gain else 0.0, row.name))


def state_of(one: Measurement, decision: GateDecision, gate: GateConfig) -> State:
    """Where the gate's rule for the suite leaves it; INFO for what decides nothing."""
    if one.suite in decision.not_counted:
        return State.INFO
    if not math.isfinite(one.gain.mean):
        return State.FAIL if one.suite in gate.gains or one.suite in gate.guards else State.INFO
    comes_to: list[Verdict] = []
    if gain := gate.gains.get(one.suite):
        few = one.gain.clusters < gate.min_users and one.level is not None
        comes_to += ["hold" if few and gain.comes_to(one) == "promote" else gain.comes_to(one)]
    if guard := gate.guards.get(one.suite):
        comes_to.append(guard.comes_to(one, gate.few_users))
    states = [_STATES[one] for one in comes_to]
    return max(states, key=(State.PASS, State.OPEN, State.FAIL).index, default=State.INFO)


def _suite_row(
    one: Measurement, first: Measurement | None, decision: GateDecision, gate: GateConfig
) -> SuiteRow:  # fmt: skip
    gain, guard = gate.gains.get(one.suite), gate.guards.get(one.suite)
    role: Role = "recorded"
    rule, limit = "recorded only", None
    if guard is not None:
        role, rule, limit = "guard", f"falls at most {tenths(guard.max_drop)}", -guard.max_drop
    if gain is not None:
        role, rule, limit = "gain", f"gains over {tenths(gain.margin)}{_error(one)}", gain.margin
    if one.suite in decision.not_counted:
        role, rule, limit = "recorded", "does not count: its judge is not proven", None
    return SuiteRow(
        name=name_of(one.suite),
        role=role,
        rule=rule,
        limit=limit,
        state=state_of(one, decision, gate),
        gain=one.gain,
        lower=one.above if limit is not None else None,
        champion=percent(one.champion.mean),
        challenger=percent(one.challenger.mean),
        figures=f"{points(one.gain.mean)} ({span(one.gain)})",
        seen="–" if one.least is None else tenths(one.least),
        first=_suite_row(first, None, decision, gate) if first else None,
    )


def _kind_row(kind: str, by_suite: dict[str, Measurement], gate: GateConfig) -> KindRow:
    told = next((by_suite[name] for name, suite in SUITES.items() if suite.headline and name in by_suite), None)
    kept = next((one for name, one in by_suite.items() if name in gate.guards), None)
    return KindRow(
        gain=_kinds_gain(kind, told) if told else None,
        name=kind,
        users=max(one.gain.clusters for one in by_suite.values()),
        lost=percent(1 - kept.challenger.mean) if kept else "–",
        state=State.FAIL if kept and gate.guards[kept.suite].broken(kept) else State.INFO,
    )


def _kinds_gain(kind: str, one: Measurement) -> SuiteRow:
    state = State.PASS if one.gain.low > 0 else State.FAIL if one.gain.high < 0 else State.INFO
    return SuiteRow(
        name=kind,
        role="recorded",
        rule="",
        limit=None,
        state=state,
        gain=one.gain,
        lower=None,
        champion=percent(one.champion.mean),
        challenger=percent(one.challenger.mean),
        figures=f"{points(one.gain.mean)} ({span(one.gain)})",
        seen="–",
    )


def _error(one: Measurement) -> str:
    return f", error {one.level:.2%}" if one.level else ""
