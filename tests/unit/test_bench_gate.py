"""The simulated gate: its worlds vary as was found, and its figures would show a budget, a margin or a skew ignored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from rlhi.bench import gate
from rlhi.bench.figure import figure
from rlhi.bench.gate_guards import asked, passed
from rlhi.bench.gate_nights import Plan, checked, lived, measurements, rows_of, rules, verdict
from rlhi.bench.gate_spread import SPREADS, components
from rlhi.bench.gate_world import (
    Change,
    Panel,
    by_user,
    challenger_said,
    challenger_to,
    champion_said,
    replies,
    users_of,
)
from rlhi.cli.app import app
from rlhi.config import BudgetConfig, GateConfig
from rlhi.contracts import EvalResult
from rlhi.evaluate.bounds import lower_bound, students
from rlhi.report.plots import Curve, shares
from rlhi.stages import StageError

SMALL = Panel(40, 2, 2)
SATISFACTION, PEOPLE = SPREADS["satisfaction"], SPREADS["people"]


def small(**others: object) -> Plan:
    """Years of a gate that is made to err often enough to be counted: 40 users, and a level of 10% a decision."""
    given: dict[str, object] = {
        "spread": SATISFACTION, "worlds": 40, "nights": 60, "panel": SMALL, "screen": Panel(20, 2, 2),
        "config": loose(), **others,
    }  # fmt: skip
    return Plan(**given)  # type: ignore[arg-type]


def loose(margin: float = 0.0, **budget: object) -> GateConfig:
    told = BudgetConfig.model_validate({"error": 0.5, "decisions": 5, "days": 7, **budget})
    config = rules(SMALL.users, budget=told)
    gains = {name: one.model_copy(update={"margin": margin}) for name, one in config.gains.items()}
    return config.model_copy(update={"gains": gains, "guards": {}})


@pytest.mark.parametrize("name", ["satisfaction", "people", "answers", "knowledge"])
@pytest.mark.parametrize("change", [Change(), Change(gain=0.02), Change(gain=-0.04)])
def test_a_world_has_the_mean_and_the_spread_that_it_was_given(name: str, change: Change) -> None:
    spread, panel = SPREADS[name], Panel(200, 4, 4)
    before, after = asked(np.random.default_rng(0), spread, change, panel, 80)
    assert before.mean() == pytest.approx(spread.level, abs=0.01)
    assert (after - before).mean() == pytest.approx(change.gain, abs=0.006)
    if not change.gain:
        assert (after - before).var() == pytest.approx(spread.gains.of_a_user(4, 4), rel=0.12)


def test_values_are_shares_of_few_things_and_a_skewed_challenger_is_no_better_and_harms_some() -> None:
    rng, change = np.random.default_rng(0), Change(harmed=0.05)
    users = users_of(rng, SATISFACTION, 50, 200)
    champion = champion_said(rng, SATISFACTION, users, Panel())
    assert set(np.unique(replies(champion, users))) == {0.0, 0.5, 1.0}
    before, after = asked(rng, PEOPLE, change, Panel(200, 4, 4), 100)
    gains = after - before
    assert gains.mean() == pytest.approx(0, abs=0.004)
    assert (gains < -0.25).mean() == pytest.approx(0.05, abs=0.02)
    with pytest.raises(ValueError, match="more than rates about 0.768 can move"):
        asked(rng, PEOPLE, Change(gain=0.3), SMALL, 2)


def test_components_are_found_again_in_rows() -> None:
    rng = np.random.default_rng(3)
    users = users_of(rng, SATISFACTION, 1, 1500)
    to = challenger_to(rng, SATISFACTION, Change(), users)
    champion = champion_said(rng, SATISFACTION, users, Panel(1500, 3, 2))
    challenger = challenger_said(rng, SATISFACTION, Change(), users, to, champion)
    found = components(rows_of(replies(champion, users)[0], replies(challenger, users)[0]), "satisfaction")
    assert found.users == 1500 and found.level == pytest.approx(0.325, abs=0.02)
    for told, true in ((found.values, SATISFACTION.values), (found.gains, SATISFACTION.gains)):
        assert told.users == pytest.approx(true.users, abs=0.006)
        assert told.requests == pytest.approx(true.requests, abs=0.012)
        assert told.replies == pytest.approx(true.replies, abs=0.015)
    with pytest.raises(StageError, match="no two users have values of fluency"):
        components([EvalResult("fluency", "a/0", "u", "champion", 1.0)], "fluency")


def test_a_decision_that_is_measured_at_once_is_the_one_that_rows_give() -> None:
    rng, plan = np.random.default_rng(1), small(config=rules(40), lost=1.0)
    users = users_of(rng, SATISFACTION, 6, 40)
    champion = champion_said(rng, SATISFACTION, users, SMALL)
    change = Change(gain=0.3)
    to = challenger_to(rng, SATISFACTION, change, users)
    challenger = challenger_said(rng, SATISFACTION, change, users, to, champion)
    found = measurements(by_user(champion, users), by_user(challenger, users), 1.0, plan.config, 0.01)
    rows = [rows_of(*both) for both in zip(replies(champion, users), replies(challenger, users), strict=True)]
    told = [checked(one, row, plan, 0.01).verdict for one, row in zip(found, rows, strict=True)]
    assert told == [verdict(one, plan.config).verdict for one in found] and "promote" in told
    with pytest.raises(AssertionError, match="satisfaction"):
        checked(found[0], rows[1], plan, 0.01)


def test_a_budget_bounds_the_decisions_and_without_it_years_hold_more_false_promotions() -> None:
    kept = lived(small())
    assert kept.checked == 3 and max(map(len, kept.decided)) == 5
    gaps = [later - night for one in kept.decided for night, later in zip(one, one[1:], strict=False)]
    assert min(gaps) >= 7
    free = lived(small(config=loose(error=0.9999, decisions=9, days=0)))  # a level much as before, nights at will
    assert max(map(len, free.decided)) == 9
    spent = lived(small(config=loose(error=0.9999, decisions=1)))
    assert max(map(len, spent.decided)) == 1
    assert sum(map(bool, free.promoted)) > sum(map(bool, lived(small(config=loose(error=0.05))).promoted))
    assert sum(map(bool, kept.formerly)) >= 12  # of 40, in 60 nights: as it was


def test_a_margin_makes_false_promotions_rarer_and_a_level_keeps_them_within_the_error() -> None:
    def share(margin: float, gain: float = 0.0) -> float:
        record = lived(small(worlds=200, nights=30, config=loose(margin), change=Change(gain=gain), screens=False))
        return sum(map(bool, record.promoted)) / 200

    none = share(0.0)
    assert share(0.05) < 0.5 * none
    assert 0.2 < none < 0.5  # five decisions at 10% each would come to 41% if users were others every time
    assert share(0.05, 0.05) == pytest.approx(none, abs=0.15)


def test_at_the_margin_decisions_err_and_are_told_with_a_screen_and_without() -> None:
    plan = small(worlds=60, nights=40, change=Change(gain=0.05), config=loose(0.05))
    year, screened, unscreened = gate._at_margin("here", plan)
    assert [one["name"] for one in (year, screened, unscreened)] == [
        "false_promotion_year_here", "false_promotion_decision_here", "false_promotion_decision_here_unscreened",
    ]  # fmt: skip
    assert float(str(year["ours"])) > float(str(screened["ours"])) > 0
    assert float(str(unscreened["ours"])) == pytest.approx(0.1, abs=0.06)  # the level of one of these decisions


def test_a_better_challenger_is_promoted_and_the_night_is_told() -> None:
    record = lived(small(change=Change(gain=0.25), begins=10, nights=30))
    delays = gate._delays(record.promoted)
    assert sum(delay < gate.WEEK for delay in delays) > 30
    assert all(
        night >= 10
        for one, early in zip(record.promoted, record.decided, strict=True)
        for night in one[:1]
        if early[0] >= 10
    )
    crowned = lived(small(change=Change(gain=0.25), nights=30, changes=True, worlds=10))
    assert crowned.promoted != lived(small(change=Change(gain=0.25), nights=30, worlds=10)).promoted


def test_the_skew_s_correction_is_needed_where_few_lose_much_and_keeps_the_level_at_which_t_fails() -> None:
    rng = np.random.default_rng(0)
    before, after = asked(rng, PEOPLE, Change(harmed=0.1), Panel(96, 4, 4), 4000)
    gains, level = after - before, 0.025
    t, ours = ((bound > 0).mean() for bound in (students(gains, level), lower_bound(gains, level)))
    assert t > 1.3 * level
    assert ours < t - 0.005


def test_a_guard_lets_pass_what_is_harmless_and_not_what_is_beyond_its_limit() -> None:
    rng = np.random.default_rng(0)
    assert passed(rng, "nearness", 0.0, 40).ours == 1 and passed(rng, "nearness", 0.2, 40).ours == 0
    assert passed(rng, "kept", 0.3, 40).ours == 0
    few = passed(rng, "choices", 0.2, 200)
    assert few.ours < 0.12 < few.formerly  # held to their mean, fewer than 30 users let it pass


def test_a_row_has_a_benchmark_s_fields_and_its_error() -> None:
    row = gate._share("false_promotion_year", "share of years", [True, False, False, False], [True, False])
    assert row == {
        **figure("false_promotion_year", "share of years", 0.25, 0.5, [0.25]),
        "error": pytest.approx(0.2165, abs=1e-4),
    }
    assert row["ratio"] == 0.5
    assert gate._share("none", "share", [False] * 50, [False])["error"] == pytest.approx(0.0141, abs=1e-4)
    assert gate._share("none", "share", [False], [False])["ratio"] is None
    nested = [{**row, "each": {"answers": 0.125}}]
    assert gate.table(nested)[2].split() == ["answers", "0.1250"]
    assert gate._quarters([[0, 100], []]) == [True, True, False, False, False, False, False, False]


def test_seeds_make_the_same_years() -> None:
    one, again, other = (lived(small(worlds=10, nights=20, seed=seed)) for seed in (4, 4, 5))
    assert (one.decided, one.formerly) == (again.decided, again.formerly) != (other.decided, other.formerly)
    assert lived(replace(small(worlds=10, nights=20), seed=4)).promoted == one.promoted


def test_a_workspace_s_spread_is_printed_and_a_folder_without_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rlhi.workspace.store import write_table

    monkeypatch.setenv("RLHI_DATA", str(tmp_path))
    before, after = (np.array([[[0.0, 1.0]], [[1.0, 1.0]]]), np.array([[[1.0, 1.0]], [[0.0, 1.0]]]))
    write_table(
        tmp_path / "data" / "evaluation", EvalResult, rows_of(before, after), user=lambda row: row.user_id, note={}
    )  # fmt: skip
    told = CliRunner().invoke(app, ["bench", "gate", "--spread", str(tmp_path)])
    assert told.exit_code == 0 and f"{tmp_path.name}" in told.output and "0.750" in told.output
    with pytest.raises(StageError, match="no two users have values of satisfaction"):
        gate.spread([tmp_path / "nowhere"], "satisfaction", as_json=False)


def test_curves_are_drawn_within_their_frame_and_named() -> None:
    plot = str(shares([Curve("<b>", ((0.0, 0.0), (0.1, 1.0)))], "Power", "gain"))
    assert plot.count("<polyline") == 2 and "&lt;b&gt;" in plot and "<b>" not in plot
    assert str(shares([], "Power", "gain")) == ""
