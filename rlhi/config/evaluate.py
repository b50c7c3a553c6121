"""Sections of the evaluate flow: evaluate, drift, gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rlhi.config.base import Section, ServedConfig, Told


class EvaluateConfig(Section):
    """What held-out users see: ``requests`` each, ``samples`` replies each, by champion and challenger.

    The built-in instructions get ``instruction_samples`` replies each.
    """

    persona: Told = "own"
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


class GainConfig(Section):
    """A gain that must be shown: the interval's lower bound above ``margin``."""

    margin: float = 0.0
    required: bool = False


class GuardConfig(Section):
    """A loss that must not happen: the interval's lower bound is above minus ``max_drop`` (non-inferiority)."""

    max_drop: float = Field(default=0.05, ge=0)
    required: bool = False


Suite = Literal[
    "satisfaction", "wishes", "answered", "kept", "beyond_two_sentences", "beyond_best_style", "persona_lift",
    "preference", "instructions", "knowledge", "fluency", "choices", "nearness", "answers",
]  # fmt: skip
"""What is measured (rlhi/evaluate/suites.py, knowledge.py). A misspelt guard would guard nothing."""


class GateConfig(Section):
    """What a promotion needs. ``drift: refuse`` lets drift alone refuse, ``report`` only records it.

    ``few_users``: a guard that is not required and was measured on fewer users than these is held to its mean, for its
    interval is wider than any drop that it may allow; a fall that is shown refuses all the same.
    ``judge``: preference counts where the reward model that tells it is shown to rank more than this share of held-out
    users' comparisons right; 0 takes its word.
    """

    gains: dict[Suite, GainConfig] = {
        "satisfaction": GainConfig(),
        "preference": GainConfig(),
    }
    guards: dict[Suite, GuardConfig] = {
        "instructions": GuardConfig(max_drop=0.15, required=True),
        "knowledge": GuardConfig(max_drop=0.12, required=True),
        "fluency": GuardConfig(max_drop=0.05, required=True),
        "choices": GuardConfig(max_drop=0.2),
        "nearness": GuardConfig(max_drop=0.1, required=True),
        "answers": GuardConfig(max_drop=0.15),
        "kept": GuardConfig(max_drop=0.2),
    }
    drift: Literal["refuse", "report"] = "refuse"
    few_users: int = Field(default=30, ge=0)
    judge: float = Field(default=0.5, ge=0, lt=1)
