"""The judge of evaluations: a reward head of its own, trained on users who teach nobody, in ``models/judge``.

The reward model that ranks candidates chose what the challenger was taught, so that it was trained to please it: it may
nominate a challenger and not promote it. What judges preferred (``split.judges``) chose no pair and makes none. One
judge is trained and none is chosen among several: all comparisons of held-out users test it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rlhi.config import ModelsConfig, RewardConfig
from rlhi.contracts import Interval, from_record, to_record
from rlhi.evaluate.statistics import clustered
from rlhi.learn.reward import head as rewarding
from rlhi.learn.reward.comparisons import Comparison
from rlhi.models.base import Embedder, RewardModel
from rlhi.stages import backends
from rlhi.stages.learn.reward_models import FOLDER as REWARD
from rlhi.stages.learn.reward_models import scorer
from rlhi.workspace.store import Workspace, read_json, write_atomic, write_json

FOLDER = "models/judge"
HEAD = f"{FOLDER}/head.npz"
METRICS = "metrics.json"
UNKNOWN = Interval(0.5, 0.0, 1.0, 0, 0)
"""How much a model ranks right that nobody's comparison tested."""


def train_judge(
    space: Workspace,
    judged: Sequence[Comparison],
    unseen: Sequence[Comparison],
    config: RewardConfig,
    embedder: Embedder,
    seed: int,
) -> dict[str, str]:
    """Train the judge on what judges preferred and test it on held-out users; what to say of it in the stage's report.

    Fewer than ``reward.judge_pairs`` comparisons train none: one that was there goes, for it would judge by old words.
    """
    least = max(config.judge_pairs, config.min_pairs)
    record: dict[str, object] = {
        "trained_on": len(judged), "trained_on_users": len({one.user_id for one in judged}), "least": least,
    }  # fmt: skip
    if len(judged) < least:
        space.path(HEAD).unlink(missing_ok=True)
        write_json(space.path(FOLDER) / METRICS, record)
        return {"judge": f"none: {len(judged)} comparisons of judges, {least} are asked for"} if judged else {}
    made = rewarding.train(judged, embedder, config)
    write_atomic(space.path(HEAD), made.to_bytes())
    record |= tested(unseen, rewarding.margins(made, unseen), seed)
    write_json(space.path(FOLDER) / METRICS, record)
    return {"judge": _told(record)}


def _told(record: Mapping[str, object]) -> str:
    found = accuracy_of(record)
    learned = f"trained on {record['trained_on']} comparisons of {record['trained_on_users']} judges"
    if not found.clusters:
        return f"{learned}; no comparison of a held-out user tests it"
    return (
        f"ranks {found.mean:.1%} (interval {found.low:.1%} to {found.high:.1%}) of {found.items} comparisons of "
        f"{found.clusters} held-out users right, the longer wins {record['longer_wins']:.1%}; {learned}"
    )


def tested(unseen: Sequence[Comparison], margins: Sequence[float], seed: int) -> dict[str, object]:
    """How comparisons that chose no model were ranked, for metrics.json: ``judge`` is the share with its interval."""
    wins, users = [rewarding.win(one) for one in margins], [one.user_id for one in unseen]
    share = to_record(clustered(wins, users, seed=seed, bounds=(0.0, 1.0))) if unseen else None
    return {**to_record(rewarding.accuracy_of(unseen, margins)), "judge": share}


def judge_of(space: Workspace, models: ModelsConfig) -> RewardModel:
    """Who tells which reply held-out users prefer: the judge, or else the workspace's reward model.

    Raises:
        StageError: there is none yet.
        RewardError: it cannot be read.
    """
    if not has_judge(space):
        return scorer(space, models)
    return rewarding.RewardHead.load(space.path(HEAD)).attach(backends.embedder(models))


def has_judge(space: Workspace) -> bool:
    """Whether who tells preferences chose no pairs."""
    return space.path(HEAD).is_file()


def judge_metrics(space: Workspace) -> dict[str, object]:
    """What was written of :func:`judge_of`; empty before any was trained."""
    return read_json(space.path(FOLDER if has_judge(space) else REWARD) / METRICS)


def accuracy_of(metrics: Mapping[str, object]) -> Interval:
    """The share of held-out users' comparisons that a model ranks right, by what was written of it."""
    held = metrics.get("judge")
    return from_record(Interval, held) if isinstance(held, dict) else UNKNOWN
