"""Labelled follow-ups to train and measure on, and the simple baseline.

weak_labels.csv holds ids and labels alone: follow-ups of the data folder's conversations that one reader labelled
after the annotators' guideline, mostly those that an earlier head was unsure of. Their text stays in ``RLHI_DATA``.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhi.bench.label_quality import class_of
from rlhi.collect.feedback.training import LabelledFollowUp
from rlhi.stages import StageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classes = NDArray[np.int64]

READER_LABELS = "weak_labels.csv"


def people_rows(data: Path) -> list[LabelledFollowUp]:
    """``followup_labels.jsonl.gz`` of a data folder: the rows that are measured on.

    Raises:
        FileNotFoundError: the folder has no such file.
    """
    return [
        LabelledFollowUp(
            (record["context"][0]["content"], record["context"][1]["content"], record["context"][2]["content"]),
            record["label"],
            record["conversation_id"],
            record["alternative"],
        )
        for record in _records(data / "followup_labels.jsonl.gz")
    ]


def reader_rows(data: Path) -> list[LabelledFollowUp]:
    """The reader's labels with their texts from ``conversations.jsonl.gz``; rows that are not there are left out.

    Raises:
        FileNotFoundError: the folder has no such file.
    """
    turns = {record["conversation_id"]: record["turns"] for record in _records(data / "conversations.jsonl.gz")}
    found: list[LabelledFollowUp] = []
    for record in _reader_records():
        conversation, at = turns.get(record["conversation_id"], []), int(record["turn_index"])
        if at < len(conversation):
            context = (conversation[at - 2]["content"], conversation[at - 1]["content"], conversation[at]["content"])
            label: Any = record["label"]
            other: Any = record["alternative"] or None
            found.append(LabelledFollowUp(context, label, record["conversation_id"], other, kind="reader"))
    return found


def reader_keys() -> set[tuple[str, int]]:
    """Conversation and turn of each label of the reader."""
    return {(record["conversation_id"], int(record["turn_index"])) for record in _reader_records()}


def classes_of(rows: Sequence[LabelledFollowUp]) -> Classes:
    """The four classes of the benchmark, as indices into ``CLASSES``."""
    import numpy as np

    return np.array([class_of(row.label) for row in rows], dtype=np.int64)


def baseline(rows: Sequence[LabelledFollowUp], train_rows: Classes, held: Classes) -> Classes:
    """tf-idf with logistic regression: words and character n-grams of the follow-up, its similarity to request and
    answer, its length."""
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


def data_folder() -> Path:
    """``RLHI_DATA``, or ``../shared/data``."""
    return Path(os.environ.get("RLHI_DATA", "../shared/data"))


def data_with(*names: str) -> Path:
    """The data folder, which has these files: to be asked before anything that takes its time.

    Raises:
        StageError: it lacks one.
    """
    for name in names:
        if not (data_folder() / name).is_file():
            raise StageError(f"{data_folder()} holds no {name}: set RLHI_DATA to the folder with the data")
    return data_folder()


def embedder_folder() -> Path:
    """``RLHI_TEST_EMBEDDER``, or the embedder in the user cache (``RLHI_CACHE``, ``~/.cache/rlhi``)."""
    cache = Path(os.environ.get("RLHI_CACHE", Path.home() / ".cache" / "rlhi"))
    return Path(os.environ.get("RLHI_TEST_EMBEDDER", cache / "models" / "minilm"))


def _reader_records() -> list[dict[str, str]]:
    lines = (files("rlhi.bench") / READER_LABELS).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines))


def _records(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
