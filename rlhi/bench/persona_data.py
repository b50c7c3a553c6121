"""Real users for the benchmark of personas: their conversations, choices and ratings, read from ``RLHI_DATA``."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

from rlhi.collect.persona.build import History, persona
from rlhi.collect.persona.builder import LocalBuilder, requests
from rlhi.collect.persona.history import said
from rlhi.collect.persona.topics import population
from rlhi.collect.wishes.claims import wishes_in
from rlhi.config import FeedbackConfig, PersonasConfig
from rlhi.contracts import Conversation, FeedbackTurn, Message, Profile, Turn
from rlhi.models.base import Scored

NEEDED = ("conversations.jsonl.gz", "preferences.jsonl.gz", "response_ratings.jsonl.gz")  # of the data folder

PersonaOf = Callable[[str, str], Profile]
"""A user's persona without a conversation (empty: of all of them)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers of which a user preferred the first; their personas are empty until one is tried."""

    user_id: str
    conversation_id: str
    better: Scored
    worse: Scored


def people(data: Path) -> list[Conversation]:
    """The conversations of users that are known by an id."""
    return [
        Conversation(
            row["conversation_id"], row["user_id"], "real", row["created_at"], row["model"], row["language"],
            tuple(Turn(turn["role"], turn["content"], turn.get("created_at")) for turn in row["turns"]),
            row["source"],
        )
        for row in records(data / "conversations.jsonl.gz")
        if row["user_id_kind"] == "real"
    ]  # fmt: skip


def histories_of(rows: Sequence[Conversation], labelled: Sequence[FeedbackTurn]) -> dict[str, History]:
    """Histories by user."""
    conversations: Mapping[str, list[Conversation]] = defaultdict(list)
    feedback: Mapping[str, list[FeedbackTurn]] = defaultdict(list)
    for row in rows:
        conversations[row.user_id].append(row)
    for label in labelled:
        feedback[label.user_id].append(label)
    return {user: History(user, tuple(own), tuple(feedback[user])) for user, own in conversations.items()}


def population_builder(histories: Mapping[str, History], config: PersonasConfig) -> LocalBuilder:
    """A builder that knows what all these users ask about."""
    return LocalBuilder(config, population((one.user_id, requests(said(one))) for one in histories.values()))


def profiles(histories: Mapping[str, History], config: PersonasConfig, builder: LocalBuilder) -> PersonaOf:
    """A user's persona without one conversation, each built once; of a stranger nothing is known."""

    @cache
    def persona_of(user: str, leave_out: str) -> Profile:
        history = histories.get(user, History(user, (), ()))
        return persona(history, config, leave_out=leave_out or None, builder=builder).profile

    return persona_of


def labels(rows: Sequence[Conversation]) -> list[FeedbackTurn]:
    """The labeller's labels of all follow-ups."""
    from rlhi.collect.feedback.label import Labeller, label_conversations

    return list(label_conversations(rows, Labeller.load(), FeedbackConfig()))


def read_labels(rows: Sequence[Conversation]) -> list[FeedbackTurn]:
    """In place of the labeller: a follow-up in which the rules read a wish asks for the answer again."""
    return [
        FeedbackTurn("", row.conversation_id, row.user_id, at, "reattempt_with_feedback", 1.0)
        for row in rows
        for at, turn in enumerate(row.turns)
        if at >= 2 and turn.role == "user" and wishes_in(turn.content)
    ]


def choices(data: Path) -> Iterator[Pair]:
    """Choices that people made for themselves between two answers; the two sides may have different histories."""
    for row in records(data / "preferences.jsonl.gz"):
        if row["kind"] == "same_user_pairwise":
            chosen = _messages(row["prompt_turns"])
            rejected = _messages(row["prompt_turns_rejected"] or row["prompt_turns"])
            better, worse = Scored(Profile(), chosen, row["chosen"]), Scored(Profile(), rejected, row["rejected"])
            yield Pair(row["user_id"], row["conversation_id"], better, worse)


def ratings(data: Path, rows: Sequence[Conversation]) -> Iterator[Pair]:
    """Pairs of answers in one conversation that its user marked differently (stars, or thumbs)."""
    conversations = {(row.user_id, row.conversation_id): row for row in rows}
    marks = [
        (row["user_id"], row["conversation_id"], row["turn_index"], row["score"])
        for row in records(data / "response_ratings.jsonl.gz")
        if row["label"].startswith(("likert", "thumbs")) and (row["user_id"], row["conversation_id"]) in conversations
    ]
    for name, group in groupby(sorted(marks), key=lambda mark: mark[:2]):
        for one, other in combinations(group, 2):
            if one[3] != other[3]:
                high, low = (one, other) if one[3] > other[3] else (other, one)
                yield Pair(name[0], name[1], _rated(conversations[name], high[2]), _rated(conversations[name], low[2]))


def _rated(conversation: Conversation, turn_index: int) -> Scored:
    prompt = tuple(Message(turn.role, turn.content) for turn in conversation.turns[:turn_index])
    return Scored(Profile(), prompt, conversation.turns[turn_index].content)


def _messages(turns: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    return tuple(Message("assistant" if turn["role"] == "assistant" else "user", turn["content"]) for turn in turns)


def records(path: Path) -> list[Any]:
    """The rows of a gzipped jsonl file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]
