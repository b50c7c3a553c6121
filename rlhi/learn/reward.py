"""The persona-conditioned reward model: a head on frozen features, trained in seconds on a CPU.

``r(persona, prompt, answer) = sum over claims c of z(c)^T W f(prompt, answer) + w^T f(prompt, answer)``: ``f`` are
the answer's form (:mod:`rlhi.learn.features`), ``z`` the leading directions of the claims' sentence embeddings.
``W`` and ``w`` are fitted as a Bradley-Terry model, a logistic regression on differences of pairs (paper, section
3.2, with a linear head in place of its fine-tuned one).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from rlhi.config import RewardConfig
from rlhi.contracts import REATTEMPTS, Conversation, FeedbackTurn, Message, Persona, Rewrite, content_key
from rlhi.learn.features import NAMES, answer_features, claims_of
from rlhi.models.base import Embedder, Scored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

# A user who talks all day must not be the only one the head listens to.
COMPARISONS_PER_USER = 12


class RewardError(ValueError):
    """There is too little to learn a reward from; the message says what is lacking."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """For this user, ``better`` is preferred to ``worse``. They may answer different requests of one user."""

    user_id: str
    persona: str
    better: Scored
    worse: Scored


@dataclass(frozen=True, slots=True)
class RewardAccuracy:
    """Share of comparisons ranked right, averaged per user first; beside it, "the longer wins"."""

    accuracy: float
    longer_wins: float
    users: int
    comparisons: int


class RewardHead:
    """A ``Scorer``: see the module's docstring. Arrays are float64; ``weights`` is ``[directions + 1, features]``."""

    def __init__(self, mean: Matrix, scale: Matrix, center: Matrix, directions: Matrix, weights: Matrix) -> None:
        self.mean, self.scale = mean, scale
        self.center, self.directions, self.weights = center, directions, weights
        self._embedder: Embedder | None = None
        self._claims: dict[str, Matrix] = {}

    @classmethod
    def neutral(cls) -> RewardHead:
        """A head that finds all answers alike: where there is too little to learn from, nothing becomes a pair."""
        size = len(NAMES)
        return cls(np.zeros(size), np.ones(size), np.zeros(1), np.zeros((0, 1)), np.zeros((1, size)))

    @property
    def is_neutral(self) -> bool:
        """True for a head that finds all answers alike because it was trained on nothing."""
        return not self.weights.any()

    def attach(self, embedder: Embedder) -> RewardHead:
        """Give the head the sentence embedder that its directions were found with."""
        self._embedder = embedder
        return self

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """One reward an answer; differences are log-odds."""
        if not batch:
            return []
        form = (_form(batch) - self.mean) / self.scale
        who = np.stack([self._persona(item.persona) for item in batch])
        return [float(value) for value in np.einsum("nd,df,nf->n", who, self.weights, form)]

    def _persona(self, persona: str) -> Matrix:
        vector = np.zeros(len(self.directions) + 1)
        vector[-1] = 1.0
        # A head that has met no claim has nothing to say of one.
        for claim in claims_of(persona) if len(self.directions) else ():
            vector[:-1] += self._claim(claim)
        return vector

    def _claim(self, claim: str) -> Matrix:
        if claim not in self._claims:
            if self._embedder is None:
                raise RewardError("the reward head needs its embedder: call attach() first")
            embedded = np.asarray(self._embedder.embed([claim])[0], dtype=np.float64)
            self._claims[claim] = self.directions @ (embedded - self.center)
        return self._claims[claim]

    def to_bytes(self) -> bytes:
        """The head as an npz archive."""
        sink = io.BytesIO()
        np.savez(
            sink, mean=self.mean, scale=self.scale, center=self.center, directions=self.directions,
            weights=self.weights, features=np.array(NAMES),
        )  # fmt: skip
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> RewardHead:
        """The inverse of :meth:`to_bytes`; no code is loaded with it."""
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            if tuple(held["features"]) != NAMES:
                raise RewardError("this reward head was trained on other features: run `rlhi run reward`")
            return cls(*(held[name] for name in ("mean", "scale", "center", "directions", "weights")))


def train(comparisons: Sequence[Comparison], embedder: Embedder, config: RewardConfig) -> RewardHead:
    """Fit the head on comparisons, each user weighing the same in sum.

    Raises:
        RewardError: fewer than ``config.min_pairs`` comparisons.
    """
    from sklearn.linear_model import LogisticRegression

    if len(comparisons) < config.min_pairs:
        raise RewardError(f"{len(comparisons)} comparisons, reward.min_pairs wants {config.min_pairs}")
    better, worse = _form([one.better for one in comparisons]), _form([one.worse for one in comparisons])
    both = np.concatenate([better, worse])
    mean, scale = both.mean(0), both.std(0) + 1e-3
    center, directions = _directions([one.persona for one in comparisons], embedder, config.persona_dimensions)
    head = RewardHead(mean, scale, center, directions, np.zeros((len(directions) + 1, len(NAMES)))).attach(embedder)
    who = np.stack([head._persona(one.persona) for one in comparisons])
    rows = np.einsum("nd,nf->ndf", who, (better - worse) / scale).reshape(len(comparisons), -1)
    users = [one.user_id for one in comparisons]
    weight = np.array([1 / users.count(user) for user in users])
    weight *= len(users) / weight.sum()
    model = LogisticRegression(C=1 / config.l2, fit_intercept=False, max_iter=2000)
    # A comparison and its mirror image: the head has no side that it likes.
    model.fit(np.concatenate([rows, -rows]), np.repeat([1, 0], len(rows)), np.tile(weight, 2))
    head.weights = model.coef_.reshape(len(directions) + 1, len(NAMES)).astype(np.float64)
    return head


def accuracy(head: RewardHead, comparisons: Sequence[Comparison]) -> RewardAccuracy:
    """How often the head ranks held-out users' comparisons right, beside "the longer wins" (ties count half)."""
    better, worse = (head.score([getattr(one, side) for one in comparisons]) for side in ("better", "worse"))
    right: dict[str, list[tuple[float, float]]] = {}
    for one, high, low in zip(comparisons, better, worse, strict=True):
        longer = len(one.better.response) - len(one.worse.response)
        right.setdefault(one.user_id, []).append((_win(high - low), _win(longer)))
    means = [np.mean(values, axis=0) for values in right.values()]
    overall = np.mean(means, axis=0) if means else np.array([np.nan, np.nan])
    return RewardAccuracy(float(overall[0]), float(overall[1]), len(right), len(comparisons))


def comparisons(
    conversations: Iterable[Conversation],
    feedback: Iterable[FeedbackTurn],
    rewrites: Iterable[Rewrite],
    personas: Mapping[str, Persona],
) -> list[Comparison]:
    """What a log itself says of better and worse.

    A revision that its user accepted beats the answer it replaced, and an answer that a user went on from beats
    one the same user complained about.
    """
    talks = {talk.conversation_id: talk for talk in conversations}
    revised = [row for row in rewrites if row.source == "observed_revision" and row.conversation_id in talks]
    found: dict[str, list[Comparison]] = {}

    def add(user_id: str, better: Scored, worse: Scored) -> None:
        found.setdefault(user_id, []).append(Comparison(user_id, better.persona, better, worse))

    for row in revised:
        prompt = prompt_before(talks[row.conversation_id], row.turn_index)
        persona = _text(personas, row.user_id)
        add(row.user_id, Scored(persona, prompt, row.text), Scored(persona, prompt, row.original))
    for user_id, (liked, disliked) in _by_user(talks, feedback, personas).items():
        crossed = sorted(product(liked, disliked), key=lambda both: content_key(both[0].response, both[1].response))
        for better, worse in crossed:
            add(user_id, better, worse)
    return [one for user_id in sorted(found) for one in found[user_id][:COMPARISONS_PER_USER]]


def prompt_before(talk: Conversation, turn_index: int) -> tuple[Message, ...]:
    """The conversation up to the request whose answer stands at ``turn_index``."""
    return tuple(Message(turn.role, turn.content) for turn in talk.turns[:turn_index])


def _by_user(
    talks: Mapping[str, Conversation], feedback: Iterable[FeedbackTurn], personas: Mapping[str, Persona]
) -> dict[str, tuple[list[Scored], list[Scored]]]:
    sides: dict[str, tuple[list[Scored], list[Scored]]] = {}
    for row in feedback:
        talk = talks.get(row.conversation_id)
        if talk is None or row.label == "other":
            continue
        answer = row.turn_index - 1
        scored = Scored(_text(personas, row.user_id), prompt_before(talk, answer), talk.turns[answer].content)
        sides.setdefault(row.user_id, ([], []))[row.label in REATTEMPTS].append(scored)
    return sides


def _text(personas: Mapping[str, Persona], user_id: str) -> str:
    return personas[user_id].text if user_id in personas else ""


def _form(batch: Sequence[Scored]) -> Matrix:
    return np.array([answer_features(item.prompt[-1].content if item.prompt else "", item.response) for item in batch])


def _directions(personas: Sequence[str], embedder: Embedder, most: int) -> tuple[Matrix, Matrix]:
    claims = sorted({claim for persona in personas for claim in claims_of(persona)})
    if not claims:
        return np.zeros(1), np.zeros((0, 1))
    vectors = np.asarray(embedder.embed(claims), dtype=np.float64)
    # Rounded: the last bits of an embedding differ between batches, and would flip a direction.
    center = np.round(vectors.mean(0), 4)
    _, strength, directions = np.linalg.svd(np.round(vectors - center, 4), full_matrices=False)
    kept = min(most, int((strength > 1e-6).sum()))
    spread = np.maximum(strength[:kept], 1e-6)[:, None] / np.sqrt(len(claims))
    return center, directions[:kept] / spread


def _win(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)
