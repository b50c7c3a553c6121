"""How the labeller's heads are trained, and how they are chosen inside their training rows.

Three kinds of rows: follow-ups that people labelled (they alone are measured on and calibrated on), follow-ups of the
same log that one reader labelled after the same guideline, and sentences written for this project (followups.jsonl),
because logs of programming and homework hold too few complaints about style, thanks and bare retries.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from rlhi.collect.feedback.fitting import NetworkConfig, calibrated, fit_networks, principal_axes
from rlhi.collect.feedback.head import AccurateLabeller, Context, Labeller, joined
from rlhi.collect.feedback.network import networks, shifted
from rlhi.contracts import FEEDBACK_LABELS, FeedbackLabel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rlhi.collect.feedback.network import Floats, Matrix

    Rows = NDArray[np.int64]

INNER_FOLDS = 3
OPERATING_POINTS = (0.3, 0.35, 0.4, 0.45, 0.5)
BAND = (0.03, 0.97)  # of the default's re-attempt probability: outside it nearly all of its labels are right
SCENE_LABELS: dict[str, FeedbackLabel] = {
    "continuations": "continuation",
    "feedback": "reattempt_with_feedback",
    "retries": "reattempt_without_feedback",
    "thanks": "positive_feedback",
}


@dataclass(frozen=True, slots=True)
class LabelledFollowUp:
    """A follow-up with its label. ``group`` is its conversation; ``alternative`` the annotator's second choice.

    ``kind`` is ``people``, ``reader`` or ``own``; only the first is ever measured on.
    """

    context: Context
    label: FeedbackLabel
    group: str
    alternative: FeedbackLabel | None = None
    kind: Literal["people", "reader", "own"] = "people"


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a head is trained; weights of the reader's and of own rows stand beside 1 for a row labelled by people."""

    networks: NetworkConfig = field(default_factory=NetworkConfig)
    smoothing: float = 0.05
    alternative: float = 0.25
    reader_weight: float = 1.0
    own_weight: float = 1.0


def own_rows(seed: int = 0) -> list[LabelledFollowUp]:
    """This project's own sentences: those of a scene after it, the others after two scenes drawn by seed."""
    lines = (files("rlhi.collect.feedback") / "followups.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    scenes = [item for item in items if "request" in item]
    draw = random.Random(seed)
    rows: list[tuple[dict[str, str], str, FeedbackLabel]] = []
    for scene in scenes:
        others = [other["request"] for other in scenes if other is not scene]
        rows += [(scene, text, label) for name, label in SCENE_LABELS.items() for text in scene.get(name, ())]
        rows += [(scene, text, "new_request") for text in draw.sample(others, 3)]
        rows.append((scene, scene["request"], "reattempt_without_feedback"))
    for item in items:
        if "label" in item:
            rows += [(scene, item["follow_up"], item["label"]) for scene in draw.sample(scenes, 2)]
    return [
        LabelledFollowUp((scene["request"], scene["answer"], text), label, group=text, kind="own")
        for scene, text, label in rows
    ]


def training_rows(rows: Sequence[LabelledFollowUp], people: Rows, held: Rows) -> Rows:
    """``people`` and all other rows that tell nothing of ``held``: no row of its conversations, and no copy of it."""
    import numpy as np

    groups = {rows[at].group for at in held.tolist()}
    said = {_said(rows[at]) for at in held.tolist()}
    free = [
        at
        for at, row in enumerate(rows)
        if row.kind == "own" or (row.kind == "reader" and row.group not in groups and _said(row) not in said)
    ]
    return np.concatenate([people, np.array(free, dtype=np.int64)])


def fit(rows: Sequence[LabelledFollowUp], plain: Floats, config: TrainingConfig, seed: int) -> Labeller:
    """The default head of rows and their features, which are in the same order; not calibrated."""
    targets, weights, real = _targets(rows, config)
    arrays = fit_networks(plain, targets, weights, (real, plain.shape[1]), config.networks, seed)
    return Labeller(arrays | _calibration(1.0, 0.0, 0.5))


def fit_accurate(
    rows: Sequence[LabelledFollowUp], plain: Floats, embedded: Floats, config: TrainingConfig, seed: int
) -> dict[str, Floats]:
    """The slower tier's networks and axes; not calibrated."""
    targets, weights, real = _targets(rows, config)
    axes = principal_axes(embedded)
    read = joined(plain, embedded, axes)
    return axes | fit_networks(read, targets, weights, (real, plain.shape[1]), config.networks, seed)


@dataclass(frozen=True, slots=True)
class Heads:
    """Both tiers."""

    default: Labeller
    accurate: AccurateLabeller | None


def calibrate_and_fit(
    rows: Sequence[LabelledFollowUp], plain: Floats, embedded: Floats | None, config: TrainingConfig, seed: int
) -> Heads:
    """Calibrate and choose the operating point by inner folds over conversations, then fit on all rows.

    Only rows labelled by people are held out inside; the accurate tier is fitted where ``embedded`` is given.
    """
    import numpy as np
    from sklearn.model_selection import GroupKFold

    people = np.array([at for at, row in enumerate(rows) if row.kind == "people"])
    truth = np.array([FEEDBACK_LABELS.index(rows[at].label) < 2 for at in people.tolist()])
    groups = [rows[at].group for at in people.tolist()]
    fast, slow = (np.zeros((len(people), len(FEEDBACK_LABELS))) for _ in range(2))
    for kept, held in GroupKFold(INNER_FOLDS, shuffle=True, random_state=seed).split(people, groups=groups):
        chosen, test = training_rows(rows, people[kept], people[held]), people[held]
        part = [rows[at] for at in chosen.tolist()]
        fast[held] = fit(part, plain[chosen], config, seed).raw(plain[test])
        if embedded is not None:
            arrays = fit_accurate(part, plain[chosen], embedded[chosen], config, seed)
            slow[held] = networks(joined(plain[test], embedded[test], arrays), arrays)
    default = Labeller(fit(rows, plain, config, seed).arrays | _settled(fast, truth))
    if embedded is None:
        return Heads(default, None)
    arrays = fit_accurate(rows, plain, embedded, config, seed) | _settled(slow, truth)
    return Heads(default, AccurateLabeller(arrays | {"band": np.array(BAND, dtype=np.float32)}, default))


def smaller(config: TrainingConfig, members: int) -> TrainingConfig:
    """The same with fewer networks, for a quick look."""
    return replace(config, networks=replace(config.networks, members=members))


def _settled(raw: Matrix, truth: NDArray[np.bool_]) -> dict[str, Floats]:
    """Calibration on held-out rows, and the operating point with the best F1 of re-attempts on them."""
    slope, offset = calibrated(raw, truth)
    found = shifted(raw, slope, offset)
    point = max(OPERATING_POINTS, key=lambda one: (_f1(truth, found, one), one))
    return _calibration(slope, offset, point)


def _calibration(slope: float, offset: float, point: float) -> dict[str, Floats]:
    import numpy as np

    return {
        "calibration": np.array([slope, offset], dtype=np.float32),
        "operating_point": np.array([point], dtype=np.float32),
    }


def _targets(rows: Sequence[LabelledFollowUp], config: TrainingConfig) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Labels as distributions (a share for the second choice, a little for all), weights, and which rows are real."""
    import numpy as np

    targets = np.zeros((len(rows), len(FEEDBACK_LABELS)), dtype=np.float32)
    for target, row in zip(targets, rows, strict=True):
        target[FEEDBACK_LABELS.index(row.label)] = 1
        if row.alternative:
            target *= 1 - config.alternative
            target[FEEDBACK_LABELS.index(row.alternative)] += config.alternative
    targets = targets * (1 - config.smoothing) + config.smoothing / len(FEEDBACK_LABELS)
    by_kind = {"people": 1.0, "reader": config.reader_weight, "own": config.own_weight}
    weights = np.array([by_kind[row.kind] for row in rows], dtype=np.float32)
    return targets.astype(np.float32), weights, np.array([row.kind != "own" for row in rows])


def _f1(truth: NDArray[np.bool_], found: Matrix, point: float) -> float:
    said = found[:, :2].sum(axis=1) >= point
    return float(2 * (truth & said).sum() / max(1, truth.sum() + said.sum()))


def _said(row: LabelledFollowUp) -> tuple[str, str]:
    return row.context[0][:300], row.context[2][:300]
