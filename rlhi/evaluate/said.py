"""What both models were asked and said, and who reads it: all that a suite can be measured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check
from rlhi.checks.relevance import Yardstick
from rlhi.contracts import Message, Profile, WorkspaceTest
from rlhi.contracts.judges import JudgeVerdict
from rlhi.contracts.turns import asked_last
from rlhi.models.base import Embedder, Scorer

Model = Literal["champion", "challenger"]
MODELS: tuple[Model, Model] = ("champion", "challenger")


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer to one item (request and sample) of one held-out user, whose persona is in ``prompt``."""

    item: str
    user_id: str
    persona: Profile
    prompt: tuple[Message, ...]
    text: str

    @property
    def request(self) -> str:
        """What it answers; empty for no prompt."""
        return asked_last(self.prompt)


@dataclass(frozen=True, slots=True)
class Choice:
    """A held-out user's logged choice between two answers."""

    item: str
    user_id: str
    chosen: str
    rejected: str


Replies = Mapping[Model, Sequence[Reply]]
"""By model; both answered the same items."""
PairLikelihoods = Sequence[tuple[float, float]]
"""For each choice: the sum of token log-probabilities (nats) of the chosen and of the rejected answer."""
Likelihoods = Mapping[Model, Sequence[Sequence[float]]]
"""By model, for each question: the sums of token log-probabilities (nats) of its answers, the right one first."""

Prompt = tuple[str, tuple[Message, ...]]
"""(item, prompt): asked without persona, answered in words."""
Question = tuple[str, tuple[Message, ...], tuple[str, ...]]
"""(item, prompt, answers): asked without persona; told is how likely each answer is, the right one first."""

Progress = Callable[[str, int], AbstractContextManager[Callable[[int, str], None]]]
"""``with progress(label, steps) as advance``: for a suite that takes long (:func:`rlhi.progress.progress`)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of simulated users: their hidden ``wishes``; by request, the one ``right`` result or the answer's
    key in ``keys``."""

    wishes: Mapping[str, Sequence[Check]]
    right: Mapping[str, Check]
    keys: Mapping[str, AnswerKey]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Logged choices, and how likely both models find the two answers of each."""

    choices: Sequence[Choice]
    likely: Mapping[Model, PairLikelihoods]


@dataclass(frozen=True, slots=True)
class Reading:
    """A yardstick and what it reads: the first ``samples`` replies to each request, which it is to tell from
    ``others`` other requests, drawn by ``seed``."""

    yardstick: Yardstick
    samples: int
    others: int
    seed: int


@dataclass(frozen=True, slots=True)
class AskedTests:
    """Tests of the workspace by key, and what both models reply to their requests; an item is ``KEY/SAMPLE``."""

    tests: Mapping[str, WorkspaceTest]
    replies: Replies


@dataclass(frozen=True, slots=True)
class Said:
    """What suites are measured by; None where it is not there.

    Attributes:
        replies: to held-out users' requests, with the users' own personas.
        swapped: to the same requests, with another user's persona.
        chosen: held-out users' logged choices, with their own personas.
        chosen_swapped: the same, with another user's persona.
        truth: what is true of simulated users.
        judge: the reward model.
        tested: tests of the workspace, and the replies to their requests.
        reading: a model that never trains, and what it is to read.
        prompted: by suite, replies to its ``prompts``.
        likely: by suite, what both models find of its ``questions``.
        lost: a user whose own satisfaction falls so far has lost much.
        follow_ups: to later messages of the log, for judges to read.
        verdicts: what judges said of both models' replies; the stage ``judges`` asks them, after all this.
    """

    replies: Replies
    embedder: Embedder
    judge: Scorer
    progress: Progress
    swapped: Replies | None = None
    chosen: Chosen | None = None
    chosen_swapped: Chosen | None = None
    truth: Truth | None = None
    reading: Reading | None = None
    prompted: Mapping[str, Replies] = field(default_factory=dict)
    likely: Mapping[str, Likelihoods] = field(default_factory=dict)
    lost: float = 0.5
    follow_ups: Replies = field(default_factory=dict)
    verdicts: Sequence[JudgeVerdict] | None = None
    tested: AskedTests | None = None
