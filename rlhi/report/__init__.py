"""Report: the evidence page of a cycle."""

from rlhi.report.evidence import (
    Compared,
    CycleEvidence,
    CycleTests,
    Drifted,
    Evidence,
    Example,
    Figure,
    Judge,
    LossPoint,
    ShownTest,
    read_evidence,
    write_evidence,
)  # fmt: skip
from rlhi.report.page import render
from rlhi.report.summary import asked, would_change

__all__ = [
    "Compared", "CycleEvidence", "CycleTests", "Drifted", "Evidence", "Example", "Figure", "Judge", "LossPoint",
    "ShownTest", "asked", "read_evidence", "render", "would_change", "write_evidence",
]  # fmt: skip
