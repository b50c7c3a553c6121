"""Langfuse's exports: traces, generations (camelCase or snake_case, JSON or JSON text), and whole sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rlhi.collect.formats.fields import (
    Row,
    first_moment,
    first_text,
    mapping,
    rows_in,
    text,
)
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.marks import marked_elsewhere, score_columns, scores
from rlhi.collect.formats.requests import grown
from rlhi.collect.formats.steps import spoken_in
from rlhi.collect.formats.turns import Dialogue
from rlhi.contracts import Conversation, Signal

CONTEXT = ("traceId", "trace_id", "sessionId", "session_id", "userId", "user_id", "observations", "projectId",
           "project_id", "htmlPath")  # fmt: skip
SESSION, USER, MODEL = ("sessionId", "session_id"), ("userId", "user_id"), ("model", "provided_model_name")
BEGAN = ("timestamp", "startTime", "start_time", "createdAt", "created_at")


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
    found = [spoken for step in (trace, *_generations(row)) if (spoken := spoken_in(step))]
    if not found:
        raise ValueError("neither the trace's input and output nor a generation's read as a conversation")
    said, history = max(found, key=lambda spoken: sum(turn.role == "user" for turn in spoken[0].turns))
    last = said.turns[-1]
    if last.role == "assistant":
        signals = _marks(row)
        said = replace(said, turns=(*said.turns[:-1], replace(last, signals=signals or last.signals)))
    return said, history


def _marks(row: Row) -> tuple[Signal, ...]:
    """What users marked: scores beside the trace, in columns of their own, and in rows of their own."""
    trace = _trace(row)
    held = (*scores(rows_in(row.get("scores")) or []), *scores(rows_in(trace.get("scores")) or []))
    ids = [first_id([one], "id") for one in (row, trace, *_generations(row))]
    elsewhere = marked_elsewhere(*dict.fromkeys([*ids, first_id([row], "traceId", "trace_id")]))
    return tuple(dict.fromkeys((*held, *score_columns(row), *elsewhere)))


def _trace(row: Row) -> Row:
    return mapping(row, "trace") or row


def _about(row: Row) -> list[Row]:
    trace = _trace(row)
    return [row, trace, mapping(trace, "metadata")]


def _generations(row: Row) -> list[Row]:
    steps = [*(rows_in(row.get("observations")) or []), *(rows_in(_trace(row).get("observations")) or [])]
    return [step for step in steps if text(step, "type") == "GENERATION"]
