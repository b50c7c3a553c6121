"""MLflow's traces (3.x, and 2.x's ``request_id``): as ``to_dict`` writes them, as a table of ``search_traces``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from rlhi.collect.formats.fields import Row, at, first_moment, first_text, loaded, mapping, rows_in, text
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.marks import FROM_USER, marked_elsewhere, score
from rlhi.collect.formats.requests import grown
from rlhi.collect.formats.steps import spoken_in
from rlhi.contracts import Conversation, Signal

METADATA = ("trace_metadata", "request_metadata")
USERS = ("mlflow.trace.user", "user_id", "userId", "user")
SESSIONS = ("mlflow.trace.session", "session_id", "sessionId", "conversation_id", "thread_id")
CALLS = frozenset({"CHAT_MODEL", "LLM", "AGENT", "CHAIN"})
UNKNOWN = frozenset({"", "default", "unknown"})


def is_mlflow(row: Row) -> bool:
    """A trace's ``info`` and ``data``, or their columns."""
    if "info" in row and "data" in row:
        info = mapping(row, "info")
        return "trace_id" in info or "request_id" in info
    return any(name in row for name in METADATA) and ("request" in row or "spans" in row)


def mlflow(row: Row) -> Conversation:
    """The exchange of a trace, or the history of the model's call in it that has more; those of a session are one.

    Raises:
        ValueError: neither reads as a conversation.
    """
    info = mapping(row, "info") or row
    data = mapping(row, "data") or row
    about = [*(mapping(info, name) for name in METADATA), mapping(info, "tags")]
    spans = rows_in(data.get("spans")) or []
    whole = {"input": _unquoted(data.get("request")), "output": _unquoted(data.get("response"))}
    steps = [whole, *(_step(one) for one in _calls(spans))]
    found = [one for step in steps if (one := spoken_in(step))]
    if not found:
        raise ValueError("neither the trace's request and response nor a model's call read as a conversation")
    said, history = max(found, key=lambda one: sum(turn.role == "user" for turn in one[0].turns))
    user = next((name for part in about for path in USERS if (name := at(part, path))), None)
    session = next((name for part in about for path in SESSIONS if (name := at(part, path))), None)
    trace = first_id([info], "trace_id", "request_id")
    last = said.turns[-1]
    if last.role == "assistant":
        marks = dict.fromkeys((*_marks(info, user), *marked_elsewhere(trace)))
        said = replace(said, turns=(*said.turns[:-1], replace(last, signals=tuple(marks) or last.signals)))
    bodies = [one for one in (whole["output"], whole["input"]) if isinstance(one, Mapping)]
    return grown(
        "mlflow",
        said,
        session=session or (None if history else trace),
        user=user,
        created_at=first_moment([info], "request_time", "timestamp_ms", "timestamp"),
        model=first_text(bodies, "model"),
        complete=last.role == "assistant",
    )


def _calls(spans: list[Row]) -> list[Row]:
    """The root of a trace, and its calls of models."""
    return [
        one
        for one in spans
        if not (text(one, "parent_span_id") or text(one, "parent_id"))
        or str(_attribute(one, "mlflow.spanType")) in CALLS
    ]


def _step(span: Row) -> Row:
    inputs, outputs = _attribute(span, "mlflow.spanInputs"), _attribute(span, "mlflow.spanOutputs")
    return {"input": inputs or span.get("inputs"), "output": outputs or span.get("outputs")}


def _attribute(span: Row, name: str) -> object:
    return _unquoted(mapping(span, "attributes").get(name))


def _unquoted(value: object) -> object:
    """What JSON text holds, as MLflow writes all values: text stands in quotes."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        [value] = cast("list[object]", found) if isinstance(found := loaded(f"[{value}]"), list) else [value]
    return loaded(value)


def _marks(info: Row, user: str | None) -> tuple[Signal, ...]:
    """What a person found who is the user, or whose mark says that it is the user's."""
    found: list[Signal] = []
    for one in rows_in(info.get("assessments")) or []:
        name, source = first_text([one], "assessment_name", "name") or "", mapping(one, "source")
        feedback = mapping(one, "feedback")
        if text(source, "source_type") != "HUMAN" or "value" not in feedback or one.get("valid") is False:
            continue
        who = text(source, "source_id") or ""
        if FROM_USER.search(name) or who == user or user is None or who in UNKNOWN:
            found.extend(score(name, feedback["value"], text(one, "rationale") or ""))
    return tuple(found)
