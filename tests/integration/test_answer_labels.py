"""Answer keys against real replies that were read and labelled: ``pytest -s`` prints the table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rlhi.checks.answers import answers
from rlhi.simulate.requests import answer_keys

BAR = {"answer": (0.95, 1.0), "weak": (0.0, 0.25), "none": (0.0, 0.03)}  # the share that passes: at least, at most


def test_keys_pass_answers_and_little_else(real_data: Path) -> None:
    path = real_data / "answer_labels.jsonl"
    if not path.is_file():
        pytest.skip("no answer_labels.jsonl in RLHI_DATA")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    keys = answer_keys()
    known = [row for row in rows if row["request"] in keys]
    assert len(known) > 100
    total = Counter(row["label"] for row in known)
    passed = Counter(row["label"] for row in known if answers(keys[row["request"]], row["request"], row["reply"]))
    for label, (least, most) in BAR.items():
        share = passed[label] / total[label]
        print(f"{label:7} {passed[label]:4} of {total[label]:4} pass  {share:6.1%}  (bar: {least:.0%} to {most:.0%})")
    outside = [label for label, (least, most) in BAR.items() if not least <= passed[label] / total[label] <= most]
    assert not outside, f"share that passes outside the bar: {outside}"
