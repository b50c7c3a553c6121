"""Fields of foreign rows, read with care: what is missing is None, what cannot be meant raises ValueError."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

from rlhi.collect.formats.ids import identity
from rlhi.collect.formats.times import instant
from rlhi.collect.formats.unread import note

Row = Mapping[str, object]

# How deep a value may lie in what wraps it: no log nests deeper, and whoever does wants to break the reader.
DEPTH = 8
PAIR = {"key", "value"}
TIMES = ("created_at", "created", "timestamp", "create_time")


def text(row: Row, name: str) -> str | None:
    """A string or a number as text; blank counts as missing, and so does NaN."""
    value = row.get(name)
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, bool | Mapping | list) or value != value:
        return None
    return str(value).strip() or None


def first_text(rows: Iterable[Row], *names: str) -> str | None:
    """The first of these fields that some row has: all rows are asked for one name before the next."""
    held = list(rows)
    return next((found for name in names for row in held if (found := text(row, name))), None)


def at(row: Row, path: str) -> str | None:
    """The id at a dotted path such as ``metadata.account_id`` or ``conversation.0.hashed_ip``."""
    if path in row:
        return identity(row, path)
    value: object = row
    for name in path.split("."):
        value = loaded(value)
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return identity({path: value}, path)


def loaded(value: object) -> object:
    """What a text holds that is an object or a list in JSON; everything else as it is.

    Databases export nested columns as text.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def mapping(row: Row, name: str) -> Row:
    """A nested object, its JSON text, or the list of pairs that is made of a map; empty where there is none."""
    value = loaded(row.get(name))
    if isinstance(value, Mapping):
        return value
    return _paired(value) if isinstance(value, list) else {}


def _paired(value: list[object]) -> Row:
    """``[["user_id", "ann"]]`` and ``[{"key": "user_id", "value": "ann"}]`` as the object that they are."""
    pairs = [[one["key"], one["value"]] if isinstance(one, Mapping) and one.keys() == PAIR else one for one in value]
    if all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in pairs):
        return {str(one[0]): one[1] for one in pairs if isinstance(one, list)}
    return {}


def nested(row: Row) -> Row:
    """A row whose names are paths (``metadata.user_id``, as flat columns have them) with the objects beside them.

    What stands there as an object already keeps its own. Most rows have no such name, and are given back as they are.
    """
    if "." not in "".join(row):
        return row
    found: dict[str, object] = dict(row)
    own: set[int] = set()
    for path, value in row.items():
        *outer, last = path.split(".")
        if not outer or not all(outer) or value is None:
            continue
        inside = found
        for name in outer:
            held = inside.get(name)
            if isinstance(held, Mapping) and id(held) not in own:
                held = dict(held)
            elif not isinstance(held, dict):
                held = {} if held is None else None
            if held is None:
                break
            own.add(id(held))
            inside[name] = inside = held
        else:
            inside.setdefault(last, value)
    return found


def opened(row: Row) -> Row:
    """The row with what it holds as JSON text; itself where there is none."""
    found = {name: loaded(value) for name, value in row.items()}
    return found if any(found[name] is not row[name] for name in row) else row


def rows_in(value: object) -> list[Row] | None:
    """A list of objects, its JSON text, or the object of equally long lists that columnar files make of it.

    None where it is no such thing.
    """
    value = loaded(value)
    if isinstance(value, Mapping) and value and all(isinstance(column, list) for column in value.values()):
        columns = {name: column for name, column in value.items() if isinstance(column, list)}
        if len({len(column) for column in columns.values()}) == 1:
            return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return value
    return None


def items(row: Row, name: str) -> list[Row]:
    """A list of objects, as :func:`rows_in` reads it.

    Raises:
        ValueError: it is no such list.
    """
    found = rows_in(row.get(name))
    if found is None:
        raise ValueError(f"{name} is not a list of objects")
    return found


def moment(row: Row, name: str) -> str | None:
    """A time as ISO 8601 in UTC (``2024-05-01T12:00:00Z``), from what :mod:`rlhi.collect.formats.times` reads.

    A time that cannot be read is noted and counts as missing: it is no reason to lose a conversation.
    """
    value = row.get(name)
    if value is None:
        return None
    try:
        found = instant(value)
    except (ValueError, OverflowError, OSError):
        note("time")
        return None
    return None if found is None else found.isoformat().replace("+00:00", "Z")


def first_moment(rows: Iterable[Row], *names: str) -> str | None:
    """The first of these fields in the first row that has a time in it."""
    return next((found for row in rows for name in names if (found := moment(row, name))), None)


def number(row: Row, name: str) -> float | None:
    """A finite number, or None."""
    value = row.get(name)
    if value is None or not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
