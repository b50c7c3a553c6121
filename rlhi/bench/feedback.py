"""How well follow-ups are labelled: the default labeller and its slower tier beside tf-idf, on people's labels.

Five folds by conversation. Calibration and operating point are chosen by inner folds of the training rows, and no row
of a test fold's conversations, nor a copy of one, is trained on, whoever labelled it. Sizes and weights were settled
on the reader's rows alone. The shipped heads are never measured here: they were trained on all of these rows.

    rlhi bench feedback [--quick] [--json]
    rlhi bench feedback --train        # writes rlhi/collect/feedback/labeller_head.npz and labeller_accurate.npz
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.bench.feedback_data import baseline, classes_of, data_with, embedder_folder, people_rows, reader_rows
from rlhi.bench.label_quality import CLASSES, Calibration, Quality, calibration, class_of, quality, scores, table, told
from rlhi.collect.feedback.features import feature_matrix, forget_texts
from rlhi.collect.feedback.head import SHIPPED, SHIPPED_ACCURATE, Context, embeddings
from rlhi.collect.feedback.label import AccurateLabeller, FollowUpLabeller, Labeller, decide
from rlhi.collect.feedback.training import (
    LabelledFollowUp,
    TrainingConfig,
    calibrate_and_fit,
    fit,
    own_rows,
    smaller,
    training_rows,
)
from rlhi.config import FeedbackConfig
from rlhi.models.embedder import LocalEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classes = NDArray[np.int64]
    Matrix = NDArray[np.float64]
    Floats = NDArray[np.float32]

NEEDED = ("followup_labels.jsonl.gz", "conversations.jsonl.gz")  # of the data folder
SPLITS = 2  # of the default; everything else is told for the first
THRESHOLD = FeedbackConfig().threshold
TIMED = 692  # follow-ups whose labelling is timed, at most


@dataclass(frozen=True, slots=True)
class Tier:
    """One way of labelling, measured on the folds; ``per_second`` is the rate from contexts to labels."""

    name: str
    quality: Quality
    calibration: Calibration
    per_second: float


@dataclass(frozen=True, slots=True)
class FeedbackBench:
    """The benchmark's result; ``ours``, ``baseline`` and ``ratio`` are re-attempt F1 of the default and of tf-idf.

    ``runs`` is re-attempt F1 of the default for each split; ``own_hits`` the shares of own sentences that are labelled
    rightly by a head trained without them; ``unclear`` the share of follow-ups that the slower tier embeds.
    """

    name: str
    unit: str
    ours: float
    baseline: float
    ratio: float
    runs: tuple[float, ...]
    tiers: tuple[Tier, ...]
    baseline_quality: Quality
    unclear: float
    own_hits: dict[str, float]
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """All rows with what is computed once for each: features, and embeddings."""

    rows: list[LabelledFollowUp]
    plain: Floats
    embedded: Floats

    @property
    def people(self) -> Classes:
        """Indices of the rows that are measured on."""
        import numpy as np

        return np.array([at for at, row in enumerate(self.rows) if row.kind == "people"], dtype=np.int64)


def measure(data: Path, embedder_path: Path, quick: bool = False) -> FeedbackBench:
    """All ways over the same folds: one split when ``quick``, else two; figures are those of the first split."""
    embedder = LocalEmbedder(embedder_path)
    read = _read_rows([*people_rows(data), *reader_rows(data), *own_rows()], embedder)
    people = [read.rows[at] for at in read.people]
    groups, truth = [row.group for row in people], classes_of(people)
    config = smaller(TrainingConfig(), 2) if quick else TrainingConfig()
    fast, slow, unclear = _folds(read, 0, config, accurate=True)
    more = [_folds(read, seed, config, accurate=False)[0] for seed in range(1, 1 if quick else SPLITS)]
    simple = _baseline(people, 0)
    contexts = [row.context for row in people][:TIMED]
    tiers = (
        _tier("local (default)", truth, fast, groups, rate(Labeller.load(), contexts, times=5)),
        _tier("accurate", truth, slow, groups, rate(AccurateLabeller.load(embedder), contexts)),
    )
    runs = tuple(round(scores(table(truth, _decided(one)))[0], 4) for one in (fast, *more))
    base = quality(truth, simple, groups)
    first = tiers[0].quality.f1
    kinds = {kind: sum(row.kind == kind for row in read.rows) for kind in ("people", "reader", "own")}
    hits = _own_hits(read, config)
    ratio = first / max(base.f1, 1e-9)
    return FeedbackBench("feedback", "re-attempt F1", first, base.f1, ratio, runs, tiers, base, unclear, hits, kinds)


def rate(labeller: FollowUpLabeller, contexts: Sequence[Context], times: int = 1) -> float:
    """Follow-ups a second from contexts to labels on one core, as `rlhi label` and the stage `feedback` go.

    The best of ``times`` runs: on a machine that others use too, the slower runs measure them.
    """
    labeller.label_probabilities(contexts[:8])
    seconds = []
    for _ in range(times):
        forget_texts()
        started = time.perf_counter()
        for row in labeller.label_probabilities(contexts):
            decide(row, THRESHOLD)
        seconds.append(time.perf_counter() - started)
    return len(contexts) / min(seconds)


def _read_rows(rows: list[LabelledFollowUp], embedder: LocalEmbedder) -> _Read:
    contexts = [row.context for row in rows]
    return _Read(rows, feature_matrix(contexts), embeddings(contexts, embedder))


def _tier(name: str, truth: Classes, found: Matrix, groups: Sequence[str], per_second: float) -> Tier:
    sure = calibration(truth < 2, found[:, :2].sum(axis=1))
    return Tier(name, quality(truth, _decided(found), groups), sure, per_second)


def _splits(people: Sequence[LabelledFollowUp], seed: int) -> list[tuple[Classes, Classes]]:
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(5, shuffle=True, random_state=seed)
    return list(folds.split(people, groups=[row.group for row in people]))


def _folds(read: _Read, seed: int, config: TrainingConfig, accurate: bool) -> tuple[Matrix, Matrix, float]:
    """Probabilities of the default and of the slower tier for each row of people, and the share that was embedded."""
    import numpy as np

    people = read.people
    fast, slow = np.zeros((len(people), 6)), np.zeros((len(people), 6))
    asked = 0
    for kept, held in _splits([read.rows[at] for at in people], seed):
        chosen, test = training_rows(read.rows, people[kept], people[held]), people[held]
        part = [read.rows[at] for at in chosen]
        heads = calibrate_and_fit(part, read.plain[chosen], read.embedded[chosen] if accurate else None, config, 0)
        fast[held] = heads.default.probabilities(read.plain[test])
        if heads.accurate is not None:
            slow[held] = heads.accurate.probabilities(read.plain[test], _rows_of(read.embedded[test]))
            asked += int(heads.accurate.unclear(fast[held]).sum())
    return fast, slow, asked / len(people)


def _rows_of(embedded: Floats) -> Callable[[list[int]], Floats]:
    return lambda rows: embedded[rows]


def _baseline(people: Sequence[LabelledFollowUp], seed: int) -> Classes:
    import numpy as np

    found = np.zeros(len(people), dtype=np.int64)
    for kept, held in _splits(people, seed):
        found[held] = baseline(people, kept, held)
    return found


def _decided(rows: Matrix) -> Classes:
    import numpy as np

    return np.array([class_of(decide(row, THRESHOLD)[0]) for row in rows], dtype=np.int64)


def _own_hits(read: _Read, config: TrainingConfig) -> dict[str, float]:
    """The share of this project's sentences, class by class, that a head trained without them labels rightly."""
    import numpy as np
    from sklearn.model_selection import GroupKFold

    own = np.array([at for at, row in enumerate(read.rows) if row.kind == "own"], dtype=np.int64)
    others = np.setdiff1d(np.arange(len(read.rows)), own)
    truth = classes_of(read.rows)
    right = np.zeros(len(read.rows))
    groups = [read.rows[at].group for at in own]
    for kept, held in GroupKFold(3, shuffle=True, random_state=0).split(own, groups=groups):
        chosen = np.concatenate([others, own[kept]])
        head = fit([read.rows[at] for at in chosen], read.plain[chosen], config, seed=0)
        right[own[held]] = _decided(head.probabilities(read.plain[own[held]])) == truth[own[held]]
    return {name: float(right[own][truth[own] == at].mean()) for at, name in enumerate(CLASSES)}


def run(quick: bool = False, as_json: bool = False) -> str:
    """Measure and render: JSON, or a text to read."""
    result = measure(data_with(*NEEDED), embedder_folder(), quick)
    return json.dumps(asdict(result), indent=2) if as_json else as_text(result)


def as_text(result: FeedbackBench) -> str:
    """The tables, for a reader."""
    lines = []
    for tier in result.tiers:
        lines += told(tier.name, tier.quality, tier.calibration)
        lines.append(f"  {tier.per_second:.0f} follow-ups a second on one core, from contexts to labels")
    lines += told("tf-idf + logistic regression", result.baseline_quality)
    own = ", ".join(f"{name} {share:.2f}" for name, share in result.own_hits.items())
    kinds = ", ".join(f"{count} {kind}" for kind, count in result.rows.items())
    lines.append(f"ratio of the default to tf-idf {result.ratio:.2f}; re-attempt F1 of {len(result.runs)} splits")
    lines[-1] += f" {', '.join(f'{one:.3f}' for one in result.runs)}"
    lines.append(f"the slower tier embeds {result.unclear:.0%} of follow-ups; rows: {kinds}")
    lines.append(f"own sentences, held out, labelled rightly: {own}")
    return "\n".join(lines)


def retrain() -> str:
    """Train both tiers on every row and write the shipped heads; `rlhi bench feedback --train`.

    Raises:
        StageError: the data folder lacks the labels or the conversations.
    """
    data = data_with(*NEEDED)
    rows = [*people_rows(data), *reader_rows(data), *own_rows()]
    read = _read_rows(rows, LocalEmbedder(embedder_folder()))
    heads = calibrate_and_fit(read.rows, read.plain, read.embedded, TrainingConfig(), seed=0)
    written = []
    for head, name in ((heads.default, SHIPPED), (heads.accurate, SHIPPED_ACCURATE)):
        if head is not None:
            target = Path(str(files("rlhi.collect.feedback") / name))
            head.save(target)
            written.append(f"wrote {name}, version {head.version}, {target.stat().st_size // 1000} kB")
    return "\n".join(written)
