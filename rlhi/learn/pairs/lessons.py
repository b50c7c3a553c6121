"""What a challenger learns from: rows that its champion has not learned, and a share of those it has.

A pair counts 1. A judged answer counts half of it, for a pair is two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from rlhi.contracts import JudgedAnswer, PairSource, PreferencePair, content_key

Row = PreferencePair | JudgedAnswer
"""What is learned from; the second kind by KTO alone."""
Some = TypeVar("Some", bound=Row)


# Pairs of one request's answers, made for whoever asked and for others.
SERVES_MANY: frozenset[PairSource] = frozenset({"reward", "edited", "mirrored", "on_policy"})


def lesson(row: Row) -> str:
    """What a row teaches, whichever text it teaches it with: its answer's place and source, and what its user decided.

    A user who takes a thumb back, or chooses the other answer after all, teaches something else; and so do two users
    who are served by the answers to one request.
    """
    place = f"{row.conversation_id}#{row.turn_index}#{row.source}"
    if isinstance(row, JudgedAnswer):
        return f"{place}#{'wanted' if row.wanted else 'unwanted'}"
    if row.source == "explicit_choice":
        return f"{place}#{content_key(row.chosen, row.rejected)[:8]}"
    return f"{place}#{content_key(row.user_id)[:8]}" if row.source in SERVES_MANY else place


def weight(row: Row) -> float:
    """How much a row counts before its user's cap: a pair 1."""
    return 1.0 if isinstance(row, PreferencePair) else row.weight


def size(rows: Iterable[Row]) -> float:
    """How many pairs the rows are worth."""
    return sum(1.0 if isinstance(row, PreferencePair) else 0.5 for row in rows)


def parted(rows: Iterable[Some], learned: frozenset[str]) -> tuple[list[Some], list[Some]]:
    """(rows that teach something new, rows whose lesson is ``learned``), each in their order."""
    new, known = list[Some](), list[Some]()
    for row in rows:
        (known if lesson(row) in learned else new).append(row)
    return new, known


def training_set(
    made: Iterable[Some],
    learned: frozenset[str],
    replay: float,
    most: int,
    seed: int,
    fits: Callable[[Some], bool] = lambda row: True,
) -> tuple[list[Some], list[Some]]:
    """The rows for a challenger: all that its champion has not learned from, and a share of those it has.

    ``fits`` tells which rows are not too long to be learned from, and is asked about those that there is room for only.

    Returns:
        (new rows, replayed rows); together worth at most ``most`` pairs, drawn by seed, new ones first.
    """
    new, old = parted(sorted(made, key=lambda row: content_key(seed, lesson(row))), learned)
    # Room is left for replay, or it would vanish when there is most to learn.
    old = _within(old, most - int(most / (1 + replay)), fits)
    new = _within(new, most - size(old), fits)
    return new, _within(old, min(int(replay * size(new)), most - size(new)), fits)


def _within(rows: Sequence[Some], room: float, fits: Callable[[Some], bool]) -> list[Some]:
    kept: list[Some] = []
    for row in rows:
        if size([row]) <= room and fits(row):
            kept.append(row)
            room -= size([row])
    return kept
