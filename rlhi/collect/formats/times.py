"""Times as logs, databases and warehouses write them -> a moment in UTC.

What is ambiguous is not read: 03/04/2026 is March in one country and April in another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from rlhi.collect.formats.ids import NOTHING

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Numbers beyond these are milli-, micro- and nanoseconds: 1e11 seconds are the year 5138.
MILLI, MICRO, NANO, LAST = 1e11, 1e14, 1e17, 1e20
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
CALENDAR = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])([0-3]\d)(?:([0-2]\d)([0-5]\d)([0-5]\d)?)?")
SECOND = r"(?:[:.](?P<second>\d\d)(?:[.,:](?P<fraction>\d+))?)?"
CLOCK = rf"(?P<hour>\d{{1,2}})[:.](?P<minute>\d\d){SECOND}(?:\s*(?P<half>[AP]\.?M\.?))?"
DATED = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}})(?:[\sT,@_:]+{CLOCK})?(?P<zone>.*)", re.I
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
AND = r"[\s,@:]+(?:at\s+)?"
DAY, YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>\d{4}|\d\d(?=[\s,]|$))"
NAMED = tuple(
    re.compile(WEEKDAY + form, re.I)
    for form in (
        rf"{DAY}(?:\s+|[-/]){MONTH}(?:,?\s+|[-/]){YEAR}(?:{AND}{CLOCK})?(?P<zone>.*)",  # 21 Sep 2026 13:33:20 GMT
        rf"{MONTH}\s+{DAY},?\s+(?P<year>\d{{4}})(?:{AND}{CLOCK})?(?P<zone>.*)",  # Sep 21, 2026, 1:33:20 PM
        rf"{MONTH}\s+{DAY}\s+{CLOCK}(?P<zone>.*?)\s+(?P<year>\d{{4}})",  # Mon Sep 21 13:33:20 UTC 2026
    )
)
DOTNET = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d\d?)(?::?(\d\d))?(?::?\d\d)?", re.I)
# As RFC 5322 reads them, section 4.3.
ZONES = {"": 0, "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
         "PST": -8, "PDT": -7}  # fmt: skip
# What wraps a time: MongoDB's extended JSON, DynamoDB, BigQuery's client, Parse.
WRAPPED = ("$date", "$numberLong", "$numberInt", "$numberDouble", "N", "S", "value", "iso", "$timestamp", "t")
SECONDS, NANOSECONDS = ("seconds", "_seconds"), ("nanos", "nanoseconds", "_nanoseconds")


def instant(value: object, depth: int = 4) -> datetime | None:
    """The moment that a value names; None where it names none, as NaN and an empty text do.

    Raises:
        ValueError, OverflowError: it is no time that can be read.
    """
    if isinstance(value, str):
        return _from_text(value.strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, Mapping) and depth:
        return _from_object(value, depth - 1)
    if isinstance(value, list) and 3 <= len(value) <= 7 and all(type(part) is int for part in value):
        return _dated(value)  # as Jackson writes Java's times
    raise ValueError("no time")


def _in_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _from_number(value: float) -> datetime | None:
    """Since 1970 in the unit that its size tells; a date that was written as one number; None for NaN."""
    if not math.isfinite(value):
        if math.isnan(value):
            return None
        raise ValueError("no time")
    if value == int(value) and (found := _calendar(str(int(value)))):
        return found
    size = abs(value)
    if size > LAST:
        raise ValueError("no time")
    if size > MICRO:
        per = 1000 if size > NANO else 1
        return EPOCH + timedelta(microseconds=int(value) // per)
    return datetime.fromtimestamp(value / 1000 if size > MILLI else value, UTC)


def _calendar(digits: str) -> datetime | None:
    """20260921 and 20260921133320: as numbers since 1970 they would be in 1970 and in 2612."""
    found = CALENDAR.fullmatch(digits)
    return _dated([int(part or 0) for part in found.groups()]) if found else None


def _dated(parts: Sequence[int]) -> datetime:
    """Year, month and day, and as much of the clock as there is, down to nanoseconds."""
    year, month, day, hour, minute, second, nano = [*parts, 0, 0, 0, 0][:7]
    return datetime(year, month, day, hour, minute, second, nano // 1000, UTC)


def _from_text(text: str) -> datetime | None:
    if text[4:5] == "-" and text[10:11] in ("T", " ", ""):  # as most logs write it
        try:
            return _in_utc(datetime.fromisoformat(text))
        except ValueError:
            pass  # as some do
    text = text.strip("\"'").strip()
    if not text or text in NOTHING:
        return None
    number = text.replace(",", "") if THOUSANDS.fullmatch(text) else text
    if NUMBER.fullmatch(number):
        return _from_digits(number)
    if found := DOTNET.fullmatch(text):
        return _from_number(int(found[1]))
    text = re.sub(r"\s*\([^()]*\)$|\s+m=[+-][\d.]+$", "", text)  # the zone's name, and Go's reading of its own clock
    for form in (DATED, *NAMED):
        if found := form.fullmatch(text):
            return _from_parts(found)
    return _in_utc(datetime.fromisoformat(text.upper()))


def _from_digits(number: str) -> datetime | None:
    if number.lstrip("+-").isdecimal():
        if len(number) < 8 and int(number):  # a year, a count: too little to be a time
            raise ValueError("no time")
        return _from_number(int(number))
    return _from_number(float(number))


def _from_parts(found: re.Match[str]) -> datetime:
    """From what an expression has named."""
    part = found.groupdict()
    year, name = int(part["year"]), part["month"].lower()[:3]
    if len(part["year"]) == 2:  # RFC 850
        year += 1900 if year >= 70 else 2000
    month = MONTHS.index(name) + 1 if name in MONTHS else int(name)
    hour, half = int(part["hour"] or 0), (part["half"] or "").replace(".", "").upper()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a half day")
        hour = hour % 12 + 12 * (half == "PM")
    micro = int((part["fraction"] or "0")[:6].ljust(6, "0"))
    clock = hour, int(part["minute"] or 0), int(part["second"] or 0)
    return datetime(year, month, int(part["day"]), *clock, micro, _zone(part["zone"])).astimezone(UTC)


def _zone(text: str) -> tzinfo:
    """UTC where nothing is said; of an offset with a name the offset."""
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    offset = OFFSET.match(text)
    if offset and (not (rest := text[offset.end() :].strip(" []()")) or re.fullmatch(r"[A-Za-z_/+\-0-9]+", rest)):
        delta = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-delta if offset[1] == "-" else delta)
    if text.upper() in ZONES:
        return timezone(timedelta(hours=ZONES[text.upper()]))
    named = text.removeprefix("Z").strip("[]")
    if named not in _known_zones():
        raise ValueError("no time zone")
    return UTC if text.startswith("Z[") else ZoneInfo(named)


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _from_object(value: Mapping[str, object], depth: int) -> datetime | None:
    for name in SECONDS:
        if name in value:
            whole = instant(value[name], depth)
            nanoseconds = next((value[one] for one in NANOSECONDS if one in value), 0)
            micro = nanoseconds // 1000 if isinstance(nanoseconds, int) else 0
            return None if whole is None else whole + timedelta(microseconds=micro)
    inner = next((name for name in WRAPPED if name in value), None)
    if inner is None:
        if not value:
            return None
        raise ValueError("no time")
    return instant(value[inner], depth)
