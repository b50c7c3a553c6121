"""The reward model on people's own choices and ratings, beside "the longer wins", user by user.

One model learns from all sources together; folds are by user (by request, where nobody knows the user). Users of whom a
persona is known are scored with it, with another user's, and with none; every persona is built without the conversation
that is predicted.

A fine-tuned model (``--kind lora`` or ``full``, from the embedded chat model) stands beside a head that learned from
the same comparisons. On a CPU it takes hours; ``--quick`` tests one of the five folds.

    rlhi bench reward [--kind head|lora|full] [--quick] [--json]
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rlhi.bench.feedback_data import data_with, embedder_folder
from rlhi.bench.figure import figure
from rlhi.bench.persona_data import NEEDED
from rlhi.bench.reward_data import Judged, drawn, judged
from rlhi.config import RewardConfig, RewardKind, StepLimits, TunedRewardConfig
from rlhi.contracts import Interval, Profile, content_key
from rlhi.evaluate.bounds import GAINS, VALUES
from rlhi.evaluate.statistics import clustered
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.reward.head import train
from rlhi.learn.training import launch
from rlhi.learn.training.plan import RewardPlan
from rlhi.learn.training.rows import reward_row
from rlhi.models.base import Embedder, Scorer
from rlhi.models.embedder import LocalEmbedder, RememberingEmbedder
from rlhi.models.prepare import policy_path
from rlhi.models.tuned_reward import TunedReward
from rlhi.stages.learn.runs import steps_told

FOLDS = 5
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

Learn = Callable[[Sequence[Comparison]], Scorer]
"""Trains a reward model."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: ``folds`` of each of the ``splits`` are tested.

    ``pairs`` of each source are drawn, and of those of the other folds ``learn`` are learned from; 0 for all.
    """

    splits: int
    folds: int
    pairs: int
    learn: int


PLANS = {
    ("head", False): Plan(3, FOLDS, 0, 0),
    ("head", True): Plan(1, FOLDS, 150, 0),
    ("tuned", False): Plan(1, FOLDS, 0, 0),
    ("tuned", True): Plan(1, 1, 100, 120),
}
QUICK_LENGTH = 256  # tokens that a fine-tuned model reads


@dataclass(frozen=True, slots=True)
class SourceResult:
    """Accuracy on one source, averaged by user; ``apart`` is ours less "the longer wins"."""

    source: str
    ours: Interval
    longer: Interval
    apart: Interval


@dataclass(frozen=True, slots=True)
class PersonaResult:
    """Of the comparisons whose user has a persona: accuracy with it, and less what others and none give."""

    source: str
    own: Interval
    against_other: Interval
    against_none: Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Of ``count`` comparisons said to be right with a probability in a range: the mean said, and the share right."""

    count: int
    said: float
    seen: float


@dataclass(frozen=True, slots=True)
class RewardBench:
    """What the benchmark found over ``splits`` splits into folds; ``head`` is the head's, beside a fine-tuned model."""

    kind: RewardKind
    splits: int
    sources: tuple[SourceResult, ...]
    personas: tuple[PersonaResult, ...]
    calibration: tuple[Bin, ...]
    expected_error: float
    head: tuple[SourceResult, ...] = ()

    def record(self) -> dict[str, object]:
        """All of it for a program; the figure is the mean over the sources, each of which is a run."""
        runs = [one.ours.mean for one in self.sources]
        longer = [one.longer.mean for one in self.sources]
        told = figure("reward", "accuracy by user", sum(runs) / len(runs), sum(longer) / len(longer), runs)
        return told | asdict(self)


def run(quick: bool, as_json: bool, kind: RewardKind = "head") -> str:
    """The tables, or JSON."""
    data = data_with(*NEEDED)
    found = measure(data, RememberingEmbedder(LocalEmbedder(embedder_folder())), quick, kind)
    return json.dumps(found.record()) if as_json else _told(found)


def measure(
    data: Path, embedder: Embedder, quick: bool, kind: RewardKind = "head", base: Path | None = None
) -> RewardBench:
    """Train and test on ``data`` (``RLHI_DATA``); less of it when ``quick``. ``base`` is what is fine-tuned."""
    plan = PLANS["head" if kind == "head" else "tuned", quick]
    rows = drawn(judged(data), plan.pairs) if plan.pairs else list(judged(data))

    def head(learned: Sequence[Comparison]) -> Scorer:
        return train(learned, embedder, RewardConfig())

    told = _told_of(rows, plan, head if kind == "head" else _tuned(kind, base or policy_path(), quick))
    tested = [at for at, splits in enumerate(told) if splits]
    groups = [row.one.user_id for row in rows]
    longer = [_sign(len(row.one.better.response) - len(row.one.worse.response)) for row in rows]
    wins = _wins(told)
    personas = []
    for name, at in _by_source(rows, tested):
        known = [place for place in at if rows[place].other.text and rows[place].one.better.persona.text]
        if known:
            apart = [_over([wins[p][0] - wins[p][way] for p in known], known, groups, GAINS) for way in (1, 2)]
            personas.append(PersonaResult(name, _mean(wins, known, groups, lambda row: row[0]), *apart))

    def sources(wins: Sequence[Sequence[float]]) -> tuple[SourceResult, ...]:
        return tuple(
            SourceResult(
                name, _mean(wins, at, groups, lambda row: row[0]), _over([longer[p] for p in at], at, groups, VALUES),
                _over([wins[p][0] - longer[p] for p in at], at, groups, GAINS),
            )
            for name, at in _by_source(rows, tested)
        )  # fmt: skip

    bins = _calibration([split[0] for all_ in told for split in all_])
    total = sum(one.count for one in bins)
    error = sum(one.count * abs(one.said - one.seen) for one in bins) / total
    beside = () if kind == "head" else sources(_wins(_told_of(rows, plan, head)))
    return RewardBench(kind, plan.splits, sources(wins), tuple(personas), tuple(bins), error, beside)


Chances = tuple[float, float, float]
"""P(better) with the own persona, another's, none."""


def _told_of(rows: Sequence[Judged], plan: Plan, learn: Learn) -> list[list[Chances]]:
    """For each row, what was said of it in the splits where it was tested."""
    from sklearn.model_selection import GroupKFold

    groups = [row.one.user_id for row in rows]
    told: list[list[Chances]] = [[] for _ in rows]
    for seed in range(plan.splits):
        folds = list(GroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, groups=groups))
        for others, test in folds[: plan.folds]:
            some = sorted(others, key=lambda at: content_key(seed, int(at)))[: plan.learn] if plan.learn else others
            model = learn([rows[at].one for at in some])
            for at, chances in zip(test, _chances(model, [rows[at] for at in test]), strict=True):
                told[at].append(chances)
    return told


def _tuned(kind: RewardKind, base: Path, quick: bool) -> Learn:
    """Fine-tune ``base`` with the parameters of a workspace, each time in a folder that goes with the process."""
    folder = tempfile.TemporaryDirectory()
    # Nobody minds here how many are left out for their length, as long as there are some.
    tuned = TunedRewardConfig(limits=StepLimits(too_long=1.0))
    config = RewardConfig(kind=kind, tuned=tuned.model_copy(update={"max_length": QUICK_LENGTH}) if quick else tuned)

    def learn(comparisons: Sequence[Comparison]) -> Scorer:
        output = Path(tempfile.mkdtemp(dir=folder.name))
        with steps_told(f"fine-tuning on {len(comparisons)} comparisons") as on_step:
            plan = RewardPlan(base=base, output=output, seed=0, reward=config)
            done = launch.train(plan, map(reward_row, comparisons), on_step)
        return TunedReward(done.model, config.tuned)

    return learn


def _wins(told: Sequence[Sequence[Chances]]) -> list[list[float]]:
    """Each row's share of splits in which it was ranked right, in the three ways."""
    return [[sum(_sign(split[way] - 0.5) for split in all_) / max(1, len(all_)) for way in range(3)] for all_ in told]


def _by_source(rows: Sequence[Judged], places: Sequence[int]) -> list[tuple[str, list[int]]]:
    names = dict.fromkeys(row.source for row in rows)
    found = [(name, [at for at in places if rows[at].source == name]) for name in names]
    return [(name, at) for name, at in found if at]


def _chances(model: Scorer, rows: Sequence[Judged]) -> Iterator[Chances]:
    """Of each comparison; what is asked twice is scored once."""
    import numpy as np

    own = [row.one.better.persona for row in rows]
    asked = [
        [
            (replace(row.one.better, persona=told), replace(row.one.worse, persona=told))
            for row, told in zip(rows, personas, strict=True)
        ]
        for personas in (own, [row.other for row in rows], [Profile()] * len(rows))
    ]
    distinct = list(dict.fromkeys(side for way in asked for both in way for side in both))
    rewards = dict(zip(distinct, model.score(distinct), strict=True))
    for ways in zip(*asked, strict=True):
        apart = np.array([rewards[better] - rewards[worse] for better, worse in ways])
        chances = 1 / (1 + np.exp(-apart))
        yield float(chances[0]), float(chances[1]), float(chances[2])


def _mean(
    wins: Sequence[Sequence[float]], at: Sequence[int], groups: Sequence[str], pick: Callable[[Sequence[float]], float]
) -> Interval:
    return _over([pick(wins[place]) for place in at], at, groups, VALUES)


def _over(values: list[float], at: Sequence[int], groups: Sequence[str], bounds: tuple[float, float]) -> Interval:
    return clustered(values, [groups[place] for place in at], bounds=bounds)


def _calibration(chances: Sequence[float]) -> list[Bin]:
    """How often the side that is said to be better is the better one, by how surely it is said."""
    sure = [(max(chance, 1 - chance), _sign(chance - 0.5)) for chance in chances]
    found = []
    for low, high in zip(BINS, BINS[1:], strict=False):
        some = [one for one in sure if low <= one[0] < high or one[0] == high == 1.0]
        if some:
            found.append(
                Bin(len(some), sum(one[0] for one in some) / len(some), sum(one[1] for one in some) / len(some))
            )
    return found


def _sign(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _told(found: RewardBench) -> str:
    lines = [f"accuracy by user, {FOLDS} folds by user, {found.splits} splits; brackets are 95% intervals by user"]
    lines += _table(found.kind, found.sources)
    if found.head:
        lines.append("the head, which learned from the same comparisons:")
        lines += _table("head", found.head)
    lines.append("with the user's persona, of those who have one:")
    lines += [
        f"{one.source:10} {one.own.items:5d} {one.own.clusters:5d}  {_span(one.own):22} "
        f"less another's {_span(one.against_other, '+')}, less none {_span(one.against_none, '+')}"
        for one in found.personas
    ]
    lines.append(f"calibration: expected error {found.expected_error:.3f}")
    lines.append("  pairs " + " ".join(f"{one.count:6d}" for one in found.calibration))
    lines.append("  said  " + " ".join(f"{one.said:6.2f}" for one in found.calibration))
    lines.append("  seen  " + " ".join(f"{one.seen:6.2f}" for one in found.calibration))
    return "\n".join(lines)


def _table(kind: RewardKind, sources: Sequence[SourceResult]) -> list[str]:
    name = "ours" if kind == "head" else kind
    lines = [f"{'source':10} {'pairs':>5} {'users':>5}  {name:22} {'the longer wins':22} {name} less the longer"]
    return lines + [
        f"{one.source:10} {one.ours.items:5d} {one.ours.clusters:5d}  {_span(one.ours):22} {_span(one.longer):22} "
        f"{_span(one.apart, '+')}"
        for one in sources
    ]


def _span(value: Interval, sign: str = "") -> str:
    return f"{value.mean:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"
