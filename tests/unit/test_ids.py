"""Ids: one however it is written, and none where a program wrote a word for nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.formats import read_log
from rlhi.collect.formats.ids import NOTHING, first_id, id_of
from rlhi.contracts import Conversation

TALK = [{"role": "user", "content": "How deep is a well?"}, {"role": "assistant", "content": "Ten metres."}]


def read(folder: Path, rows: list[dict[str, object]]) -> list[Conversation]:
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps({"messages": TALK, **row}) + "\n" for row in rows))
    found = list(read_log(log))
    assert all(isinstance(row, Conversation) for row in found)
    return [row for row in found if isinstance(row, Conversation)]


@pytest.mark.parametrize(
    "same", [(1, 1.0, "1", "1.0", " 1 ", {"$numberLong": "1"}), (10**18, 1e18, "1e+18"), (0, -0.0)]
)
def test_an_id_is_one_however_it_is_written(same: tuple[object, ...]) -> None:
    assert len({id_of(value) for value in same}) == 1 and id_of(same[0]) is not None


def test_ids_that_look_alike_are_others() -> None:
    written = ["1", "01", "1.5", "1.0.0", "12e4", "007.0", "1e5", "100000", "Null", "none", "Nan", "Nat"]
    assert [id_of(text) for text in written] == written


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), None, "", " \t", {}, [], [1], True, {"name": "x"}, *sorted(NOTHING)]
)
def test_what_is_no_id_is_nobody(value: object, tmp_path: Path) -> None:
    rows = read(tmp_path, [{"id": f"k-{at}", "user_id": value} for at in range(2)])
    assert {row.user_id_kind for row in rows} == {"conversation_only"}
    assert rows[0].user_id != rows[1].user_id
    told = {change for row in rows for change in row.changes}
    blank = value is None or (isinstance(value, str) and not value.strip())
    assert told == (set() if blank else {"id unread"})


@pytest.mark.parametrize("value", [float("nan"), "undefined", "<NA>", {}])
def test_a_conversation_without_an_id_is_one_of_its_own(value: object, tmp_path: Path) -> None:
    asked = [[{"role": "user", "content": f"Question {at}?"}, TALK[1]] for at in range(3)]
    rows = read(tmp_path, [{"conversation_id": value, "user_id": "mira", "messages": talk} for talk in asked])
    assert len({row.conversation_id for row in rows}) == 3
    assert {row.user_id for row in rows} == {"mira"}


def test_the_next_field_speaks_where_one_holds_no_id() -> None:
    assert first_id([{"user_id": "None", "user": 7.0}], "user_id", "user") == "7"
    assert first_id([{"user_id": "nan"}, {"user_id": "ann"}], "user_id") == "ann"


def test_a_column_that_names_the_user_is_read_as_an_id(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    accounts: list[object] = [7.0, "7", float("nan"), "null"]
    log.write_text("".join(json.dumps({"messages": TALK, "meta": {"account": one}}) + "\n" for one in accounts))
    rows = [row for row in read_log(log, user_column="meta.account") if isinstance(row, Conversation)]
    assert [row.user_id_kind for row in rows] == ["real", "real", "conversation_only", "conversation_only"]
    assert rows[0].user_id == rows[1].user_id == "7"


@given(st.integers(-(2**53), 2**53))
def test_a_column_of_floats_names_the_users_of_one_of_integers(number: int) -> None:
    assert id_of(number) == id_of(float(number)) == id_of(str(number)) == id_of(str(float(number)))


@given(st.text(max_size=8) | st.floats() | st.integers() | st.booleans() | st.dictionaries(st.text(), st.text()))
def test_an_id_is_read_as_itself(value: object) -> None:
    found = id_of(value)
    assert found is None or (id_of(found) == found and found.strip() == found)
