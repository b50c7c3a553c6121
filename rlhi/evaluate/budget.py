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
from rlhi.contracts import Budget, Spending

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


def _wait(config: BudgetConfig, recent: Sequence[Spending], after: float, last: date | None, now: date) -> str:
    if after > config.error * (1 + 1e-9):
        free = date.fromisoformat(min(one.day for one in recent)) + timedelta(days=YEAR)
        return f"the year's error of {config.error:.1%} is spent by {len(recent)} decisions; the next is free on {free}"
    if last is not None and (now - last).days < config.days:
        return f"the last decision was on {last}; the next may be on {last + timedelta(days=config.days)}"
    return ""
