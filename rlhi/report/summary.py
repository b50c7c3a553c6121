"""What a decision says in a line: the verdict with its figure, who was asked, and what would change it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rlhi.config import GateConfig
from rlhi.config.suites import SUITES
from rlhi.contracts import PAST, Account, GateDecision, Measurement
from rlhi.report.evidence import CycleEvidence
from rlhi.report.standing import State, state_of, suite_rows
from rlhi.report.words import listed, name_of, percent, points, span, tenths

BY_CHANCE = 0.05
"""The champion's halves differ by so little chance in one decision of twenty, where the gate is honest."""


def summary(cycle: CycleEvidence, confidence: float) -> str:
    """The sentence at the top: what was decided, on which figures, and what stopped or held it."""
    decision = cycle.decision
    if decision is None or not decision.measurements:
        why = f": {cycle.note}" if cycle.note else ""
        return f"Cycle {cycle.number} judged no challenger{why}. {cycle.champion} stays."
    named = cycle.challenger if cycle.challenger not in (None, "challenger") else "the challenger"
    verdict = f"{PAST[decision.verdict].capitalize()}{' decision on' if decision.verdict == 'invalid' else ''} {named}"
    if decision.panel == "screen":
        verdict += ", screened only"
    held = "".join(_stopped(decision, cycle.gate))
    told = _headline(decision)
    if told is None:
        return f"{verdict}: no gain for held-out users was measured.{held}"
    gain = told.gain
    figures = f"gain {points(gain.mean)} points, {percent(confidence)} interval {span(gain)}"
    before, after = percent(told.champion.mean), percent(told.challenger.mean)
    change = after if SUITES[told.suite].judged else f"{before} → {after}"
    return f"{verdict}: {SUITES[told.suite].headline} {change} ({figures}).{held}"


def asked(decision: GateDecision) -> str:
    """Who was asked, and for what; empty where nobody was."""
    told = _headline(decision)
    if told is None:
        return ""
    people = f"{told.gain.clusters:,} held-out users, {told.gain.items:,} pairs of replies"
    return f"{'a screen' if decision.panel == 'screen' else 'a decision'}: {people}"


def would_change(
    decision: GateDecision, gate: GateConfig, account: Account | None = None, held_out: int | None = None
) -> tuple[str, ...]:  # fmt: skip
    """What would change the verdict: a line for everything that stands in its way; none where it promotes.

    ``account`` is that of the cycle, and ``held_out`` how many held-out users it knew.
    """
    if decision.verdict == "promote":
        return ()
    if not decision.measurements:
        return ("A challenger: none was trained.",)
    lines = [*_wrong(decision, gate), *_another(decision, gate)]
    if decision.panel == "screen":
        return (*lines, *_screened(decision, gate, account, held_out))
    return (*lines, *_not_shown(decision, gate))


def against_itself(cycles: Sequence[CycleEvidence]) -> str:
    """The champion's halves against each other over all decisions: what the gate finds where there is nothing.

    Screens ask the same users for the same every night, and tell it once; only decisions are counted.
    """
    told = [cycle.decision for cycle in cycles if cycle.decision and cycle.decision.panel == "decision"]
    found = [one.by_chance for one in told if one.by_chance is not None]
    if not found:
        return ""
    from scipy.stats import binomtest

    below = sum(chance < BY_CHANCE for chance in found)
    ends = binomtest(below, len(found)).proportion_ci(0.95, method="exact")
    decisions = f"{len(found)} decision{'' if len(found) == 1 else 's'}"
    return (
        f"below {BY_CHANCE:.0%} in {below} of {decisions} "
        f"({below / len(found):.0%}, exact 95% interval {ends.low:.0%} to {ends.high:.0%})"
    )


def _headline(decision: GateDecision) -> Measurement | None:
    """The figure that people are told first."""
    by_suite = {one.suite: one for one in decision.overall}
    return next((by_suite[name] for name, suite in SUITES.items() if suite.headline and name in by_suite), None)


def _stopped(decision: GateDecision, gate: GateConfig) -> Iterator[str]:
    """What spoke against promotion, in a word or two each; what a screen could not show is no news."""
    if decision.verdict == "promote":
        return
    rows = suite_rows(decision, gate)
    stopped = [row.name for row in rows if row.state == State.FAIL]
    stopped += [f"{row.name} against the first champion" for row in rows if row.first and row.first.state == State.FAIL]
    stopped += [f"{name_of(name)} not measured" for name in _missing(decision, gate)]
    stopped += ["drift"] if _drifted(decision, gate) else []
    if stopped:
        yield f" Stopped by: {', '.join(stopped)}."
    still = [row.name for row in rows if row.state == State.OPEN]
    if still and decision.panel == "decision":
        yield f" Not shown: {', '.join(still)}."


def _missing(decision: GateDecision, gate: GateConfig) -> list[str]:
    required = {name for name, gain in gate.gains.items() if gain.required}
    required |= {name for name, guard in gate.guards.items() if guard.required}
    return [name for name in decision.not_measured if name in required]


def _drifted(decision: GateDecision, gate: GateConfig) -> bool:
    held = decision.drift.failed_that("block") or decision.drift.failed_that("ask")
    return bool(held) and gate.drift == "refuse"


def _wrong(decision: GateDecision, gate: GateConfig) -> Iterator[str]:
    """What has to be measured, or measured again."""
    odd = sorted({name_of(one.suite) for one in decision.measurements if not math.isfinite(one.gain.mean)})
    if odd:
        yield f"Figures that are numbers, of {listed(odd)}."
    if missing := [name_of(name) for name in _missing(decision, gate)]:
        yield f"A measurement of {listed(missing)}: required, and missing."
    if _drifted(decision, gate):
        yield "Conversations as they were, or gate.drift: report, which lets a challenger pass that learned from these."


def _another(decision: GateDecision, gate: GateConfig) -> Iterator[str]:
    """What is shown to be bad of this challenger: no more users would change that."""
    broken = []
    for one in decision.measurements:
        if state_of(one, decision, gate) != State.FAIL or not math.isfinite(one.gain.mean):
            continue
        if one.group and one.suite not in gate.guards:
            continue
        group = f" of users who ask for {one.group}" if one.group else ""
        first = " against the first champion" if one.against == "first" else ""
        broken.append(f"{name_of(one.suite)}{group}{first} ({points(one.gain.mean)} points)")
    if broken:
        yield f"Another challenger: this one is shown to be worse in {listed(broken)}."


def _screened(
    decision: GateDecision, gate: GateConfig, account: Account | None, held_out: int | None
) -> Iterator[str]:  # fmt: skip
    """What a decision waits for."""
    if decision.budget and decision.budget.wait:
        yield f"The budget: a decision may be taken on {account.free}." if account else "The budget: a later day."
    elif held_out is not None and held_out < gate.min_users:
        more = f"{gate.min_users - held_out:,} more held-out users"
        yield f"{more}: a decision asks {gate.min_users:,}, and {held_out:,} talk."
    gains = [one for one in decision.overall if one.suite in gate.gains]
    if gains and all(one.gain.mean <= gate.gains[one.suite].margin for one in gains):
        names = listed([name_of(one.suite) for one in gains])
        yield f"A gain in the screen: {names} shows none in the mean, and no decision is spent on that."


def _not_shown(decision: GateDecision, gate: GateConfig) -> Iterator[str]:
    """What a decision left open: how many users would show it, or what could have been seen."""
    counted = [one for one in decision.overall if one.suite in gate.gains and one.suite not in decision.not_counted]
    if not counted:
        names = [name_of(name) for name in decision.not_counted]
        why = f"; the judge that tells {listed(names)} is not proven" if names else ""
        yield f"A gain that counts: none was measured{why}."
    measured = [one for one in counted if one.level is not None and not SUITES[one.suite].by_people]
    short = [one.gain.clusters for one in measured if one.gain.clusters < gate.min_users]
    if short:
        yield f"{gate.min_users - min(short):,} more held-out users: {min(short):,} were asked, of {gate.min_users:,}."
    for one in sorted(decision.measurements, key=lambda one: one.suite not in gate.gains):
        if not one.group and one.suite not in decision.not_counted and math.isfinite(one.gain.mean):
            yield from _still(one, gate)


def _still(one: Measurement, gate: GateConfig) -> Iterator[str]:
    """A gain, and a guard, that is neither shown nor shown broken."""
    name = name_of(one.suite) + (" against the first champion" if one.against == "first" else "")
    gain, guard = gate.gains.get(one.suite), gate.guards.get(one.suite)
    if gain and one.against == "champion" and gain.comes_to(one) == "hold":
        users = one.users_to_show(gain.margin)
        could = f"{one.gain.clusters:,} would see a true gain of {tenths(one.least)} points" if one.least else ""
        shown = f"{users:,} users would show this gain" if users else "a gain: the mean points to none"
        yield f"{name}: {shown}{f' ({could})' if could else ''}."
    if guard and guard.comes_to(one, gate.few_users) == "hold":
        possible = f"with n = {one.gain.clusters:,} one of {tenths(-one.lower)} is possible"
        users = one.users_to_show(-guard.max_drop)
        lacking = f", n = {users:,} would show it" if users and users > one.gain.clusters else ""
        yield f"{name}: no fall of more than {tenths(guard.max_drop)} points; {possible}{lacking}."
