"""The account of an error budget: the first day on which a decision may be taken."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from rlhi.config import BudgetConfig
from rlhi.contracts import Spending
from rlhi.evaluate.budget import account_of, budget_of

TODAY = "2026-11-30"


def ago(days: int, level: float = 0.01) -> Spending:
    return Spending((date.fromisoformat(TODAY) - timedelta(days=days)).isoformat(), level)


@pytest.mark.parametrize(
    ("spendings", "waits"),
    [
        ([], 0),
        ([ago(40)], 0),
        ([ago(2)], 5),
        ([ago(at) for at in (300, 200, 100, 50, 8)], 65),
        ([ago(at) for at in (361, 200, 100, 50, 1)], 6),
        ([ago(100, 0.05)], 265),
    ],
)
def test_the_free_day_is_the_first_that_the_budget_allows(spendings: list[Spending], waits: int) -> None:
    config = BudgetConfig(error=0.05, decisions=5, days=7)
    found = account_of(config, spendings, TODAY)
    assert found.free == (date.fromisoformat(TODAY) + timedelta(days=waits)).isoformat()
    before = [(date.fromisoformat(TODAY) + timedelta(days=at)).isoformat() for at in range(waits)]
    assert all(budget_of(config, spendings, day).wait for day in before)
    assert not budget_of(config, spendings, found.free).wait
    assert found.budget == budget_of(config, spendings, TODAY)
    assert found.as_text().endswith("taken now" if waits == 0 else f"taken on {found.free}")
