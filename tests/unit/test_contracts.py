"""Every row type comes back from parquet and JSON as it was written."""

from __future__ import annotations

import io
import json
import types
from dataclasses import fields, is_dataclass
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi import contracts
from rlhi.contracts import (
    SCHEMA_VERSION,
    Conversation,
    FeedbackTurn,
    Message,
    Persona,
    Quarantined,
    content_key,
    from_record,
    schema_of,
    to_record,
)

ROW_TYPES = sorted(
    (kind for kind in vars(contracts).values() if isinstance(kind, type) and is_dataclass(kind)),
    key=lambda kind: kind.__name__,
)


def values(hint: object) -> st.SearchStrategy[object]:
    """Values of a field's type, within what its column can hold."""
    plain: dict[object, st.SearchStrategy[object]] = {
        str: st.text(),
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False),
        bool: st.booleans(),
        type(None): st.none(),
    }
    if hint in plain:
        return plain[hint]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of(*map(values, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=3).map(tuple)
    assert isinstance(hint, type) and is_dataclass(hint), f"a row field of an unforeseen type: {hint!r}"
    return rows(hint)


def rows(kind: type) -> st.SearchStrategy[object]:
    """Rows of a type."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(kind)})


def test_the_contracts_that_the_design_names_are_there() -> None:
    named = "Turn Conversation FeedbackTurn Persona Rewrite Candidate PreferencePair EvalResult GateDecision"
    assert {*named.split(), "Quarantined"} <= {kind.__name__ for kind in ROW_TYPES}


@pytest.mark.parametrize("kind", ROW_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_round_trip_through_parquet(kind: type, data: st.DataObject) -> None:
    written = data.draw(st.lists(rows(kind), max_size=4))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([to_record(row) for row in written], schema=schema_of(kind)), sink)
    table = pq.read_table(io.BytesIO(sink.getvalue()))
    assert [from_record(kind, record) for record in table.to_pylist()] == written
    assert table.schema.metadata[b"rlhi.row"].decode() == kind.__name__
    assert table.schema.metadata[b"rlhi.schema_version"].decode() == str(SCHEMA_VERSION)


@pytest.mark.parametrize("kind", ROW_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_round_trip_through_json(kind: type, data: st.DataObject) -> None:
    row = data.draw(rows(kind))
    assert from_record(kind, json.loads(json.dumps(to_record(row)))) == row


@pytest.mark.parametrize("kind", ROW_TYPES, ids=lambda kind: kind.__name__)
def test_only_optional_fields_may_be_null(kind: type) -> None:
    hints = get_type_hints(kind)
    optional = {name for name, hint in hints.items() if type(None) in get_args(hint)}
    assert {column.name for column in schema_of(kind) if column.nullable} == optional


RECORD = {"key": "k", "conversation_id": "c", "user_id": "u", "turn_index": 2, "label": "other", "probability": 0.5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "grumpy"}, "label"),
        ({"turn_index": "two"}, "turn_index"),
        ({"turn_index": True}, "turn_index"),
        ({"turn_index": 2.0}, "turn_index"),
        ({"probability": None}, "probability"),
        ({"user_id": 7}, "user_id"),
        ({"mood": "x"}, "mood"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], said: str) -> None:
    assert from_record(FeedbackTurn, RECORD).turn_index == 2
    with pytest.raises(ValueError, match=said):
        from_record(FeedbackTurn, {**RECORD, **change})


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match="probability"):
        from_record(FeedbackTurn, {name: value for name, value in RECORD.items() if name != "probability"})


def test_a_wrong_field_within_a_list_is_named_with_its_place() -> None:
    talk = to_record(Conversation("c", "u", "real", None, None, None, (), "log"))
    turns = [{"role": "user", "content": "hello"}, {"role": "boss", "content": "hello"}]
    with pytest.raises(ValueError, match=r"'boss' - at `\$\.turns\[1\]\.role`, not one of system, user, assistant"):
        from_record(Conversation, {**talk, "turns": turns})
    with pytest.raises(ValueError, match=r"turns\[0\]\.mood"):
        from_record(Conversation, {**talk, "turns": [{**turns[0], "mood": "glum"}]})


def test_an_integer_may_stand_for_a_float() -> None:
    made = from_record(FeedbackTurn, {**RECORD, "probability": 1})
    assert made.probability == 1.0 and isinstance(made.probability, float)


@given(st.lists(st.one_of(st.text(), st.integers(), st.booleans(), st.none()), max_size=4))
def test_a_key_hangs_on_values_types_and_order(parts: list[object]) -> None:
    key = content_key(*parts)
    assert len(key) == 16 and int(key, 16) >= 0
    assert content_key(*parts) == key
    assert content_key(*parts, "") != key
    assert content_key(parts) != key
    if parts != parts[::-1]:
        assert content_key(*parts[::-1]) != key


def test_a_key_stays_what_it_is() -> None:
    # Keys lie in workspaces: another hash would make every row again.
    assert content_key("a", 1, [Message("user", "hé")], {"b": None, "a": True}) == "70b40de7adc21cdf"


def test_a_key_takes_broken_unicode_and_refuses_what_has_no_fixed_text() -> None:
    assert content_key("\ud800") != content_key("\udfff")
    with pytest.raises(TypeError, match="bytes|set"):
        content_key({1, 2})


def test_a_user_without_an_id_has_no_history() -> None:
    talks = [Conversation("c", "u", kind, None, None, None, (), "log") for kind in get_args(contracts.UserKind)]
    assert [talk.user_id_kind for talk in talks if talk.has_user] == ["real"]
    assert len(talks) == 3


def test_rows_cannot_be_changed() -> None:
    for row in (Persona("k", "u", "v", "t", (), 1), Quarantined("f", 1, "r", "")):
        with pytest.raises(AttributeError):
            setattr(row, fields(row)[0].name, "other")
