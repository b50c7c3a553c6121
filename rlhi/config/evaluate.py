"""Sections of the evaluate flow: evaluate, drift, gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlhi.config.base import Section, ServedConfig, WhichPersona
from rlhi.config.suites import GainConfig, GuardConfig, SuiteName, gains, guards


class EvaluateConfig(Section):
    """What held-out users see: ``requests`` each, ``samples`` replies each, by champion and challenger.

    The built-in instructions get ``instruction_samples`` replies each.
    """

    persona: WhichPersona = "own"
    conversations: int | None = Field(
        default=None, ge=0, description="a simulated user's first, that the persona knows"
    )
    users: int = Field(default=48, ge=1)
    requests: int = Field(default=2, ge=1)
    samples: int = Field(default=2, ge=1)
    instruction_samples: int = Field(default=8, ge=1)
    recognised: int = Field(default=1, ge=0, description="replies to each request that the yardstick reads")
    others: int = Field(default=19, ge=1, description="requests that the yardstick tells the true one from")
    lift_samples: int = Field(default=1, ge=0, description="replies to each request with another user's persona")
    pairs: int = Field(default=40, ge=0, description="held-out users' logged choices, at most")
    resamples: int = Field(default=2000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    sampling: ServedConfig = ServedConfig()


class DriftConfig(Section):
    """Evidently on the user's side of new conversations against the former cycles'."""

    max_share: float = Field(default=0.5, gt=0, le=1)
    min_rows: int = Field(default=30, ge=2)


class GateConfig(Section):
    """What a promotion needs, by suite; by default what each suite says of itself (:mod:`rlhi.config.suites`).

    ``drift: refuse`` lets drift alone refuse, ``report`` only records it.
    ``few_users``: a guard that is not required and was measured on fewer users than these is held to its mean, for its
    interval is wider than any drop that it may allow; a fall that is shown refuses all the same.
    ``judge``: preference counts where the reward model that tells it is shown to rank more than this share of held-out
    users' comparisons right; 0 takes its word.
    """

    gains: dict[SuiteName, GainConfig] = Field(default_factory=gains)
    guards: dict[SuiteName, GuardConfig] = Field(default_factory=guards)
    drift: Literal["refuse", "report"] = "refuse"
    few_users: int = Field(default=30, ge=0)
    judge: float = Field(default=0.5, ge=0, lt=1)
