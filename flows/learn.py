"""Feedback -> challenger: rewrites and candidates -> reward -> pairs -> dpo."""

from __future__ import annotations

from prefect import flow

from flows.tasks import alone, stage
from rlhi.stages import StageReport, stages_of


@flow(name="reward", persist_result=True)
def reward(workspace: str = ".") -> StageReport:
    """Train the reward model on what is known by now; it scores if it ranks held-out users no worse than the former.

    The next cycle trains it again, on what is known by then.
    """
    with alone():
        return stage("reward", workspace)


@flow(name="learn", persist_result=True)
def learn(workspace: str = ".") -> tuple[StageReport, ...]:
    """Train a challenger from the champion that the present cycle is pinned to."""
    with alone():
        return tuple(stage(name, workspace) for name in stages_of("learn"))
