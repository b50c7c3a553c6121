"""The gate: from measurements and drift to a verdict with its reasons. A pure function.

A challenger is promoted only when at least one gain is shown, no measured gain fails, every measured guard is shown not
to fall by more than it may (one that is not required and has too few users to show anything: does not fall so far in
the mean), nothing required is missing, drift does not refuse, and every figure is a number. A refusal is a valid
ending: its reasons say what evidence was lacking.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from rlhi.config import GainConfig, GateConfig, GuardConfig
from rlhi.config.suites import SUITES
from rlhi.contracts import DriftReport, GateDecision, Interval, Measurement
from rlhi.contracts.options import DriftDoes


@dataclass(slots=True)
class _Findings:
    """What was found so far: every reason in order, and whether one of them refuses."""

    reasons: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    refused: bool = False

    def add(self, passed: bool, reason: str) -> None:
        self.reasons.append(reason)
        self.refused = self.refused or not passed

    def not_measured(self, name: str, required: bool) -> None:
        self.missing.append(name)
        if required:
            self.add(False, f"{name} is required and was not measured.")


def decide(
    measurements: Sequence[Measurement], drift: DriftReport, config: GateConfig, judge: Interval | None = None
) -> GateDecision:
    """Promote or refuse, with a reason for every rule that was applied, passed or not.

    ``judge`` is the share of held-out users' comparisons that the reward model ranks right, None where it is not to be
    asked for: one that is not shown to be above ``config.judge`` has measured nothing of what it judges.
    ``not_measured`` names what the configuration lists and nobody measured, and ``drift: no_reference`` when there
    was nothing to compare with, which alone never refuses. Suites that the configuration does not list decide
    nothing but must be numbers. The order of ``measurements`` does not matter.
    """
    ordered = tuple(sorted(measurements, key=lambda measured: (measured.suite, repr(measured))))
    by_suite = {measured.suite: measured for measured in ordered}
    found = _Findings()
    _sanity(ordered, drift, found)
    judged = [name for name in by_suite if name in SUITES and SUITES[name].judged]
    if judge is not None and config.judge and judged and not _proven(judge, config, judged, found):
        by_suite = {name: measured for name, measured in by_suite.items() if name not in judged}
    for name, gain in sorted(config.gains.items()):
        _gain(name, gain, by_suite.get(name), found)
    if not any(name in by_suite for name in config.gains):
        found.add(False, "No gain was measured, so nothing shows that the challenger is better.")
    for name, guard in sorted(config.guards.items()):
        _guard(name, guard, config.few_users, by_suite.get(name), found)
    _drift(drift, config, found)
    return GateDecision(
        verdict="refuse" if found.refused else "promote",
        reasons=tuple(found.reasons),
        not_measured=tuple(found.missing),
        measurements=ordered,
        drift=drift,
    )


def _sanity(measurements: Sequence[Measurement], drift: DriftReport, found: _Findings) -> None:
    for suite, times in sorted(Counter(measured.suite for measured in measurements).items()):
        if times > 1:
            found.add(False, f"{suite} was measured {times} times, so it is unclear which figures hold.")
    for measured in measurements:
        if not all(map(_is_number, (measured.champion, measured.challenger, measured.gain))):
            found.add(False, f"{measured.suite} has a figure that is not a number.")
    if math.isnan(drift.share):
        found.add(False, "The share of drifted columns is not a number.")


def _is_number(interval: Interval) -> bool:
    """A finite mean inside its interval. The ends may be infinite: that says that nothing is known."""
    return math.isfinite(interval.mean) and interval.low <= interval.mean <= interval.high


def _proven(judge: Interval, config: GateConfig, judged: Sequence[str], found: _Findings) -> bool:
    said = f"The reward model ranks {_figures(judge, '%', '')} of held-out users' comparisons right"
    if not judge.clusters:
        said = "No comparison of a held-out user tells how well the reward model ranks"
    if judge.low > config.judge:
        found.reasons.append(f"{said}, above {config.judge:.0%}.")
        return True
    told = f"{' and '.join(judged)} {'do' if len(judged) > 1 else 'does'} not count"
    found.reasons.append(f"{said}: not shown to be above {config.judge:.0%}, so {told}.")
    return False


def _gain(name: str, config: GainConfig, measured: Measurement | None, found: _Findings) -> None:
    if measured is None:
        found.not_measured(name, config.required)
        return
    gain = measured.gain
    if gain.low > config.margin:
        found.add(True, f"{name} gains {_figures(gain)}, above the margin of {_points(config.margin)}.")
        return
    reason = f"{name} gains {_figures(gain)}: not shown to be above the margin of {_points(config.margin)}"
    needed = config.margin + gain.mean - gain.low
    lacking = f"; with this spread more than {_points(needed)} was needed" if gain.low > -math.inf else ""
    found.add(False, f"{reason}{lacking}.")


def _guard(name: str, config: GuardConfig, few: int, measured: Measurement | None, found: _Findings) -> None:
    if measured is None:
        found.not_measured(name, config.required)
        return
    gain = measured.gain
    if gain.low <= -config.max_drop < gain.mean and gain.clusters < few and not config.required:
        told = f"within the allowed drop of {_points(config.max_drop)} in the mean; fewer than {few} users show no more"
        found.add(gain.high >= 0, f"{name} changes by {_figures(gain)}, {told}.")
        return
    if gain.low > -config.max_drop:
        found.add(True, f"{name} changes by {_figures(gain)}, within the allowed drop of {_points(config.max_drop)}.")
        return
    shown = "beyond" if gain.mean < -config.max_drop else "not shown to be within"
    found.add(False, f"{name} changes by {_figures(gain)}, {shown} the allowed drop of {_points(config.max_drop)}.")


def _drift(drift: DriftReport, config: GateConfig, found: _Findings) -> None:
    if drift.status in ("no_reference", "too_few"):
        found.not_measured(f"drift: {drift.status}", required=False)
        return
    refuses = config.drift == "refuse"
    suffix, of = "" if refuses else "; recorded only", f"of {len(drift.columns)} columns"
    blocked, asked, noted = (drift.failed_that(does) for does in get_args(DriftDoes))
    if blocked:
        found.add(not refuses, f"Conversations drifted in {len(blocked)} {of} ({', '.join(blocked)}){suffix}.")
    if asked:
        remedy = f"a person has to look; `drift.columns.{asked[0]}.does: note` in params.yaml lets it pass"
        found.add(not refuses, f"Conversations drifted in {', '.join(asked)}: {remedy}{suffix}.")
    if noted:
        found.add(True, f"Conversations drifted in {', '.join(noted)}: noted, for a promotion is meant to move these.")
    if not (blocked or asked or noted):
        found.add(True, f"Conversations are stable: {len(drift.failed)} {of} drifted.")


def _figures(interval: Interval, unit: str = " points", sign: str = "+") -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.mean:{sign}.1f}{unit} (interval {low:.1f} to {high:.1f}, n = {interval.clusters})"


def _points(value: float, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f} points"
