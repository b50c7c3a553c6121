"""How the labeller's head is trained: labelled follow-ups, and sentences written for this project.

followups.jsonl holds the project's own sentences: logs of programming and homework alone hold too few complaints
about style, thanks and bare retries. Each is put after two of the file's own requests and answers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING

from rlhi.collect.labeller import COMPONENTS, Context, Labeller, Signals, inputs, signals
from rlhi.contracts import FEEDBACK_LABELS, FeedbackLabel
from rlhi.models.base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SCALES = {"follow_up": 1.0, "answer": 0.6, "request": 0.6}  # the answer and the request say less than the follow-up
OPERATING_POINTS = (0.35, 0.4, 0.45, 0.5)
OWN_WEIGHTS = (0.1, 0.3)


@dataclass(frozen=True, slots=True)
class LabelledFollowUp:
    """A follow-up with its label. ``group`` is its conversation; ``alternative`` the annotator's second choice.

    ``own`` marks a sentence of this project: it is trained on with less weight and never measured on.
    """

    context: Context
    label: FeedbackLabel
    group: str
    alternative: FeedbackLabel | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the networks are trained; ``own_weight`` is an own sentence's weight beside a real row's 1."""

    members: int = 5
    hidden: int = 48
    epochs: int = 30
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    dropout: float = 0.3
    smoothing: float = 0.05
    alternative: float = 0.25
    own_weight: float = 0.3


def own_rows(seed: int = 0) -> list[LabelledFollowUp]:
    """This project's own sentences, each after two of its own requests and answers drawn by seed."""
    lines = (files("rlhi.collect") / "followups.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    scenes = [item for item in items if "request" in item]
    draw = random.Random(seed)
    rows: list[tuple[dict[str, str], str, FeedbackLabel]] = []
    for scene in scenes:
        others = [other["request"] for other in scenes if other is not scene]
        rows += [(scene, text, "continuation") for text in scene["continuations"]]
        rows += [(scene, text, "new_request") for text in draw.sample(others, 3)]
        rows.append((scene, scene["request"], "reattempt_without_feedback"))
    for item in items:
        if "label" in item:
            rows += [(scene, item["follow_up"], item["label"]) for scene in draw.sample(scenes, 2)]
    return [
        LabelledFollowUp((scene["request"], scene["answer"], text), label, group=text, own=True)
        for scene, text, label in rows
    ]


def train(rows: Sequence[LabelledFollowUp], embedder: Embedder, seed: int = 0) -> Labeller:
    """The head of these rows and the project's own; weight and operating point chosen inside them.

    Deterministic on one machine with one thread: same rows, embedder and seed give the same bytes.
    """
    everything = [*rows, *own_rows(seed)]
    return select_and_fit(everything, signals([row.context for row in everything], embedder), seed)


def select_and_fit(rows: Sequence[LabelledFollowUp], given: Signals, seed: int, members: int = 5) -> Labeller:
    """Choose ``own_weight`` and operating point by 3-fold cross-validation over conversations, then fit on all rows."""
    import numpy as np
    from sklearn.model_selection import GroupKFold

    real = np.array([at for at, row in enumerate(rows) if not row.own])
    own = np.array([at for at, row in enumerate(rows) if row.own], dtype=np.int64)
    truth = np.array([FEEDBACK_LABELS.index(rows[at].label) < 2 for at in real])
    folds = list(
        GroupKFold(3, shuffle=True, random_state=seed).split(real, groups=[rows[at].group for at in real.tolist()])
    )
    best = (-1.0, 0.5, TrainingConfig(members=members))
    for weight in OWN_WEIGHTS:
        config = TrainingConfig(members=members, own_weight=weight)
        found = np.zeros(len(real))
        for train_rows, test_rows in folds:
            chosen = np.concatenate([real[train_rows], own])
            head = fit(
                [rows[at] for at in chosen.tolist()], given[chosen], replace(config, members=min(2, members)), seed
            )
            found[test_rows] = head.probabilities(given[real[test_rows]])[:, :2].sum(axis=1)
        best = max([best, *((_f1(truth, found >= point), point, config) for point in OPERATING_POINTS)], key=_first)
    return fit(rows, given, best[2], seed).at(best[1])


def fit(rows: Sequence[LabelledFollowUp], given: Signals, config: TrainingConfig, seed: int) -> Labeller:
    """Train a head on rows and their signals, which are in the same order."""
    import numpy as np

    real = np.array([not row.own for row in rows])
    spread = given.plain[real].std(axis=0)
    arrays: dict[str, Floats] = {
        "plain_mean": given.plain[real].mean(axis=0),
        "plain_scale": np.where(spread > 1e-6, spread, 1).astype(np.float32),
        "operating_point": np.array([0.5], dtype=np.float32),
    }
    for name, count in COMPONENTS.items():
        mean, axes = _principal_axes(getattr(given, name), count, SCALES[name])
        arrays |= {f"{name}_mean": mean, f"{name}_axes": axes}
    read = inputs(given, arrays)
    targets = np.stack([_target(row, config) for row in rows])
    weights = np.where(real, 1, config.own_weight).astype(np.float32)
    members = [_network(read, targets, weights, config, seed + member) for member in range(config.members)]
    return Labeller(arrays | {name: np.stack([member[name] for member in members]) for name in members[0]})


def _target(row: LabelledFollowUp, config: TrainingConfig) -> Floats:
    """The label as a distribution: a share for the annotator's second choice, a little for every label."""
    import numpy as np

    target = np.zeros(len(FEEDBACK_LABELS), dtype=np.float32)
    target[FEEDBACK_LABELS.index(row.label)] = 1
    if row.alternative:
        target *= 1 - config.alternative
        target[FEEDBACK_LABELS.index(row.alternative)] += config.alternative
    return (target * (1 - config.smoothing) + config.smoothing / len(target)).astype(np.float32)


def _principal_axes(vectors: Floats, count: int, scale: float) -> tuple[Floats, Floats]:
    """Mean ``[d]`` and axes ``[d, count]``, scaled so that the components' mean spread is ``scale``."""
    import numpy as np

    mean = vectors.mean(axis=0)
    _, singular, right = np.linalg.svd((vectors - mean).astype(np.float64), full_matrices=False)
    spread = (singular[:count] / np.sqrt(len(vectors))).mean()
    return mean, (right[:count].T * scale / spread).astype(np.float32)


def _network(read: Floats, targets: Floats, weights: Floats, config: TrainingConfig, seed: int) -> dict[str, Floats]:
    """One hidden layer with dropout, AdamW, cross-entropy."""
    import torch
    from torch.nn import Dropout, Linear, ReLU, Sequential
    from torch.nn.functional import log_softmax

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first, second = Linear(read.shape[1], config.hidden), Linear(config.hidden, targets.shape[1])
        network = Sequential(Dropout(config.dropout), first, ReLU(), Dropout(config.dropout), second)
        optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        x, y, w = torch.from_numpy(read), torch.from_numpy(targets), torch.from_numpy(weights)
        for _ in range(config.epochs):
            order = torch.randperm(len(x))
            for batch in (order[at : at + config.batch] for at in range(0, len(x), config.batch)):
                optimiser.zero_grad()
                loss = -((log_softmax(network(x[batch]), dim=1) * y[batch]).sum(dim=1) * w[batch]).mean()
                torch.autograd.backward(loss)
                optimiser.step()
    layers = {"weights1": first.weight.T, "bias1": first.bias, "weights2": second.weight.T, "bias2": second.bias}
    return {name: layer.detach().numpy().copy() for name, layer in layers.items()}


def _f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    hits = int((truth & found).sum())
    return 2 * hits / max(1, int(truth.sum()) + int(found.sum()))


def _first(choice: tuple[float, float, TrainingConfig]) -> float:
    return choice[0]
