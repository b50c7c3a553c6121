"""Simulated users who are asked by two models: their rates, a challenger's, and replies' values, many worlds at once.

Each user has a rate, each of the user's requests a rate about it (beta), and a reply's value is a share of one, two or
four things that are met or not at the request's rate: so values are 0, 1 or few between, as those of real suites are.
A challenger that is no better differs all the same: to some users it is as to somebody else, drawn anew, and some
requests it answers like others. A :class:`Change` then moves its rates.

Arrays are ``(worlds, users)``; requests, samples and steps follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rlhi.bench.gate_spread import Spread
from rlhi.config import ConfirmConfig, GateConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Counts = NDArray[np.int64]
    Rng = np.random.Generator

_ALIKE = 1e-9
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Panel:
    """How many users are asked how much, by each model; as a decision asks by default."""

    users: int = GateConfig().min_users
    requests: int = ConfirmConfig().requests
    samples: int = ConfirmConfig().samples


@dataclass(frozen=True, slots=True)
class Change:
    """What a challenger truly does to users.

    Attributes:
        gain: how much the mean over all users changes. A rise reaches ``Spread.reached`` of those who are not harmed; a
            fall is everybody's.
        harmed: the share of users who lose ``loss``, or all that they had. The others gain what makes up for it.
    """

    gain: float = 0.0
    harmed: float = 0.0
    loss: float = 0.5


@dataclass(frozen=True, slots=True)
class Users:
    """Their rates under the champion, and how many things each reply to them may meet."""

    rates: Floats
    steps: Counts

    def some(self, worlds: Counts, users: slice = slice(None)) -> Users:
        """Those of some worlds, and of these some."""
        return Users(self.rates[worlds][:, users], self.steps[worlds][:, users])


@dataclass(frozen=True, slots=True)
class Challenger:
    """What it is to each user: their rates under it, and who is drawn anew, harmed and reached."""

    rates: Floats
    anew: Flags
    harmed: Flags
    reached: Flags

    def some(self, worlds: Counts) -> Challenger:
        """In some worlds."""
        return Challenger(self.rates[worlds], self.anew[worlds], self.harmed[worlds], self.reached[worlds])

    def beside(self, others: Challenger) -> Challenger:
        """To further users of the same worlds."""
        import numpy as np

        pairs = [(getattr(self, name), getattr(others, name)) for name in ("rates", "anew", "harmed", "reached")]
        return Challenger(*(np.concatenate(pair, axis=1) for pair in pairs))


@dataclass(frozen=True, slots=True)
class Said:
    """A model's rates by request, and its luck: a reply meets what its luck is below the rate."""

    rates: Floats
    luck: NDArray[np.float32]


def users_of(rng: Rng, spread: Spread, worlds: int, users: int) -> Users:
    """Draw users."""
    import numpy as np

    level = np.full((worlds, users), spread.level)
    steps = rng.choice(len(spread.steps), size=(worlds, users), p=spread.steps) + 1
    return Users(_beta(rng, level, spread.users_alike), steps)


def challenger_to(rng: Rng, spread: Spread, change: Change, users: Users) -> Challenger:
    """Draw what a challenger is to users."""
    import numpy as np

    shape = users.rates.shape
    anew = rng.random(shape) < spread.users_redrawn
    rates = users.rates.copy()
    rates[anew] = _beta(rng, np.full(int(anew.sum()), spread.level), spread.users_alike)
    return Challenger(rates, anew, rng.random(shape) < change.harmed, rng.random(shape) < spread.reached)


def champion_said(rng: Rng, spread: Spread, users: Users, panel: Panel) -> Said:
    """Draw requests, and the champion's replies."""
    rates = _beta(rng, _each(users.rates, panel.requests), spread.requests_alike)
    return Said(rates, _luck(rng, spread, (*rates.shape, panel.samples)))


def challenger_said(rng: Rng, spread: Spread, change: Change, users: Users, to: Challenger, champion: Said) -> Said:
    """Draw the challenger's replies to the same requests, with the same seeds."""
    import numpy as np

    requests = champion.rates.shape[-1]
    other = to.anew[..., None] | (rng.random(champion.rates.shape) < spread.requests_redrawn)
    rates = champion.rates.copy()
    rates[other] = _beta(rng, _each(to.rates, requests)[other], spread.requests_alike)
    luck = _luck(rng, spread, champion.luck.shape[:-1])
    shared = rng.random(luck.shape[:-1], np.float32) < spread.replies_shared
    luck[shared] = champion.luck[shared]
    return Said(changed(rates, spread, change, to), luck)


def changed(rates: Floats, spread: Spread, change: Change, to: Challenger) -> Floats:
    """A challenger's rates after ``change``: their mean over everybody moves by ``gain`` exactly."""
    import numpy as np

    if change.gain < 0 and not change.harmed:
        fallen: Floats = rates * (1 + change.gain / spread.level)
        return fallen
    owed = change.gain + change.harmed * _lost(spread, change.loss)
    converted = owed / ((1 - change.harmed) * spread.reached * (1 - spread.level))
    if not 0 <= converted <= 1:
        raise ValueError(f"{change} is more than rates about {spread.level} can move")
    harmed = np.broadcast_to(to.harmed[..., None], rates.shape)
    risen = rates + (1 - rates) * converted * to.reached[..., None]
    told: Floats = np.where(harmed, np.maximum(rates - change.loss, 0), risen)
    return told


def by_user(said: Said, users: Users) -> Floats:
    """Users' mean values."""
    means: Floats = replies(said, users).mean(axis=(-2, -1))
    return means


def replies(said: Said, users: Users) -> Floats:
    """Every reply's value, ``(worlds, users, requests, samples)``."""
    import numpy as np

    met = said.luck < said.rates[..., None, None].astype(np.float32)
    steps = users.steps[..., None, None]
    counted = np.arange(met.shape[-1]) < steps[..., None]
    told: Floats = (met & counted).sum(axis=-1) / steps
    return told


@cache
def _lost(spread: Spread, loss: float) -> float:
    """What a user who is harmed loses in the mean."""
    import numpy as np

    rng = np.random.default_rng(0)
    rates = _beta(rng, _beta(rng, np.full(400_000, spread.level), spread.users_alike), spread.requests_alike)
    return float(np.minimum(rates, loss).mean())


def _beta(rng: Rng, mean: Floats, alike: float) -> Floats:
    import numpy as np

    if alike < _ALIKE:
        return mean.copy()
    inside, strength = np.clip(mean, _EDGE, 1 - _EDGE), 1 / alike - 1
    drawn: Floats = rng.beta(inside * strength, (1 - inside) * strength)
    return drawn


def _each(rates: Floats, requests: int) -> Floats:
    import numpy as np

    return np.repeat(rates[..., None], requests, axis=-1)


def _luck(rng: Rng, spread: Spread, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Uniform numbers: one for each thing that a reply may meet."""
    import numpy as np

    return rng.random((*shape, len(spread.steps)), np.float32)
