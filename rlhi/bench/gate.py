"""What the gate promises, measured: years of nights with known challengers, on the gate's own functions.

    rlhi bench gate [--quick] [--json]

The promise: over a year of nights in which no challenger is better, at most one year in twenty holds a promotion; a
challenger that is truly five points better is promoted within a week in four of five cases; nothing harmful passes.

Simulated: users' rates, requests and replies, with the spread that was found between real challengers and between real
people's ratings (:mod:`rlhi.bench.gate_spread`); every night a fresh challenger, which differs from the champion though
it is no better; the screen of the same 48 users and requests, the champion's replies to it kept; the budget, the
screen's word and the verdict, by the gate's functions; decisions on 192 users, those of the screen among them, with 48
replies each by either model. In a year ``satisfaction`` and ``kept`` are measured; the other guards have rows of their
own and could only hold back more.

Not simulated: models and texts, the reward model's ``preference``, drift, personas, users who come and go, challengers
that resemble last night's (which makes false promotions rarer, for fewer nights are a chance of their own), and wishes
that change. ``baseline`` is the gate as it was: a promotion on every night whose 95% interval lay above 0, of 48 users
with 2 requests of 2 replies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

from rlhi.bench.drift import drift_figures
from rlhi.bench.experiments.sizes import DEMO
from rlhi.bench.feedback_data import data_folder
from rlhi.bench.figure import figure
from rlhi.bench.gate_designs import PLOTTED, Design, curves, sizes, spendings
from rlhi.bench.gate_guards import Passed, kept_passed, passed
from rlhi.bench.gate_nights import Plan, Record, lived, rules
from rlhi.bench.gate_spread import CONVERSATIONS, SPREADS, Found, components, of_people
from rlhi.bench.gate_world import Change, Panel
from rlhi.config import ConfirmConfig, EvaluateConfig, GateConfig
from rlhi.config.suites import guards
from rlhi.contracts import EvalResult
from rlhi.report.plots import alone, shares
from rlhi.workspace.store import read_table, write_atomic

Row = dict[str, object]
QUARTER, YEAR, WEEK = 91, 365, 7
SKEWS = (0.05, 0.10, 0.20)
"""Shares of users who lose half of what can be had, or all that they had, where the others gain as much."""
WARM, WAITED = 10, 30
"""Nights without a better challenger before the first better one, and nights that are watched from then on."""
DEMO_USERS = 53
"""Held-out users of the demo, of 100 who talk."""


def run(quick: bool, as_json: bool, plot: Path | None = None) -> str:
    """The figures as a table or JSON; ``plot`` is a file for the picture of power."""
    rows = figures(quick)
    if plot is not None:
        picture(plot, quick)
    if as_json:
        return json.dumps(rows)
    return "\n".join([*table(rows), "", *designed(quick)])


def figures(quick: bool) -> list[Row]:
    """All rows: each part of the promise gives its own."""
    parts: tuple[Callable[[bool], Iterator[Row]], ...] = (nights, taken, guarded, demo, drifted)
    return [row for part in parts for row in part(quick)]


def nights(quick: bool) -> Iterator[Row]:
    """Years without a better challenger."""
    worlds = 60 if quick else 400
    record = lived(Plan(SPREADS["satisfaction"], worlds=worlds))
    yield _share("false_promotion_year", "share of years", *_years(record))
    yield _share("false_promotion_quarter", "share of quarters", _quarters(record.promoted), _quarters(record.formerly))
    yield _share("false_promotion_night", "share of nights", _nightly(record.promoted), _nightly(record.formerly))
    few = 15 if quick else 150
    record = lived(Plan(SPREADS["people"], worlds=few))
    yield _share("false_promotion_year_people", "share of years", *_years(record))
    yield _skewed(few)
    yield from _at_margin("at_margin", Plan(SPREADS["satisfaction"], Change(0.01), worlds=few))
    yield from _at_margin("skew_at_margin", Plan(SPREADS["people"], Change(0.01, SKEWS[0]), worlds=few))
    record = lived(Plan(SPREADS["satisfaction"], Change(0.01), worlds=few, changes=True, seed=1))
    yield _mean("promotions_year_changing", "promotions a year", record)


def _at_margin(name: str, plan: Plan) -> Iterator[Row]:
    """True gains as large as the margin: there a decision errs as often as its level says, or more often.

    The screen's users are among the decision's. What they add to the error is told by decisions without a screen.
    """
    for suffix, screens in (("", True), ("_unscreened", False)):
        record = lived(replace(plan, screens=screens))
        if screens:
            yield _share(f"false_promotion_year_{name}", "share of years", *_years(record))
        ours = [night in one for one, all_ in zip(record.promoted, record.decided, strict=True) for night in all_]
        yield _share(f"false_promotion_decision_{name}{suffix}", "share of decisions", ours, _nightly(record.formerly))


def _skewed(worlds: int) -> Row:
    """The worst of several skews, each told beside it."""
    found = {
        (name, harmed): _years(lived(Plan(SPREADS[name], Change(harmed=harmed), worlds=worlds)))
        for name in ("satisfaction", "people")
        for harmed in SKEWS
    }
    worst = max(found, key=lambda key: sum(found[key][0]))
    told = {f"{name}, {harmed:.0%}": sum(ours) / worlds for (name, harmed), (ours, _) in found.items()}
    return {**_share("false_promotion_year_skew", "share of years", *found[worst]), "each": told}


def taken(quick: bool) -> Iterator[Row]:
    """Challengers that are truly better, every night from one on."""
    worlds = 200 if quick else 1000
    for points in (2, 5, 10):
        record = _better(points, "satisfaction", worlds)
        yield _share(f"taken_{points}", "share of decisions", *_first(record))
        if points == 5:
            yield _share("taken_5_week", "share of cases", _within(record.promoted), _within(record.formerly))
            ours, formerly = (median(_delays(found)) for found in (record.promoted, record.formerly))
            yield {**figure("taken_5_days", "nights, median", ours, formerly, [ours]), "error": None}
    record = _better(5, "people", worlds // 2)
    yield _share("taken_5_week_people", "share of cases", _within(record.promoted), _within(record.formerly))


def _better(points: int, spread: str, worlds: int) -> Record:
    change = Change(gain=points / 100)
    return lived(Plan(SPREADS[spread], change, worlds=worlds, nights=WARM + WAITED, begins=WARM, seed=points))


def guarded(quick: bool) -> Iterator[Row]:
    """True drops that pass: by guard, and the worst of them."""
    import numpy as np

    rng, count = np.random.default_rng(0), 200 if quick else 1000
    for name, times in {"guard_harmless": 0, "guard_at_limit": 1, "guard_beyond": 2}.items():
        found = {guard: passed(rng, guard, times * one.max_drop, count) for guard, one in guards().items()}
        worst = (max if times else min)(found, key=lambda guard: found[guard].ours)
        each = {guard: one.ours for guard, one in found.items()}
        yield {**_passed(name, found[worst], count), "worst": worst, "each": each}
    harm = {loss: kept_passed(rng, SPREADS["people"], Change(0, 0.25, loss), count) for loss in (0.25, 0.35, 0.5)}
    worst_loss = max(harm, key=lambda loss: harm[loss].ours)
    each = {f"25% lose {loss:.0%}": one.ours for loss, one in harm.items()}
    yield {**_passed("kept_harmed", harm[worst_loss], count), "each": each}


def demo(quick: bool) -> Iterator[Row]:
    """The demo's gate: 53 users with 6 replies each, two decisions a year, and no screen that has a say."""
    gate, confirm = GateConfig.model_validate(DEMO["gate"]), ConfirmConfig.model_validate(DEMO["confirm"])
    evaluate = EvaluateConfig.model_validate(DEMO["evaluate"])
    panel = Panel(DEMO_USERS, confirm.requests, confirm.samples)
    plan = Plan(
        SPREADS["satisfaction"], worlds=500 if quick else 2000, nights=gate.budget.decisions, screens=False,
        panel=panel, screen=panel, config=rules(gate.min_users, gate.guards["kept"], gate.budget), lost=evaluate.lost,
    )  # fmt: skip
    for name, spread, change in (
        ("false_promotion_demo", "satisfaction", Change()),
        ("false_promotion_demo_people", "people", Change()),
        ("false_promotion_demo_skew", "people", Change(harmed=SKEWS[0])),
        ("taken_10_demo", "satisfaction", Change(0.10)),
        ("taken_13_demo", "satisfaction", Change(0.13)),
    ):
        record = lived(replace(plan, spread=SPREADS[spread], change=change))
        yield _share(name, "share of years", *_years(record))


def _years(record: Record) -> tuple[list[bool], list[bool]]:
    return [bool(one) for one in record.promoted], [bool(one) for one in record.formerly]


def _quarters(found: Sequence[Sequence[int]]) -> list[bool]:
    return [any(night // QUARTER == at for night in one) for one in found for at in range(YEAR // QUARTER)]


def _nightly(found: Sequence[Sequence[int]]) -> list[bool]:
    return [night in one for one in map(set, found) for night in range(YEAR)]


def _first(record: Record) -> tuple[list[bool], list[bool]]:
    """Whether the first decision on a better challenger promotes; as it was, whether its first night does."""
    firsts = [next((night for night in one if night >= WARM), None) for one in record.decided]
    ours = [first in one for first, one in zip(firsts, record.promoted, strict=True) if first is not None]
    return ours, [WARM in one for one in record.formerly]


def _delays(found: Sequence[Sequence[int]]) -> list[int]:
    """Nights from the first better challenger to the promotion; as many as were watched where there was none."""
    return [next((night - WARM for night in one if night >= WARM), WAITED) for one in found]


def _within(found: Sequence[Sequence[int]]) -> list[bool]:
    return [delay < WEEK for delay in _delays(found)]


def _share(name: str, unit: str, ours: Sequence[bool], formerly: Sequence[bool]) -> Row:
    told = [sum(found) / len(found) for found in (ours, formerly)]
    return {**figure(name, unit, told[0], told[1], [told[0]]), "error": _error(told[0], len(ours))}


def _mean(name: str, unit: str, record: Record) -> Row:
    ours, formerly = (sum(map(len, found)) / len(found) for found in (record.promoted, record.formerly))
    return {**figure(name, unit, ours, formerly, [ours]), "error": (max(ours, 1e-9) / len(record.promoted)) ** 0.5}


def _passed(name: str, one: Passed, count: int) -> Row:
    told = figure(name, "share of decisions", one.ours, one.formerly, [one.ours])
    return {**told, "error": _error(one.ours, count)}


def _error(share: float, count: int) -> float:
    """The standard error of a simulated share; of none and of all as if half a case more had come out otherwise."""
    inside = min(max(share, 0.5 / count), 1 - 0.5 / count)
    return float((inside * (1 - inside) / count) ** 0.5)


def drifted(quick: bool) -> Iterator[Row]:
    """How often drift is seen, and how often nothing is called one (:mod:`rlhi.bench.drift`)."""
    for one in drift_figures(quick):
        yield {**one.record(), "error": one.standard_error}


def table(rows: Sequence[Row]) -> list[str]:
    """For a terminal."""
    lines = [f"{'':48}{'ours':>9}{'+-':>8}{'as it was':>11}"]
    for row in rows:
        error = row["error"]
        told = f"{error:8.4f}" if isinstance(error, float) else f"{'':8}"
        lines.append(f"{row['name']!s:48}{row['ours']:9.4f}{told}{row['baseline']:11.4f}  {row['unit']}")
        each = row.get("each")
        lines += [f"{'':4}{name:44}{value:9.4f}" for name, value in (each.items() if isinstance(each, dict) else ())]
    return lines


def designed(quick: bool) -> list[str]:
    """Other panels and other spendings, for a terminal."""
    import numpy as np

    rng, count = np.random.default_rng(1), 50 if quick else 1000
    designs: Sequence[Design] = [*sizes(rng, count), *spendings(rng, count)]
    lines = [f"a decision on a true +5: {'':20}{'replies':>8}{'satisfaction':>14}{'people':>8}"]
    return lines + [f"{one.name:45}{one.replies:8,}{one.satisfaction:14.0%}{one.people:8.0%}" for one in designs]


def picture(file: Path, quick: bool) -> None:
    """Power against the true gain, for several numbers of users, as SVG."""
    import numpy as np

    label = f"How often a decision shows a true gain, by users asked: {', '.join(map(str, PLOTTED))}"
    plot = shares(curves(np.random.default_rng(2), 50 if quick else 300), label, "true gain, in points of a hundred")
    write_atomic(file, alone(plot).encode())


def spread(workspaces: Sequence[Path], suite: str, as_json: bool) -> str:
    """What evaluations hold of a suite's spread, and real people's ratings where ``RLHI_DATA`` has them."""
    found: list[tuple[str, Found]] = []
    for one in workspaces:
        table_at = one / "data" / "evaluation" if (one / "data").is_dir() else one
        found.append((one.name, components(read_table(table_at, EvalResult), suite)))
    if (data_folder() / CONVERSATIONS).is_file():
        found.append(("people", of_people(data_folder())))
    if as_json:
        return json.dumps([{"table": name, **asdict(one)} for name, one in found])
    head = f"{'':24}{'users':>6}{'level':>8}{'gain':>8}   values and gains: between users, requests, replies"
    return "\n".join([head, *(_line(name, one) for name, one in found)])


def _line(name: str, one: Found) -> str:
    parts = [f"{value:9.4f}" for side in (one.values, one.gains) for value in (side.users, side.requests, side.replies)]
    return f"{name:24}{one.users:6}{one.level:8.3f}{one.gain:8.3f}   {''.join(parts[:3])}  {''.join(parts[3:])}"
