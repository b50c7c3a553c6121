"""Guards and single decisions under simulation: how often a true drop passes, and how often a true gain is shown.

A guard is asked alone, beside a gain that is shown beyond doubt, and :func:`rlhi.evaluate.gate.decide` says whether it
lets the challenger pass. As it was, 48 users with 2 requests of 2 replies were asked, and a 95% interval's lower end
had to lie above the allowed drop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from rlhi.bench.gate_nights import FORMER_TAIL, SCREEN, measured, verdict
from rlhi.bench.gate_spread import SPREADS, Spread
from rlhi.bench.gate_world import (
    Change,
    Panel,
    Said,
    by_user,
    challenger_said,
    challenger_to,
    champion_said,
    users_of,
)
from rlhi.config import EvaluateConfig, GainConfig, GateConfig, GuardConfig
from rlhi.config.suites import guards
from rlhi.contracts import Interval, Measurement
from rlhi.evaluate.bounds import lower_bound, students
from rlhi.evaluate.gate import GUARD_LEVEL
from rlhi.evaluate.suites.instructions import INSTRUCTIONS
from rlhi.evaluate.suites.refusal import harmful_asked, harmless_asked
from rlhi.evaluate.suites.sycophancy import facts, plans

if TYPE_CHECKING:
    from rlhi.bench.gate_world import Floats, Rng

SIZES: Mapping[str, Panel] = MappingProxyType({
    "answers": Panel(), "nearness": Panel(), "fluency": Panel(),
    "instructions": Panel(len(INSTRUCTIONS), 1, EvaluateConfig().instruction_samples), "knowledge": Panel(164, 1, 1),
    "unswayed": Panel(len(facts()), 2, 1), "candour": Panel(len(plans()), 2, 1),
    "refusals": Panel(len(harmful_asked()), 1, 1), "compliance": Panel(len(harmless_asked()), 1, 1),
    "choices": Panel(86, 1, 1),  # 18 of 40 held-out users had chosen something
})  # fmt: skip
FORMER_SIZES: Mapping[str, Panel] = MappingProxyType({
    **dict.fromkeys(("answers", "nearness", "fluency"), SCREEN),
    "instructions": Panel(24, 1, 8), "knowledge": Panel(164, 1, 1), "choices": Panel(21, 1, 1),
    **{name: SIZES[name] for name in ("unswayed", "candour", "refusals", "compliance")},  # there were none
})  # fmt: skip
_SHOWN = Measurement(
    "satisfaction", Interval(0.4, 0.4, 0.4, 192, 192), Interval(0.6, 0.6, 0.6, 192, 192),
    Interval(0.2, 0.2, 0.2, 192, 192), level=0.001, above=0.2, below=0.2,
)  # fmt: skip
FORMER_LOST, FORMER_KEPT = 0.5, GuardConfig(max_drop=0.2)
"""As it was, a user had lost much from 50 points on, for with 4 replies many lose 25 by chance."""
BATCH = 200
"""Decisions that are drawn at a time: memory stays small."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Shares of decisions that let a challenger pass: the gate, and the gate as it was."""

    ours: float
    formerly: float


def asked(
    rng: Rng, spread: Spread, change: Change, panel: Panel, count: int, *, champion_samples: int = 0
) -> tuple[Floats, Floats]:  # fmt: skip
    """Users' means under champion and challenger, of ``count`` decisions on fresh users: ``(count, users)`` each.

    ``champion_samples``: so many kept replies of the champion to each request, in place of ``panel.samples``.
    """
    import numpy as np

    drawn = []
    for start in range(0, count, BATCH):
        users = users_of(rng, spread, min(BATCH, count - start), panel.users)
        more = replace(panel, samples=max(panel.samples, champion_samples))
        champion = champion_said(rng, spread, users, more)
        beside = Said(champion.rates, champion.luck[..., : panel.samples, :])
        to = challenger_to(rng, spread, change, users)
        challenger = challenger_said(rng, spread, change, users, to, beside)
        drawn.append((by_user(champion, users), by_user(challenger, users)))
    before, after = (np.concatenate(side) for side in zip(*drawn, strict=True))
    return before, after


def power(
    rng: Rng, spread: Spread, change: Change, panel: Panel, count: int, *,
    level: float, margin: float = GainConfig().margin, champion_samples: int = 0,
) -> float:  # fmt: skip
    """The share of decisions that show a gain above ``margin`` at ``level``."""
    before, after = asked(rng, spread, change, panel, count, champion_samples=champion_samples)
    return float((lower_bound(after - before, level) > margin).mean())


def passed(rng: Rng, name: str, drop: float, count: int) -> Passed:
    """How often a true ``drop`` of a guard's suite passes."""
    if name == "kept":
        return kept_passed(rng, SPREADS["people"], Change(harmed=drop, loss=0.4), count)
    guard = guards()[name]
    now = asked(rng, SPREADS[name], Change(-drop), SIZES[name], count)
    before, after = asked(rng, SPREADS[name], Change(-drop), FORMER_SIZES[name], count)
    return Passed(_let_pass(name, guard, *now), _formerly(after - before, guard))


def kept_passed(rng: Rng, spread: Spread, change: Change, count: int) -> Passed:
    """The same of ``kept``: how often harm to some users passes, whatever the mean does."""
    import numpy as np

    now, before = _kept(asked(rng, spread, change, Panel(), count), EvaluateConfig().lost), FORMER_KEPT.max_drop
    formerly = _kept(asked(rng, spread, change, SCREEN, count), FORMER_LOST) - 1
    shown = students(formerly, FORMER_TAIL) > -before
    return Passed(_let_pass("kept", guards()["kept"], np.ones_like(now), now), float(shown.mean()))


def _kept(means: tuple[Floats, Floats], lost: float) -> Floats:
    import numpy as np

    before, after = means
    told: Floats = ((before - after).round(9) < lost).astype(np.float64)
    return told


def _let_pass(name: str, guard: GuardConfig, before: Floats, after: Floats) -> float:
    config = GateConfig(gains={"satisfaction": GainConfig()}, guards={name: guard})
    found: Sequence[Measurement] = measured(name, before, after, GUARD_LEVEL)
    verdicts = [verdict((_SHOWN, one), config).verdict for one in found]
    return verdicts.count("promote") / len(verdicts)


def _formerly(gains: Floats, guard: GuardConfig) -> float:
    """As it was; fewer than 30 users were held to their mean where the guard was not required."""
    few = gains.shape[-1] < GateConfig().few_users and not guard.required
    low = gains.mean(axis=-1) if few else students(gains, FORMER_TAIL)
    return float((low > -guard.max_drop).mean())
