"""Report: the evidence page of a cycle."""

from rlhi.report.evidence import (
    Compared,
    CycleEvidence,
    Evidence,
    Example,
    Figure,
    Judge,
    LossPoint,
    read_evidence,
    write_evidence,
)  # fmt: skip
from rlhi.report.page import render

__all__ = [
    "Compared", "CycleEvidence", "Evidence", "Example", "Figure", "Judge", "LossPoint", "read_evidence", "render",
    "write_evidence",
]  # fmt: skip
