"""JSON documents one behind the other: every object is a row, and what is none is quarantined with its place."""

from __future__ import annotations

import gzip
import json
import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.formats.blocks import Block, blocks
from rlhi.collect.formats.records import Record, records
from rlhi.contracts import Quarantined

Row = Record | Quarantined


def both_ways(path: Path, size: int = 64) -> list[Row]:
    """The rows as one reader finds them, which are those that workers find in blocks; those tell trouble first."""
    whole = list(records(path, "log"))
    cut: list[Row] = []
    for one in blocks(path, "log", size):
        cut += one.records() if isinstance(one, Block) else [one]

    def place(row: Row) -> tuple[int, bool]:
        return row.line, isinstance(row, Quarantined)

    assert sorted(cut, key=place) == sorted(whole, key=place)
    return whole


def read(folder: Path, data: bytes | str, size: int = 64) -> tuple[list[object], list[tuple[int, str]]]:
    """The values, and line and reason of what was refused."""
    log = folder / "log"
    log.write_bytes(data.encode() if isinstance(data, str) else data)
    rows = both_ways(log, size)
    refused = [(row.line, row.reason) for row in rows if isinstance(row, Quarantined)]
    return [dict(row.value)["n"] for row in rows if isinstance(row, Record)], refused


@pytest.mark.parametrize(
    "text",
    [
        '[{"n": 1}, {"n": 2}]\n[{"n": 3}]\n',
        '[{"n": 1}, {"n": 2}][{"n": 3}]',
        '[{"n": 1}], [{"n": 2}, {"n": 3}]',
        '[[{"n": 1}, {"n": 2}], [{"n": 3}]]',
        '{"n": 1}\n[{"n": 2}, {"n": 3}]\n',
        '{"n": 1}{"n": 2}\n{"n": 3}',
        '{"n": 1},\n{"n": 2},\n{"n": 3},\n',
        '{"n": 1}\n{\n "n": 2\n}\n[\n {\n  "n": 3\n }\n]\n',
        '{\n "n": 1\n}\n{"n": 2}\n[{"n": 3}]',
        '{"n": 1}\n[\n{"n": 2},\n{"n": 3}\n]\n',
        '{"n": 1,\n "m": 0}\n{"n": 2,\n "m": [\n  0\n ]}\n{"n": 3}',
        '\x1e{"n": 1}\n\x1e{\n"n": 2}\n\x1e{"n": 3}\n',
        '\ufeff[{"n": 1}]\n\ufeff{"n": 2}\n\ufeff[{"n": 3}]',
        '[]\n[{"n": 1}]\n[]\n[{"n": 2}, {"n": 3}]',
    ],
)
def test_every_object_is_a_row_whatever_stands_around_it(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) == ([1, 2, 3], [])
    assert read(tmp_path, text.replace("\n", "\r\n")) == ([1, 2, 3], [])
    assert read(tmp_path, text.encode("utf-16")) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("text", "values", "refused"),
    [
        ('[{"n": 1}]\n[{"n": 2}, {"n":', [1, 2], [(2, "not JSON: Expecting value; the rest is not read")]),
        ('[{"n": 1}]\n[{"n": 2}', [1, 2], [(2, "not JSON: the list does not end")]),
        ('[{"n": 1}]\nand so on', [1], [(2, "not JSON: Expecting value; the rest is not read")]),
        ('[{"n": 1}]]', [1], [(1, "not JSON: Expecting value; the rest is not read")]),
        ('[{"n": 1}]\n17 "x"', [1], [(2, "not an object but a int"), (2, "not an object but a str")]),
        (
            '[{"n": 1}, {"n": oops}\n]\n[\n {"n": 2}]',
            [1, 2],
            [(1, "not JSON: Expecting value; not read up to line 3")],
        ),
        ('{"n": 1}\n{"n": 2\n{"n": 3}', [1, 3], [(2, "not JSON: Expecting ',' delimiter: line 1 column 8 (char 7)")]),
        ('{"n": 1}\n{"n": 2} and more\n', [1, 2], [(2, "not JSON: Expecting value; the rest is not read")]),
        ('{"n": 1}\n{"n": 2}\n{"n"', [1, 2], [(3, "not JSON: Expecting ':' delimiter: line 1 column 5 (char 4)")]),
    ],
)
def test_what_is_left_over_is_quarantined_with_its_place(
    text: str, values: list[int], refused: list[tuple[int, str]], tmp_path: Path
) -> None:
    assert read(tmp_path, text) == (values, refused)


def test_members_of_gzip_are_one_log_and_what_is_no_member_is_told(tmp_path: Path) -> None:
    pages = [b'[{"n": 1}]', b'\xef\xbb\xbf[{"n": 2}]\n', b'{"n": 3}']
    members = b"".join(map(gzip.compress, pages))
    assert read(tmp_path, members) == ([1, 2, 3], [])
    values, [(_, reason)] = read(tmp_path, members + b"no member")
    assert values == [1, 2, 3] and reason.startswith("damaged gzip, the rest cannot be read")


@given(st.data())
def test_documents_in_any_layout_hold_all_rows(data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 12))
    numbers, parts = count(1), []
    texts = st.text(st.sampled_from('a{}[],:"\\ é\n\x1e'), max_size=6)
    rows = [{"n": next(numbers), "text": data.draw(texts)} for _ in range(total)]
    step = data.draw(st.integers(1, 4))
    for page in (rows[at : at + step] for at in range(0, total, step)):
        indent = data.draw(st.sampled_from([None, 1, 4, "\t"]))
        if data.draw(st.booleans()):
            parts.append(json.dumps(page, indent=indent))
        else:
            parts += [json.dumps(row, indent=indent) for row in page]
    between = data.draw(st.sampled_from(["\n", "\n\n", "\r\n", "\n,\n", ",\n"]))
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder), between.join(parts), data.draw(st.sampled_from([1, 30, 1 << 20])))
    assert found == (list(range(1, total + 1)), [])
