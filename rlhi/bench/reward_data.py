"""Comparisons of real people for `rlhi bench reward`: choices and ratings, each user's persona, and another's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rlhi.bench.persona_data import (
    histories_of,
    labels,
    people,
    population_builder,
    profiles,
    ratings,
    records,
)
from rlhi.config import PersonasConfig
from rlhi.contracts import Message, Profile, content_key
from rlhi.learn.reward.comparisons import Comparison
from rlhi.models.base import Scored

CONFIG = PersonasConfig(max_claims=8, text_kinds=("wish", "topic", "expertise", "style", "language"))


@dataclass(frozen=True, slots=True)
class Judged:
    """One comparison of a source; ``other`` is another user's persona, empty where the own one is."""

    source: str
    one: Comparison
    other: Profile = Profile()


def judged(data: Path) -> Iterator[Judged]:
    """All comparisons of the data: choices and ranks by source, and ratings of one conversation's answers."""
    rows = people(data)
    histories = histories_of(rows, labels(rows))
    persona_of = profiles(histories, CONFIG, population_builder(histories, CONFIG))

    strangers = [user for user in sorted(histories) if persona_of(user, "").text]

    def told(source: str, user: str, conversation: str, better: Scored, worse: Scored) -> Judged:
        own = persona_of(user, conversation)
        others = [one for one in strangers if one != user]
        other = min(others, key=lambda one: content_key(one, user, conversation)) if own.text and others else ""
        one = Comparison(user, replace(better, persona=own), replace(worse, persona=own))
        return Judged(source, one, persona_of(other, "") if other else Profile())

    for row in records(data / "preferences.jsonl.gz"):
        prompt, other = row["prompt_turns"], row["prompt_turns_rejected"] or row["prompt_turns"]
        name = row["user_id"] or f"request:{content_key(prompt)}"
        better = Scored(Profile(), _messages(prompt), row["chosen"])
        worse = Scored(Profile(), _messages(other), row["rejected"])
        yield told(row["source"].split("-")[0], name, row["conversation_id"], better, worse)
    for pair in ratings(data, rows):
        yield told("ratings", pair.user_id, pair.conversation_id, pair.better, pair.worse)


def drawn(rows: Iterator[Judged], pairs: int) -> list[Judged]:
    """At most so many of each source, drawn by hash."""
    by_source: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        by_source[row.source].append(row)
    some_of_each = (
        sorted(some, key=lambda row: content_key(row.one.better.response, row.one.worse.response))[:pairs]
        for some in by_source.values()
    )
    return [row for some in some_of_each for row in some]


def _messages(turns: Sequence[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message("assistant" if turn["role"] == "assistant" else "user", turn["content"]) for turn in turns)
