"""Rows of a session: an exchange each, some of the history, or all of it, are one conversation."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.clean.sessions import SOURCES, parts_of, put_together
from rlhi.collect.formats import FORMATS
from rlhi.contracts import Conversation, Signal, Turn


def at(minute: int) -> str:
    return f"2026-10-01T{minute // 60:02d}:{minute % 60:02d}:00Z"


def exchange(number: int, minute: int | None = None) -> tuple[Turn, Turn]:
    time = None if minute is None else at(minute)
    return Turn("user", f"Question {number}?", time), Turn("assistant", f"Answer {number}.", time)


def row(*exchanges: tuple[Turn, ...], minute: int | None = None, **fields: str) -> Conversation:
    turns = tuple(turn for one in exchanges for turn in one)
    time = None if minute is None else at(minute)
    return Conversation("s-1", "lena", "real", time, fields.get("model"), "en", turns, "completions")


def together(*rows: Conversation) -> Conversation:
    def both(one: Conversation, other: Conversation) -> Conversation:
        found = put_together(one, other, 400)
        assert found is not None
        return found

    return reduce(both, rows)


def said(conversation: Conversation) -> list[str]:
    return [turn.content for turn in conversation.turns if turn.role == "user"]


def asked(*numbers: int) -> list[str]:
    return [f"Question {number}?" for number in numbers]


def test_the_sources_are_formats() -> None:
    assert {format.name for format in FORMATS} >= SOURCES


@given(st.permutations(range(5)))
def test_exchanges_stand_in_the_order_of_time_whatever_the_order_of_rows(order: list[int]) -> None:
    rows = [row(exchange(number, 2 * number), minute=2 * number) for number in range(5)]
    whole = together(*(rows[number] for number in order))
    assert whole == together(*rows)
    assert said(whole) == asked(0, 1, 2, 3, 4) and whole.created_at == at(0)
    assert together(whole, rows[order[0]]) == whole


@given(st.permutations(range(4)))
def test_a_history_that_grows_is_the_same_conversation(order: list[int]) -> None:
    rows = [row(*map(exchange, range(last)), exchange(last, 2 * last), minute=2 * last) for last in range(4)]
    whole = together(*(rows[number] for number in order))
    assert whole == together(*rows)
    assert [turn.created_at for turn in whole.turns] == [at(2 * (place // 2)) for place in range(8)]


def test_a_window_on_the_history_goes_on_where_another_ends() -> None:
    rows = [row(*map(exchange, range(max(0, last - 1), last)), exchange(last, 2 * last)) for last in range(5)]
    assert said(together(*rows)) == asked(0, 1, 2, 3, 4)


def test_without_times_exchanges_stand_as_they_come() -> None:
    rows = [row(exchange(number)) for number in (3, 1, 2)]
    assert said(together(*rows, rows[0])) == asked(3, 1, 2)


def test_what_is_said_again_later_is_another_exchange_and_what_is_logged_again_is_not() -> None:
    thanks = [row(exchange(0, minute), minute=minute) for minute in (0, 10)]
    assert said(together(*thanks)) == asked(0, 0)
    assert together(*thanks, *thanks) == together(*thanks)
    again = row(tuple(Turn(turn.role, turn.content, "2026-10-01T00:00:02Z") for turn in exchange(0)))
    assert said(together(thanks[0], again)) == asked(0)


def test_an_answer_that_came_later_and_a_mark_on_it_are_kept() -> None:
    question, answer = exchange(0, 0)
    marked = Turn("assistant", answer.content, None, None, (Signal("thumbs", 1.0),))
    for rows in ([row((question,)), row((question, marked))], [row((question, marked)), row((question,))]):
        whole = together(*rows, row(exchange(0, 0), exchange(1, 1)))
        assert [turn.content for turn in whole.turns[:2]] == [question.content, answer.content]
        assert whole.turns[1].signals == marked.signals and said(whole) == asked(0, 1)


def test_what_the_system_says_before_each_request_is_told_once() -> None:
    system = Turn("system", "Be brief.")
    whole = together(*(row((system, *exchange(number, number)), minute=number) for number in range(3)))
    assert [turn.role for turn in whole.turns].count("system") == 1 and whole.turns[0] == system


@pytest.mark.parametrize("first", [0, 7])
def test_histories_that_contradict_each_other_are_two(first: int) -> None:
    one, other = row(exchange(0), exchange(1)), row(exchange(first), exchange(8), exchange(9))
    found = put_together(one, other, 400)
    assert found is None if first else found == other  # after one beginning the longer history stands


def test_a_session_without_an_end_is_cut_at_the_bound() -> None:
    assert put_together(row(exchange(0, 0)), row(exchange(1, 1)), 3) is None


@given(st.lists(st.sampled_from(["system", "user", "assistant"]), max_size=12))
def test_parts_hold_all_turns_in_their_order(roles: list[str]) -> None:
    turns = [Turn(role, f"{place}") for place, role in enumerate(roles)]  # type: ignore[arg-type]
    assert [turn for part in parts_of(turns) for turn in part.turns] == turns


@given(st.permutations(range(5)))
def test_exchanges_of_pictures_and_of_thoughts_stand_in_the_order_of_time(order: list[int]) -> None:
    drawn = [(Turn("user", "", at(2 * number)), Turn("assistant", f"A cat, {number}.", at(2 * number), thought="Fur."))
             for number in (0, 1)]  # fmt: skip
    silent = (Turn("user", "Draw it.", at(4)), Turn("assistant", "", at(4)))
    rows = [
        *(row(one, minute=2 * number) for number, one in enumerate(drawn)),
        row(silent, minute=4),
        row(exchange(3, 6), minute=6),
        row((Turn("user", "", at(8)), Turn("assistant", "", at(8))), minute=8),
    ]
    whole = together(*(rows[number] for number in order))
    assert whole == together(*rows) and len(whole.turns) == 10 and whole.turns[1].thought == "Fur."
    for one in rows:
        assert together(whole, one) == whole


def test_pictures_without_times_are_as_many_as_their_answers() -> None:
    cat, dog = (row((Turn("user", ""), Turn("assistant", text)), minute=None) for text in ("A cat.", "A dog."))
    whole = together(cat, dog)
    assert [turn.content for turn in whole.turns] == ["", "A cat.", "", "A dog."]
    assert together(whole, dog) == together(whole, cat) == whole


@pytest.mark.parametrize("histories", [False, True])
def test_words_stand_where_another_row_has_an_answer_without(histories: bool) -> None:
    before = (exchange(0, 0),) if histories else ()
    empty = row(*before, (Turn("user", "Say hi", at(2)), Turn("assistant", "", at(2))), minute=2)
    said_so = Turn("assistant", "Hi.", at(2), thought="Be short.")
    full = row(*before, (Turn("user", "Say hi", at(2)), said_so), minute=2)
    bare = row(*before, (Turn("user", "Say hi", at(2)), replace(said_so, thought="")), minute=2)
    for rows in permutations([empty, full, bare]):
        assert together(*rows).turns[-1] == said_so
        assert len(together(*rows).turns) == 2 + 2 * histories
