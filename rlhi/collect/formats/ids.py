"""Ids of foreign rows: one id however it is written, and what programs write in place of none is none.

A missing id is written by many programs as a word (``nan``, ``undefined``). All rows with such a word would be one
person's. The words are told by their exact spelling, for people bear some of them: ``Null`` and ``Nan`` are names,
``null``, ``NULL``, ``nan`` and ``NaN`` are nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from rlhi.collect.formats.unread import note

Row = Mapping[str, object]

NOTHING = frozenset({
    # numpy and pandas, as they write and as they read a missing cell
    "nan", "NaN", "NAN", "-nan", "-NaN", "<NA>", "NaT", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "#NULL!",
    "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN",
    # Python, JavaScript, databases, Go and Ruby, C, .NET
    "None", "null", "NULL", "undefined", "<null>", "(null)", "\\N", "<nil>", "nil", "System.DBNull",
    "[object Object]", "[object Undefined]", "[object Null]",
    # what is empty, and the UUID that stands for none
    "{}", "[]", "()", "set()", "''", '""', "00000000-0000-0000-0000-000000000000",
})  # fmt: skip
WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")  # a column of numbers with gaps is one of floats: 7 becomes 7.0
POWER = re.compile(r"-?[1-9](?:\.\d+)?[eE]\+\d{2,3}")
EXTENDED = ("$oid", "$uuid", "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal")
OWN = ("id", "uuid", "user_id")


def identity(row: Row, name: str) -> str | None:
    """An id as text, None where there is none; what is no id and stands in the place of one is noted.

    >>> [identity({"id": value}, "id") for value in (7, 7.0, "7", "7.0", {"$numberLong": "7"})]
    ['7', '7', '7', '7', '7']
    >>> [identity({"id": value}, "id") for value in (float("nan"), "nan", "", None, {}, "Null")]
    [None, None, None, None, None, 'Null']
    """
    value = row.get(name)
    if value is None:
        return None
    found = id_of(value)
    if found is None and not (isinstance(value, str) and not value.strip()):
        note("id")
    return found


def first_id(rows: Iterable[Row], *names: str) -> str | None:
    """The first of these fields that some row has an id in: all rows are asked for one name before the next."""
    held = list(rows)
    return next((found for name in names for row in held if (found := identity(row, name))), None)


def id_of(value: object) -> str | None:
    """The id that a value is; None where it is none."""
    if isinstance(value, str):
        return _written(value.strip())
    if value is None or isinstance(value, bool | list):
        return None
    if isinstance(value, Mapping):  # MongoDB's extended JSON, or who or what it is, with its id
        if len(value) == 1 and (name := next(iter(value))) in EXTENDED:
            return id_of(value[name])
        own = (value[name] for name in OWN if name in value and not isinstance(value[name], Mapping))
        return next((found for one in own if (found := id_of(one))), None)
    if isinstance(value, float):
        return _number(value)
    try:
        return _written(str(value).strip())
    except ValueError:  # more digits than Python writes
        return None


def _written(text: str) -> str | None:
    if not text or text in NOTHING:
        return None
    if "." in text and (whole := WHOLE.fullmatch(text)):
        return "0" if whole[1] == "-0" else whole[1]
    return _number(float(text)) if "+" in text and POWER.fullmatch(text) else text


def _number(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    return str(int(value)) if value.is_integer() else str(value)
