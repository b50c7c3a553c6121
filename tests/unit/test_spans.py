"""Traces of MLflow and spans of OpenTelemetry, by the conventions that there are for what a model is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhi.collect.formats import read_log
from rlhi.collect.formats.marks import mark_in, marks_elsewhere
from rlhi.collect.formats.otlp import attributes, tree
from rlhi.contracts import Conversation, Quarantined, Signal

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
Row = dict[str, object]
UP, DOWN = Signal("thumbs", 1.0), Signal("thumbs", -1.0)


def fixture(name: str) -> list[Conversation]:
    return [row for row in read_log(LOGS / name) if isinstance(row, Conversation)]


def read(folder: Path, *rows: object) -> list[Conversation | Quarantined]:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_log(path))


def span(**fields: object) -> Row:
    return {"traceId": "t", "spanId": "s", "startTimeUnixNano": "1780000000000000000", "attributes": fields}


def said(row: Conversation | Quarantined) -> list[str]:
    assert isinstance(row, Conversation), row
    return [turn.content for turn in row.turns]


def test_a_trace_of_genai_spans() -> None:
    [row] = fixture("otel.json")
    assert said(row) == ["Be brief.", "What is a ria?", "A drowned valley."]
    assert (row.conversation_id, row.user_id, row.model, row.source) == ("conv-1", "ines", "red", "otel")
    assert row.created_at == "2026-05-28T20:26:40.100000Z"
    assert row.turns[-1].thought == "A valley."
    assert row.turns[-1].signals == (Signal("thumbs", 1.0, "just so"),)


def test_openinference() -> None:
    [row] = fixture("openinference.jsonl")
    assert said(row) == ["Be brief.", "What is a spit?", "A bar of sand."]
    assert (row.conversation_id, row.user_id, row.model) == ("ph-1", "olaf", "blue")
    assert row.created_at == "2026-05-28T20:26:40Z"


def parts(role: str, text: str) -> Row:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


ASKED, TOLD = [parts("user", "Name a cape.")], [parts("assistant", "Cape Wrath."), parts("assistant", "Another.")]
PLAIN = [{"role": "user", "content": "Name a cape."}]


@pytest.mark.parametrize(
    "row",
    [
        span(**{"gen_ai.input.messages": json.dumps(ASKED), "gen_ai.output.messages": json.dumps(TOLD)}),
        span(**{"gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD}),
        span(gen_ai={"input": {"messages": ASKED}, "output": {"messages": TOLD}}),
        {**span(), "events": [{"name": "gen_ai.client.inference.operation.details",
                               "attributes": {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD}}]},
        {**span(), "events": [{"name": "gen_ai.user.message", "attributes": {"content": "Name a cape."}},
                              {"name": "gen_ai.choice", "attributes": {"message": '{"content": "Cape Wrath."}'}}]},
        {**span(), "events": [{"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": json.dumps(PLAIN)}},
                              {"name": "gen_ai.content.completion", "attributes": {
                                  "gen_ai.completion": '[{"role": "assistant", "content": "Cape Wrath."}]'}}]},
        span(**{"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Name a cape.",
                "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "Cape Wrath."}),
        span(**{"llm.input_messages": [{"message.role": "user", "message.content": "Name a cape."}],
                "llm.output_messages": [{"message.role": "assistant", "message.content": "Cape Wrath."}]}),
        span(**{"openinference.span.kind": "CHAIN", "input.value": '{"question": "Name a cape."}',
                "output.value": "Cape Wrath."}),
        span(**{"ai.prompt.messages": json.dumps(PLAIN), "ai.response.text": "Cape Wrath."}),
        span(**{"traceloop.entity.input": '{"inputs": {"query": "Name a cape."}}',
                "traceloop.entity.output": '{"output": "Cape Wrath."}'}),
        {"context.trace_id": "t", "context.span_id": "s", "start_time": "2026-05-28T20:26:40Z",
         "attributes.llm.input_messages": [{"message.role": "user", "message.content": "Name a cape."}],
         "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": "Cape Wrath."}]},
    ],
)  # fmt: skip
def test_an_exchange_by_every_convention(row: Row, tmp_path: Path) -> None:
    [found] = read(tmp_path, row)
    assert said(found) == ["Name a cape.", "Cape Wrath."]


@pytest.mark.parametrize("user", ["user.id", "enduser.id", "langfuse.user.id", "metadata.user_id"])
@pytest.mark.parametrize(
    "session", ["session.id", "gen_ai.conversation.id", "traceloop.association.properties.session_id"]
)
def test_users_and_sessions_stand_in_any_span_of_a_trace(user: str, session: str, tmp_path: Path) -> None:
    talk = span(**{"gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD})
    root = {**span(**{user: "ines", session: "s-1", "input.value": "x"}), "spanId": "r"}
    held = [{"key": name, "value": {"stringValue": json.dumps(value)}} for name, value in talk["attributes"].items()]  # type: ignore[attr-defined]
    batch = {"resourceSpans": [{"scopeSpans": [{"spans": [{**talk, "attributes": held, "parentSpanId": "r"}]},
                                               {"spans": [root]}]}]}  # fmt: skip
    [row] = read(tmp_path, batch)
    assert isinstance(row, Conversation)
    assert (row.user_id, row.conversation_id, said(row)) == ("ines", "s-1", ["Name a cape.", "Cape Wrath."])


def test_the_span_with_more_history_speaks_and_of_equals_the_outermost(tmp_path: Path) -> None:
    agent = {**span(**{"input.value": "Name a cape.", "output.value": "Wrath, say."}), "spanId": "1"}
    call = {
        **span(**{"gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD}),
        "spanId": "2",
        "parentSpanId": "1",
    }
    [outer] = read(tmp_path, {"resourceSpans": [{"scopeSpans": [{"spans": [call, agent]}]}]})
    assert said(outer) == ["Name a cape.", "Wrath, say."]
    history = [*ASKED, TOLD[0], parts("user", "Another.")]
    more = {**call, "attributes": {"gen_ai.input.messages": history, "gen_ai.output.messages": TOLD[1:]}}
    [inner] = read(tmp_path, {"resourceSpans": [{"scopeSpans": [{"spans": [more, agent]}]}]})
    assert len(said(inner)) == 4


def test_other_spans_are_no_conversations(tmp_path: Path) -> None:
    talk = span(**{"gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD})
    tool = span(**{"openinference.span.kind": "TOOL", "input.value": "x", "output.value": "y"})
    row, refused = read(tmp_path, talk, tool)
    assert isinstance(row, Conversation) and isinstance(refused, Quarantined)
    assert "no messages in it: instrumentations keep them only" in refused.reason
    [batch] = read(tmp_path, {"resourceSpans": [{"scopeSpans": [{"spans": [span(**{"http.route": "/chat"})]}]}]})
    assert isinstance(batch, Quarantined) and "no messages in it" in batch.reason


def test_pages_of_an_api(tmp_path: Path) -> None:
    talks = [
        {**span(**{"gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD}), "spanId": f"{at}"} for at in "ab"
    ]
    trace = json.loads((LOGS / "mlflow.jsonl").read_text().splitlines()[1])
    rows = read(tmp_path, {"data": talks, "next_cursor": None}, {"traces": [trace, trace], "next_page_token": ""})
    assert [len(said(row)) for row in rows] == [2, 2, 2, 2]
    session: Row = {"id": "s", "createdAt": "2026-05-01", "traces": [{"input": "Name a cape.", "output": "Wrath."}]}
    [langfuse] = read(tmp_path, session)
    assert isinstance(langfuse, Conversation) and langfuse.source == "langfuse"


def test_annotations_and_evaluations_in_rows_of_their_own(tmp_path: Path) -> None:
    note = {"id": "x", "span_id": "s-9", "name": "user feedback", "annotator_kind": "HUMAN", "source": "API",
            "result": {"label": "thumbs-up", "score": 1, "explanation": "just so"}}  # fmt: skip
    flat = {"span_id": "s-9", "name": "user_feedback", "annotator_kind": "HUMAN", "label": None, "score": 0.0}
    judged = {**note, "annotator_kind": "LLM"}
    event = {"eventName": "gen_ai.evaluation.result", "traceId": "t-9", "spanId": "s-9", "attributes": attributes([
        {"key": "gen_ai.evaluation.name", "value": {"stringValue": "user_feedback"}},
        {"key": "gen_ai.evaluation.score.value", "value": {"intValue": "-1"}}])}  # fmt: skip
    marks = [mark_in(one) for one in (note, flat, judged, event)]
    assert [mark and mark.of for mark in marks] == ["s-9"] * 4
    assert [mark.signals for mark in marks if mark] == [(Signal("thumbs", 1.0, "just so"),), (DOWN,), (), (DOWN,)]
    logged = {"resourceLogs": [{"scopeLogs": [{"logRecords": [event]}]}]}
    with marks_elsewhere({"s-9": [UP]}):
        rows = read(tmp_path, json.loads((LOGS / "openinference.jsonl").read_text()), logged)
    assert [one.turns[-1].signals for one in rows if isinstance(one, Conversation)] == [(UP,)]


def test_mlflow_in_both_shapes() -> None:
    first, second = fixture("mlflow.jsonl")
    assert said(first) == ["What is a tarn?", "A mountain lake."]
    assert said(second) == ["Shorter, please.", "A lake."]
    assert {(row.conversation_id, row.user_id, row.source) for row in (first, second)} == {("se-1", "sven", "mlflow")}
    assert (first.created_at, second.created_at) == ("2026-05-28T20:26:40Z", "2026-05-28T20:27:40Z")
    assert first.turns[-1].signals == (Signal("thumbs", -1.0, "too long"), Signal("stars", -0.5))
    assert second.model == "red"


def test_mlflow_of_two_and_as_text(tmp_path: Path) -> None:
    asked = json.dumps({"messages": PLAIN})
    old: Row = {
        "request_id": "r", "timestamp_ms": 1780000000000, "status": "OK", "request": asked,
        "response": '"Cape \\"Wrath\\"."', "request_metadata": json.dumps({"mlflow.trace.user": "ines"}),
        "tags": [{"key": "session_id", "value": "s"}],
    }  # fmt: skip
    bare = {"info": {"trace_id": "b", "trace_metadata": {}}, "data": {"spans": []}}
    row, refused = read(tmp_path, old, bare)
    assert isinstance(row, Conversation) and isinstance(refused, Quarantined)
    assert (row.user_id, row.conversation_id) == ("ines", "s")
    assert said(row) == ["Name a cape.", 'Cape "Wrath".']
    assert "neither the trace's request and response nor a model's call" in refused.reason


def test_attributes_and_their_tree() -> None:
    half = {"kvlistValue": {"values": [{"key": "e", "value": {"doubleValue": 0.5}}]}}
    true = {"arrayValue": {"values": [{"boolValue": True}]}}
    given = [{"key": name, "value": one} for name, one in (("a.b", {"intValue": "7"}), ("c", true), ("d", half))]
    assert attributes(given) == {"a.b": 7, "c": [True], "d": {"e": 0.5}}
    assert tree({"a.b": 7, "a": "text", "x.1.y": 2, "x.0.y": 1, "x.10.y": 3}) == {
        "a": {"b": 7},
        "x": [{"y": 1}, {"y": 2}, {"y": 3}],
    }
    assert tree({"a." * 400: 1})
