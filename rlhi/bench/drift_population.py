"""Users to draw from: those of ``RLHI_DATA``, or made-up ones whose conversations resemble one another."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rlhi.bench.persona_data import labels, records
from rlhi.collect.clean.identify import identify
from rlhi.collect.wishes.claims import wishes_in
from rlhi.config import DriftConfig
from rlhi.contracts import REATTEMPTS, Conversation, FeedbackTurn, Turn, content_key
from rlhi.contracts.turns import opening
from rlhi.evaluate.drift import DriftRow, drift_row
from rlhi.evaluate.drift.topics import topics
from rlhi.models.base import Embedder

MADE_UP = 900  # users


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation: its row, the row as it was when rows were compared, its labelled follow-ups and complaints."""

    user: str
    row: DriftRow
    former: DriftRow
    follow_ups: int
    complaints: int


def real(data: Path, embedder: Embedder, users: int | None = None) -> list[Talk]:
    """The conversations of a data folder, of at most so many users, drawn by hash.

    Follow-ups are labelled by the labeller; a claim is a wish that the rules read in a complaint.

    Raises:
        FileNotFoundError: the folder has no conversations.
    """
    rows = [_conversation(record) for record in records(data / "conversations.jsonl.gz")]
    drawn = set(sorted({row.user_id for row in rows}, key=content_key)[:users])
    rows = [row for row in rows if row.user_id in drawn]
    said: Mapping[str, list[FeedbackTurn]] = defaultdict(list)
    for label in labels(rows):
        said[label.conversation_id].append(label)
    asked = [opening(row.turns) for row in rows]
    _, found = topics([], asked, embedder, DriftConfig().topics)
    languages = identify([row.turns for row in rows])
    return [
        _talk(row, said[row.conversation_id], language, topic)
        for row, language, topic in zip(rows, languages, found, strict=True)
    ]


def made_up(seed: int = 0, users: int = MADE_UP) -> list[Talk]:
    """Users with a length, a language, a topic and a temper of their own, of one to five conversations each."""
    rng = random.Random(seed)
    found = []
    for at in range(users):
        length, asks, temper = rng.lognormvariate(2.7, 0.9), rng.random(), rng.betavariate(1, 3)
        language, topic = rng.choices(("en", "fr", "de"), (90, 6, 4))[0], f"topic {rng.randint(1, 8)}"
        codes, talks, habit = rng.random() < 0.25, rng.randint(1, 5), 1 + 4 * rng.random()
        for _ in range(talks):
            turns = 1 + round(rng.expovariate(1 / habit))
            complaints = sum(rng.random() < temper for _ in range(turns - 1))
            thanks = sum(rng.random() < 0.05 for _ in range(turns - 1 - complaints))
            row = DriftRow(
                float(turns), length * rng.lognormvariate(0, 0.4), length * rng.lognormvariate(0, 0.3),
                round(asks * turns) / turns, 0.002 * rng.random(), float(codes and rng.random() < 0.8),
                complaints / (turns - 1) if turns > 1 else None, thanks / (turns - 1) if turns > 1 else None,
                language, rng.choice((None, None, "length", "format")), topic if rng.random() < 0.7 else "topic 1",
            )  # fmt: skip
            found.append(Talk(f"u{at}", row, row, turns - 1, complaints))
    return found


def _conversation(record: Mapping[str, object]) -> Conversation:
    told: Sequence[Mapping[str, str]] = record["turns"]  # type: ignore[assignment]
    name = str(record["conversation_id"])
    user = f"{record['source']} {record['user_id'] if record['user_id_kind'] != 'conversation_only' else name}"
    turns = tuple(Turn("assistant" if one["role"] == "assistant" else "user", one["content"]) for one in told)
    return Conversation(f"{record['source']} {name}", user, "real", None, None, "en", turns, str(record["source"]))


def _talk(row: Conversation, said: Sequence[FeedbackTurn], language: str | None, topic: str | None) -> Talk:
    complaints = [label for label in said if label.label in REATTEMPTS]
    claims = [wish.topic for label in complaints for wish in wishes_in(row.turns[label.turn_index].content)]
    now = drift_row(row, said, language, claims, topic)
    # All messages counted in the text's columns then, complaints too.
    then = replace(drift_row(row, []), reattempt_share=now.reattempt_share, positive_share=now.positive_share)
    return Talk(row.user_id, now, then, len(said), len(complaints))
