"""Years of nights, many side by side: a screen every night, a decision where screen and budget allow one.

What decides is the gate itself: :func:`rlhi.evaluate.budget.budget_of` says of each night whether a decision may be
taken and at which level, :func:`rlhi.evaluate.gate.unpromising` whether the screen is a reason for it, and
:func:`rlhi.evaluate.gate.decide` what becomes of it. Only measuring is done for many worlds at once, by the same bounds
(:mod:`rlhi.evaluate.bounds`); :func:`checked` measures some of the decisions again from rows, as the stage does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rlhi.bench.gate_spread import Spread
from rlhi.bench.gate_world import (
    Challenger,
    Change,
    Panel,
    Said,
    Users,
    by_user,
    challenger_said,
    challenger_to,
    champion_said,
    replies,
    users_of,
)
from rlhi.config import BudgetConfig, EvaluateConfig, GateConfig, GuardConfig
from rlhi.config.suites import gains, guards
from rlhi.contracts import DriftReport, EvalResult, GateDecision, Interval, Measurement, Spending
from rlhi.evaluate.bounds import lower_bound, students, upper_bound
from rlhi.evaluate.budget import budget_of
from rlhi.evaluate.gate import GUARD_LEVEL, Evidence, decide, unpromising
from rlhi.evaluate.said import Model
from rlhi.evaluate.statistics import Asked, measure
from rlhi.evaluate.suites.satisfaction import kept_by_user

if TYPE_CHECKING:
    from rlhi.bench.gate_world import Counts, Floats, Rng

SCREEN = Panel(users=48, requests=2, samples=2)
FIRST = date(2026, 1, 1)
UNCHANGED = DriftReport("stable", 0.0, (), (), 1, 1)
FORMER_TAIL = 0.025
"""The gate as it was promoted where a 95% interval's lower end lay above 0, every night."""


def rules(users: int = 192, kept: GuardConfig | None = None, budget: BudgetConfig | None = None) -> GateConfig:
    """The gate's defaults, of the two suites that are simulated over nights."""
    return GateConfig(
        min_users=users,
        gains={"satisfaction": gains()["satisfaction"]},
        guards={"kept": kept or guards()["kept"]},
        budget=budget or BudgetConfig(),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes:
        change: of every night's challenger from night ``begins`` on; before, none is better.
        changes: whether a promotion makes the challenger the champion. Otherwise the champion stays for ever.
        lost: a user whose own satisfaction falls so far lost much (``evaluate.lost``).
        screens: whether the screen says which nights take a decision; else all that the budget allows do.
        checked: so many decisions are measured again from rows.
    """

    spread: Spread
    change: Change = Change()
    worlds: int = 1000
    nights: int = 365
    begins: int = 0
    changes: bool = False
    screens: bool = True
    panel: Panel = Panel()
    screen: Panel = SCREEN
    config: GateConfig = field(default_factory=rules)
    lost: float = EvaluateConfig().lost
    checked: int = 3
    seed: int = 0


@dataclass(slots=True)
class Record:
    """What became of every world: the nights of its promotions, of its decisions, and of promotions as it was."""

    promoted: list[list[int]]
    decided: list[list[int]]
    formerly: list[list[int]]
    checked: int = 0


@dataclass(slots=True)
class _State:
    users: Users
    screened: Said
    spendings: list[list[Spending]]


def lived(plan: Plan) -> Record:
    """Run a plan's nights."""
    import numpy as np

    rng = np.random.default_rng(plan.seed)
    users = users_of(rng, plan.spread, plan.worlds, plan.panel.users)
    some = slice(0, plan.screen.users)
    asked = Users(users.rates[:, some], users.steps[:, some])
    state = _State(users, champion_said(rng, plan.spread, asked, plan.screen), [[] for _ in range(plan.worlds)])
    record = Record(_empty(plan.worlds), _empty(plan.worlds), _empty(plan.worlds))
    for night in range(plan.nights):
        _night(rng, plan, state, record, night)
    return record


def _empty(worlds: int) -> list[list[int]]:
    return [[] for _ in range(worlds)]


def _night(rng: Rng, plan: Plan, state: _State, record: Record, night: int) -> None:
    import numpy as np

    change = plan.change if night >= plan.begins else Change()
    today = (FIRST + timedelta(days=night)).isoformat()
    everybody, some = np.arange(plan.worlds), slice(0, plan.screen.users)
    asked = state.users.some(everybody, some)
    to = challenger_to(rng, plan.spread, change, asked)
    said = challenger_said(rng, plan.spread, change, asked, to, state.screened)
    before, after = by_user(state.screened, asked), by_user(said, asked)
    for world in np.flatnonzero(students(after - before, FORMER_TAIL) > 0):
        record.formerly[int(world)].append(night)
    budgets = {world: budget_of(plan.config.budget, state.spendings[world], today) for world in range(plan.worlds)}
    free = np.array([world for world, budget in budgets.items() if not budget.wait], dtype=np.int64)
    if not len(free):
        return
    level = budgets[int(free[0])].level
    found = measurements(before[free], after[free], plan.lost, plan.config, level)
    told = [plan.screens and unpromising(one, plan.config) for one in found]
    chosen = free[[not why for why in told]]
    if not len(chosen):
        return
    for world in chosen:
        state.spendings[world].append(Spending(today, level))
        record.decided[world].append(night)
    promoted = _decisions(rng, plan, state, record, change, to.some(chosen), chosen, level)
    for world in chosen[promoted]:
        record.promoted[world].append(night)


def _decisions(
    rng: Rng, plan: Plan, state: _State, record: Record, change: Change, to: Challenger, worlds: Counts, level: float
) -> Sequence[bool]:  # fmt: skip
    """All held-out users are asked anew: those of the screen too, to whom the challenger is what it was there."""
    import numpy as np

    users = state.users.some(worlds)
    rest = state.users.some(worlds, slice(plan.screen.users, None))
    to = to.beside(challenger_to(rng, plan.spread, change, rest))
    champion = champion_said(rng, plan.spread, users, plan.panel)
    challenger = challenger_said(rng, plan.spread, change, users, to, champion)
    found = measurements(by_user(champion, users), by_user(challenger, users), plan.lost, plan.config, level)
    promoted = [verdict(one, plan.config).verdict == "promote" for one in found]
    for at in range(min(len(found), plan.checked - record.checked)):
        checked(found[at], rows_of(replies(champion, users)[at], replies(challenger, users)[at]), plan, level)
        record.checked += 1
    if plan.changes and any(promoted):
        _crown(rng, plan, state, worlds[promoted], to.some(np.flatnonzero(promoted)))
    return promoted


def _crown(rng: Rng, plan: Plan, state: _State, worlds: Counts, to: Challenger) -> None:
    """The challenger's rates are the champion's from now on, and it is asked the screen's requests."""
    state.users.rates[worlds] = to.rates
    asked = state.users.some(worlds, slice(0, plan.screen.users))
    said = champion_said(rng, plan.spread, asked, plan.screen)
    state.screened.rates[worlds], state.screened.luck[worlds] = said.rates, said.luck


def measurements(
    before: Floats, after: Floats, lost: float, config: GateConfig, level: float
) -> list[tuple[Measurement, ...]]:
    """What :func:`rlhi.evaluate.statistics.measure` makes of users' means, ``(worlds, users)``, for every world."""
    import numpy as np

    kept = ((before - after).round(9) < lost).astype(np.float64)
    gained = measured("satisfaction", before, after, level)
    return list(zip(gained, measured("kept", np.ones_like(kept), kept, GUARD_LEVEL), strict=True))


def measured(suite: str, before: Floats, after: Floats, level: float) -> list[Measurement]:
    """One suite of every world."""
    gains = after - before
    above, below = lower_bound(gains, level), upper_bound(gains, level)
    champion, challenger, gain = (_intervals(values) for values in (before, after, gains))
    return [
        Measurement(suite, one, other, change, level=level, above=low, below=high)
        for one, other, change, low, high in zip(
            champion, challenger, gain, above.tolist(), below.tolist(), strict=True
        )
    ]


def _intervals(values: Floats) -> list[Interval]:
    """Student's: the bootstrap's are for people, and one that is off by a little decides nothing here."""
    import numpy as np

    count, mean = values.shape[-1], values.mean(axis=-1)
    half = np.maximum(mean - students(values, FORMER_TAIL), 0)
    return [
        Interval(middle, middle - off, middle + off, count, count)
        for middle, off in zip(mean.tolist(), half.tolist(), strict=True)
    ]


def verdict(found: Sequence[Measurement], config: GateConfig) -> GateDecision:
    """The gate's own."""
    return decide(Evidence(found, UNCHANGED), config)


def rows_of(before: Floats, after: Floats) -> list[EvalResult]:
    """One world's replies, ``(users, requests, samples)``, as the rows that the stage writes."""
    import numpy as np

    sides: Mapping[Model, Floats] = {"champion": before, "challenger": after}
    return [
        EvalResult("satisfaction", f"{user}-{request}/{sample}", f"user-{user:04}", model, float(value))
        for model, side in sides.items()
        for (user, request, sample), value in np.ndenumerate(side)
    ]


def checked(found: Sequence[Measurement], rows: Sequence[EvalResult], plan: Plan, level: float) -> GateDecision:
    """The same decision, measured from rows by :func:`rlhi.evaluate.statistics.measure`.

    Raises:
        AssertionError: it is another verdict, or another bound.
    """
    asked: Mapping[str, Asked] = {
        name: Asked(level, one.margin) for name, one in plan.config.gains.items()
    } | {name: Asked(GUARD_LEVEL) for name in plan.config.guards}  # fmt: skip
    again = {one.suite: one for one in measure([*rows, *kept_by_user(rows, plan.lost)], resamples=200, asked=asked)}
    for one in found:
        assert abs(one.lower - again[one.suite].lower) < 1e-9, f"{one.suite}: {one.lower}, {again[one.suite].lower}"
    told, other = verdict(found, plan.config), verdict(tuple(again.values()), plan.config)
    assert (told.verdict == "promote") == (other.verdict == "promote"), f"{told.reasons}, {other.reasons}"
    return other
