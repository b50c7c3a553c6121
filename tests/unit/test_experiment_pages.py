"""An experiment's table and picture in a page of the docs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from rlhi.bench.experiments.tables import ArmResult, ExperimentTable, check_page, table, write
from rlhi.contracts import Interval
from rlhi.stages import StageError

BEFORE = Interval(0.3, 0.2, 0.4, 20, 20)
AFTER = Interval(0.6, 0.5, 0.7, 20, 20)
GAIN = Interval(0.3, 0.1, 0.5, 20, 20)
LOST = Interval(0.1, 0.02, 0.25, 20, 20)
TOLD = ExperimentTable(
    "filter", "Do <filtered> pairs teach more?", "satisfaction", False, 2, 31.4,
    ("2026-11-26, 2 cores (some), 24 GiB",), None,
    (
        ArmResult("unfiltered & all", 112, BEFORE, BEFORE, GAIN, LOST, None),
        ArmResult("filtered", 112, BEFORE, AFTER, GAIN, LOST, GAIN),
    ),
)  # fmt: skip


def test_the_page_keeps_its_own_words_and_one_section_an_experiment(tmp_path: Path) -> None:
    page = tmp_path / "experiments.md"
    page.write_text("# Experiments\n\nWords of the page.\n", encoding="utf-8")
    write(TOLD, page)
    write(replace(TOLD, name="method"), page)
    write(replace(TOLD, minutes=99.0), page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Experiments\n\nWords of the page.\n") and text.count("experiment: filter") == 1
    assert "| 10% (2% to 25%) |" in text
    assert table(replace(TOLD, minutes=99.0)) in text and "31 minutes" in text.partition("experiment: method")[2]
    assert "`rlhi experiment filter --seeds 2`; 2026-11-26, 2 cores" in text
    quick = replace(TOLD, quick=True, policy=Path("/models/base"))
    write(quick, page)
    text = page.read_text(encoding="utf-8")
    assert "`rlhi experiment filter --seeds 2 --quick --policy /models/base`" in text
    assert table(replace(TOLD, minutes=99.0)) in text and table(quick) in text, "a quick run replaces no full one"
    assert "](experiments/filter.svg)" in text and (tmp_path / "experiments" / "method.svg").exists()


def test_the_picture_is_well_formed_and_names_every_arm(tmp_path: Path) -> None:
    write(TOLD, tmp_path / "page.md")
    root = ElementTree.fromstring((tmp_path / "page" / "filter.svg").read_text(encoding="utf-8"))
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "unfiltered & all" in words and "60.0%" in words and "30.0%" in words
    dots = {dot.get("class"): float(dot.get("cx", "0")) for dot in root.iter("{http://www.w3.org/2000/svg}circle")}
    assert dots["dot champion"] < dots["dot challenger"]
    style = root.find("{http://www.w3.org/2000/svg}style")
    assert style is not None and style.text and "prefers-color-scheme: dark" in style.text


def test_a_page_that_could_not_be_written_is_refused_before_the_first_arm(tmp_path: Path) -> None:
    check_page(tmp_path / "new.md")
    with pytest.raises(StageError, match=r"should name a file with an ending, such as results.md"):
        check_page(tmp_path / "results")
    with pytest.raises(StageError, match="should name a file"):
        check_page(tmp_path)
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    with pytest.raises(StageError, match="latin.md cannot be read as text"):
        check_page(tmp_path / "latin.md")
