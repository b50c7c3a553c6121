"""Challenger -> verdict: evaluate -> drift -> gate."""

from __future__ import annotations

from prefect import flow

from flows.tasks import alone, stage
from rlhi.stages import StageReport, stages_of


@flow(name="evaluate", persist_result=True)
def evaluate(workspace: str = ".") -> tuple[StageReport, ...]:
    """Measure champion and challenger on held-out users and let the gate decide; nothing is promoted here."""
    with alone():
        return tuple(stage(name, workspace) for name in stages_of("evaluate"))
