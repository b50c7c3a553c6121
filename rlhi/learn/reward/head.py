"""The persona-conditioned reward model: a head on frozen features, trained in seconds on a CPU.

``r(persona, prompt, answer) = sum over claims c of z(c)^T W f(prompt, answer) + w^T f(prompt, answer)``: ``f`` are
the answer's form (:mod:`rlhi.learn.reward.features`) and its nearness to the request, ``z`` the leading directions of
the claims' sentence embeddings.
``W`` and ``w`` are fitted as a Bradley-Terry model, a logistic regression on differences of pairs (paper, section
3.2, with a linear head in place of its fine-tuned one).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from rlhi.checks.demands import Demand, demands_of
from rlhi.config import RewardConfig, RewardKind
from rlhi.contracts import Profile, ToldClaim
from rlhi.contracts.turns import asked_last
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.reward.features import NAMES, answer_features
from rlhi.models.base import Embedder, Scored, Scorer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]


FEATURES = (*NAMES, "nearness", "copies", "nearness_squared", "claims_met")
PROBE = "Which embedder is this?"
CLAIM = 1.0  # log-odds: what a claim says is taken to be wished before any comparison has shown it
COPY = 0.9  # an answer as near to its request as this repeats it


class RewardError(ValueError):
    """There is too little to learn a reward from; the message says what is lacking."""


@dataclass(frozen=True, slots=True)
class RewardAccuracy:
    """Share of comparisons ranked right, averaged per user first; beside it, "the longer wins"."""

    accuracy: float
    longer_wins: float
    users: int
    comparisons: int


class RewardHead:
    """A ``RewardModel``: see the module's docstring. Arrays are float64; ``weights`` is ``[directions + 1, features]``.

    Its training is one fit: there is nothing to tell of it, and none to go on from.
    """

    kind: RewardKind = "head"
    metrics: Mapping[str, object] = MappingProxyType({})
    counts: Mapping[str, int | float | str] = MappingProxyType({})

    def __init__(self, mean: Matrix, scale: Matrix, center: Matrix, directions: Matrix, weights: Matrix) -> None:
        self.mean, self.scale = mean, scale
        self.center, self.directions, self.weights = center, directions, weights
        self.probe: Matrix = np.zeros(0)
        self._embedder: Embedder | None = None
        self._claims: dict[str, Matrix] = {}

    @classmethod
    def neutral(cls) -> RewardHead:
        """A head that finds all answers alike: where there is too little to learn from, nothing becomes a pair."""
        size = len(FEATURES)
        return cls(np.zeros(size), np.ones(size), np.zeros(1), np.zeros((0, 1)), np.zeros((1, size)))

    @property
    def is_neutral(self) -> bool:
        """True for a head that finds all answers alike because it was trained on nothing."""
        return not self.weights.any()

    def attach(self, embedder: Embedder) -> RewardHead:
        """Give the head the sentence embedder that its directions were found with.

        Raises:
            RewardError: it is another one.
        """
        if not self.is_neutral:
            probe: Matrix = np.asarray(embedder.embed([PROBE])[0], dtype=np.float64)
            if self.probe.size and (probe.shape != self.probe.shape or not np.allclose(probe, self.probe, atol=0.01)):
                raise RewardError("this reward head was trained with another sentence embedder: run `rlhi run reward`")
            self.probe = probe
        self._embedder = embedder
        return self

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """One reward an answer; differences are log-odds."""
        if not batch:
            return []
        if self.is_neutral:
            return [0.0] * len(batch)
        form = (features(batch, self._reader) - self.mean) / self.scale
        who = np.stack([self._persona(item.persona) for item in batch])
        return [float(value) for value in np.einsum("nd,df,nf->n", who, self.weights, form)]

    def _persona(self, persona: Profile) -> Matrix:
        vector = np.zeros(len(self.directions) + 1)
        vector[-1] = 1.0
        # A head that has met no claim has nothing to say of one.
        for claim in persona.claims if len(self.directions) else ():
            vector[:-1] += self._claim(claim.text)
        return vector

    def _claim(self, claim: str) -> Matrix:
        if claim not in self._claims:
            embedded = np.asarray(self._reader.embed([claim])[0], dtype=np.float64)
            self._claims[claim] = self.directions @ (embedded - self.center)
        return self._claims[claim]

    @property
    def _reader(self) -> Embedder:
        if self._embedder is None:
            raise RewardError("the reward head needs its embedder: call attach() first")
        return self._embedder

    def warm_start(self, base: str) -> Path | None:
        """None: a head is no place to go on from."""
        return None

    def save(self, path: Path) -> None:
        """Write :meth:`to_bytes` to a file."""
        path.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> RewardHead:
        """:meth:`from_bytes` of a file; it needs its embedder (:meth:`attach`)."""
        return cls.from_bytes(path.read_bytes())

    def to_bytes(self) -> bytes:
        """The head as an npz archive."""
        sink = io.BytesIO()
        np.savez(
            sink, mean=self.mean, scale=self.scale, center=self.center, directions=self.directions,
            weights=self.weights, probe=self.probe,
            features=np.array(FEATURES),
        )  # fmt: skip
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> RewardHead:
        """The inverse of :meth:`to_bytes`; no code is loaded with it."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile):
            raise RewardError("the reward head cannot be read: delete models/reward, then `rlhi run reward`") from None
        if tuple(held.get("features", ())) != FEATURES or "probe" not in held:
            raise RewardError("this reward head was trained on other features: run `rlhi run reward`")
        head = cls(*(held[name] for name in ("mean", "scale", "center", "directions", "weights")))
        head.probe = held["probe"]
        return head


def check_enough(comparisons: Sequence[Comparison], config: RewardConfig) -> None:
    """Refuse to learn from next to nothing.

    Raises:
        RewardError: fewer than ``config.min_pairs`` comparisons.
    """
    if len(comparisons) < config.min_pairs:
        raise RewardError(f"{len(comparisons)} comparisons, reward.min_pairs wants {config.min_pairs}")


def train(comparisons: Sequence[Comparison], embedder: Embedder, config: RewardConfig) -> RewardHead:
    """Fit the head on comparisons by their weights; how many a user has is capped where they are collected.

    A weight by user instead made users with one comparison decide (docs/log/2026-11-24-reward-real-choices.md).

    Raises:
        RewardError: fewer than ``config.min_pairs`` comparisons.
    """
    from sklearn.linear_model import LogisticRegression

    check_enough(comparisons, config)
    both = features([side for one in comparisons for side in (one.better, one.worse)], embedder)
    mean, scale = both.mean(0), both.std(0) + 1e-3
    personas = [side.persona for one in comparisons for side in (one.better, one.worse)]
    center, directions = _directions(personas, embedder, config.persona_dimensions)
    head = RewardHead(mean, scale, center, directions, np.zeros((len(directions) + 1, len(FEATURES)))).attach(embedder)
    who = np.stack([head._persona(persona) for persona in personas]).reshape(len(comparisons), 2, -1)
    form = ((both - mean) / scale).reshape(len(comparisons), 2, -1)
    sides = np.einsum("nsd,nsf->nsdf", who, form)
    rows = (sides[:, 0] - sides[:, 1]).reshape(len(comparisons), -1)
    weight = np.array([one.weight for one in comparisons])
    model = LogisticRegression(C=1 / (config.penalty * weight.sum()), fit_intercept=False, max_iter=2000)
    # A comparison and its mirror image: the head has no side that it likes.
    model.fit(np.concatenate([rows, -rows]), np.repeat([1, 0], len(rows)), np.tile(weight, 2))
    head.weights = model.coef_.reshape(len(directions) + 1, len(FEATURES)).astype(np.float64)
    met = FEATURES.index("claims_met")
    head.weights[-1, met] += CLAIM * scale[met]
    return head.attach(embedder)


def accuracy(model: Scorer, comparisons: Sequence[Comparison]) -> RewardAccuracy:
    """How often a reward model ranks held-out users' comparisons right, beside "the longer wins" (ties count half)."""
    return accuracy_of(comparisons, margins(model, comparisons))


def margins(model: Scorer, comparisons: Sequence[Comparison]) -> list[float]:
    """By how much a reward model prefers the better answer of each comparison (log-odds)."""
    better, worse = (model.score([getattr(one, side) for one in comparisons]) for side in ("better", "worse"))
    return [high - low for high, low in zip(better, worse, strict=True)]


def accuracy_of(comparisons: Sequence[Comparison], apart: Sequence[float]) -> RewardAccuracy:
    """As :func:`accuracy`, of comparisons whose :func:`margins` are known."""
    right: dict[str, list[tuple[float, float]]] = {}
    for one, margin in zip(comparisons, apart, strict=True):
        longer = len(one.better.response) - len(one.worse.response)
        right.setdefault(one.user_id, []).append((win(margin), win(longer)))
    means = [np.mean(values, axis=0) for values in right.values()]
    overall = np.mean(means, axis=0) if means else np.array([np.nan, np.nan])
    return RewardAccuracy(float(overall[0]), float(overall[1]), len(right), len(comparisons))


def features(batch: Sequence[Scored], embedder: Embedder) -> Matrix:
    """What the head sees of answers, ``[answers, features]``.

    Their form, how near they are to their requests, and which of the persona's claims a program finds met.
    """
    asked = [asked_last(item.prompt) for item in batch]
    form = np.array([answer_features(ask, item.response) for ask, item in zip(asked, batch, strict=True)])
    vectors = embedder.embed([*asked, *(item.response for item in batch)])
    near = (vectors[: len(batch)] * vectors[len(batch) :]).sum(axis=1)
    met = np.array([claims_met(item.persona, item.response) for item in batch])
    return np.hstack([form, np.stack([near, near > COPY, near**2, met], axis=1)])


def claims_met(persona: Profile, answer: str) -> float:
    """What a program sees of a persona's claims in an answer, -1 (none is met) to 1; 0 where it can check none.

    >>> asked = Profile("Use bullet points.", (ToldClaim("Use bullet points.", "bullets"),))
    >>> claims_met(asked, "- sun"), claims_met(Profile("Be funny.", (ToldClaim("Be funny."),)), "- sun")
    (-1.0, 0.0)
    """
    asked = _asked(persona.claims)
    return sum(2 * one.met(answer, "") - 1 for one in asked) / len(asked) if asked else 0.0


@lru_cache(maxsize=4096)
def _asked(claims: tuple[ToldClaim, ...]) -> tuple[Demand, ...]:
    return tuple(one for one in demands_of(claims) if not one.relative)


def _directions(personas: Sequence[Profile], embedder: Embedder, most: int) -> tuple[Matrix, Matrix]:
    claims = sorted({claim.text for persona in personas for claim in persona.claims})
    if not claims:
        return np.zeros(1), np.zeros((0, 1))
    vectors = np.asarray(embedder.embed(claims), dtype=np.float64)
    # Rounded: the last bits of an embedding differ between batches, and would flip a direction.
    center = np.round(vectors.mean(0), 4)
    _, strength, directions = np.linalg.svd(np.round(vectors - center, 4), full_matrices=False)
    kept = min(most, int((strength > 1e-6).sum()))
    spread = np.maximum(strength[:kept], 1e-6)[:, None] / np.sqrt(len(claims))
    return center, directions[:kept] / spread


def win(difference: float) -> float:
    """Of one of :func:`margins`: 1 for a comparison that is ranked right, 0 for one that is not, 0.5 for a tie."""
    return 0.5 if difference == 0 else float(difference > 0)
