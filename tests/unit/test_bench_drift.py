"""The benchmark of drift: made-up users, its named rows, and decisions that are the wing's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlhi.bench.drift import CHANGES, ByRow, ByUser, drift_figures, population, table
from rlhi.bench.drift_population import made_up
from rlhi.config import DriftConfig
from rlhi.evaluate.drift import drift


def test_the_figures_have_their_names_and_standard_errors_and_see_what_changed(tmp_path: Path) -> None:
    found = {one.name: one for one in drift_figures(True, tmp_path, draws=40)}
    assert list(found) == [name for name, *_ in CHANGES]
    assert {"drift_false_alarm", "drift_detected_language", "drift_detected_lengths"} <= set(found)
    alarm, seen = found["drift_false_alarm"], found["drift_detected_language"]
    assert alarm.ours <= 0.05 and seen.ours == 1 > seen.baseline and len(seen.runs) == 4
    record = found["drift_detected_lengths"].record()
    assert {"name", "unit", "ours", "baseline", "ratio", "runs", "standard_error"} <= set(record)
    assert record["standard_error"] == pytest.approx((record["ours"] * (1 - record["ours"]) / 40) ** 0.5)  # type: ignore[operator]
    assert "drift_detected_turns" in table([*found.values()])
    assert drift_figures(True, tmp_path, draws=40) == [*found.values()]


def test_a_draw_s_decision_is_the_wing_s(tmp_path: Path) -> None:
    talks = population(True, tmp_path)
    assert talks == made_up()
    users = sorted({talk.user for talk in talks})
    for _, _, change, does in CHANGES[:5]:
        coin = np.random.default_rng(1)
        changed = [change(talk, coin, hash_of(talk.user)) for talk in talks]
        places = np.random.default_rng(2).permutation(len(users))[None, :400]
        now, then = places[:, :200], places[:, 200:]
        drawn = [{users[at] for at in side[0]} for side in (now, then)]
        sides = [
            [(one.user, one.row) for one in rows if one.user in own]
            for rows, own in zip((changed, talks), drawn, strict=True)
        ]
        report = drift(sides[0], sides[1], DriftConfig(splits=0))
        assert ByUser(talks, changed, does).drifted(now, then)[0] == (report.status == "drifted")
        assert ByRow(talks, talks, users).drifted(now, now)[0] == np.False_, "the same rows on both sides"


def hash_of(user: str) -> bool:
    """A coin of the user's own."""
    return int(user.removeprefix("u")) % 2 == 0
