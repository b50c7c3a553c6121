"""How far a language model at an endpoint and the default labeller agree, on a sample of follow-ups.

    rlhi bench feedback --agreement 200 --model openai:http://HOST:8000/v1#NAME [--labels FILE]

Without ``--labels`` the sample is of the workspace's conversations; with it, of a file of labelled follow-ups (as
followup_labels.jsonl.gz), and then both are also held against those labels.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.bench.label_quality import CLASSES, Pair, agreement, class_of, resampled, scores, table
from rlhi.collect.feedback.label import Context, FollowUpLabeller, Labeller, decide, follow_ups
from rlhi.collect.feedback.llm import LlmLabeller
from rlhi.config import FeedbackConfig
from rlhi.stages import StageError, backends
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.workspace.store import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sampled:
    """A follow-up of the sample, its conversation, and people's label where the sample has one."""

    context: Context
    group: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Raw agreement and Cohen's kappa over the four classes, 95% intervals clustered by conversation.

    ``classes`` holds, for each class, how often the local labeller and the model gave it, and their F1 against each
    other; ``counts[local][model]``. ``right`` has re-attempt F1 of both against people's labels, where there are any.
    """

    model: str
    sampled: int
    answered: int
    raw: float
    raw_interval: Pair
    kappa: float
    kappa_interval: Pair
    classes: dict[str, tuple[int, int, float]]
    counts: list[list[int]]
    right: Pair | None
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int

    def as_text(self) -> str:
        """The report, for a reader."""
        lines = [
            f"{self.answered} of {self.sampled} follow-ups answered by {self.model}",
            f"agreement {_told(self.raw, self.raw_interval)}, Cohen's kappa {_told(self.kappa, self.kappa_interval)}",
            f"  {'':28}local model    F1   the model said (in this order)",
        ]
        for name, row in zip(CLASSES, self.counts, strict=True):
            ours, theirs, f1 = self.classes[name]
            lines.append(f"  {name:28}{ours:5d} {theirs:5d} {f1:5.2f}   " + " ".join(f"{count:4d}" for count in row))
        if self.right is not None:
            lines.append(f"re-attempt F1 against people's labels: local {self.right[0]:.3f}, model {self.right[1]:.3f}")
        lines.append(
            f"cost: {self.requests} requests, {self.failed} of them without a valid answer, "
            f"{self.prompt_tokens} prompt and {self.completion_tokens} completion tokens"
        )
        return "\n".join(lines)


def run(root: Path, count: int, model: str, labels: Path | None, as_json: bool) -> str:
    """Sample, label with both, render. The model is ``model``, or the workspace's ``feedback.llm.model``.

    Raises:
        StageError: there are no follow-ups, or no model is named.
    """
    space = Workspace(root)
    params = space.params if (root / "params.yaml").is_file() else None
    config = params.feedback if params else FeedbackConfig()
    name = model or config.llm.model
    if not name:
        raise StageError("name the language model: --model openai:http://HOST:PORT/v1#NAME, or feedback.llm.model")
    found = labelled(labels) if labels else of_workspace(space, config)
    if not found:
        raise StageError("there are no follow-ups to compare on: take in a log, or name a file with --labels")
    sample = found if len(found) <= count else random.Random(0).sample(found, count)
    judge = LlmLabeller(backends.structured_model(name, config.llm.tries, config.llm.max_new_tokens))
    result = compare(sample, Labeller.load(), judge, config.threshold)
    return json.dumps(asdict(result)) if as_json else result.as_text()


def compare(sample: Sequence[Sampled], local: FollowUpLabeller, judge: LlmLabeller, threshold: float) -> Agreement:
    """Both label the sample; what the model gave no valid answer for is counted and left out."""
    import numpy as np

    contexts = [one.context for one in sample]
    theirs = judge.label_probabilities(contexts)
    kept = [at for at, row in enumerate(theirs) if not np.isnan(row[0])]
    ours = local.label_probabilities([contexts[at] for at in kept])
    mine, other = (_classes([decide(row, threshold)[0] for row in rows]) for rows in (ours, theirs[kept]))
    groups = [sample[at].group for at in kept]
    counts = table(mine, other)
    raw, kappa = agreement(counts)
    spread = resampled(mine, other, groups, agreement) if kept else np.full((1, 2), np.nan)
    (low, least), (high, most) = np.percentile(spread, [2.5, 97.5], axis=0)
    said, told = counts.sum(axis=1), counts.sum(axis=0)
    classes = {
        name: (int(said[at]), int(told[at]), float(2 * counts[at, at] / max(1, said[at] + told[at])))
        for at, name in enumerate(CLASSES)
    }
    truth = _classes([sample[at].label for at in kept]) if all(one.label for one in sample) else None
    right = None if truth is None else (scores(table(truth, mine))[0], scores(table(truth, other))[0])
    usage = judge.model.usage
    return Agreement(
        judge.model.name, len(sample), len(kept), raw, (float(low), float(high)), kappa, (float(least), float(most)),
        classes, counts.astype(int).tolist(), right, usage.calls, usage.failed, usage.prompt_tokens,
        usage.completion_tokens,
    )  # fmt: skip


def of_workspace(space: Workspace, config: FeedbackConfig) -> list[Sampled]:
    """All follow-ups of the workspace's conversations."""
    local = Labeller.load()
    return [
        Sampled(item.context, item.conversation_id)
        for conversation in conversations(space)
        for item in follow_ups(conversation, local, config)
    ]


def labelled(file: Path) -> list[Sampled]:
    """Rows with ``context``, ``conversation_id`` and ``label``, jsonl or jsonl.gz.

    Raises:
        StageError: a row lacks one of them; the message names its line.
    """
    data = file.read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
    found = []
    for line, raw in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(raw)
            request, answer, follow_up = (str(turn["content"]) for turn in record["context"])
            class_of(record["label"])
            found.append(Sampled((request, answer, follow_up), str(record["conversation_id"]), record["label"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StageError(f"{file}:{line}: needs `context` of three turns, `conversation_id`, `label`") from error
    return found


def _classes(labels: Sequence[str]) -> Classes:
    import numpy as np

    return np.array([class_of(label) for label in labels], dtype=np.int64)


def _told(value: float, interval: Pair) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
