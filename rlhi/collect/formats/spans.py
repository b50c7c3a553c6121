"""Spans of OpenTelemetry with what a model was told: by the GenAI conventions, by OpenInference, and by their like.

Written after GenAI semantic conventions 1.37 and later (messages in attributes, or in events of the same names) and
1.27 to 1.36 (an event a message), and OpenInference 0.1 (messages in flattened attributes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rlhi.collect.formats.fields import Row, at, first_moment, first_text, mapping, rows_in, text
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.marks import EVALUATION, evaluated, marked_elsewhere
from rlhi.collect.formats.otlp import attributes, tree
from rlhi.collect.formats.requests import grown
from rlhi.collect.formats.steps import spoken_in
from rlhi.collect.formats.turns import Dialogue, messages_in, turns_of
from rlhi.contracts import Conversation, Signal
from rlhi.contracts.thoughts import Parted

TRACE, SPAN, PARENT = ("traceId", "trace_id"), ("spanId", "span_id"), ("parentSpanId", "parent_span_id", "parent_id")
SESSIONS = (
    "gen_ai.conversation.id", "session.id", "langfuse.session.id", "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.sessionId", "metadata.session_id", "metadata.conversation_id", "metadata.thread_id",
)  # fmt: skip
USERS = (
    "user.id", "enduser.id", "langfuse.user.id", "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId", "metadata.user_id",
)  # fmt: skip
MODELS = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "ai.model.id")
BEGAN = ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "timeUnixNano", "timestamp")
OTHERS = frozenset({"embeddings", "execute_tool", "create_agent", "TOOL", "RETRIEVER", "EMBEDDING", "RERANKER",
                    "GUARDRAIL", "EVALUATOR"})  # fmt: skip


def is_spans(row: Row) -> bool:
    """A span with its attributes, a trace of some, or a batch of which none speaks of a model."""
    if "attributes" in row:
        return first_text([row], "eventName", "name") != EVALUATION and any(
            name in row for name in (*TRACE, *SPAN, "context")
        )
    return "resourceSpans" in row or ("spans" in row and isinstance(row["spans"], list))


def spans(row: Row) -> Conversation:
    """Of a trace the span that has most of the history, of equal ones the outermost; a span by itself.

    Raises:
        ValueError: no span holds messages.
    """
    steps = [_opened(one) for one in rows_in(row.get("spans")) or [row]]
    depths = _depths(steps)
    found = [
        (
            sum(turn.role == "user" for turn in said.turns),
            said.turns[-1].role == "assistant",
            -depth,
            -at,
            said,
            history,
        )
        for at, (step, depth) in enumerate(zip(steps, depths, strict=True))
        if (spoken := _spoken(step)) and (said := spoken[0]) and (history := spoken[1]) is not None
    ]
    if not found:
        raise ValueError("no messages in it: instrumentations keep them only where they are told to capture content")
    *_, place, said, history = max(found, key=lambda one: one[:4])
    kept = steps[-place]
    held = [mapping(kept, "attributes"), *(mapping(one, "attributes") for one in steps)]
    trace = first_id(steps, *TRACE)
    session = next((one for name in SESSIONS for part in held if (one := at(part, name))), None)
    return grown(
        "otel",
        _marked(said, steps, kept, trace),
        session=session or (None if history else trace),
        user=next((one for name in USERS for part in held if (one := at(part, name))), None),
        created_at=first_moment([kept, *steps], *BEGAN),
        model=next((one for name in MODELS for part in held if (one := at(part, name))), None),
        complete=said.turns[-1].role == "assistant",
    )


def _opened(span: Row) -> Row:
    """A span with its attributes nested and its ids beside them, whichever exporter wrote it."""
    return {**mapping(span, "context"), **span, "attributes": tree(attributes(span.get("attributes")))}


def _depths(steps: Sequence[Row]) -> list[int]:
    """How many spans stand around each."""
    by_id = {name: one for one in steps if (name := first_id([one], *SPAN))}
    found = []
    for step in steps:
        seen: set[str] = set()
        above = first_id([step], *PARENT)
        while above in by_id and above not in seen:
            seen.add(above)
            above = first_id([by_id[above]], *PARENT)
        found.append(len(seen))
    return found


def _spoken(step: Row) -> tuple[Dialogue, bool] | None:
    own = mapping(step, "attributes")
    model = mapping(own, "gen_ai")
    kind = {text(mapping(model, "operation"), "name"), text(mapping(mapping(own, "openinference"), "span"), "kind")}
    if kind & OTHERS:
        return None
    events = [
        {**tree(attributes(one.get("attributes"))), "name": one.get("name")}
        for one in rows_in(step.get("events")) or []
    ]
    for asked, answered in (
        *(_gen_ai(mapping(one, "gen_ai")) for one in (own, *events)),
        _by_event(events),
        _flat(own),
    ):
        if asked:
            said = turns_of(asked).answered(_answer(answered))
            return (said, True) if any(turn.role == "user" for turn in said.turns) else None
    inputs = mapping(own, "input").get("value") or mapping(mapping(own, "traceloop"), "entity").get("input")
    outputs = mapping(own, "output").get("value") or mapping(mapping(own, "traceloop"), "entity").get("output")
    return spoken_in({"input": inputs, "output": outputs}) if inputs else None


Exchange = tuple[list[object], list[object]]


def _gen_ai(model: Row) -> Exchange:
    """Messages in ``gen_ai.input.messages`` and ``gen_ai.output.messages``, of a span or of an event."""
    asked = messages_in(mapping(model, "input").get("messages")) or []
    system = messages_in(model.get("system_instructions"))
    lead: list[object] = [{"role": "system", "content": system}] if system and asked else []
    return [*lead, *asked], messages_in(mapping(model, "output").get("messages")) or []


def _by_event(events: Sequence[Row]) -> Exchange:
    """An event a message: ``gen_ai.user.message`` and ``gen_ai.choice``, or the whole prompt in one."""
    asked: list[object] = []
    answered: list[object] = []
    for one in events:
        name, model = text(one, "name") or "", mapping(one, "gen_ai")
        body = {**one, **mapping(mapping(model, "event"), "content")}
        if name == "gen_ai.choice":
            answered.append(
                {
                    "role": "assistant",
                    **(mapping(body, "message") or {"content": body.get("content") or body.get("message")}),
                }
            )
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            asked.append({"role": text(body, "role") or name.split(".")[1], "content": body.get("content")})
        elif name == "gen_ai.content.prompt":
            asked += messages_in(model.get("prompt")) or []
        elif name == "gen_ai.content.completion":
            answered += messages_in(model.get("completion")) or []
    return asked, answered


def _flat(own: Row) -> Exchange:
    """OpenInference's messages, OpenLLMetry's, and those of Vercel's AI SDK."""
    llm, model, ai = mapping(own, "llm"), mapping(own, "gen_ai"), mapping(own, "ai")
    if asked := _inner(llm.get("input_messages")):
        return asked, _inner(llm.get("output_messages"))
    if asked := messages_in(model.get("prompt")) or []:
        return asked, messages_in(model.get("completion")) or []
    prompt = mapping(ai, "prompt")
    said = text(mapping(ai, "response"), "text")
    return messages_in(prompt.get("messages")) or [], [{"role": "assistant", "content": said}] if said else []


def _inner(value: object) -> list[object]:
    """``[{"message": {"role": ..., "contents": [{"message_content": ...}]}}]`` as plain messages."""
    found: list[object] = []
    for one in messages_in(value) or []:
        one = tree(one) if isinstance(one, Mapping) else {}
        message = mapping(one, "message") or one
        parts = [mapping(part, "message_content") or part for part in rows_in(message.get("contents")) or []]
        found.append({**message, "content": parts} if parts else message)
    return found


def _answer(messages: Sequence[object]) -> Parted | None:
    """Of several answers to one request the first."""
    first = messages[0] if messages else None
    said = turns_of([{"role": "assistant", **first}] if isinstance(first, Mapping) else []).turns
    return Parted(said[-1].thought, said[-1].content) if said and said[-1].has_text else None


def _marked(said: Dialogue, steps: Sequence[Row], kept: Row, trace: str | None) -> Dialogue:
    """With what users found: in events of the trace, in annotations of the span, in rows of their own."""
    last = said.turns[-1]
    if last.role != "assistant":
        return said
    marks: list[Signal] = [
        signal for step in steps for one in rows_in(step.get("events")) or [] for signal in evaluated(one)
    ]
    ids = dict.fromkeys([trace, *(first_id([one], *SPAN) for one in steps)])
    marks += marked_elsewhere(*ids)
    return replace(said, turns=(*said.turns[:-1], replace(last, signals=tuple(dict.fromkeys(marks)) or last.signals)))
