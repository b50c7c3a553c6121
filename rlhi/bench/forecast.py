"""The forecast of re-attempts, measured: what is foreseen of models of known quality, and the night that comes.

    rlhi bench forecast [--quick] [--json]

In each world users talk to a champion for two nights. Then each of a dozen challengers is foreseen from both models'
replies to held-out prefixes, serves the third night to all users, and what came is counted. ``baseline`` is the share
of the last night again. Simulated users complain by their own rules, and labels of follow-ups are true ones: what a
labeller errs is not in it. Models are scripted (:mod:`rlhi.bench.forecast_world`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import rlhi.evaluate.forecast as foretelling
from rlhi.bench.figure import figure
from rlhi.bench.forecast_world import SPLIT, Night, Quality, QualityModel, World, make_world
from rlhi.contracts.foreseen import Forecast, ForecastScore
from rlhi.evaluate.forecast import Share, share_of
from rlhi.stages.evaluate.forecast import PENALTIES, followed_up, learned, replayed

Row = dict[str, object]
CHAMPION = Quality()
CHALLENGERS = {
    "as the champion": CHAMPION,
    "heeds personas a little": Quality(heeds=0.3),
    "heeds personas": Quality(heeds=0.5),
    "heeds personas mostly": Quality(heeds=0.85),
    "heeds no persona": Quality(heeds=0.0),
    "answers more": Quality(answers=0.95),
    "answers less": Quality(answers=0.45),
    "short": Quality(sentences=(0, 1)),
    "long": Quality(sentences=(5, 9)),
    "lists": Quality(listed=0.9),
    "heeds, and answers less": Quality(heeds=0.85, answers=0.45),
    "half of it debris": Quality(nothing=0.5),
    "nothing but debris": Quality(nothing=1.0),
}
USERS, SEEDS = 120, 4
QUICK_USERS, QUICK_SEEDS = 60, 1
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One forecast and what came of it; ``shown`` where the share moved by more than chance among follow-ups."""

    challenger: str
    seed: int
    made: Forecast
    came: float
    scored: ForecastScore | None
    shown: bool

    @property
    def score(self) -> ForecastScore:
        """Of a forecast that said something."""
        assert self.scored is not None
        return self.scored


Told = Callable[[Sequence[Foreseen]], float]


def run(quick: bool, as_json: bool) -> str:
    """The figures as a table or JSON."""
    found = list(foreseen(quick))
    rows = figures(found)
    if as_json:
        return json.dumps(rows)
    return "\n".join([*map(_line, rows), "", *_told(found)])


def foreseen(quick: bool) -> Iterator[Foreseen]:
    """Every challenger in every world."""
    champion = QualityModel("policy@champion", CHAMPION)
    for seed in range(QUICK_SEEDS if quick else SEEDS):
        world = make_world(champion, QUICK_USERS if quick else USERS, seed)
        for name, quality in CHALLENGERS.items():
            yield _foreseen(world, champion, QualityModel(f"policy@{name}", quality), seed)


def figures(found: Sequence[Foreseen]) -> list[Row]:
    """Ours beside the share of the last night again; of directions, beside a coin."""
    said = [one for one in found if one.scored]
    shown, none = [one for one in said if one.shown], len(found) - len(said)
    seeds = sorted({one.seed for one in found})
    return [
        _row("forecast_error", "factor, median", said, seeds, _ratio, _last_ratio),
        _row("forecast_error_shown", "factor, median of shown changes", shown, seeds, _ratio, _last_ratio),
        _row("forecast_direction", "share of all changes", said, seeds, _right, _coin),
        _row("forecast_direction_shown", "share of shown changes", shown, seeds, _right, _coin),
        _row("forecast_hits", f"share, of {CONFIDENCE:.0%} promised", said, seeds, _hits, _promised),
        figure("forecast_none", "forecasts that say nothing", none, 0, [none]) | {"forecasts": len(found)},
    ]


def _foreseen(world: World, champion: QualityModel, challenger: QualityModel, seed: int) -> Foreseen:
    rows = [row for one in world.histories.values() for row in one.conversations]
    labels = [row for one in world.histories.values() for row in one.feedback]
    teaching = [one for one in followed_up(rows, labels) if SPLIT.teaches(one.conversation.user_id)]
    said = world.replies(champion, challenger)
    change = foretelling.change(
        learned(teaching, world.known), replayed(said, "champion"), replayed(said, "challenger"), PENALTIES, seed
    )
    last, came = _share(world.last), _share(world.night(challenger))
    made = foretelling.forecast(2, challenger.name, last, "model", change, True, CONFIDENCE)
    score = None if made.why_none else foretelling.score(made, 3, came, "model")
    error = math.hypot(last.error, came.error)
    moved = math.log(came.inner / (1 - came.inner)) - math.log(last.inner / (1 - last.inner))
    name = challenger.name.removeprefix("policy@")
    return Foreseen(name, seed, made, came.value, score, abs(moved) > 1.96 * error)


def _share(night: Night) -> Share:
    return share_of((one.conversation.user_id, one.again) for one in followed_up(night.conversations, night.labels))


def _row(
    name: str, unit: str, found: Sequence[Foreseen], seeds: Sequence[int], ours: Told, baseline: Told
) -> Row:  # fmt: skip
    runs = [ours(some) for seed in seeds if (some := [one for one in found if one.seed == seed])]
    return figure(name, unit, ours(found), baseline(found), runs) | {"forecasts": len(found)}


def _ratio(found: Sequence[Foreseen]) -> float:
    return median(one.score.ratio for one in found)


def _last_ratio(found: Sequence[Foreseen]) -> float:
    return median(one.score.last_ratio for one in found)


def _right(found: Sequence[Foreseen]) -> float:
    told = [one.score.right for one in found if one.score.right is not None]
    return sum(told) / len(told) if told else math.nan


def _hits(found: Sequence[Foreseen]) -> float:
    return sum(one.score.hit for one in found) / len(found)


def _coin(found: Sequence[Foreseen]) -> float:
    return 0.5


def _promised(found: Sequence[Foreseen]) -> float:
    return CONFIDENCE


def _told(found: Sequence[Foreseen]) -> Iterator[str]:
    """A line for every forecast."""
    width = max(len(one.challenger) for one in found)
    yield f"{'':{width}}  last  foreseen  interval     came  off by  last off by"
    for one in found:
        name = f"{one.challenger:{width}}  "
        if one.scored is None:
            yield f"{name}none: {one.made.why_none}; {one.came:.0%} came"
            continue
        score = one.scored
        yield (
            f"{name}{one.made.last:4.0%}  {score.foreseen:8.0%}  {score.low:4.0%} to {score.high:4.0%}"
            f"  {score.share:4.0%}  {score.ratio:6.2f}  {score.last_ratio:11.2f}{'' if score.hit else '  miss'}"
        )


def _line(row: Row) -> str:
    runs = row["runs"]
    assert isinstance(runs, list)
    parts = " ".join(f"{value:.2f}" for value in runs)
    return f"{row['name']:26}{row['ours']:8.3f}{row['baseline']:8.3f}  {row['unit']}, {row['forecasts']} ({parts})"
