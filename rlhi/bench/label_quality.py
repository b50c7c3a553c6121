"""How good labels are: F1 by class, a confusion table, calibration, agreement; all resampled by conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlhi.contracts import FEEDBACK_LABELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classes = NDArray[np.int64]
    Counts = NDArray[np.float64]

CLASSES = ("reattempt_with_feedback", "reattempt_without_feedback", "positive_feedback", "rest")
BINS = 10  # of equal width, for the expected calibration error
Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one way of labelling; intervals are 95%, bootstrapped by conversation.

    ``classes`` holds precision, recall, F1 and support of each class, ``confusion[truth][label]`` counts.
    """

    f1: float
    f1_interval: Pair
    macro: float
    macro_interval: Pair
    classes: dict[str, tuple[float, float, float, int]]
    confusion: list[list[int]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The probability of a re-attempt against its truth: the mean gap over ``BINS`` bins, weighted by their rows.

    ``table`` has a line for each bin that is not empty: from, to, rows, mean probability, share of re-attempts.
    """

    error: float
    table: list[tuple[float, float, int, float, float]]


def class_of(label: str) -> int:
    """Index into ``CLASSES``."""
    return min(FEEDBACK_LABELS.index(label), len(CLASSES) - 1)


def quality(truth: Classes, found: Classes, groups: Sequence[str], resamples: int = 1000) -> Quality:
    """F1 of re-attempts, macro F1 and their intervals, resampling whole conversations."""
    import numpy as np

    counts = table(truth, found)
    f1, macro = scores(counts)
    low, high = np.percentile(resampled(truth, found, groups, scores, resamples), [2.5, 97.5], axis=0)
    hits, labelled, real = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    per_class = {
        name: (
            float(hits[at] / max(1, labelled[at])),
            float(hits[at] / max(1, real[at])),
            float(2 * hits[at] / max(1, labelled[at] + real[at])),
            int(real[at]),
        )
        for at, name in enumerate(CLASSES)
    }
    intervals = [(float(low[at]), float(high[at])) for at in range(2)]
    return Quality(f1, intervals[0], macro, intervals[1], per_class, counts.astype(int).tolist())


def calibration(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> Calibration:
    """Expected calibration error and its bins."""
    import numpy as np

    at = np.minimum((probability * BINS).astype(int), BINS - 1)
    lines, gap = [], 0.0
    for bin_ in range(BINS):
        here = at == bin_
        if here.any():
            said, seen = float(probability[here].mean()), float(truth[here].mean())
            lines.append((bin_ / BINS, (bin_ + 1) / BINS, int(here.sum()), said, seen))
            gap += abs(said - seen) * int(here.sum())
    return Calibration(gap / max(1, len(truth)), lines)


def table(truth: Classes, found: Classes) -> Counts:
    """``[truth, label]`` counts of the four classes."""
    import numpy as np

    counts = np.zeros((len(CLASSES), len(CLASSES)))
    np.add.at(counts, (truth, found), 1)
    return counts


def resampled(
    truth: Classes,
    found: Classes,
    groups: Sequence[str],
    figures: Callable[[Counts], tuple[float, ...]],
    resamples: int = 1000,
) -> NDArray[np.float64]:
    """``figures`` of ``resamples`` draws of whole conversations with replacement, ``[resamples, figures]``."""
    import numpy as np

    names, member = np.unique(np.array(groups), return_inverse=True)
    tables = np.zeros((len(names), len(CLASSES), len(CLASSES)))
    np.add.at(tables, (member, truth, found), 1)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return np.array([figures(np.tensordot(draw, tables, axes=1)) for draw in draws])


def scores(counts: Counts) -> Pair:
    """Re-attempt F1 (two classes against two) and macro F1 over four classes, of a confusion table."""
    import numpy as np

    hits = counts[:2, :2].sum()
    binary = 2 * hits / max(1, counts[:2].sum() + counts[:, :2].sum())
    per_class = 2 * np.diag(counts) / np.maximum(1, counts.sum(axis=0) + counts.sum(axis=1))
    return float(binary), float(per_class.mean())


def agreement(counts: Counts) -> Pair:
    """Raw agreement and Cohen's kappa of a table of two labellers; kappa is 1 where both only know one class."""
    import numpy as np

    total = max(1.0, float(counts.sum()))
    raw = float(np.diag(counts).sum()) / total
    chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum()) / total**2
    return raw, (raw - chance) / (1 - chance) if chance < 1 else 1.0


def told(name: str, one: Quality, sure: Calibration | None = None) -> list[str]:
    """The figures of one way of labelling as lines of text."""
    lines = [
        f"{name}: re-attempt F1 {one.f1:.3f} [{one.f1_interval[0]:.3f}, {one.f1_interval[1]:.3f}], "
        f"macro F1 {one.macro:.3f} [{one.macro_interval[0]:.3f}, {one.macro_interval[1]:.3f}]",
        f"  {'':28}precision recall    F1 rows   labelled as (in this order)",
    ]
    for name_, row in zip(CLASSES, one.confusion, strict=True):
        precision, recall, f1, support = one.classes[name_]
        seen = " ".join(f"{count:4d}" for count in row)
        lines.append(f"  {name_:28}{precision:9.2f} {recall:6.2f} {f1:5.2f} {support:4d}   {seen}")
    if sure is not None:
        lines.append(f"  calibration of P(re-attempt): expected error {sure.error:.3f} over {BINS} bins")
        lines.append("    bin       " + " ".join(f"{low:.1f}-{high:.1f}" for low, high, *_ in sure.table))
        lines.append("    rows      " + " ".join(f"{count:7d}" for _, _, count, *_ in sure.table))
        lines.append("    said      " + " ".join(f"{said:7.2f}" for *_, said, _ in sure.table))
        lines.append("    seen      " + " ".join(f"{seen:7.2f}" for *_, seen in sure.table))
    return lines
