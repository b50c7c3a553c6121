"""Marks of users among scores, wherever a tracer keeps these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhi.collect.formats import read_log
from rlhi.collect.formats.marks import mark_in, marked_elsewhere, marks_elsewhere, score, score_columns
from rlhi.contracts import Conversation, Signal

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
UP, DOWN = Signal("thumbs", 1.0), Signal("thumbs", -1.0)


def test_a_column_for_each_score() -> None:
    bran, spelt = read_log(LOGS / "langfuse_table.json")
    assert isinstance(bran, Conversation) and isinstance(spelt, Conversation)
    assert bran.turns[-1].signals == (UP,)
    assert spelt.turns[-1].signals == (DOWN, Signal("stars", -0.5))


@pytest.mark.parametrize(
    ("column", "signals"),
    [
        ({"user-feedback": [1, 1]}, (UP,)),
        ({"user-feedback": ["up"], "stars": ["4"]}, (UP, Signal("stars", 0.5))),
        ({"scores": {"user_feedback": [-1]}}, (DOWN,)),
        (
            {"scores": {"user_feedback-API-NUMERIC": {"values": [0], "comment": "wrong"}}},
            (Signal("thumbs", -1.0, "wrong"),),
        ),
        ({"thumb": {"value": True}}, (UP,)),
        ({"user-feedback": []}, ()),
        ({"userId": ["u1"], "user_id": [1], "userMetadata": [1], "userAgent": [1], "user": [1]}, ()),
        ({"user-feedback": [0.5], "hallucination": [1], "user_stars": [9]}, ()),
    ],
)
def test_columns_that_are_users_scores(column: dict[str, object], signals: tuple[Signal, ...]) -> None:
    assert score_columns(column) == signals


def test_a_score_without_a_known_scale_is_none() -> None:
    assert [score("feedback", value) for value in (0.7, 5, None, "meh")] == [()] * 4
    assert score("feedback", "-1") == (DOWN,)


def test_scores_in_rows_of_their_own() -> None:
    blob = {"id": "s", "trace_id": "t", "observation_id": None, "name": "user-feedback", "value": -1, "source": "API",
            "data_type": "NUMERIC", "comment": "too short", "string_value": None}  # fmt: skip
    found = mark_in(blob)
    assert found is not None and (found.of, found.signals) == ("t", (Signal("thumbs", -1.0, "too short"),))
    named = mark_in({**blob, "observation_id": "o", "value": None, "data_type": "CATEGORICAL", "string_value": "up"})
    assert named is not None and (named.of, named.signals) == ("o", (Signal("thumbs", 1.0, "too short"),))
    judged = mark_in({"traceId": "t", "name": "user-feedback", "value": 1, "dataType": "NUMERIC", "source": "EVAL"})
    assert judged is not None and judged.signals == ()
    assert mark_in({**blob, "trace_id": None}) is None
    assert mark_in({"name": "a", "value": 1}) is None


def test_a_row_asks_for_the_marks_of_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    asked = {"input": "What is whey?", "output": "Milk serum."}
    rows = [{"id": "t", **asked, "userId": "vera", "sessionId": None},
            {"id": "o", "traceId": "t2", "type": "GENERATION", **asked}]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with marks_elsewhere({"t": [UP], "o": [DOWN], "t2": [DOWN]}) as ids:
        trace, step = read_log(path)
    assert isinstance(trace, Conversation) and isinstance(step, Conversation)
    assert (trace.turns[-1].signals, step.turns[-1].signals) == ((UP,), (DOWN,))
    assert ids == {"t", "o", "t2"}
    assert marked_elsewhere("t") == ()
