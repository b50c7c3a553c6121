"""Rows that a model is taught by: rewrites, candidates, and the pairs and judged answers that are made of them.

A ``key`` is the hash of a row's inputs and of the configuration that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlhi.contracts.rows import Message

PairSource = Literal["rewrite", "observed_revision", "reward", "explicit_choice", "on_policy", "mirrored", "edited"]
Side = Literal["chosen", "rejected"]
JudgedSource = Literal["thumbs", "stars", "positive_feedback", "complaint", "continuation"]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A better answer in place of ``turns[turn_index]``: guided by the follow-up (paper, UGR) or given next."""

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    source: Literal["rewrite", "observed_revision"]
    original: str
    text: str
    model: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of N sampled answers in place of ``turns[turn_index]`` (paper, UBR)."""

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    index: int
    text: str
    model: str
    seed: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """Cached replies to what hashes to ``request``, asked in ``cycle``; ``cut``: places of those that had not ended."""

    request: str
    texts: tuple[str, ...]
    model: str
    seed: int
    cycle: int
    cut: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """TRL's conversational row with its provenance.

    Attributes:
        prompt: from the system message that tells the persona to the request.
        user_id: whom the chosen answer serves; another user than who asked, where a request's answers serve several.
        turn_index: the place of the answer that both sides stand for.
        persona: the text that the prompt tells; ``persona_version`` names it.
        reward_chosen: in log-odds, as ``reward_rejected``; 0 where no reward model was asked.
        cut: the sides that had not ended.

    >>> prompt = (Message("system", "You are a helpful assistant."), Message("user", "How do tides work?"))
    >>> sides = ("- moon\\n- sun", "The moon pulls.")
    >>> PreferencePair("k", prompt, *sides, "u1", "talk-1", 1, "edited", "Use bullet points.", "v1", 0.75, -0.25).margin
    1.0
    """

    key: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    user_id: str
    conversation_id: str
    turn_index: int
    source: PairSource
    persona: str
    persona_version: str
    reward_chosen: float
    reward_rejected: float
    cut: tuple[Side, ...] = ()

    @property
    def margin(self) -> float:
        """How much better the reward model finds the chosen answer."""
        return self.reward_chosen - self.reward_rejected


@dataclass(frozen=True, slots=True)
class FreshPair:
    """A pair that ``round`` of a training learned from; ``sampler``: SHA-256 of the weights that gave its answers."""

    round: int
    sampler: str
    pair: PreferencePair


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """One answer that its user found good or not, by itself.

    Attributes:
        wanted: whether the user found it good.
        weight: 1 for what was said outright, less for what is only implied.
        turn_index: the answer's place.
    """

    key: str
    prompt: tuple[Message, ...]
    response: str
    wanted: bool
    weight: float
    user_id: str
    conversation_id: str
    turn_index: int
    source: JudgedSource
    persona: str
    persona_version: str
