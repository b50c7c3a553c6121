"""Drift: whether new users' side of conversations is still as the former ones' was, by user."""

from rlhi.evaluate.drift.compare import drift
from rlhi.evaluate.drift.examples import DriftExample, examples
from rlhi.evaluate.drift.picture import DriftFiles, picture, with_evidently
from rlhi.evaluate.drift.rows import DriftRow, by_user, compared, drift_row, wishes_by_user

__all__ = [
    "DriftExample", "DriftFiles", "DriftRow", "by_user", "compared", "drift", "drift_row", "examples", "picture",
    "wishes_by_user", "with_evidently",
]  # fmt: skip
