"""Times, as logs and warehouses write them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.formats import read_log
from rlhi.collect.formats.fields import moment
from rlhi.collect.formats.times import instant
from rlhi.contracts import Conversation

# Each is 13:33:20 of 21 September 2026 in UTC, some with a fraction of a second.
WRITTEN: list[object] = [
    1789997600, "1789997600", 1789997600000, "1789997600000", 1789997600000000, "1789997600000000000", "1.7899976E9",
    "1,789,997,600", 1789997600.0, 20260921133320, "20260921133320", "20260921T133320Z",
    "2026-09-21T13:33:20Z", "2026-09-21T13:33:20", "2026-09-21t13:33:20z", "2026-09-21 13:33:20 UTC",
    "2026-09-21 13:33:20.000000 UTC", "2026-09-21 13:33:20,000", "2026-09-21 13:33:20+00", "2026-09-21T13:33:20+0000",
    "2026-09-21 15:33:20 +0200", "2026-09-21T15:33:20+02:00[Europe/Berlin]", "2026-09-21 15:33:20 Europe/Berlin",
    "2026-09-21 13:33:20 +0000 UTC m=+0.01", "2026/09/21 13:33:20", "2026-9-21 1:33:20 PM", '"2026-09-21T13:33:20Z"',
    "Mon, 21 Sep 2026 13:33:20 GMT", "Mon, 21 Sep 2026 09:33:20 EDT", "Monday, 21-Sep-26 13:33:20 GMT",
    "Mon Sep 21 13:33:20 2026", "Mon Sep 21 13:33:20 UTC 2026", "21/Sep/2026:13:33:20 +0000",
    "Mon Sep 21 2026 15:33:20 GMT+0200 (Central European Summer Time)", "September 21, 2026, 1:33:20 PM",
    "Sep 21, 2026 @ 13:33:20.000", "21-SEP-26 01.33.20.000000 PM", "/Date(1789997600000+0200)/",
    {"$date": 1789997600000}, {"$date": "2026-09-21T13:33:20Z"}, {"$date": {"$numberLong": "1789997600000"}},
    {"$numberLong": "1789997600"}, {"_seconds": 1789997600, "_nanoseconds": 0}, {"value": "2026-09-21T13:33:20.000Z"},
    {"$timestamp": {"t": 1789997600, "i": 1}}, {"N": "1789997600"}, [2026, 9, 21, 13, 33, 20],
    datetime(2026, 9, 21, 13, 33, 20), datetime(2026, 9, 21, 15, 33, 20, tzinfo=timezone(timedelta(hours=2))),
]  # fmt: skip
NONE: list[object] = [float("nan"), "", " ", "NaT", "null", "None", {}]
UNREADABLE: list[object] = [
    "yesterday", "12:30", "2026", "03/04/2026 12:00", "2026-13-45", "2026-02-30", "2026-09-21 25:00:00", True,
    "2026-09-21 13:33:20 IST", {"when": 1}, [], [1], float("inf"), 10**400, 1e30, "9" * 5000, "1e999", "a 2026-09-21",
]  # fmt: skip


@pytest.mark.parametrize("value", WRITTEN, ids=str)
def test_a_moment_is_one_however_it_is_written(value: object) -> None:
    assert moment({"at": value}, "at") == "2026-09-21T13:33:20Z"


@pytest.mark.parametrize("value", ["2026-09-21", date(2026, 9, 21), 20260921, "21 Sep 2026", [2026, 9, 21]])
def test_a_date_is_its_midnight(value: object) -> None:
    assert moment({"at": value}, "at") == "2026-09-21T00:00:00Z"


def test_nought_is_the_first_second_of_1970() -> None:
    assert moment({"at": 0}, "at") == moment({"at": "0"}, "at") == "1970-01-01T00:00:00Z"


def read(folder: Path, value: object) -> Conversation:
    talk = [{"role": "user", "content": "How deep is a well?"}]
    log = folder / "log.jsonl"
    log.write_text(json.dumps({"id": "k", "created_at": value, "messages": talk}))
    [row] = read_log(log)
    assert isinstance(row, Conversation) and row.created_at is None
    return row


@pytest.mark.parametrize("value", NONE, ids=repr)
def test_no_time_is_none_and_nothing_to_tell(value: object, tmp_path: Path) -> None:
    assert read(tmp_path, value).changes == ()


@pytest.mark.parametrize("value", UNREADABLE, ids=lambda value: repr(value)[:24])
def test_a_time_that_cannot_be_read_is_told_and_costs_no_row(value: object, tmp_path: Path) -> None:
    if value == "9" * 5000 or value == 10**400:  # more digits than Python's own reader of JSON takes
        assert moment({"at": value}, "at") is None
        return
    assert read(tmp_path, value).changes == ("time unread",)


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
ZONES = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


@given(MOMENTS, ZONES)
def test_a_moment_comes_back_from_every_form(at: datetime, zone: timezone) -> None:
    here, seconds = at.astimezone(zone), int(at.timestamp())
    forms = [
        here.isoformat(), here.isoformat(" "), here.strftime("%Y-%m-%d %H:%M:%S %z"), format_datetime(here),
        here.strftime("%a %b %d %Y %H:%M:%S GMT%z"), here.strftime("%b %d, %Y, %I:%M:%S %p %z"),
        at.strftime("%Y-%m-%d %H:%M:%S UTC"), at.strftime("%a %b %d %H:%M:%S %Y"),
        *(seconds * unit for unit in (1, 10**3, 10**6, 10**9)), str(seconds),
        {"$date": {"$numberLong": f"{seconds}000"}},
    ]  # fmt: skip
    assert [instant(form) for form in forms] == [at] * len(forms)


@given(st.text(max_size=30) | st.floats() | st.integers() | st.lists(st.integers(), max_size=7))
def test_whatever_it_is_nothing_breaks(value: object) -> None:
    found = moment({"at": value}, "at")
    assert found is None or datetime.fromisoformat(found).utcoffset() == timedelta()
