"""Which of two answers won, in the many ways that rows say it."""

from __future__ import annotations

import re
from typing import Literal

from rlhi.collect.formats.fields import Row, number

Verdict = Literal["first", "second", "tie", "bad"]

SIDES = (
    ("conversation_a", "conversation_b"), ("response_a", "response_b"), ("answer_a", "answer_b"),
    ("output_a", "output_b"), ("completion_a", "completion_b"), ("human_ref_A", "human_ref_B"),
    ("response_1", "response_2"), ("response1", "response2"), ("answer_1", "answer_2"), ("answer1", "answer2"),
    ("output_1", "output_2"), ("completion_1", "completion_2"), ("response_0", "response_1"),
    ("completion_0", "completion_1"),
)  # fmt: skip
NAMES = ("winner", "preference", "preferred", "overall_preference", "better_response_id", "choice", "vote", "verdict",
         "better", "label", "labels")  # fmt: skip
COUNTED: tuple[Verdict, ...] = ("first", "second", "tie")
TIES = frozenset({"tie", "draw", "equal", "same", "both", "c", "none", "neither"})
BAD = re.compile(r"both.*bad|bad.*both|bothbad|neither is good")
SPARE = re.compile(
    r"\b(?:model|response|assistant|answer|conversation|completion|output|side|option|wins?|is|better)\b"
)
FIRST, SECOND = frozenset({"a", "left", "first"}), frozenset({"b", "right", "second"})


def verdict_of(row: Row, names: tuple[str, str]) -> Verdict:
    """Which of the answers under these names won.

    >>> verdict_of({"winner": "model_b"}, ("conversation_a", "conversation_b"))
    'second'

    Raises:
        ValueError: nothing says so, or not which.
    """
    counted = [number(row, f"winner_{one}") for one in ("model_a", "model_b", "tie")]
    if 1.0 in counted:
        return COUNTED[counted.index(1.0)]
    name = next((name for name in NAMES if row.get(name) is not None), None)
    if name is None:
        raise ValueError("nothing says which answer was preferred")
    value = row[name]
    found = _in_words(value, names) if isinstance(value, str) else _as_number(row, name, names)
    if found is None:
        raise ValueError(f"{name} does not say which answer was preferred: {str(value)[:40]!r}")
    return found


def _in_words(said: str, names: tuple[str, str]) -> Verdict | None:
    words = said.strip().lower()
    if words in (names[0].lower(), names[1].lower()):
        return "first" if words == names[0].lower() else "second"
    if BAD.search(words):
        return "bad"
    if words.startswith("tie"):
        return "tie"
    bare = SPARE.sub("", re.sub(r"[^a-z0-9]+", " ", words)).strip()
    if bare.isdecimal():
        return _numbered(int(bare), names)
    return "first" if bare in FIRST else "second" if bare in SECOND else "tie" if bare in TIES else None


def _as_number(row: Row, name: str, names: tuple[str, str]) -> Verdict | None:
    value = number(row, name)
    if value is None or value != int(value):
        return None
    if name == "overall_preference":  # HelpSteer: from -3, the first is much better, to 3
        return "first" if value < 0 else "second" if value > 0 else "tie"
    if names[0] == "human_ref_A":  # SHP: 1 where A is preferred
        return "first" if value == 1 else "second" if value == 0 else None
    return _numbered(int(value), names)


def _numbered(value: int, names: tuple[str, str]) -> Verdict | None:
    """By the numbers that the answers themselves have; of letters no number says which."""
    first, second = (one[-1] for one in names)
    if not first.isdecimal():
        return None
    won: dict[int, Verdict] = {0: "tie", int(first): "first", int(second): "second"}
    return won.get(value)
