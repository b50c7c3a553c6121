"""What the wings ask of a model; backends live beside this file, one each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from pydantic import BaseModel

from rlhi.contracts import Message, Profile
from rlhi.contracts.options import RewardKind
from rlhi.contracts.thoughts import parted

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


Answer = TypeVar("Answer", bound=BaseModel)


class ModelError(RuntimeError):
    """A model is missing or does not answer; the message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample: ``n`` replies a prompt, at most ``max_new_tokens`` tokens each. Temperature 0 is greedy."""

    n: int = 1
    temperature: float = 0.9
    top_k: int = 50
    max_new_tokens: int = 96
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer to be scored: what is told of the user (empty for nothing), the conversation up to the request."""

    persona: Profile
    prompt: tuple[Message, ...]
    response: str


def sampled(text: str, cut: bool = False, tokens: int = 0) -> Sampled:
    """What a model said as an answer: without the thought that it may have begun with."""
    return Sampled(parted(text).answer, cut, tokens)


class Sampled(str):
    """What a model said; ``cut`` where it had not ended at ``Sampling.max_new_tokens``.

    ``tokens`` are the model's own that it sampled; 0 where it does not tell.
    """

    __slots__ = ("cut", "tokens")
    cut: bool
    tokens: int

    def __new__(cls, text: str, cut: bool = False, tokens: int = 0) -> Sampled:
        made = super().__new__(cls, text)
        made.cut, made.tokens = cut, tokens
        return made


class ChatModel(Protocol):
    """A model that answers a conversation."""

    name: str

    def fits(self, messages: Sequence[Message]) -> bool:
        """Whether it reads all of these; what it does not know of itself, it refuses when it is asked."""
        ...

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        """``sampling.n`` replies for each conversation of the batch, in order."""
        ...


@dataclass(slots=True)
class Usage:
    """What an endpoint was asked for so far: ``calls``, how many of them ``failed`` to fit, its count of tokens."""

    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def cost(self, prompt_price: float, completion_price: float) -> float:
        """The price of these tokens; prices are for a million of each, in any currency."""
        return (self.prompt_tokens * prompt_price + self.completion_tokens * completion_price) / 1e6


class StructuredModel(Protocol):
    """A model that answers in a given shape."""

    name: str
    usage: Usage

    def structured(self, batch: Sequence[Sequence[Message]], shape: type[Answer]) -> list[Answer | None]:
        """One validated answer for each conversation, in order; ``None`` where no reply had the shape."""
        ...


class LikelihoodModel(Protocol):
    """A model that can tell how likely an answer is."""

    def log_likelihood(self, batch: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        """For each (prompt, answer): the sum of the answer's token log-probabilities (nats)."""
        ...

    def log_likelihood_of(self, batch: Sequence[tuple[Sequence[Message], Sequence[str]]]) -> list[list[float]]:
        """For each (prompt, answers): the same for every answer; the prompt is computed once."""
        ...


class Policy(ChatModel, LikelihoodModel, Protocol):
    """A model of the workspace's own: what is trained, measured and served. Whatever runs it takes its folder."""

    @property
    def engine(self) -> str:
        """What runs it, and the numbers that it computes in: another gives other replies with the same weights."""
        ...

    def release(self) -> None:
        """Let go of its memory; it is loaded again when it is asked again."""
        ...


class Copy(ChatModel, Protocol):
    """A chat model that answers with the weights that it was given last."""

    def take(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Answer with these from now on."""
        ...


class Scorer(Protocol):
    """A reward model conditioned on a persona."""

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """One reward an answer; higher is better. Differences are log-odds of being preferred."""
        ...


class RewardModel(Scorer, Protocol):
    """A reward model as a workspace keeps it, whatever its kind: what ``reward`` trains, and what judges answers."""

    @property
    def kind(self) -> RewardKind:
        """Which kind it is."""
        ...

    @property
    def is_neutral(self) -> bool:
        """Whether it finds all answers alike, for there was too little to learn from."""
        ...

    @property
    def metrics(self) -> Mapping[str, object]:
        """What metrics.json tells of its training; empty where there is nothing to tell."""
        ...

    @property
    def counts(self) -> Mapping[str, int | float | str]:
        """The same in a few words, for the report of the stage."""
        ...

    def warm_start(self, base: str) -> Path | None:
        """The weights that a training from ``base`` (``reward.tuned.base``) may go on from; None for none."""
        ...

    def save(self, path: Path) -> None:
        """Write it: as a file, or into a folder that is there."""
        ...

    @classmethod
    def load(cls, path: Path) -> Self:
        """What :meth:`save` wrote; no code is loaded with it."""
        ...


class Embedder(Protocol):
    """A sentence embedder."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, shape ``[len(texts), dimensions]``."""
        ...
