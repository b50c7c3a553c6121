"""A year's error is shared by its decisions, whatever the days on which they are taken."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import BudgetConfig
from rlhi.contracts import Spending
from rlhi.evaluate.budget import YEAR, budget_of

START = date(2026, 1, 1)
configs = st.builds(
    BudgetConfig, error=st.floats(0.001, 0.5), decisions=st.integers(1, 60), days=st.integers(0, 30)
)  # fmt: skip


def on(day: int) -> str:
    return (START + timedelta(days=day)).isoformat()


@given(configs, st.lists(st.integers(0, 900), max_size=200))
def test_no_year_spends_more_than_its_error_and_no_two_decisions_are_too_near(
    config: BudgetConfig, nights: list[int]
) -> None:
    """Somebody asks for a decision on every one of these nights, several times on some."""
    taken: list[int] = []
    for night in sorted(nights):
        budget = budget_of(config, [Spending(on(day), config.error / config.decisions) for day in taken], on(night))
        if not budget.wait:
            taken.append(night)
    for day in taken:
        year = [other for other in taken if day - YEAR < other <= day]
        assert len(year) * config.error / config.decisions <= config.error * (1 + 1e-9)
    assert all(later - earlier >= config.days for earlier, later in zip(taken, taken[1:], strict=False))


def test_the_ledger_is_told() -> None:
    config = BudgetConfig()
    fresh = budget_of(config, [], on(0))
    assert (fresh.level, fresh.wait, fresh.since) == (0.05 / 52, "", "")
    assert fresh.as_text() == "0 decisions in the past year, 0.00% of error spent, 5.00% left"
    spent = [Spending(on(0), 0.05 / 52)]
    soon = budget_of(config, spent, on(6))
    assert soon.wait == "the last decision was on 2026-01-01; the next may be on 2026-01-08"
    assert budget_of(config, spent, on(7)).wait == ""
    assert soon.as_text() == (
        "1 decision in the past year, 0.10% of error spent, 4.90% left; chance that any promotion since 2026-01-01 was "
        "false: 0.10% at most"
    )
    assert budget_of(config, spent, on(400)).taken == 0 and budget_of(config, spent, on(400)).risk == 0.05 / 52


def test_what_is_spent_is_free_again_after_a_year() -> None:
    config = BudgetConfig(decisions=2, days=0)
    spent = [Spending(on(0), 0.025), Spending(on(3), 0.025)]
    assert budget_of(config, spent, on(364)).wait == (
        "the year's error of 5.0% is spent by 2 decisions; the next is free on 2027-01-01"
    )
    assert budget_of(config, spent, on(365)).wait == ""


def test_a_decision_counts_as_what_it_cost_then() -> None:
    """Who lowers the number of decisions finds that the former ones were cheaper, and the contrary."""
    spent = [Spending(on(0), 0.04)]
    assert budget_of(BudgetConfig(decisions=5, days=0), spent, on(1)).wait == ""
    assert "is spent" in budget_of(BudgetConfig(decisions=2, days=0), spent, on(1)).wait
