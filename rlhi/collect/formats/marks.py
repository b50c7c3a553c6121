"""Scores that tracers keep of answers: which of them are the user's, and those that stand in rows of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from rlhi.collect.formats.fields import Row, first_text, loaded, mapping, number, text
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.otlp import attributes, tree
from rlhi.collect.formats.signals import Scale, marked
from rlhi.contracts import Signal

# Scores have free names. Judges and reviewers score too: only a score that says so is the user's.
FROM_USER = re.compile("user|feedback|thumb|star", re.IGNORECASE)
ON_STARS = re.compile("star|rating", re.IGNORECASE)
NUMERIC = re.compile(r"[+-]?\d+(?:\.\d+)?")
# What a trace has beside its scores under names that may sound like one.
NO_SCORE = re.compile(r"user|.*(?:id|name|agent|email)|.*metadata", re.IGNORECASE)
# A mark of a whole session names no answer: it joins none and is counted.
OF_SESSION = ("sessionId", "session_id")
OF_TRACE, OF_STEP = ("traceId", "trace_id"), ("observationId", "observation_id")
OF_SPAN = ("spanId", "span_id", *OF_TRACE)
EVALUATION = "gen_ai.evaluation.result"
TYPED = frozenset({"dataType", "data_type", "stringValue", "string_value", "source"})


@dataclass(frozen=True, slots=True)
class Mark:
    """What a row without a conversation says of an answer elsewhere.

    ``of`` is the id of the trace, step or message that it is of; ``signals`` are none where a judge scored.
    """

    of: str
    signals: tuple[Signal, ...]


@dataclass(slots=True)
class _Elsewhere:
    marks: Mapping[str, Sequence[Signal]]
    asked: set[str] = field(default_factory=set)


_held: ContextVar[_Elsewhere | None] = ContextVar("rlhi_marks", default=None)


@contextmanager
def marks_elsewhere(marks: Mapping[str, Sequence[Signal]]) -> Iterator[set[str]]:
    """Give these marks to the rows that are read inside; the ids under which they ask for some."""
    held = _Elsewhere(marks)
    token = _held.set(held)
    try:
        yield held.asked
    finally:
        _held.reset(token)


def marked_elsewhere(*ids: str | None) -> tuple[Signal, ...]:
    """The marks that rows of their own hold of what has these ids."""
    held = _held.get()
    if held is None:
        return ()
    named = [one for one in ids if one]
    held.asked.update(named)
    return tuple(signal for one in named for signal in held.marks.get(one, ()))


def mark_in(row: Row) -> Mark | None:
    """The mark that a row is.

    A score of Langfuse's (API, blob storage export), an annotation of Phoenix's, a result of an evaluation, a row of
    ChatGPT's ``message_feedback.json``.
    """
    if "rating" in row and "conversation_id" in row and ("message_id" in row or "content" in row):
        of = first_id([row], "message_id", "id")
        said = text(mapping(row, "content"), "text") or ""
        return Mark(of, marked(row["rating"], None, said)) if of else None
    if "annotator_kind" in row and (of := first_id([row, mapping(row, "context")], *OF_SPAN)):
        return Mark(of, annotated(row))
    if first_text([row], "eventName", "name") == EVALUATION and (of := first_id([row], *OF_SPAN)):
        return Mark(of, evaluated(row))
    if "name" in row and "value" in row and "input" not in row and not TYPED.isdisjoint(row):
        of = first_id([row], *OF_STEP, *OF_TRACE, *OF_SESSION)
        return Mark(of, scores([row])) if of else None
    return None


def annotated(row: Row) -> tuple[Signal, ...]:
    """A user's annotation of a span, as Phoenix has it (9.x): by a person, and its name says that it is a user's."""
    name, held = text(row, "name") or "", mapping(row, "result") or row
    if text(row, "annotator_kind") != "HUMAN" or not FROM_USER.search(name):
        return ()
    return _label_or_score(name, text(held, "label"), held.get("score"), text(held, "explanation") or "")


def evaluated(event: Row) -> tuple[Signal, ...]:
    """The user's own of the GenAI conventions' results of evaluations (``gen_ai.evaluation.result``)."""
    if first_text([event], "eventName", "name") != EVALUATION:
        return ()
    found = mapping(mapping(tree(attributes(event.get("attributes"))), "gen_ai"), "evaluation")
    name, value = text(found, "name") or "", mapping(found, "score")
    if not FROM_USER.search(name):
        return ()
    return _label_or_score(name, text(value, "label"), value.get("value"), text(found, "explanation") or "")


def _label_or_score(name: str, label: str | None, value: object, comment: str) -> tuple[Signal, ...]:
    return (score(name, label, comment) if label else ()) or score(name, value, comment)


def scores(rows: Sequence[Row]) -> tuple[Signal, ...]:
    """The user's own marks among scores of Langfuse's."""
    found: list[Signal] = []
    for one in rows:
        name, source = text(one, "name") or "", text(one, "source") or "API"
        if source != "API" or not FROM_USER.search(name):
            continue
        value: object = number(one, "value")
        if first_text([one], "dataType", "data_type") == "CATEGORICAL" or value is None:
            value = first_text([one], "stringValue", "string_value", "value")
        found.extend(score(name, value, text(one, "comment") or ""))
    return tuple(dict.fromkeys(found))


def score(name: str, value: object, comment: str = "") -> tuple[Signal, ...]:
    """A user's score as a signal: stars where its name says so, else a thumb; none where its scale is not known."""
    if isinstance(value, str) and NUMERIC.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool | str):
        return marked(value, None, comment)
    scale: Scale = "stars" if ON_STARS.search(name) else "thumbs" if value == -1 else "zero_one"
    return marked(value, scale, comment) if scale == "stars" or value in (-1, 0, 1) else ()


def score_columns(row: Row) -> tuple[Signal, ...]:
    """Scores in columns of their own, as Langfuse's interface exports a table: a list of values for each score."""
    found: list[Signal] = []
    held = loaded(row.get("scores"))
    columns = [*row.items(), *(held.items() if isinstance(held, Mapping) and "name" not in held else ())]
    for name, value in columns:
        if FROM_USER.search(name) and not NO_SCORE.fullmatch(name):
            found.extend(_in_column(name, loaded(value)))
    return tuple(dict.fromkeys(found))


def _in_column(name: str, value: object) -> list[Signal]:
    if isinstance(value, Mapping):
        comment = text(value, "comment") or ""
        values = value.get("values", value.get("value"))
        return [signal for one in _listed(values) for signal in score(name, one, comment)]
    return [signal for one in value for signal in score(name, one)] if isinstance(value, list) else []


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
