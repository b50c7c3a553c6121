"""Logs -> conversations, labelled follow-ups, personas: ingest -> feedback -> personas."""

from __future__ import annotations

from prefect import flow

from flows.maintain import publish_collect
from flows.tasks import alone, is_subflow, stage
from rlhi.stages import StageReport, stages_of


@flow(name="collect", persist_result=True)
def collect(workspace: str = ".") -> tuple[StageReport, ...]:
    """Take in what landed since the last time; between cycles it is recorded in a commit of its own."""
    with alone():
        reports = tuple(stage(name, workspace) for name in stages_of("collect"))
        # Also when nothing is new: what a killed one made and did not record is recorded by the next.
        if not is_subflow():
            publish_collect(workspace)
    return reports
