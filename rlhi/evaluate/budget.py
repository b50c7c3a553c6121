"""How often a challenger may be decided on, so that a year of nights holds no false promotion but for a small chance.

Every decision on a challenger that is no better is a chance to be fooled. ``gate.budget`` says how much of that a year
may hold: ``error`` is shared by ``decisions``, each of which is taken at the level ``error / decisions`` (Bonferroni:
nothing is assumed of how nights hang together) on requests and replies drawn for it alone. Between decisions nights
screen: they train, measure and report, and promote nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from rlhi.config import BudgetConfig
from rlhi.contracts import Account, Budget, Spending

YEAR = 365


def budget_of(config: BudgetConfig, spendings: Sequence[Spending], today: str) -> Budget:
    """The budget on the day ``today`` (ISO), given every decision that was taken before.

    A year is the 365 days that end today, so that no 365 days hold more than ``config.error``. Decisions of earlier
    parameters count with the level that they were taken at.
    """
    now = date.fromisoformat(today)
    days = sorted(date.fromisoformat(one.day) for one in spendings)
    recent = [one for one in spendings if (now - date.fromisoformat(one.day)).days < YEAR]
    spent, level = sum(one.level for one in recent), config.error / config.decisions
    return Budget(
        level=level,
        taken=len(recent),
        spent=spent,
        left=max(0.0, config.error - spent),
        risk=sum(one.level for one in spendings),
        since=days[0].isoformat() if days else "",
        wait=_wait(config, recent, spent + level, days[-1] if days else None, now),
    )


def account_of(config: BudgetConfig, spendings: Sequence[Spending], day: str) -> Account:
    """The budget on a day with what it rests on, and the first day from then on, on which a decision may be taken."""
    now = date.fromisoformat(day)
    taken = sorted(spendings, key=lambda one: one.day)
    # It comes free when the last decision is long enough ago, or when one leaves the year.
    changes = [date.fromisoformat(one.day) + timedelta(days=YEAR) for one in taken]
    changes += [date.fromisoformat(one.day) + timedelta(days=config.days) for one in taken[-1:]]
    days = [now.isoformat(), *sorted(later.isoformat() for later in changes if later > now)]
    free = next((one for one in days if not budget_of(config, taken, one).wait), days[-1])
    return Account(day, budget_of(config, taken, day), tuple(taken), free)


def _wait(config: BudgetConfig, recent: Sequence[Spending], after: float, last: date | None, now: date) -> str:
    if after > config.error * (1 + 1e-9):
        free = date.fromisoformat(min(one.day for one in recent)) + timedelta(days=YEAR)
        return f"the year's error of {config.error:.1%} is spent by {len(recent)} decisions; the next is free on {free}"
    if last is not None and (now - last).days < config.days:
        return f"the last decision was on {last}; the next may be on {last + timedelta(days=config.days)}"
    return ""
