"""What benchmarks tell a program."""

from __future__ import annotations

from rlhi.bench.dpo import WAYS, DpoSpeed, LossCurves
from rlhi.bench.sample import SampleSpeed


def test_a_benchmark_s_json_names_its_figure_the_baseline_s_and_their_ratio() -> None:
    seconds = dict(zip(WAYS, ((8.0, 9.0, 8.0), (6.0,), (4.0, 2.0, 4.0)), strict=True))
    speed = DpoSpeed(300, 100, 8, seconds).record()
    assert [speed[name] for name in ("name", "unit", "ours", "baseline", "ratio", "runs")] == [
        "dpo", "pairs a second", 2.0, 1.0, 2.0, [2.0, 4.0, 2.0],
    ]  # fmt: skip
    curves = LossCurves(150, dict(zip(WAYS, ((0.7, 0.5), (0.7, 0.2), (0.69, 0.1)), strict=True)))
    assert curves.record()["ratio"] == 0.5 and curves.record()["unit"] == "loss of the last step"
    assert curves.apart(WAYS[0]) == 0.4 and curves.apart(WAYS[1]) == 0.1
    drawn = SampleSpeed(142, 64, 6, 16, ((2.0, 800),), ((4.0, 400),), 1.0).record()
    assert [drawn[name] for name in ("ours", "baseline", "ratio", "runs")] == [400.0, 100.0, 4.0, [400.0]]
