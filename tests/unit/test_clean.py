"""Bounds, harmless characters, and one row for a conversation however often it is exported."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.clean import accept, clean, merge
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, Turn

TURNS = tuple(Turn("user" if at % 2 == 0 else "assistant", f"turn {at}") for at in range(8))
ROW = Conversation("c1", "u1", "real", "2024-05-01T12:00:00Z", "demo", "en", TURNS, "demo")


def test_bounds_and_empty_conversations_are_quarantined() -> None:
    silent = replace(ROW, turns=(Turn("assistant", "Hello?"), Turn("user", " \n")))
    long = replace(ROW, turns=(Turn("user", "x" * 101),))
    many = replace(ROW, turns=TURNS * 2)
    before = Quarantined("log", 3, "not JSON", "{")
    config = IngestConfig(max_characters=100, max_turns=8)
    rows = list(clean([ROW, silent, before, long, many], config))
    assert rows[0] == ROW
    assert rows[2] == before
    reasons = [row.reason for row in rows if isinstance(row, Quarantined)]
    assert ["no user turn" in reasons[0], "max_characters" in reasons[2], "max_turns" in reasons[3]] == [True] * 3


def test_harmful_characters_are_dropped() -> None:
    dirty = replace(ROW, user_id="u\x001", model="de\ud800mo", turns=(Turn("user", "a\x00b\udfffc \U0001f600"),))
    cleaned = accept(dirty, IngestConfig())
    assert (cleaned.user_id, cleaned.model, cleaned.turns[0].content) == ("u1", "demo", "abc \U0001f600")
    cleaned.turns[0].content.encode("utf-8")
    with pytest.raises(ValueError, match="id is empty"):
        accept(replace(ROW, user_id="\x00"), IngestConfig())


@given(st.text(), st.text(min_size=1))
def test_what_is_accepted_can_be_written_and_is_accepted_again(content: str, name: str) -> None:
    row = replace(ROW, conversation_id=name, turns=(*TURNS, Turn("user", content)))
    try:
        once = accept(row, IngestConfig())
    except ValueError:
        return
    assert accept(once, IngestConfig()) == once
    (once.conversation_id + once.turns[-1].content).encode("utf-8")


exports = st.builds(
    lambda size, toxic, redacted, rating: replace(
        ROW,
        turns=tuple(replace(turn, rating=rating) for turn in TURNS[:size]),
        toxic=toxic,
        redacted=redacted,
    ),
    st.integers(1, 8),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 1.0]),
)
conflicts = exports.map(lambda row: replace(row, turns=(Turn("user", "another branch"), *row.turns[1:])))


@given(st.lists(exports, min_size=1, max_size=6), st.randoms())
def test_exports_in_any_order_and_number_give_the_longest(rows: list[Conversation], random: object) -> None:
    merged = reduce(merge, rows, None)
    shuffled = [*rows, rows[0]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reduce(merge, shuffled, None) == merged
    assert merged is not None
    assert len(merged.turns) == max(len(row.turns) for row in rows)
    assert merged.toxic == any(row.toxic for row in rows)


@given(st.one_of(exports, conflicts), st.one_of(exports, conflicts), st.one_of(exports, conflicts))
def test_merge_is_commutative_associative_and_idempotent(a: Conversation, b: Conversation, c: Conversation) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a == merge(None, a)


def test_strangers_are_never_merged() -> None:
    for other in (replace(ROW, conversation_id="c2"), replace(ROW, user_id="u2")):
        with pytest.raises(ValueError, match="one conversation of one user"):
            merge(ROW, other)
