"""Several workspaces' cycles side by side: whose mean it is, and how sure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.bench import seeds
from rlhi.config import ConfigError
from rlhi.contracts import DriftReport, GateDecision, Interval, Measurement
from rlhi.report import CycleEvidence
from rlhi.stages import StageError


def cycle(*measured: Measurement) -> CycleEvidence:
    drift = DriftReport("stable", 0.0, (), (), 1, 1)
    decision = GateDecision("promote", (), (), measured, drift)
    return CycleEvidence(1, "2026-11-30", "policy@v0.1.0", "policy@v0.2.0", 1, 1, 1, 1, decision=decision)


def measured(suite: str, mean: float, half: float) -> Measurement:
    level = Interval(0.5, 0.4, 0.6, 40, 40)
    return Measurement(suite, level, level, Interval(mean, mean - half, mean + half, 40, 40))


def test_the_mean_of_workspaces_is_surer_than_each_and_a_halved_suite_is_told_whole() -> None:
    both = [measured("satisfaction", 0.1, 0.2), measured("persona_lift", 0.05, 0.1)]
    told = seeds.compare([("a", cycle(*both)), ("b", cycle(measured("satisfaction", 0.3, 0.2)))], 1)
    first, lift = told.rows
    assert first.mean == pytest.approx(0.2) and first.high - first.mean == pytest.approx(0.2 / 2**0.5)
    assert lift.mean == pytest.approx(0.1) and lift.low == pytest.approx(-0.1) and lift.measured[1] is None
    table = seeds.table(told).splitlines()
    assert table[4] == (
        "| satisfaction | 50.0 to 50.0, +10.0 (-10.0 to +30.0) | 50.0 to 50.0, +30.0 (+10.0 to +50.0) "
        "| +20.0 (+5.9 to +34.1), +10.0 to +30.0 |"
    )
    assert (
        table[5]
        == "| persona_lift, x 2 | +10.0 (-10.0 to +30.0) | not measured | +10.0 (-10.0 to +30.0), +10.0 to +10.0 |"
    )
    assert table[6] == "| verdict | promote | promote | |"


@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.0, 0.5)), min_size=1, max_size=6))
def test_a_mean_lies_between_its_workspaces_and_its_interval_is_never_wider_than_the_widest(
    gains: list[tuple[float, float]],
) -> None:
    row = seeds.compare([(str(at), cycle(measured("s", *one))) for at, one in enumerate(gains)], 1).rows[0]
    assert min(mean for mean, _ in gains) - 1e-9 <= row.mean <= max(mean for mean, _ in gains) + 1e-9
    assert row.high - row.mean <= max(half for _, half in gains) + 1e-9


def test_a_folder_without_such_a_cycle_is_named_with_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a workspace"):
        seeds.run([tmp_path], 2, as_json=False)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(seeds.SeedsError, match=r"no decision of cycle 2 \(of cycles with one it has: none\)"):
        seeds.run([tmp_path], 2, as_json=False)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "cycle-0002.json").write_text("{}")
    with pytest.raises(StageError, match="cycle-0002.json cannot be read .*dvc checkout reports.dvc"):
        seeds.run([tmp_path], 2, as_json=False)


def test_one_workspace_is_one_seed(tmp_path: Path) -> None:
    with pytest.raises(seeds.SeedsError, match="is named twice"):
        seeds.run([tmp_path, tmp_path / "." / ".." / tmp_path.name], 1, as_json=False)
