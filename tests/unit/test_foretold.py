"""What the evidence page shows of forecasts."""

from __future__ import annotations

from dataclasses import replace

from rlhi.config import GateConfig
from rlhi.contracts.foreseen import Forecast, ForecastScore, Track
from rlhi.report import CycleEvidence, Evidence, read_evidence, render, write_evidence

MADE = Forecast(2, "v0.2.0", True, "", 0.41, 0.55, 0.33, 0.49, 0.95, 480, 0.12, 1.3, "model", 0.41, 300, 240, 0.05)
CAME = ForecastScore(2, 1, "v0.1.0", 0.55, 0.6, 500, 0.47, 0.62, True, 1.09, 1.2, None, "time")
TRACK = Track(1, 1, 0.025, 1.0, 1.09, 1.2, 0, 0)
CYCLE = CycleEvidence(2, "now", "v0.1.0", None, 10, 20, 8, 4, forecast=MADE, scored=CAME, track=TRACK)


def page(*cycles: CycleEvidence) -> str:
    return render(Evidence("t", cycles))


def test_the_page_has_the_forecast_what_came_and_the_track() -> None:
    told = page(replace(CYCLE, number=1, forecast=replace(MADE, cycle=1), scored=None, track=None), CYCLE)
    assert "41.0% re-attempts among the next follow-ups under policy@v0.2.0 (33.0% to 49.0% of 480" in told
    assert "by the model that the log names" in told and "by their time, since the model serves" in told
    assert "1 of 1 forecasts hit" in told and "Former forecasts" in told and "cycle 1, hit" in told
    assert "5% more of the challenger" in told
    assert told.count("policy@v0.2.0, next nights") == 2, "a plot a cycle"


def test_it_says_why_nothing_is_foreseen_and_draws_nothing() -> None:
    told = page(replace(CYCLE, forecast=Forecast(2, "v0.2.0", True, "too <few>"), scored=None, track=None))
    assert "No share of re-attempts is foreseen under policy@v0.2.0: too &lt;few&gt;." in told and "<svg" not in told


def test_records_without_forecasts_are_shown_as_they_are() -> None:
    assert "foreseen" not in page(replace(CYCLE, forecast=None, scored=None, track=None))


def test_a_record_comes_back() -> None:
    assert read_evidence(write_evidence(CYCLE), GateConfig()) == CYCLE
    old = {name: value for name, value in write_evidence(CYCLE).items() if name not in ("forecast", "scored", "track")}
    assert read_evidence(old, GateConfig()).forecast is None
