"""Drift: rows without text, verdicts from named column tests, and reproducible files."""

from __future__ import annotations

import json
import random
from html.parser import HTMLParser

import pytest

from rlhi.config import DriftConfig
from rlhi.contracts import Conversation, FeedbackLabel, FeedbackTurn, Turn, schema_of
from rlhi.evaluate.drift import CATEGORICAL, NUMERICAL, DriftFiles, DriftRow, drift, drift_row

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


def conversation(*texts: str, language: str | None = "en") -> Conversation:
    turns = tuple(turn for text in texts for turn in (Turn("user", text), Turn("assistant", "An answer?")))
    return Conversation("c1", "u1", "real", None, None, language, turns, "test")


def label(name: FeedbackLabel, index: int, conversation_id: str = "c1") -> FeedbackTurn:
    return FeedbackTurn(f"k{index}", conversation_id, "u1", index, name, 0.9)


def rows(count: int, seed: int, scale: float = 1.0, languages: tuple[str, ...] = ("en", "fr")) -> list[DriftRow]:
    rng = random.Random(seed)
    return [
        DriftRow(
            turns=float(rng.randint(1, 5)),
            request_words=scale * rng.lognormvariate(3, 1),
            mean_words=scale * rng.lognormvariate(2, 1),
            question_share=rng.random() ** scale,
            non_ascii_share=scale * rng.random() / 10,
            reattempt_share=min(1.0, scale * rng.random()),
            positive_share=rng.random() / 2,
            language=rng.choice(languages),
            code=rng.choice(("yes", "no", "no", "no")),
        )
        for _ in range(count)
    ]


def test_a_row_counts_the_users_side_only() -> None:
    labels = [
        label("reattempt_with_feedback", 2),
        label("positive_feedback", 4),
        label("reattempt_without_feedback", 2, "another"),
    ]
    row = drift_row(conversation("How do I sort a list?", "no, in place", "thanks"), labels)
    assert row == DriftRow(3.0, 6.0, 10 / 3, 1 / 3, 0.0, 0.5, 0.5, "en", "no")


def test_a_row_of_code_and_of_nothing() -> None:
    assert drift_row(conversation("fix this\nimport os\nprint(1)"), []).code == "yes"
    assert drift_row(conversation("été", language=None), []).language == "unknown"
    empty = drift_row(Conversation("c1", "u1", "real", None, None, None, (), "test"), [])
    assert empty.turns == empty.mean_words == empty.reattempt_share == 0.0


def test_every_column_is_compared() -> None:
    assert set(NUMERICAL) | set(CATEGORICAL) == set(schema_of(DriftRow).names)


@pytest.mark.parametrize(("now", "before"), [(40, 0), (40, 29), (29, 40)])
def test_too_few_rows_is_no_reference(now: int, before: int) -> None:
    report, files = drift(rows(now, 1), rows(before, 2), DriftConfig(min_rows=30))
    assert (report.status, report.current, report.reference, files) == ("no_reference", now, before, None)


def test_the_same_users_are_stable_and_files_repeat_byte_for_byte() -> None:
    current, reference = rows(120, 1), rows(150, 2)
    report, files = drift(current, reference, DriftConfig())
    assert report.status == "stable"
    assert report.columns == (*NUMERICAL, *CATEGORICAL)
    assert isinstance(files, DriftFiles)
    assert "<html" in files.html
    assert '"metrics"' in files.json
    assert drift(current[::-1], reference[::-1], DriftConfig()) == (report, files)


def test_other_users_drift_and_the_columns_are_named() -> None:
    changed = rows(120, 3, scale=4.0, languages=("de", "en"))
    report, _ = drift(changed, rows(150, 2), DriftConfig(max_share=0.5))
    assert report.status == "drifted"
    assert {"request_words", "mean_words", "language"} <= set(report.failed)
    assert "turns" not in report.failed
    assert report.share == len(report.failed) / len(report.columns)
    lenient, _ = drift(changed, rows(150, 2), DriftConfig(max_share=1.0))
    assert (lenient.status, lenient.failed) == ("stable", report.failed)


def test_constant_columns_pass() -> None:
    same = [DriftRow(1.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0, "en", "no")] * 40
    report, files = drift(same, same, DriftConfig())
    assert (report.status, report.failed, files) == ("stable", (), None)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("en", "en"), ("EN", "en"), ("pt_BR", "pt_br"), ("zh-Hant-TW", "zh-hant-tw"), (None, "unknown"),
        ("", "unknown"), (" unknown ", "unknown"), ("klingon", "other"), ("en\n", "en"), ("e", "other"),
        (LIVE, "other"), ("en<b>", "other"), ("a" * 10_000, "other"), ("en-" * 10 + "en", "other"),
    ],
)  # fmt: skip
def test_a_log_cannot_name_its_language_as_it_likes(told: str | None, kept: str) -> None:
    assert drift_row(conversation("Hello", language=told), []).language == kept


def test_no_value_ends_the_script_that_holds_it() -> None:
    _, expected = drift(rows(60, 1), rows(60, 2), DriftConfig())
    _, files = drift(rows(60, 1, languages=("en", LIVE)), rows(60, 2), DriftConfig())
    assert expected is not None and files is not None
    before, after = Scripts(expected.html).texts, Scripts(files.html).texts
    assert len(after) == len(before) and after[1:] == before[1:]
    assert not set("<>&") & set(after[0])
    # What the page shows is still what was measured: the escapes are JSON's own.
    lines = [line.split(" = ", 1)[1].removesuffix(";") for line in after[0].strip().splitlines()]
    assert len(lines) == 2 and LIVE in json.dumps([json.loads(line) for line in lines], ensure_ascii=False)
