"""Plots as SVG, of the page and of experiments: no library, no script, coloured by plots.css in light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files

from markupsafe import Markup, escape

from rlhi.contracts import PAST, Account, Interval
from rlhi.report.evidence import Counts, CycleEvidence, LossPoint
from rlhi.report.standing import SuiteRow
from rlhi.report.words import name_of, points

WIDTH = 640
NARROW = 460
SMALL = 380
"""Widths in user units: of the plots over the whole page, of those beside another, and of what a phone shows whole."""

_DASHES = ("2 4", "6 5", "none", "12 4")


def style() -> Markup:
    """The style sheet of all plots, for a page that they are part of."""
    return Markup(files("rlhi.report").joinpath("plots.css").read_text(encoding="utf-8"))


def alone(plot: Markup) -> str:
    """A plot as a file of its own, style sheet included."""
    return str(plot).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{style()}text {{ font-family: Inter, system-ui, sans-serif; }}</style>", 1
    )  # fmt: skip


def satisfaction_by_cycle(cycles: Sequence[CycleEvidence]) -> Markup:
    """Champion and challenger on held-out users, cycle by cycle, with their intervals; empty if never measured."""
    measurements = [(cycle, measured) for cycle in cycles if (measured := cycle.measured("satisfaction"))]
    shown = [pair for pair in measurements if math.isfinite(pair[1].champion.mean + pair[1].challenger.mean)]
    if not shown:
        return Markup()
    height, left, right, top, bottom = 260, 48, 16, 16, 40
    highest = max(max(_end(measured.champion, 1), _end(measured.challenger, 1)) for _, measured in shown)
    ticks = _ticks(0, max(0.1, highest), 4)

    def y_of(value: float) -> float:
        return height - bottom - (height - top - bottom) * value / ticks[-1]

    parts = []
    for tick in ticks:
        parts.append(_line(left, y_of(tick), WIDTH - right, y_of(tick), "grid"))
        parts.append(_text(left - 8, y_of(tick) + 4, f"{100 * tick:.0f}%", "axis", "end"))
    step = (WIDTH - left - right) / len(shown)
    half = min(44.0, step / 4)
    for at, (cycle, measured) in enumerate(shown):
        x = left + step * (at + 0.5)
        before, after = y_of(measured.champion.mean), y_of(measured.challenger.mean)
        parts.append(_line(x - half, before, x + half, after, "slope"))
        parts.append(_whisker(x - half, measured.champion, y_of, "champion"))
        parts.append(_whisker(x + half, measured.challenger, y_of, "challenger"))
        verdict = cycle.decision.verdict if cycle.decision else ""
        parts.append(_text(x, height - 20, f"cycle {cycle.number}", "label", "middle"))
        parts.append(_text(x, height - 5, PAST.get(verdict, ""), f"axis {verdict}", "middle"))
    return _svg(height, "Satisfaction of held-out users by cycle, champion and challenger", parts)


def forest(rows: Sequence[SuiteRow], label: str) -> Markup:
    """Every suite's gain with its interval and its lower bound, against the gate's limit; empty without rows.

    What was measured against the first champion stands below, hollow.
    """
    if not rows:
        return Markup()
    pitch, below, top, left, right = 36, 22, 10, 164, 140
    every = [one for row in rows for one in (row, row.first) if one]
    floor = top + pitch * len(rows) + below * (len(every) - len(rows))
    ends = [end for row in every for end in (_end(row.gain, 0), _end(row.gain, 1), row.limit or 0.0, _lower(row))]
    ticks = _ticks(min(0.0, *ends), max(0.0, *ends), 5)

    def x_of(value: float) -> float:
        inside = min(max(value, ticks[0]), ticks[-1])
        return left + (WIDTH - left - right) * (inside - ticks[0]) / (ticks[-1] - ticks[0])

    parts = []
    for tick in ticks:
        parts.append(_line(x_of(tick), top, x_of(tick), floor, "zero" if abs(tick) < 1e-9 else "grid"))
        parts.append(_text(x_of(tick), floor + 16, points(tick), "axis", "middle"))
    parts.append(_text(WIDTH - right + 24, floor + 16, "points", "axis"))
    y = top + pitch / 2
    for row in rows:
        depth = below if row.first else 0
        if row.limit is not None:
            parts.append(_line(x_of(row.limit), y - 12, x_of(row.limit), y + 12 + depth, "limit"))
        parts += [*_row(row, row.name, y, left, x_of), _text(WIDTH - right + 14, y + 4, row.figures, "value")]
        if row.first:
            parts += _row(row.first, "first champion", y + depth, left, x_of)
            parts.append(_text(WIDTH - right + 14, y + depth + 4, row.first.figures, "axis"))
        y += pitch + depth
    return _svg(floor + 24, label, parts)


def _row(row: SuiteRow, name: str, y: float, left: float, x_of: Callable[[float], float]) -> Iterator[str]:
    """One line of a forest: name, interval, the bound's bracket, and the mean."""
    hollow = " hollow" if name != row.name else ""
    yield _text(left - 12, y + 4, name, "axis" if hollow else "label", "end")
    if not math.isfinite(row.gain.mean):
        return
    yield _line(x_of(row.gain.low), y, x_of(row.gain.high), y, f"range {row.state}")
    if row.lower is not None and math.isfinite(row.lower):
        x = x_of(row.lower)
        yield _line(x, y, max(x, x_of(row.gain.low)), y, "bound")
        yield _line(x, y - 7, x, y + 7, f"range {row.state}")
    yield f'<circle cx="{x_of(row.gain.mean):.1f}" cy="{y:.1f}" r="5.5" class="dot {row.state}{hollow}"/>'


def _lower(row: SuiteRow) -> float:
    return 0.0 if row.lower is None or math.isnan(row.lower) else min(1.0, max(-1.0, row.lower))


def budget(account: Account | None) -> Markup:
    """The year's error, spent and left, over its decisions and the next free day; empty without an account."""
    if account is None:
        return Markup()
    day, free = date.fromisoformat(account.day), date.fromisoformat(account.free)
    first, last = day - timedelta(days=365), max(free, day + timedelta(days=30))
    left, right, line = 8, SMALL - 8, 84

    def x_of(when: date) -> float:
        return left + (right - left) * (when - first).days / (last - first).days

    whole = max(account.budget.spent + account.budget.left, 1e-9)
    width = (right - left) * min(1.0, account.budget.spent / whole)
    parts = [
        f'<rect x="{left}" y="8" width="{right - left}" height="18" rx="4" class="left"/>',
        f'<rect x="{left}" y="8" width="{width:.1f}" height="18" rx="4" class="bar"/>',
        _text(left, 44, f"{account.budget.spent:.2%} spent", "value"),
        _text(right, 44, f"{account.budget.left:.2%} left", "axis", "end"),
        _line(left, line, right, line, "zero"),
        _line(x_of(day), line - 9, x_of(day), line + 9, "range"),
        _text(min(x_of(day), right - 36), line + 26, account.day, "axis", "middle"),
        _text(left, line + 26, first.isoformat(), "axis"),
    ]
    for one in account.spendings:
        if (when := date.fromisoformat(one.day)) >= first:
            parts.append(f'<circle cx="{x_of(when):.1f}" cy="{line}" r="5" class="dot challenger"/>')
    if free > day:
        parts.append(_line(x_of(free), line - 14, x_of(free), line + 9, "limit"))
        parts.append(_text(min(x_of(free), right), line - 20, f"next {free.isoformat()}", "label", "end"))
    return _svg(line + 34, "The year's error: spent and left, the decisions, and the next free day", parts, SMALL)


def before_and_after(rows: Sequence[tuple[str, Interval, Interval]], label: str) -> Markup:
    """By row two shares with their intervals, the first in grey; empty without rows."""
    if not rows:
        return Markup()
    pitch, top, left, right = 46, 10, 270, 64
    floor = top + pitch * len(rows)
    ends = [_end(interval, side) for _, *both in rows for interval in both for side in (0, 1)]
    ticks = _ticks(min(ends), max(ends), 5)

    def x_of(value: float) -> float:
        return left + (WIDTH - left - right) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = []
    for tick in ticks:
        parts.append(_line(x_of(tick), top, x_of(tick), floor, "grid"))
        parts.append(_text(x_of(tick), floor + 16, f"{100 * tick:.0f}%", "axis", "middle"))
    for at, (name, before, after) in enumerate(rows):
        middle = top + pitch * (at + 0.5)
        parts.append(_text(left - 16, middle + 4, name, "label", "end"))
        for interval, y, kind in ((before, middle - 8, "champion"), (after, middle + 8, "challenger")):
            if math.isfinite(interval.mean):
                parts.append(_line(x_of(_end(interval, 0)), y, x_of(_end(interval, 1)), y, f"range {kind}"))
                parts.append(f'<circle cx="{x_of(interval.mean):.1f}" cy="{y:.1f}" r="5" class="dot {kind}"/>')
        parts.append(_text(WIDTH - right + 14, middle + 12, f"{100 * after.mean:.1f}%", "value"))
    return _svg(floor + 24, label, parts)


def loss_curve(logged: Sequence[LossPoint]) -> Markup:
    """The training loss by step; empty with fewer than two finite points."""
    steps = [point for point in logged if math.isfinite(point.loss)]
    if len(steps) < 2:
        return Markup()
    height, left, right, top, bottom = 290, 40, 52, 14, 34
    ticks = _ticks(0, max(point.loss for point in steps), 4)
    first, last = steps[0], steps[-1]
    span = max(1, last.step - first.step)

    def place(point: LossPoint) -> tuple[float, float]:
        x = left + (NARROW - left - right) * (point.step - first.step) / span
        return x, top + (height - top - bottom) * (1 - point.loss / ticks[-1])

    parts = []
    for tick in ticks:
        y = top + (height - top - bottom) * (1 - tick / ticks[-1])
        parts.append(_line(left, y, NARROW - right, y, "grid"))
        parts.append(_text(left - 8, y + 4, f"{tick:.2g}", "axis", "end"))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, steps))
    end_x, end_y = place(last)
    parts.append(f'<polygon points="{left},{height - bottom} {path} {end_x:.1f},{height - bottom}" class="area"/>')
    parts.append(f'<polyline points="{path}" class="curve"/>')
    parts.append(f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="4.5" class="dot challenger"/>')
    parts.append(_text(end_x + 10, end_y + 4, f"{last.loss:.2f}", "value"))
    parts.append(_text(left, height - 10, f"step {first.step}", "axis"))
    parts.append(_text(end_x, height - 10, f"step {last.step}", "axis", "end"))
    return _svg(height, "Training loss by step", parts, NARROW)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a plot: shares by points on the axis below, in rising order."""

    name: str
    points: tuple[tuple[float, float], ...]


def shares(curves: Sequence[Curve], label: str, below: str) -> Markup:
    """Curves of shares from 0 to 100%, told apart by their dashes; empty without curves."""
    if not curves:
        return Markup()
    height, left, right, top, bottom = 300, 48, 24, 26, 44
    ends = _ticks(0, max(x for curve in curves for x, _ in curve.points), 6)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (WIDTH - left - right) * x / ends[-1], height - bottom - (height - top - bottom) * y

    parts = []
    for tick in (0, 0.2, 0.4, 0.6, 0.8, 1):
        y = place(0, tick)[1]
        parts.append(_line(left, y, WIDTH - right, y, "grid"))
        parts.append(_text(left - 8, y + 4, f"{100 * tick:.0f}%", "axis", "end"))
    parts += [_text(place(x, 0)[0], height - bottom + 18, points(x), "axis", "middle") for x in ends]
    parts.append(_text((left + WIDTH - right) / 2, height - 6, below, "axis", "middle"))
    for at, curve in enumerate(curves):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in curve.points))
        key, dashes = top + 18 + 20 * at, _DASHES[at % len(_DASHES)]
        for drawn in (path, f"{left + 14},{key} {left + 46},{key}"):
            parts.append(f'<polyline points="{drawn}" class="curve" stroke-dasharray="{dashes}"/>')
        parts.append(_text(left + 54, key + 4, curve.name, "label"))
    return _svg(height, label, parts)


def bars(counts: Counts, label: str) -> Markup:
    """Counts as horizontal bars with their share; empty without counts."""
    total = sum(count for _, count in counts)
    if not total:
        return Markup()
    pitch, left, right = 31, 170, 84
    longest = max(count for _, count in counts)
    parts = []
    for at, (name, count) in enumerate(counts):
        y = pitch * at + 6
        width = max(1.0, (NARROW - left - right) * count / longest)
        parts.append(_text(left - 12, y + 15, name_of(name), "label", "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="20" rx="4" class="bar"/>')
        parts.append(_text(left + width + 10, y + 15, f"{count:,} · {100 * count / total:.0f}%", "value"))
    return _svg(pitch * len(counts) + 8, label, parts, NARROW)


def _end(interval: Interval, side: int) -> float:
    """An end of the interval for scaling an axis: never off -1 to 1, and 0 where it is not a number."""
    value = (interval.low, interval.high)[side]
    return 0.0 if math.isnan(value) else min(1.0, max(-1.0, value))


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, about ``count`` steps."""
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * count >= span * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * at, 10) for at in range(first, max(last, first + 1) + 1)]


def _whisker(x: float, interval: Interval, y_of: Callable[[float], float], kind: str) -> str:
    low, mean, high = (y_of(value) for value in (_end(interval, 0), interval.mean, _end(interval, 1)))
    ends = "".join(_line(x - 5, y, x + 5, y, f"range {kind}") for y in (low, high))
    side, anchor = (-12, "end") if kind == "champion" else (12, "start")
    return (
        _line(x, low, x, high, f"range {kind}")
        + ends
        + f'<circle cx="{x:.1f}" cy="{mean:.1f}" r="6" class="dot {kind}"/>'
        + _text(x + side, mean + 4, f"{100 * interval.mean:.0f}%", "value", anchor)
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def _svg(height: float, label: str, parts: Sequence[str], width: int = WIDTH) -> Markup:
    head = f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")
