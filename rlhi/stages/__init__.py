"""Stages: what runs on a workspace. The table says which there are, the engine runs them, FLOW/NAME holds each."""

from rlhi.stages.engine import RECORDED, check_inputs, pending, run, state, up_to_date
from rlhi.stages.report import CycleReport, StageReport
from rlhi.stages.table import STAGES, Counts, Outcome, Stage, StageError, StageFunction, stages_of

__all__ = [
    "RECORDED", "STAGES", "Counts", "CycleReport", "Outcome", "Stage", "StageError", "StageFunction", "StageReport",
    "check_inputs", "pending", "run", "stages_of", "state", "up_to_date",
]  # fmt: skip
