"""Langfuse's exports: traces, generations (camelCase or snake_case, JSON or JSON text), and whole sessions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rlhi.collect.formats.fields import (
    DEPTH,
    Row,
    first_moment,
    first_text,
    loaded,
    mapping,
    number,
    rows_in,
    text,
)
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.requests import grown
from rlhi.collect.formats.signals import Scale, marked
from rlhi.collect.formats.turns import Dialogue, messages_in, reply, turns_of
from rlhi.contracts import Conversation, Signal
from rlhi.contracts.thoughts import Parted, parted

CONTEXT = ("traceId", "trace_id", "sessionId", "session_id", "userId", "user_id", "observations", "projectId",
           "project_id", "htmlPath")  # fmt: skip
SESSION, USER, MODEL = ("sessionId", "session_id"), ("userId", "user_id"), ("model", "provided_model_name")
BEGAN = ("timestamp", "startTime", "start_time", "createdAt", "created_at")
# Where an application's input keeps what the user said, when it is no list of messages.
QUESTIONS = ("messages", "input", "question", "query", "prompt", "message", "text", "content", "kwargs", "args")
# Scores have free names. Judges and reviewers score too: only a score that says so is the user's.
FROM_USER = re.compile("user|feedback|thumb|star", re.IGNORECASE)
ON_STARS = re.compile("star|rating", re.IGNORECASE)


def is_langfuse(row: Row) -> bool:
    """A trace or an observation (``input`` and ``output`` with what only traces have), or a session's ``traces``."""
    if isinstance(row.get("traces"), list) or (isinstance(row.get("trace"), Mapping) and "observations" in row):
        return True
    return "input" in row and "output" in row and any(name in row for name in CONTEXT)


def langfuse(row: Row) -> Conversation:
    """A trace, a generation or a session.

    A trace whose input is one question and no history is the next exchange of its session.
    """
    if isinstance(row.get("traces"), list):
        return _session(row)
    kind = text(row, "type")
    if kind not in (None, "GENERATION"):
        raise ValueError(f"a {kind[:40]} holds no conversation: export traces or generations")
    said, history = _dialogue(row)
    about = _about(row)
    session = first_id(about, *SESSION)
    if session is None and not history:  # nothing repeats it: it is a conversation of its own
        session = first_id(about, "traceId", "trace_id", "id")
    return grown(
        "langfuse",
        said,
        session=session,
        user=first_id(about, *USER),
        created_at=first_moment(about, *BEGAN),
        model=first_text([row, *_generations(row)], *MODEL),
        complete=next(turn.role for turn in reversed(said.turns) if turn.speaks) == "assistant",
    )


def _session(row: Row) -> Conversation:
    """The traces of a session in the order of time, each the next exchange or the whole history up to it."""
    traces = sorted(rows_in(row.get("traces")) or [], key=lambda trace: first_moment([trace], *BEGAN) or "")
    said = Dialogue(())
    for trace in traces:
        try:
            said = _continued(said, _dialogue(trace)[0])
        except ValueError:  # a step that is no talk: the session may still have others
            continue
    about = [row, *traces]
    return conversation(
        "langfuse",
        said,
        conversation_id=first_id([row], "id", *SESSION),
        user_id=first_id(about, *USER),
        created_at=first_moment(traces, *BEGAN),
        model=first_text([found for trace in traces for found in (trace, *_generations(trace))], *MODEL),
    )


def _continued(before: Dialogue, more: Dialogue) -> Dialogue:
    """What stood and what is new: a history that begins with it goes on from there, else the last exchange is added."""
    said = [(turn.role, turn.content) for turn in more.turns]
    if said[: len(before.turns)] == [(turn.role, turn.content) for turn in before.turns]:
        return replace(more, turns=(*before.turns, *more.turns[len(before.turns) :]))
    last = max((at for at, turn in enumerate(more.turns) if turn.role == "user"), default=0)
    return Dialogue((*before.turns, *more.turns[last:]), before.unread + more.unread)


def _dialogue(row: Row) -> tuple[Dialogue, bool]:
    """The turns of a trace and whether they are a history: its own, or those of the generation that has more of it.

    Raises:
        ValueError: neither reads as a conversation.
    """
    trace = _trace(row)
    found = [spoken for step in (trace, *_generations(row)) if (spoken := _spoken(step))]
    if not found:
        raise ValueError("neither the trace's input and output nor a generation's read as a conversation")
    said, history = max(found, key=lambda spoken: sum(turn.role == "user" for turn in spoken[0].turns))
    last = said.turns[-1]
    if last.role == "assistant":
        signals = _scores([*(rows_in(row.get("scores")) or []), *(rows_in(trace.get("scores")) or [])])
        said = replace(said, turns=(*said.turns[:-1], replace(last, signals=signals or last.signals)))
    return said, history


def _spoken(step: Row) -> tuple[Dialogue, bool] | None:
    """The turns of one step's input and output, None where they are no conversation."""
    output = loaded(step.get("output"))
    whole = messages_in(output.get("messages")) if isinstance(output, Mapping) else None
    messages, history = whole or _asked(step.get("input")), True
    if isinstance(messages, str):
        messages, history = [{"role": "user", "content": messages}], False
    try:
        said = turns_of(messages or []).answered(None if whole else reply(output) or _plain(step.get("output")))
    except ValueError:
        return None
    return (said, history) if any(turn.role == "user" for turn in said.turns) else None


def _asked(value: object, depth: int = DEPTH) -> list[object] | str | None:
    """A list of messages, or the text of a question, in whichever wrapping an application passes it."""
    value = loaded(value)
    if isinstance(value, str):
        return value if value.strip() else None
    if depth == 0:
        return None
    if isinstance(value, list):
        messages = messages_in(value)
        if messages and any("role" in one or "from" in one for one in messages if isinstance(one, Mapping)):
            return messages
        return _asked(value[0], depth - 1) if len(value) == 1 else None
    if isinstance(value, Mapping):
        if "role" in value and "content" in value:
            return [value]
        return next((found for name in QUESTIONS if (found := _asked(value.get(name), depth - 1))), None)
    return None


def _plain(output: object) -> Parted | None:
    """An answer that is JSON by design, and so has none of the wrappings of a message."""
    return parted(output) if isinstance(output, str) and output.strip() else None


def _scores(scores: Sequence[Row]) -> tuple[Signal, ...]:
    """The user's own marks among the scores of a trace."""
    found: list[Signal] = []
    for score in scores:
        name, source = text(score, "name") or "", text(score, "source") or "API"
        if source != "API" or not FROM_USER.search(name):
            continue
        value: object = number(score, "value")
        if text(score, "dataType") == "CATEGORICAL" or value is None:
            value = text(score, "stringValue") or text(score, "value")
        scale: Scale = "stars" if ON_STARS.search(name) else "thumbs" if value == -1 else "zero_one"
        on_scale = scale == "stars" or isinstance(value, str) or value in (-1, 0, 1)
        found.extend(marked(value, scale, text(score, "comment") or "") if on_scale else ())
    return tuple(dict.fromkeys(found))


def _trace(row: Row) -> Row:
    return mapping(row, "trace") or row


def _about(row: Row) -> list[Row]:
    trace = _trace(row)
    return [row, trace, mapping(trace, "metadata")]


def _generations(row: Row) -> list[Row]:
    steps = [*(rows_in(row.get("observations")) or []), *(rows_in(_trace(row).get("observations")) or [])]
    return [step for step in steps if text(step, "type") == "GENERATION"]
