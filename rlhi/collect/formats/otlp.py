"""OpenTelemetry's JSON: attributes as they mean, and the spans of a file by the trace that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rlhi.collect.formats.fields import Row, first_text, loaded, mapping, rows_in, text
from rlhi.collect.formats.record import Record
from rlhi.contracts import Quarantined

SPANS = ("resourceSpans", "resource_spans")
LOGS = ("resourceLogs", "resource_logs")
# Pages of an API: a list of rows, and nothing beside it but where it goes on.
LISTS = ("data", "traces", "spans", "span_annotations")
BESIDE = frozenset({*LISTS, "meta", "next_cursor", "nextCursor", "next_page_token", "nextPageToken", "object",
                    "has_more", "first_id", "last_id", "page", "total", "pagination"})  # fmt: skip
BATCHES = frozenset({*SPANS, *LOGS})
PAGES = BATCHES | {*LISTS}
DEEPEST = 16
OURS = ("gen_ai.", "llm.", "openinference.", "input.value", "ai.prompt", "traceloop.entity")


def unfolded(records: Iterable[Record | Quarantined]) -> Iterator[Record | Quarantined]:
    """The rows of records that are pages of several, all under their line; nearly all records are none."""
    for record in records:
        if isinstance(record, Quarantined) or PAGES.isdisjoint(record.value):
            yield record
            continue
        yield from (Record(record.line, row) for row in _within(record.value))


def _within(row: Row) -> Sequence[Row]:
    if not BATCHES.isdisjoint(row):
        return _traces(row) or [row]
    name = next(one for one in LISTS if one in row)
    held = row[name]
    if not isinstance(held, list) or not BESIDE.issuperset(row):
        return [row]
    return [one for one in held if isinstance(one, Mapping)] or [row]


def _traces(row: Row) -> list[Row]:
    """The spans and the logged events of a batch by trace; traces in which no model is spoken of are none of ours."""
    by_trace: dict[str, list[Row]] = {}
    alone: list[Row] = []
    for part in _parts(row):
        span = {**part, "attributes": attributes(part.get("attributes"))}
        name = first_text([span], "eventName", "name") or ""
        if name.startswith("gen_ai.evaluation"):
            alone.append(span)
        else:
            by_trace.setdefault(first_text([span], "traceId", "trace_id") or f"alone {len(by_trace)}", []).append(span)
    told = [{"traceId": name, "spans": spans} for name, spans in by_trace.items() if any(map(speaks, spans))]
    return [*told, *alone]


def _parts(row: Row) -> Iterator[Row]:
    for outer, scopes, inner in (
        (SPANS, ("scopeSpans", "scope_spans", "instrumentationLibrarySpans"), ("spans",)),
        (LOGS, ("scopeLogs", "scope_logs"), ("logRecords", "log_records")),
    ):
        for resource in (one for name in outer for one in rows_in(row.get(name)) or []):
            for scope in (one for name in scopes for one in rows_in(resource.get(name)) or []):
                yield from (one for name in inner for one in rows_in(scope.get(name)) or [])


def speaks(span: Row) -> bool:
    """Whether a span has what conventions for models have."""
    own = mapping(span, "attributes")
    events = rows_in(span.get("events")) or []
    return any(str(name).startswith(OURS) for name in own) or any(
        (text(one, "name") or "").startswith("gen_ai.") for one in events
    )


def attributes(value: object) -> Row:
    """Attributes as an object: of OTLP's list of typed values, of an object, or of JSON text."""
    value = loaded(value)
    if isinstance(value, list):
        pairs = [one for one in value if isinstance(one, Mapping) and "key" in one]
        return {str(one["key"]): _value(one.get("value")) for one in pairs}
    return value if isinstance(value, Mapping) else {}


def _value(value: object, depth: int = DEEPEST) -> object:
    if not isinstance(value, Mapping) or depth == 0:
        return value
    if "intValue" in value:
        whole = value["intValue"]
        return int(whole) if isinstance(whole, str) and whole.lstrip("-").isdecimal() else whole
    if "arrayValue" in value:
        held = mapping(value, "arrayValue").get("values")
        return [_value(one, depth - 1) for one in held] if isinstance(held, list) else []
    if "kvlistValue" in value:
        pairs = rows_in(mapping(value, "kvlistValue").get("values")) or []
        return {str(one.get("key")): _value(one.get("value"), depth - 1) for one in pairs}
    return next(
        (value[name] for name in ("stringValue", "boolValue", "doubleValue", "bytesValue") if name in value), None
    )


def tree(flat: Row) -> Row:
    """Attributes whose names are paths as nested objects, with numbers as places in lists.

    >>> tree({"llm.input_messages.0.message.role": "user", "user.id": "ann"})
    {'llm': {'input_messages': [{'message': {'role': 'user'}}]}, 'user': {'id': 'ann'}}
    """
    found: dict[str, object] = {}
    for path, value in flat.items():
        *outer, last = str(path).split(".")[:DEEPEST]
        inside: dict[str, object] = found
        for name in outer:
            held = inside.get(name)
            if not isinstance(held, dict):
                held = dict(held) if isinstance(held, Mapping) else {}
                inside[name] = held
            inside = held
        if not isinstance(inside.get(last), dict):
            inside[last] = tree(value) if isinstance(value, Mapping) else value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: object) -> object:
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(one) for name, one in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
