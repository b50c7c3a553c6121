"""Report: the evidence page of a cycle."""

from rlhi.report.evidence import CycleEvidence, Evidence, Example, LossPoint, read_evidence, write_evidence
from rlhi.report.page import render

__all__ = ["CycleEvidence", "Evidence", "Example", "LossPoint", "read_evidence", "render", "write_evidence"]
