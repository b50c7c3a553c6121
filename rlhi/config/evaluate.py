"""Sections of the evaluate flow: evaluate, drift, gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlhi.config.base import Section, ServedConfig, WhichPersona
from rlhi.config.suites import GainConfig, GuardConfig, SuiteName, gains, guards
from rlhi.contracts.options import DriftDoes


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


class ColumnConfig(Section):
    """A column of drift: what a drift of it does, and the least distance that is one.

    The distance is the Kolmogorov-Smirnov statistic of a number, the total variation distance of a category.
    """

    does: DriftDoes = "block"
    least: float = Field(default=0.2, gt=0, le=1)


class NotedColumnConfig(ColumnConfig):
    """A column that a promotion is meant to move: its drift is told."""

    does: DriftDoes = "note"


class ColumnsConfig(Section):
    """What of users' side of conversations is compared."""

    request_words: ColumnConfig = ColumnConfig()
    mean_words: ColumnConfig = ColumnConfig()
    question_share: ColumnConfig = ColumnConfig()
    non_ascii_share: ColumnConfig = ColumnConfig()
    code: ColumnConfig = ColumnConfig()
    language: ColumnConfig = ColumnConfig()
    topic: ColumnConfig = ColumnConfig()
    claim: ColumnConfig = ColumnConfig()
    turns: NotedColumnConfig = NotedColumnConfig()
    reattempt_share: NotedColumnConfig = NotedColumnConfig()
    positive_share: NotedColumnConfig = NotedColumnConfig()


class DriftConfig(Section):
    """The user's side of new conversations against the former cycles', by user."""

    level: float = Field(default=0.01, gt=0, le=0.2)
    splits: int = Field(default=1000, ge=0, description="of the former users in two at random, for the false alarms")
    min_users: int = Field(default=30, ge=5)
    users: int = Field(default=1000, ge=30, description="of each side, at most")
    conversations: int = Field(default=5, ge=1, description="of each user, at most")
    topics: int = Field(default=8, ge=2)
    columns: ColumnsConfig = ColumnsConfig()


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
