"""How well follow-ups are labelled: ours beside tf-idf with logistic regression, on people's labels.

Five folds by conversation; whatever is chosen (own sentences' weight, operating point) is chosen inside the training
folds. The shipped head is never measured here: it was trained on all of these rows. The networks' size and the
features were settled while looking at cross-validation on the same rows, so that a little optimism remains.

    rlhi bench feedback [--quick] [--json]
    rlhi bench feedback --train        # writes rlhi/collect/labeller_head.npz
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.collect.feedback import Labeller, decide, train
from rlhi.collect.labeller import SHIPPED, Signals, signals
from rlhi.collect.labeller_training import LabelledFollowUp, TrainingConfig, fit, own_rows, select_and_fit
from rlhi.contracts import FEEDBACK_LABELS
from rlhi.models.embedder import LocalEmbedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classes = NDArray[np.int64]

CLASSES = ("reattempt_with_feedback", "reattempt_without_feedback", "positive_feedback", "rest")
Predict = Callable[["Classes", "Classes"], "Classes"]


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one way of labelling; intervals are 95%, bootstrapped by conversation.

    ``classes`` holds precision, recall and F1 of each class, ``confusion[truth][label]`` counts.
    """

    f1: float
    f1_interval: tuple[float, float]
    macro: float
    macro_interval: tuple[float, float]
    classes: dict[str, tuple[float, float, float]]
    confusion: list[list[int]]


@dataclass(frozen=True, slots=True)
class FeedbackBench:
    """The benchmark's result. ``runs`` is re-attempt F1 for each split; ``own_hits`` the shares of own sentences
    that are labelled rightly by a head trained without them."""

    name: str
    unit: str
    ours: float
    baseline: float
    ratio: float
    runs: tuple[float, ...]
    ours_quality: Quality
    baseline_quality: Quality
    own_hits: dict[str, float]
    follow_ups_per_second: float


def load_rows(data: Path) -> list[LabelledFollowUp]:
    """``followup_labels.jsonl.gz`` of a data folder.

    Raises:
        FileNotFoundError: the folder has no such file.
    """
    with gzip.open(data / "followup_labels.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return [
        LabelledFollowUp(
            (record["context"][0]["content"], record["context"][1]["content"], record["context"][2]["content"]),
            record["label"],
            record["conversation_id"],
            record["alternative"],
        )
        for record in records
    ]


def measure(data: Path, embedder_path: Path, quick: bool = False) -> FeedbackBench:
    """Both ways over the same folds: one split when ``quick``, else three; figures are those of the first split."""
    import numpy as np

    embedder = LocalEmbedder(embedder_path)
    real, own = load_rows(data), own_rows()
    started = time.perf_counter()
    given = signals([row.context for row in real], embedder)
    speed = len(real) / (time.perf_counter() - started)
    rows, every = [*real, *own], given.joined(signals([row.context for row in own], embedder))
    own_at = np.arange(len(real), len(rows))

    def fitted(train_rows: Classes, held_rows: Classes) -> Classes:
        chosen = np.concatenate([train_rows, own_at])
        head = select_and_fit([rows[at] for at in chosen.tolist()], every[chosen], seed=0, members=2 if quick else 5)
        return _decided(head, every[held_rows])

    truth = classes_of(real)
    groups = [row.group for row in real]
    ours = [_folds(real, fitted, seed) for seed in range(1 if quick else 3)]
    base = _folds(real, lambda one, other: _baseline(real, one, other), 0)
    first, other = quality(truth, ours[0], groups), quality(truth, base, groups)
    runs = tuple(round(_scores(_counts(truth, found))[0], 4) for found in ours)
    hits = _own_hits(rows, every, len(real), members=2 if quick else 5)
    ratio = first.f1 / max(other.f1, 1e-9)
    return FeedbackBench("feedback", "re-attempt F1", first.f1, other.f1, ratio, runs, first, other, hits, speed)


def classes_of(rows: Sequence[LabelledFollowUp]) -> Classes:
    """The four classes of the benchmark, as indices into ``CLASSES``."""
    import numpy as np

    return np.array([min(FEEDBACK_LABELS.index(row.label), 3) for row in rows], dtype=np.int64)


def quality(truth: Classes, found: Classes, groups: Sequence[str], resamples: int = 1000) -> Quality:
    """F1 of re-attempts, macro F1 and their intervals, resampling whole conversations."""
    import numpy as np

    names, member = np.unique(np.array(groups), return_inverse=True)
    tables = np.zeros((len(names), 4, 4))
    np.add.at(tables, (member, truth, found), 1)
    draws = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    spread = np.array([_scores(np.tensordot(draw, tables, axes=1)) for draw in draws])
    low, high = np.percentile(spread, [2.5, 97.5], axis=0)
    counts = tables.sum(axis=0)
    f1, macro = _scores(counts)
    hits, labelled, real = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    per_class = {
        name: (
            float(hits[at] / max(1, labelled[at])),
            float(hits[at] / max(1, real[at])),
            float(2 * hits[at] / max(1, labelled[at] + real[at])),
        )
        for at, name in enumerate(CLASSES)
    }
    intervals = [(float(low[at]), float(high[at])) for at in range(2)]
    return Quality(f1, intervals[0], macro, intervals[1], per_class, counts.astype(int).tolist())


def _counts(truth: Classes, found: Classes) -> NDArray[np.float64]:
    import numpy as np

    counts = np.zeros((4, 4))
    np.add.at(counts, (truth, found), 1)
    return counts


def _scores(counts: NDArray[np.float64]) -> tuple[float, float]:
    """Re-attempt F1 (two classes against two) and macro F1 over four classes, of a confusion table."""
    import numpy as np

    hits = counts[:2, :2].sum()
    binary = 2 * hits / max(1, counts[:2].sum() + counts[:, :2].sum())
    per_class = 2 * np.diag(counts) / np.maximum(1, counts.sum(axis=0) + counts.sum(axis=1))
    return float(binary), float(per_class.mean())


def _folds(rows: Sequence[LabelledFollowUp], predict: Predict, seed: int) -> Classes:
    import numpy as np
    from sklearn.model_selection import GroupKFold

    found = np.zeros(len(rows), dtype=np.int64)
    for train_rows, held in GroupKFold(5, shuffle=True, random_state=seed).split(rows, groups=[r.group for r in rows]):
        found[held] = predict(train_rows, held)
    return found


def _decided(head: Labeller, given: Signals) -> Classes:
    import numpy as np

    labels = [decide(row, 0.5)[0] for row in head.probabilities(given)]
    return np.array([min(FEEDBACK_LABELS.index(label), 3) for label in labels], dtype=np.int64)


def _own_hits(rows: Sequence[LabelledFollowUp], every: Signals, real: int, members: int) -> dict[str, float]:
    """The share of this project's sentences, class by class, that a head trained without them labels rightly."""
    import numpy as np
    from sklearn.model_selection import GroupKFold

    own = np.arange(real, len(rows))
    truth = classes_of(rows)
    right = np.zeros(len(rows))
    for kept, held in GroupKFold(3, shuffle=True, random_state=0).split(
        own, groups=[rows[at].group for at in own.tolist()]
    ):
        chosen = np.concatenate([np.arange(real), own[kept]])
        head = fit([rows[at] for at in chosen.tolist()], every[chosen], TrainingConfig(members=members), seed=0)
        right[own[held]] = _decided(head, every[own[held]]) == truth[own[held]]
    return {name: float(right[own][truth[own] == at].mean()) for at, name in enumerate(CLASSES)}


def _baseline(rows: Sequence[LabelledFollowUp], train_rows: Classes, held: Classes) -> Classes:
    """Words and character n-grams of the follow-up, its similarity to request and answer, its length."""
    import numpy as np
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    signs = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2)
    words.fit([text for at in train_rows for text in rows[at].context])
    signs.fit([rows[at].context[2] for at in train_rows])

    def matrix(chosen: Classes) -> csr_matrix:
        request, answer, said = ([rows[at].context[part] for at in chosen] for part in range(3))
        own = words.transform(said)
        similar = [np.asarray(own.multiply(words.transform(texts)).sum(axis=1)) for texts in (request, answer)]
        length = np.log1p([[len(text.split())] for text in said])
        return csr_matrix(hstack([own, signs.transform(said), csr_matrix(np.hstack([*similar, length]))]))

    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    truth = classes_of(rows)
    return model.fit(matrix(train_rows), truth[train_rows]).predict(matrix(held)).astype(np.int64)  # type: ignore[no-any-return]


def run(quick: bool = False, as_json: bool = False) -> str:
    """Measure and render: JSON, or a text to read."""
    result = measure(data_folder(), embedder_folder(), quick)
    return json.dumps(asdict(result), indent=2) if as_json else _text(result)


def _text(result: FeedbackBench) -> str:
    lines = []
    for who, one in (("ours", result.ours_quality), ("tf-idf + logistic regression", result.baseline_quality)):
        low, high = one.f1_interval
        lines.append(f"{who}: re-attempt F1 {one.f1:.3f} [{low:.3f}, {high:.3f}]")
        low, high = one.macro_interval
        lines.append(f"  macro F1 {one.macro:.3f} [{low:.3f}, {high:.3f}]; rows are the truth, columns our label")
        for name, row in zip(CLASSES, one.confusion, strict=True):
            precision, recall, f1 = one.classes[name]
            lines.append(f"  {name:28} precision {precision:.2f} recall {recall:.2f} F1 {f1:.2f}  {row}")
    own = ", ".join(f"{name} {share:.2f}" for name, share in result.own_hits.items())
    lines.append(f"own sentences, held out, labelled rightly: {own}")
    lines.append(f"ratio {result.ratio:.2f}; splits {result.runs}; {result.follow_ups_per_second:.1f} follow-ups/s")
    return "\n".join(lines)


def data_folder() -> Path:
    """``RLHI_DATA``, or ``../shared/data``."""
    return Path(os.environ.get("RLHI_DATA", "../shared/data"))


def embedder_folder() -> Path:
    """``RLHI_TEST_EMBEDDER``, or the embedder in the user cache (``RLHI_CACHE``, ``~/.cache/rlhi``)."""
    cache = Path(os.environ.get("RLHI_CACHE", Path.home() / ".cache" / "rlhi"))
    return Path(os.environ.get("RLHI_TEST_EMBEDDER", cache / "models" / "minilm"))


def retrain() -> str:
    """Train on every row and write the shipped head; `rlhi bench feedback --train`."""
    target = Path(str(files("rlhi.collect") / SHIPPED))
    labeller = train(load_rows(data_folder()), LocalEmbedder(embedder_folder()))
    labeller.save(target)
    return f"wrote {target.name}, version {labeller.version}, {target.stat().st_size // 1000} kB"
