"""Drift: whether new users' side of conversations is still as the former ones' was, by user."""

from rlhi.evaluate.drift.compare import drift
from rlhi.evaluate.drift.examples import DriftExample, examples
from rlhi.evaluate.drift.picture import DriftFiles, picture, with_evidently
from rlhi.evaluate.drift.rows import DriftRow, by_user, claims_by_conversation, compared, drift_row

__all__ = [
    "DriftExample", "DriftFiles", "DriftRow", "by_user", "claims_by_conversation", "compared", "drift", "drift_row",
    "examples", "picture", "with_evidently",
]  # fmt: skip
