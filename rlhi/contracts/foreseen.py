"""What a decision foresees of the nights after it, and what came of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ServedBy = Literal["model", "time", "new"]
SERVED_BY: Mapping[ServedBy, str] = {
    "model": "by the model that the log names",
    "time": "by their time, since the model serves",
    "new": "all that is new: the log tells neither models nor times",
}
"""How follow-ups were told to be of answers of one model."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The share of re-attempts among the follow-ups of the next nights, as a decision foresees it.

    Attributes:
        cycle: of the decision. ``model`` is the version that serves after it, ``promoted`` whether that is new.
        why_none: why nothing can be said; empty where the figures below say something.
        share: what is foreseen, and ``last`` the share of the last nights: the control that nothing changes.
        low, high: of the share among as many follow-ups as the last nights had (``follow_ups``), at ``confidence``.
        spread: the standard error of ``share``, in log-odds.
        clustering: by how much the share varies more than if follow-ups had nothing to do with their users.
        served_by: how the last nights' follow-ups were told to be of the champion's answers.
        challenger: what would be foreseen, were the challenger promoted; None where nothing can be said of it.
        fitted: follow-ups that the change was learned from; ``replies`` to held-out users it was read off.
        unlike: the share of the challenger's replies that are unlike any in the log, beyond the champion's share.
    """

    cycle: int
    model: str
    promoted: bool
    why_none: str = ""
    share: float = 0.0
    last: float = 0.0
    low: float = 0.0
    high: float = 0.0
    confidence: float = 0.95
    follow_ups: int = 0
    spread: float = 0.0
    clustering: float = 1.0
    served_by: ServedBy = "new"
    challenger: float | None = None
    fitted: int = 0
    replies: int = 0
    unlike: float = 0.0

    def as_text(self) -> str:
        """In one line, for reports."""
        serves = f"policy@{self.model}"
        if self.why_none:
            return f"no share of re-attempts is foreseen under {serves}: {self.why_none}"
        told = (
            f"{self.share:.1%} re-attempts among the next follow-ups under {serves} ({self.low:.1%} to {self.high:.1%} "
            f"of {self.follow_ups:,}; the last nights {self.last:.1%})"
        )
        other = self.challenger is not None and not self.promoted
        return f"{told}; the challenger would have had {self.challenger:.1%}" if other else told


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """What came of a forecast.

    Attributes:
        cycle: that scored it, and ``of`` the cycle that made it.
        share: of re-attempts among ``follow_ups`` on answers of the forecast's model.
        low, high: the forecast's interval for so many follow-ups.
        ratio, last_ratio: by what factor the forecast, and the share before, were off (1 is exact).
        right: whether the share moved to the side that was foreseen; None where no change was foreseen, or none came.
        served_by: how these follow-ups were told to be of that model's answers.
    """

    cycle: int
    of: int
    model: str
    foreseen: float
    share: float
    follow_ups: int
    low: float
    high: float
    hit: bool
    ratio: float
    last_ratio: float
    right: bool | None
    served_by: ServedBy

    def as_text(self) -> str:
        """In one line, for reports."""
        return (
            f"cycle {self.of} foresaw {self.foreseen:.1%} ({self.low:.1%} to {self.high:.1%}), and {self.share:.1%} of "
            f"{self.follow_ups:,} follow-ups came: a {'hit' if self.hit else 'miss'}, "
            f"off by a factor of {self.ratio:.2f} (the share before: {self.last_ratio:.2f})"
        )


@dataclass(frozen=True, slots=True)
class Track:
    """How forecasts fared: hits of those scored with the exact interval of their share, and how far they were off.

    ``ratio`` and ``last_ratio`` are medians; ``right`` of ``moved`` changes went to the side that was foreseen.
    """

    hits: int
    scored: int
    low: float
    high: float
    ratio: float
    last_ratio: float
    right: int
    moved: int

    def as_text(self, confidence: float) -> str:
        """In one line, for reports; ``confidence`` is the share of hits that intervals promise."""
        sides = f"; {self.right} of {self.moved} changes went to the side foreseen" if self.moved else ""
        return (
            f"{self.hits} of {self.scored} forecasts hit ({self.hits / self.scored:.0%}, exact 95% interval "
            f"{self.low:.0%} to {self.high:.0%}; {confidence:.0%} are promised), off by a median factor of "
            f"{self.ratio:.2f} (the share before: {self.last_ratio:.2f}){sides}"
        )


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Every forecast of a workspace and every score, oldest first."""

    made: tuple[Forecast, ...] = ()
    scored: tuple[ForecastScore, ...] = ()
