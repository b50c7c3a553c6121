"""What a benchmark tells a program: our figure, the baseline's and their ratio, from one run."""

from __future__ import annotations

from collections.abc import Sequence


def figure(name: str, unit: str, ours: float, baseline: float, runs: Sequence[float]) -> dict[str, object]:
    """The fields that every benchmark's JSON begins with; ``runs`` are our figure, once for each repetition.

    There is no ratio to a baseline of 0.
    """
    ratio = ours / baseline if baseline else None
    return {"name": name, "unit": unit, "ours": ours, "baseline": baseline, "ratio": ratio, "runs": list(runs)}
