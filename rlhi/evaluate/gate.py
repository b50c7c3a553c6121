"""The gate: from measurements, drift and a budget to a verdict with its reasons. A pure function.

* INVALID: a figure is no number, stands twice, or is required of a decision and missing.
* REFUSE: the challenger is shown worse, a guard is shown broken, or drift refuses.
* HOLD: there is not enough evidence: the budget allows no decision today, too few users, a gain or a guard not shown.
* PROMOTE: a decision's panel shows every measured gain above its margin, at the level that the budget leaves for one
  decision, and every guard not to fall by more than it may, against the present champion and the first.

The first of these that holds is the verdict. Every rule that was applied gives a reason, passed or not: what was seen,
what was asked, and what would have decided.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from rlhi.config import GainConfig, GateConfig, GuardConfig
from rlhi.config.suites import SUITES
from rlhi.contracts import Budget, DriftReport, GateDecision, Interval, Measurement, Panel, Verdict
from rlhi.contracts.judges import JudgeRecord
from rlhi.contracts.options import DriftDoes
from rlhi.evaluate.judges.proven import proofs, proven

GUARD_LEVEL = 0.05
"""A guard's one-sided level: non-inferiority, as it is usual."""
_ORDER: tuple[Verdict, ...] = ("promote", "hold", "refuse", "invalid")


@dataclass(frozen=True, slots=True)
class Judge:
    """The reward model that tells ``preference``.

    Attributes:
        accuracy: the share of held-out users' comparisons that it ranks right.
        independent: it learned from users whose comparisons ranked no candidates and chose no pairs. One that chose
            the pairs nominates a challenger and never promotes it: the challenger was trained to please it.
    """

    accuracy: Interval
    independent: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on.

    Attributes:
        measurements: each suite once for each model that it is measured ``against`` and each group of users.
        drift: of the conversations that the challenger learned from.
        panel: who was asked.
        why_screened: why this night takes no decision; for a screen.
        judge: None where nobody asks how good it is.
        judges: the language models that tell ``usereval``.
        budget: before this decision.
        by_chance: the champion against itself (:class:`GateDecision`).
        skipped: why there is no challenger; empty where there is one.
    """

    measurements: Sequence[Measurement]
    drift: DriftReport
    panel: Panel = "decision"
    why_screened: str = ""
    judge: Judge | None = None
    judges: Sequence[JudgeRecord] = ()
    budget: Budget | None = None
    by_chance: float | None = None
    skipped: str = ""


@dataclass(slots=True)
class _Findings:
    """What was found so far: every reason in order, and the worst that one of them comes to.

    Whoever ``decides`` needs what is required; a screen may leave it to the decision.
    """

    decides: bool
    reasons: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    verdict: Verdict = "promote"

    def add(self, comes_to: Verdict, reason: str) -> None:
        self.reasons.append(reason)
        self.verdict = max(self.verdict, comes_to, key=_ORDER.index)

    def not_measured(self, name: str, required: bool) -> None:
        self.missing.append(name)
        if required and self.decides:
            self.add("invalid", f"{name} is required and was not measured.")


def decide(evidence: Evidence, config: GateConfig) -> GateDecision:
    """A verdict, with a reason for every rule that was applied, passed or not.

    ``not_measured`` names what the configuration lists and nobody measured, and ``drift: no_reference`` when there
    was nothing to compare with, which alone never refuses. Suites that the configuration does not list decide
    nothing but must be numbers. The order of the measurements does not matter.
    """
    ordered = tuple(sorted(evidence.measurements, key=lambda one: (one.suite, one.against, one.group, repr(one))))
    found = _Findings(evidence.panel == "decision")
    if evidence.skipped:
        found.add("hold", evidence.skipped)
        found.missing += sorted({*config.gains, *config.guards} - {one.suite for one in ordered})
    else:
        _sanity(ordered, evidence.drift, found)
        _gains(ordered, evidence, config, found)
        _guards(ordered, config, found)
        if evidence.panel == "screen":
            found.add("hold", f"Screened only, and not decided: {evidence.why_screened}.")
    _drift(evidence.drift, config, found)
    return GateDecision(
        verdict=found.verdict,
        reasons=tuple(found.reasons),
        not_measured=tuple(found.missing),
        measurements=ordered,
        drift=evidence.drift,
        panel=evidence.panel,
        budget=evidence.budget,
        by_chance=evidence.by_chance,
    )


def unpromising(measurements: Sequence[Measurement], config: GateConfig) -> str:
    """Why a screen is no reason to spend a decision; empty where it is one.

    Whatever rises in the mean nominates, the word of the reward model that chose the pairs too; nothing may be shown
    worse, and no guard shown broken. Nothing measured speaks against nobody.
    """
    gains = [one for one in measurements if one.suite in config.gains and not one.group]
    falling = sorted(one.suite for one in gains if not one.gain.mean > config.gains[one.suite].margin)
    guards = config.guards
    broken = sorted({one.suite for one in measurements if one.suite in guards and guards[one.suite].broken(one)})
    if broken:
        return f"the screen shows {' and '.join(broken)} broken"
    return f"the screen has no gain in {' and '.join(falling)}" if falling and len(falling) == len(gains) else ""


def _sanity(measurements: Sequence[Measurement], drift: DriftReport, found: _Findings) -> None:
    named = Counter((_name(one), one.suite) for one in measurements)
    for (name, _), times in sorted(named.items()):
        if times > 1:
            found.add("invalid", f"{name} was measured {times} times, so it is unclear which figures hold.")
    for one in measurements:
        if not all(map(_is_number, (one.champion, one.challenger, one.gain))):
            found.add("invalid", f"{_name(one)} has a figure that is not a number.")
    if math.isnan(drift.share):
        found.add("invalid", "The share of drifted columns is not a number.")


def _is_number(interval: Interval) -> bool:
    """A finite mean inside its interval. The ends may be infinite: that says that nothing is known."""
    return math.isfinite(interval.mean) and interval.low <= interval.mean <= interval.high


def _gains(measurements: Sequence[Measurement], evidence: Evidence, config: GateConfig, found: _Findings) -> None:
    by_suite = {one.suite: one for one in measurements if one.against == "champion" and not one.group}
    judged = [name for name in by_suite if name in SUITES and SUITES[name].judged == "reward"]
    if judged and evidence.judge is not None and not _counts(evidence.judge, config, judged, found):
        by_suite = {name: one for name, one in by_suite.items() if name not in judged}
    told = [name for name in config.gains if name in by_suite and SUITES[name].judged == "language"]
    found.reasons += proofs(evidence.judges, config, told) if told else ()
    if told and not proven(evidence.judges, config):
        by_suite = {name: one for name, one in by_suite.items() if name not in told}
    by_suite = {name: one for name, one in by_suite.items() if not _too_few_people(one, config, found)}
    for name, gain in sorted(config.gains.items()):
        _gain(name, gain, by_suite.get(name), config.least_users(name), found)
    shown = [name for name in config.gains if name in by_suite]
    if not shown:
        found.add("hold", "No gain that counts was measured, so nothing shows that the challenger is better.")
    elif len(shown) > 1:
        found.reasons.append(f"All of {len(shown)} gains have to be shown, so none is a lucky one of several.")


def _too_few_people(one: Measurement, config: GateConfig, found: _Findings) -> bool:
    """Whether this is people's word on so few users that it is told and neither promotes nor holds."""
    few, by_people = config.least_users(one.suite), one.suite in SUITES and SUITES[one.suite].by_people
    if not by_people or one.gain.clusters >= few:
        return False
    found.reasons.append(f"{one.suite} gains {_figures(one.gain)}: told, and counts from {few} users on.")
    return True


def _counts(judge: Judge, config: GateConfig, judged: Sequence[str], found: _Findings) -> bool:
    """Whether what the reward model says is evidence."""
    names, verb = " and ".join(judged), "do" if len(judged) > 1 else "does"
    said = f"The reward model ranks {_figures(judge.accuracy, '%', '')} of held-out users' comparisons right"
    if not judge.accuracy.clusters:
        said = "No comparison of a held-out user tells how well the reward model ranks"
    if config.judge and not judge.accuracy.low > config.judge:
        found.reasons.append(f"{said}: not shown to be above {config.judge:.0%}, so {names} {verb} not count.")
        return False
    if config.judge and not judge.independent:
        found.reasons.append(f"{said}, and it chose the pairs: {names} nominates and {verb} not decide.")
        return False
    found.reasons.append(f"{said}, above {config.judge:.0%}." if config.judge else f"{said}; its word is taken.")
    return True


def _gain(name: str, config: GainConfig, one: Measurement | None, least_users: int, found: _Findings) -> None:
    if one is None:
        found.not_measured(name, config.required)
        return
    told = f"{name} gains {_figures(one.gain)}"
    asked = f"the margin of {_points(config.margin)}{_at(one)}"
    if one.gain.clusters < least_users:
        found.add("hold", f"{name} was measured on {one.gain.clusters} users, and {least_users} are asked for.")
    comes_to = config.comes_to(one)
    said = {
        "promote": f", above {asked}",
        "refuse": ": shown worse",
        "hold": f": not shown to be above {asked}; {_would_decide(one, config.margin)}",
    }
    found.add(comes_to, f"{told}{said[comes_to]}.")


def _would_decide(one: Measurement, margin: float) -> str:
    """What was lacking: what could have been seen, and how many users would show what was."""
    users = one.users_to_show(margin)
    seen = f"with this spread a true gain of {_points(one.least)} would have been seen" if one.least else ""
    if users is None:
        return seen or "nothing in it points to one"
    lacking = f"{users:,} users would show this one"
    return f"{seen}, and {lacking}" if seen else lacking


def _guards(measurements: Sequence[Measurement], config: GateConfig, found: _Findings) -> None:
    for name, guard in sorted(config.guards.items()):
        own = [one for one in measurements if one.suite == name]
        if not any(one.against == "champion" and not one.group for one in own):
            found.not_measured(name, guard.required)
        for one in own:
            if one.group:
                _group(one, guard, found)
            else:
                _guard(one, guard, config.few_users, found)


def _guard(one: Measurement, config: GuardConfig, few: int, found: _Findings) -> None:
    comes_to, told = config.comes_to(one, few), f"{_name(one)} changes by {_figures(one.gain)}"
    allowed = f"the allowed drop of {_points(config.max_drop)}"
    if comes_to == "refuse":
        said = f"beyond {allowed}"
    elif one.lower > -config.max_drop:
        said = f"within {allowed}"
    elif config.in_the_mean(one, few):
        said = f"within {allowed} in the mean; fewer than {few} users show no more"
    else:
        said = f"not shown to be within {allowed}; {_would_decide(one, -config.max_drop)}"
    found.add(comes_to, f"{told}, {said}.")


def _group(one: Measurement, config: GuardConfig, found: _Findings) -> None:
    """A kind of users is too small to show that nothing happened to it: what is shown to have happened refuses."""
    if config.broken(one):
        told = f"{_name(one)} changes by {_figures(one.gain)}"
        found.add("refuse", f"{told}, beyond the allowed drop of {_points(config.max_drop)}.")


def _name(one: Measurement) -> str:
    """The suite, and what it was measured against and of whom, where that is not the champion and everybody."""
    group = f" of users who ask for {one.group}" if one.group else ""
    return one.suite + group + (" against the first champion" if one.against == "first" else "")


def _drift(drift: DriftReport, config: GateConfig, found: _Findings) -> None:
    if drift.status in ("no_reference", "too_few"):
        found.not_measured(f"drift: {drift.status}", required=False)
        return
    refuses = config.drift == "refuse"
    suffix, of = "" if refuses else "; recorded only", f"of {len(drift.columns)} columns"
    blocked, asked, noted = (drift.failed_that(does) for does in get_args(DriftDoes))
    if blocked:
        told = f"Conversations drifted in {len(blocked)} {of} ({', '.join(blocked)}){suffix}."
        found.add("refuse" if refuses else "promote", told)
    if asked:
        remedy = f"a person has to look; `drift.columns.{asked[0]}.does: note` in params.yaml lets it pass"
        found.add("hold" if refuses else "promote", f"Conversations drifted in {', '.join(asked)}: {remedy}{suffix}.")
    if noted:
        told = f"Conversations drifted in {', '.join(noted)}: noted, for a promotion is meant to move these."
        found.add("promote", told)
    if not (blocked or asked or noted):
        found.add("promote", f"Conversations are stable: {len(drift.failed)} {of} drifted.")


def _at(one: Measurement) -> str:
    return f" with an error of {one.level:.2%}" if one.level else ""


def _figures(interval: Interval, unit: str = " points", sign: str = "+") -> str:
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.mean:{sign}.1f}{unit} (interval {low:.1f} to {high:.1f}, n = {interval.clusters})"


def _points(value: float, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f} points"
