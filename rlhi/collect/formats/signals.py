"""Marks that people left on answers, in the shapes that logs have for them -> :class:`~rlhi.contracts.Signal`.

A mark whose scale is not known is left out: read on the wrong scale, praise becomes blame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, cast, get_args

from rlhi.collect.formats.fields import Row, first_text, number, rows_in, text
from rlhi.contracts import Signal, SignalKind
from rlhi.contracts.thoughts import parted

Scale = Literal["thumbs", "zero_one", "stars"]

UP = ("up", "thumbsup", "thumbup", "upvote", "upvoted", "like", "liked", "good", "positive", "+1", "true", "👍")
DOWN = (
    "down", "thumbsdown", "thumbdown", "downvote", "downvoted", "dislike", "disliked", "bad", "negative", "-1", "false",
    "👎",
)  # fmt: skip
# What a mark is called beside a request, on a turn or on a trace; of these the first that is there counts.
MARKS = ("rating", "user_rating", "feedback", "user_feedback", "userFeedback", "thumbs", "thumb", "vote", "reaction")
MARKING = frozenset({*MARKS, "signals", "candidates"})
VALUES = ("rating", "value", "score", "thumbs", "thumb", "vote", "type", "label", "sentiment")
COMMENTED = ("comment", "feedback_comment", "feedback_text")
COMMENTS = ("comment", "text", "reason", "content")
THUMBS = dict.fromkeys(UP, 1.0) | dict.fromkeys(DOWN, -1.0)
STARS = (1.0, 5.0)


def scale_of(ratings: Iterable[float | None]) -> Scale | None:
    """The scale that a conversation's numbers lie on; None where they lie on none that we know, or tell none apart.

    Nothing but 1 may be thumbs up or the lowest star: praise must not be read as blame.

    >>> scale_of([4, 5]), scale_of([1, -1]), scale_of([1, 0]), scale_of([9]), scale_of([1, 1])
    ('stars', 'thumbs', 'zero_one', None, None)
    """
    found = {rating for rating in ratings if rating is not None}
    if not found or found == {1.0}:
        return None
    if -1.0 in found and found <= {-1.0, 0.0, 1.0}:
        return "thumbs"
    if 0.0 in found and found <= {0.0, 1.0}:
        return "zero_one"
    return "stars" if all(STARS[0] <= rating <= STARS[1] for rating in found) else None


def marked(rating: object, scale: Scale | None, comment: str = "") -> tuple[Signal, ...]:
    """A rating as a signal: true or false, a word for a thumb, or a number on ``scale``; none where it says nothing."""
    if isinstance(rating, bool):
        return (Signal("thumbs", 1.0 if rating else -1.0, comment),)
    if isinstance(rating, str):
        thumb = THUMBS.get(re.sub(r"[\s_-]+", "", rating.lower()) if len(rating) > 2 else rating.strip())
        return () if thumb is None else (Signal("thumbs", thumb, comment),)
    value = number({"": rating}, "")
    if value is None or scale is None:
        return ()
    if scale == "stars":
        return stars(value, *STARS, comment)
    if scale == "zero_one":
        return (Signal("thumbs", 2 * value - 1, comment),)
    return (Signal("thumbs", value, comment),) if value else ()


def stars(value: float, low: float, high: float, comment: str = "") -> tuple[Signal, ...]:
    """A mark between ``low`` and ``high``; none where it lies outside."""
    return (Signal("stars", 2 * (value - low) / (high - low) - 1, comment),) if low <= value <= high else ()


def signals_of(row: Row, content: str, scale: Scale | None) -> tuple[Signal, ...]:
    """What a turn carries: ``signals`` as we write them, else ``rating`` and, for A/B choices, ``candidates``.

    Raises:
        ValueError: ``signals`` is there and is not what we write.
    """
    if MARKING.isdisjoint(row):  # as most turns
        return ()
    if row.get("signals") is not None:
        return _ours(row["signals"])
    comment = first_text([row], *COMMENTED) or ""
    ratings = marked(row["rating"], scale, comment) if "rating" in row else rating_in(row)
    return (*ratings, *_choices(row, content)) if row.get("candidates") else ratings


def rating_in(row: Row) -> tuple[Signal, ...]:
    """A mark beside a request or on a turn: a word, true or false, a number on a scale that it shows, or an object.

    Nothing where the number alone does not show its scale: 1 may be a thumb up or the lowest star.

    >>> rating_in({"feedback": {"rating": "thumbsUp", "comment": "Short."}})
    (Signal(kind='thumbs', value=1.0, text='Short.'),)
    """
    for name in MARKS:
        value, comment = row.get(name), first_text([row], *COMMENTED) or ""
        if isinstance(value, Mapping):
            comment = first_text([value], *COMMENTS) or ""
            value = next((value[key] for key in VALUES if value.get(key) is not None), None)
        held = number({name: value}, name)
        if found := marked(value, scale_of([held]) if held != 0.0 else None, comment):
            return found
    return ()


def _ours(value: object) -> tuple[Signal, ...]:
    rows = rows_in(value)
    if rows is None:
        raise ValueError("signals is not a list of objects")
    found = []
    for row in rows:
        kind, mark, said = row.get("kind"), number(row, "value"), row.get("text", "")
        if kind not in get_args(SignalKind):
            raise ValueError(f"a signal's kind is {str(kind)[:40]!r}, not one of {', '.join(get_args(SignalKind))}")
        if mark is None or not -1 <= mark <= 1:
            raise ValueError("a signal's value is no number from -1 to 1")
        told = said if isinstance(said, str) else ""
        found.append(Signal(cast(SignalKind, kind), mark, parted(told).answer if kind in ("choice", "edit") else told))
    return tuple(found)


def _choices(row: Row, content: str) -> tuple[Signal, ...]:
    """The turn was preferred to the other candidates.

    Candidates that nobody rated were not chosen between: one of them stands in the log because something has to.
    """
    candidates: Sequence[Row] = rows_in(row.get("candidates")) or ()
    texts = [parted(said).answer for candidate in candidates if isinstance(said := candidate.get("content"), str)]
    if content not in texts or all(number(one, "rating") is None for one in (row, *candidates)):
        return ()
    others = dict.fromkeys(said for said in texts if said != content and text({"": said}, ""))
    return tuple(Signal("choice", 1.0, other) for other in others)
