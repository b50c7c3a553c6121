"""Drift: Evidently's page and tests beside the decision by user, and the stage that writes both."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.config import DriftConfig
from rlhi.contracts import Conversation, DriftReport, FeedbackTurn, Persona, Turn, from_record
from rlhi.evaluate.drift import DriftFiles, drift, picture, with_evidently
from rlhi.stages.evaluate.drift import read_examples
from rlhi.workspace.store import Workspace, read_json, write_json, write_table
from tests.support.drift import rows
from tests.support.spaces import make_space

LIVE = "</script><script>alert(1)</script><!-- &amp;"


class Scripts(HTMLParser):
    """What a page's scripts hold, as a browser cuts them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"
        if self.inside:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


def test_evidently_shows_the_same_users_and_its_files_repeat_byte_for_byte() -> None:
    current, reference = rows(120, 1), rows(150, 2)
    report = drift(current, reference, DriftConfig(splits=0))
    files = picture(current, reference, report.columns)
    assert report.status == "stable" and isinstance(files, DriftFiles)
    assert "<html" in files.html and '"metrics"' in files.json
    assert picture(current[::-1], reference[::-1], report.columns) == files
    assert picture(current, reference, ()) is None


def test_what_evidently_says_stands_beside_each_column_and_decides_nothing() -> None:
    current, reference = rows(120, 3, scale=4.0, languages=("de", "en")), rows(150, 2)
    report = drift(current, reference, DriftConfig(splits=0))
    told = with_evidently(report, picture(current, reference, report.columns))
    said = {one.name: one.evidently for one in told.found}
    assert said["request_words"] and said["language"] and None not in said.values()
    assert replace(told, found=()) == replace(report, found=()) and with_evidently(report, None) == report


def test_no_value_ends_the_script_that_holds_it() -> None:
    columns = drift(rows(60, 1), rows(60, 2), DriftConfig(splits=0)).columns
    expected = picture(rows(60, 1), rows(60, 2), columns)
    files = picture(rows(60, 1, languages=("en", LIVE)), rows(60, 2), columns)
    assert expected is not None and files is not None
    before, after = Scripts(expected.html).texts, Scripts(files.html).texts
    assert len(after) == len(before) and after[1:] == before[1:]
    assert not set("<>&") & set(after[0])
    # What the page shows is still what was measured: the escapes are JSON's own.
    lines = [line.split(" = ", 1)[1].removesuffix(";") for line in after[0].strip().splitlines()]
    assert len(lines) == 2 and LIVE in json.dumps([json.loads(line) for line in lines], ensure_ascii=False)


PLANTS = ("fern", "palm", "moss", "rose", "basil", "ivy", "mint", "tulip", "cactus", "lily")
SPANISH = "Quisiera saber cuánta agua necesita mi planta cuando hace mucho calor en verano"


def talk(at: int, text: str, batch: str) -> Conversation:
    turns = (Turn("user", text), Turn("assistant", "Water it."), Turn("user", "And in winter?"))
    return Conversation(f"t{at}", f"u{at}", "real", None, None, "en", turns, "ours", batch=batch)


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    """A workspace whose second log is by users who write Spanish, whatever the log says."""
    space = make_space(tmp_path / "w", tiny_policy)
    asked = [f"How much water does a {PLANTS[at % 10]} want at {at} degrees, please?" for at in range(60)]
    talks = [talk(at, text, "one") for at, text in enumerate(asked)]
    talks += [talk(100 + at, f"{SPANISH} {LIVE} {at}", "two") for at in range(40)]
    write_table(space.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    write_table(space.path("data/feedback"), FeedbackTurn, [], user=lambda row: row.user_id)
    write_table(space.path("data/personas"), Persona, [], user=lambda row: row.user_id)
    for digest in ("one", "two"):
        space.path(f"data/incoming/{digest}").write_text("a log")
    listed = {digest: {"name": digest, "cycle": at, "landing": at} for at, digest in enumerate(("one", "two"), 1)}
    write_json(space.path("data/incoming/batches.json"), listed)
    write_json(space.path("cycle.json"), {"cycle": 2, "champion": "v0.1.0"})
    return space


def test_the_stage_tells_what_drifted_with_messages_that_the_ui_shows_escaped(space: Workspace) -> None:
    told = stages.run("drift", space.root)
    report = from_record(DriftReport, read_json(space.path("data/drift/drift.json")))
    assert (report.status, report.current_users, report.reference_users) == ("drifted", 40, 60)
    assert {"language", "topic"} <= set(report.failed_that("block")), "as identified from the text, and as embedded"
    assert report.splits == 1000 and report.false_alarms <= 0.01 and "language" in told.note
    shown = read_examples(space)
    assert [sum(one.column == name for one in shown) for name in report.failed] == [3] * len(report.failed)
    page = told.as_markdown()
    assert "Quisiera" in page and "<script>" not in page and "&lt;/script&gt;" in page
    assert "Quisiera" not in told.as_text() + (space.path("data/drift/drift.json")).read_text(encoding="utf-8")
    before = {file.name: file.read_bytes() for file in space.path("data/drift").iterdir()}
    assert sorted(before) == ["drift.json", "evidently.html", "evidently.json", "examples.json"]
    space.path(".rlhi/stages/drift.json").unlink()
    stages.run("drift", space.root)
    assert {file.name: file.read_bytes() for file in space.path("data/drift").iterdir()} == before
