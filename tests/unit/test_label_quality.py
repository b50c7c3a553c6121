"""The figures that `rlhi bench feedback` prints: agreement, calibration, F1 and their text."""

from __future__ import annotations

import numpy as np
import pytest

from rlhi.bench.label_quality import CLASSES, agreement, calibration, class_of, quality, scores, table, told
from rlhi.contracts import FEEDBACK_LABELS


def test_six_labels_are_four_classes() -> None:
    assert [class_of(label) for label in FEEDBACK_LABELS] == [0, 1, 2, 3, 3, 3]


def test_agreement_is_held_against_chance() -> None:
    both = np.zeros((4, 4))
    both[0, 0], both[0, 3], both[3, 0], both[3, 3] = 20, 5, 10, 15
    raw, kappa = agreement(both)
    assert raw == pytest.approx(0.7) and kappa == pytest.approx(0.4)  # (0.7 - 0.5) / (1 - 0.5)
    assert agreement(np.diag([3.0, 2.0, 1.0, 4.0])) == pytest.approx((1, 1))
    assert agreement(np.outer([1, 0, 0, 3], [2, 0, 0, 2]).astype(float))[1] == pytest.approx(0)
    assert agreement(np.diag([5.0, 0, 0, 0])) == (1, 1), "one class alone"


def test_calibration_weighs_the_gaps_by_their_rows() -> None:
    truth = np.array([True, True, False, False, True, False])
    sure = calibration(truth, np.array([1.0, 0.95, 0.02, 0.04, 0.61, 0.69]))
    assert [(low, count) for low, _, count, *_ in sure.table] == [(0.0, 2), (0.6, 2), (0.9, 2)]
    assert sure.error == pytest.approx((0.03 * 2 + 0.15 * 2 + 0.025 * 2) / 6)


def test_intervals_resample_conversations_and_not_rows() -> None:
    draw = np.random.default_rng(0)
    truth = draw.integers(0, 4, size=300)
    found = np.where(draw.uniform(size=300) < 0.7, truth, 3)
    narrow = quality(truth, found, [str(at) for at in range(300)], resamples=200)
    wide = quality(truth, found, [str(at // 50) for at in range(300)], resamples=200)
    assert narrow.f1 == wide.f1 == scores(table(truth, found))[0]
    assert narrow.f1_interval != wide.f1_interval and narrow.f1_interval[0] < narrow.f1 < narrow.f1_interval[1]


def test_the_text_has_support_confusion_and_reliability() -> None:
    truth, found = np.array([0, 0, 1, 2, 3, 3]), np.array([0, 3, 1, 2, 3, 3])
    one = quality(truth, found, list("aabbcc"), resamples=20)
    text = "\n".join(told("ours", one, calibration(truth < 2, np.array([0.9, 0.4, 0.8, 0.1, 0.1, 0.2]))))
    assert "ours: re-attempt F1 0.800" in text and "macro F1" in text and "expected error" in text
    for name, support in zip(CLASSES, (2, 1, 1, 2), strict=True):
        (line,) = [line for line in text.splitlines() if line.strip().startswith(f"{name} ")]
        assert line.split()[4] == str(support)
    assert one.confusion[0] == [1, 0, 0, 1]
