"""Figures and names in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from rlhi.contracts import Interval
from rlhi.report.evidence import Figure

_NAMES: Mapping[str, str] = {
    "reattempt_with_feedback": "re-attempt with feedback",
    "reattempt_without_feedback": "bare re-attempt",
    "positive_feedback": "positive feedback",
    "new_request": "new request",
    "observed_revision": "revision in the log",
    "rewrite": "guided rewrite",
    "reward": "sampled and rewarded",
    "explicit_choice": "the user's own choice",
    "on_policy": "sampled in training and rewarded",
    "mirrored": "for a user who wishes the contrary",
    "edited": "sampled and edited by program",
    "request_words": "words of the request",
    "mean_words": "words of a message",
    "question_share": "questions",
    "non_ascii_share": "characters beyond ASCII",
    "reattempt_share": "complaints",
    "positive_share": "thanks",
    "claim": "personas’ wishes",
}


def name_of(identifier: str) -> str:
    """A label or source in words.

    >>> name_of("new_request"), name_of("my_suite")
    ('new request', 'my suite')
    """
    return _NAMES.get(identifier, identifier.replace("_", " "))


def chips(figures: Sequence[Figure], model: Literal["champion", "challenger"]) -> list[tuple[str, str, str]]:
    """What each measure says of one model's reply: its name, the share, and for the challenger where it moved."""
    shown = []
    for one in figures:
        value = one.champion if model == "champion" else one.challenger
        change = one.challenger - one.champion if model == "challenger" else 0.0
        shown.append((name_of(one.name), percent(value), "up" if change > 0 else "down" if change < 0 else ""))
    return shown


def percent(share: float | None) -> str:
    """A share as whole percent; a dash for none."""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.0f}%"


def points(value: float) -> str:
    """A gain in whole points with its sign, and a real minus.

    >>> points(0.152), points(-0.03), points(0.0)
    ('+15', '−3', '0')
    """
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "+∞" if value > 0 else "−∞"
    rounded = round(100 * value)
    return f"{rounded:+d}".replace("-", "−") if rounded else "0"


def span(interval: Interval) -> str:
    """An interval in whole points: ``8 to 22``."""
    return " to ".join(points(end).removeprefix("+") for end in (interval.low, interval.high))


def tenths(value: float) -> str:
    """A size in points, to a tenth where it has one.

    >>> tenths(0.053), tenths(0.15), tenths(float("inf"))
    ('5.3', '15', '∞')
    """
    return f"{100 * value:.1f}".removesuffix(".0").replace("-", "−") if math.isfinite(value) else "∞"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
