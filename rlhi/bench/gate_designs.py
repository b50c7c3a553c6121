"""What other panels and other ways to spend the year's error would show, at the same promise.

Each is simulated as a single decision on a challenger that is truly better by five points, with the bounds that the
gate reads. A promise of 5% a year follows from the levels alone: those of a year's decisions add up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from rlhi.bench.gate_guards import power
from rlhi.bench.gate_spread import SPREADS
from rlhi.bench.gate_world import Change, Panel
from rlhi.config import BudgetConfig, GainConfig
from rlhi.report.plots import Curve

if TYPE_CHECKING:
    from rlhi.bench.gate_world import Rng

BETTER = Change(gain=0.05)
LEVEL = BudgetConfig().error / BudgetConfig().decisions
USERS = (96, 192, 400)
REPLIES: Mapping[str, tuple[int, int]] = MappingProxyType({
    "4 x 2": (4, 2), "4 x 4": (4, 4), "8 x 2": (8, 2), "16 x 1": (16, 1), "4 x 8": (4, 8), "8 x 4": (8, 4),
    "16 x 2": (16, 2), "32 x 1": (32, 1), "16 x 3": (16, 3),
})  # fmt: skip
"""Requests by samples."""
WEEKS = (1, 2, 4, 13)
PLOTTED = (53, 96, 192, 400)
GAINS = tuple(at / 100 for at in range(13))


@dataclass(frozen=True, slots=True)
class Design:
    """How often a single decision shows a true gain of five points; ``replies`` that a decision asks of both models."""

    name: str
    replies: int
    satisfaction: float
    people: float


def sizes(rng: Rng, count: int) -> Iterator[Design]:
    """Users by requests and samples, all else as by default."""
    for users in USERS:
        for name, (requests, samples) in REPLIES.items():
            yield _design(rng, f"{users} users, {name}", Panel(users, requests, samples), count)


def spendings(rng: Rng, count: int) -> Iterator[Design]:
    """The default panel at levels that were saved up, without a margin, and with the champion's replies kept."""
    for weeks in WEEKS:
        name = "a decision a week" if weeks == 1 else f"a decision every {weeks} weeks"
        yield _design(rng, name, Panel(), count, level=weeks * LEVEL)
    yield _design(rng, "no margin", Panel(), count, margin=0.0)
    yield _design(rng, "4 x 4, no margin", Panel(192, 4, 4), count, margin=0.0)
    yield _design(rng, "16 x 1, 8 kept replies of the champion", Panel(192, 16, 1), count, champion_samples=8)
    yield _design(rng, "16 x 2, 8 kept replies of the champion", Panel(192, 16, 2), count, champion_samples=8)
    yield _design(rng, "16 x 1, a decision every 2 weeks", Panel(192, 16, 1), count, level=2 * LEVEL)


def _design(
    rng: Rng, name: str, panel: Panel, count: int, level: float = LEVEL, margin: float = GainConfig().margin,
    champion_samples: int = 0,
) -> Design:  # fmt: skip
    shown = [
        power(rng, SPREADS[spread], BETTER, panel, count, level=level, margin=margin, champion_samples=champion_samples)
        for spread in ("satisfaction", "people")
    ]
    asked = panel.users * panel.requests * (panel.samples + (0 if champion_samples else panel.samples))
    return Design(name, asked, *shown)


def curves(rng: Rng, count: int) -> list[Curve]:
    """How often a decision shows a true gain, by its size, for several numbers of users."""
    return [
        Curve(f"{users} users", tuple(
            (gain, power(rng, SPREADS["satisfaction"], Change(gain), Panel(users), count, level=LEVEL))
            for gain in GAINS
        ))
        for users in PLOTTED
    ]  # fmt: skip
