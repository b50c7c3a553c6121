"""Sections of the evaluate flow: evaluate, confirm, drift, gate."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, field_validator

from rlhi.config.base import ENDPOINT, Section, ServedConfig, WhichPersona, one_of
from rlhi.config.suites import SUITES, GainConfig, GuardConfig, SuiteName, gains, guards
from rlhi.contracts.options import DriftDoes


class PanelConfig(Section):
    """Held-out users who are asked: ``requests`` each, ``samples`` replies each, by every model."""

    users: int | None = Field(default=None, ge=0, description="at most; None: all")
    requests: int = Field(default=2, ge=1)
    samples: int = Field(default=2, ge=1)
    recognised: int = Field(default=1, ge=0, description="replies to each request that the yardstick reads")
    lift_samples: int = Field(default=1, ge=0, description="replies to each request with another user's persona")
    follow_ups: int = Field(default=0, ge=0, description="later messages of each in the log, asked for judges alone")


class EvaluateConfig(PanelConfig):
    """The screen: the same users and requests every night, and what is asked without users.

    The built-in instructions get ``instruction_samples`` replies each. With no ``users`` nobody is screened.
    """

    persona: WhichPersona = "own"
    conversations: int | None = Field(
        default=None, ge=0, description="a simulated user's first, that the persona knows"
    )
    users: int | None = Field(default=48, ge=0)
    instruction_samples: int = Field(default=4, ge=1)
    lost: float = Field(default=0.25, gt=0, le=1, description="a user whose own satisfaction falls so far lost much")
    tests: int = Field(default=48, ge=0, description="tests of the workspace, of held-out users, at most")
    others: int = Field(default=19, ge=1, description="requests that the yardstick tells the true one from")
    pairs: int = Field(default=40, ge=0, description="held-out users' logged choices, at most")
    resamples: int = Field(default=2000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    sampling: ServedConfig = ServedConfig()


class ConfirmConfig(PanelConfig):
    """Who is asked for a decision: by default all held-out users, of what was drawn for it alone.

    With no ``users`` the screen's replies decide: the same users and requests every time, as an experiment wants it.
    """

    requests: int = Field(default=16, ge=1)
    samples: int = Field(default=3, ge=1)
    lift_samples: int = Field(default=0, ge=0)


class JudgesConfig(Section):
    """Language models that compare both models' replies, each pair in both orders.

    ``models`` are ``openai:http://HOST:PORT/v1#NAME``, several at once; with none nobody is asked. Each is asked of
    ``requests`` held-out requests a cycle at most, and tried on ``choices`` of held-out users at most, each twice.
    """

    models: tuple[Annotated[str, one_of(ENDPOINT)], ...] = ()
    requests: int = Field(default=200, ge=1)
    choices: int = Field(default=200, ge=0)
    tries: int = Field(default=3, ge=1)
    max_new_tokens: int = Field(default=200, ge=16)

    @field_validator("models")
    @classmethod
    def _told_apart(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        """What a judge says is kept by its name, whichever server it ran on."""
        names = Counter(model.rpartition("#")[2] for model in models)
        if twice := [name for name, times in names.items() if times > 1]:
            raise ValueError(f"{twice[0]} is named twice: judges are told apart by what stands behind the #")
        return models


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


class BudgetConfig(Section):
    """A year of nights without a better challenger holds a promotion with the chance ``error`` at most.

    It is shared by ``decisions`` a year, which are ``days`` apart at least (:mod:`rlhi.evaluate.budget`).
    """

    error: float = Field(default=0.05, gt=0, lt=1)
    decisions: int = Field(default=52, ge=1)
    days: int = Field(default=7, ge=0)


class ProvenConfig(Section):
    """Which judges count: those whose balanced accuracy on people's choices is shown to be above ``min_accuracy``."""

    min_accuracy: float = Field(default=0.65, ge=0.5, lt=1)


class GateConfig(Section):
    """What a promotion needs, by suite; by default what each suite says of itself (:mod:`rlhi.config.suites`).

    ``min_users``: a gain that was measured on fewer held-out users promotes nothing.
    ``drift: refuse`` lets drift alone refuse, ``report`` only records it.
    ``few_users``: a guard that is not required and was measured on fewer users than these is held to its mean, for its
    bound is lower than any drop that it may allow; a fall that is shown refuses all the same.
    ``judge``: preference counts where the reward model that tells it is shown to rank more than this share of held-out
    users' comparisons right; 0 takes its word.
    ``people_users``: what people say of a challenger (`rlhi compare`) is told, and counts once they decided on so many
    held-out users; on ``min_users`` where these are fewer.
    ``judges``: the same of language models that tell ``usereval``; nobody's word is taken.
    """

    budget: BudgetConfig = BudgetConfig()
    min_users: int = Field(default=192, ge=2)
    gains: dict[SuiteName, GainConfig] = Field(default_factory=gains)
    guards: dict[SuiteName, GuardConfig] = Field(default_factory=guards)
    drift: Literal["refuse", "report"] = "refuse"
    few_users: int = Field(default=30, ge=0)
    judge: float = Field(default=0.5, ge=0, lt=1)
    people_users: int = Field(default=100, ge=2)
    judges: ProvenConfig = ProvenConfig()

    @property
    def least_people(self) -> int:
        """The held-out users on whom people must have decided for their word to count."""
        return min(self.people_users, self.min_users)

    def least_users(self, suite: str) -> int:
        """The held-out users on whom a gain must have been measured."""
        return self.least_people if suite in SUITES and SUITES[suite].by_people else self.min_users
