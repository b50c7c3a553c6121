"""What the evidence page says of forecasts: the one of a cycle, and how the former ones fared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rlhi.contracts import Interval
from rlhi.contracts.foreseen import SERVED_BY, Forecast, ForecastScore
from rlhi.report import plots
from rlhi.report.evidence import CycleEvidence


@dataclass(frozen=True, slots=True)
class Foretold:
    """The lines and the plots of one cycle's forecast; empty plots where there is nothing to draw."""

    lines: tuple[str, ...]
    plot: Markup
    former: Markup


def foretold(cycle: CycleEvidence, cycles: Sequence[CycleEvidence]) -> Foretold | None:
    """What to show of the forecast of a cycle, and of all scores up to it; None in records without forecasts."""
    made = cycle.forecast
    if made is None:
        return None
    scores = [one.scored for one in cycles if one.scored and one.number <= cycle.number]
    lines = [f"{made.as_text()}."]
    if not made.why_none:
        lines.append(f"The last nights' follow-ups were counted {SERVED_BY[made.served_by]}.")
    if made.unlike and made.challenger is not None:
        lines.append(
            f"{made.unlike:.0%} more of the challenger's replies are unlike any in the log, which tells little of them."
        )
    if cycle.scored:
        lines.append(f"{cycle.scored.as_text()}; counted {SERVED_BY[cycle.scored.served_by]}.")
    if cycle.track:
        lines.append(f"{cycle.track.as_text(made.confidence)}.")
    return Foretold(tuple(f"{line[:1].upper()}{line[1:]}" for line in lines), _plot(made), _former(scores))


def _plot(made: Forecast) -> Markup:
    if made.why_none:
        return Markup()
    after = Interval(made.share, made.low, made.high, 0, made.follow_ups)
    rows = [(f"policy@{made.model}, next nights", _point(made.last, made.follow_ups), after)]
    return plots.before_and_after(rows, "Share of re-attempts: the last nights in grey, and what is foreseen")


def _former(scores: Sequence[ForecastScore]) -> Markup:
    rows = [
        (
            f"cycle {one.of}, {'hit' if one.hit else 'miss'}",
            Interval(one.foreseen, one.low, one.high, 0, one.follow_ups),
            _point(one.share, one.follow_ups),
        )
        for one in scores
    ]
    return plots.before_and_after(rows, "Former forecasts: in grey what was foreseen, and what came")


def _point(share: float, items: int) -> Interval:
    return Interval(share, share, share, 0, items)
