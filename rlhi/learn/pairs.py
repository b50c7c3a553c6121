"""Preference pairs worth learning from: from rewrites (UGR) and from rewards (UBR), filtered by the reward model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from rlhi.checks import fluency
from rlhi.config import PairsConfig
from rlhi.contracts import Candidate, Conversation, PairSource, Persona, PreferencePair, Rewrite, content_key
from rlhi.learn.reward import RewardError, prompt_before
from rlhi.models.base import Scored, Scorer
from rlhi.prompts import with_persona

FEWEST_WORDS = 3
LEAST_FLUENCY = 0.9
ALIKE = "all candidates have one reward"


@dataclass(slots=True)
class Dropped:
    """How many comparisons gave no pair, by reason; of how many ``groups`` of candidates all rewards were equal."""

    reasons: Counter[str] = field(default_factory=Counter)
    groups: int = 0

    def check_variance(self) -> None:
        """Refuse rewards that tell no candidate from another.

        Raises:
            RewardError: in all of several groups of candidates every reward is the same.
        """
        flat = self.reasons[ALIKE]
        if flat == self.groups and flat > 1:
            raise RewardError(
                f"the rewards of candidates have no variance in any of {flat} groups: the reward model tells no answer "
                "from another; look at models/reward/metrics.json, and at whether data/candidates differ"
            )


def pairs(
    rewrites: Iterable[Rewrite],
    candidates: Iterable[Candidate],
    talks: Mapping[str, Conversation],
    personas: Mapping[str, Persona],
    scorer: Scorer,
    config: PairsConfig,
    dropped: Dropped,
) -> Iterator[PreferencePair]:
    """At most ``config.max_per_user`` pairs a user, the widest margins first."""
    made = [*_from_rewrites(rewrites, talks, personas, scorer, config, dropped)]
    made += _from_candidates(candidates, talks, personas, scorer, config, dropped)
    made.sort(key=lambda pair: (pair.user_id, -pair.margin, pair.key))
    for _, rows in groupby(made, key=lambda pair: pair.user_id):
        listed = list(rows)
        dropped.reasons["over the user's share"] += max(0, len(listed) - config.max_per_user)
        yield from listed[: config.max_per_user]


def _from_rewrites(
    rewrites: Iterable[Rewrite],
    talks: Mapping[str, Conversation],
    personas: Mapping[str, Persona],
    scorer: Scorer,
    config: PairsConfig,
    dropped: Dropped,
) -> Iterator[PreferencePair]:
    ordered = sorted(rewrites, key=lambda row: (row.conversation_id, row.turn_index, row.source, row.key))
    for (conversation_id, turn_index, source), group in groupby(
        ordered, key=lambda row: (row.conversation_id, row.turn_index, row.source)
    ):
        tries = [row for row in group if row.text and row.text != row.original]
        if not tries or conversation_id not in talks:
            dropped.reasons["copy or empty"] += 1
            continue
        maker = _Maker(talks[conversation_id], turn_index, personas)
        scores = scorer.score([maker.scored(row.text) for row in tries])
        best = max(range(len(tries)), key=lambda at: (scores[at], -at))
        low = scorer.score([maker.scored(tries[0].original)])[0]
        if not _worth(scores[best] - low, config):
            dropped.reasons["margin too small"] += 1
            continue
        if not _speaks(tries[best].text):
            dropped.reasons["chosen is no language"] += 1
            continue
        yield maker.pair(source, tries[best].text, tries[0].original, scores[best], low)


def _from_candidates(
    candidates: Iterable[Candidate],
    talks: Mapping[str, Conversation],
    personas: Mapping[str, Persona],
    scorer: Scorer,
    config: PairsConfig,
    dropped: Dropped,
) -> Iterator[PreferencePair]:
    ordered = sorted(candidates, key=lambda row: (row.conversation_id, row.turn_index, row.index))
    for (conversation_id, turn_index), group in groupby(ordered, key=lambda row: (row.conversation_id, row.turn_index)):
        rows = [row for row in group if _speaks(row.text)]
        if len(rows) < 2 or conversation_id not in talks:
            dropped.reasons["fewer than two candidates speak"] += 1
            continue
        maker = _Maker(talks[conversation_id], turn_index, personas)
        scores = scorer.score([maker.scored(row.text) for row in rows])
        best = max(range(len(rows)), key=lambda at: (scores[at], -at))
        worst = min(range(len(rows)), key=lambda at: (scores[at], at))
        dropped.groups += 1
        if scores[best] == scores[worst]:
            dropped.reasons[ALIKE] += 1
            continue
        if not _worth(scores[best] - scores[worst], config):
            dropped.reasons["margin too small"] += 1
            continue
        yield maker.pair("reward", rows[best].text, rows[worst].text, scores[best], scores[worst])


def _worth(margin: float, config: PairsConfig) -> bool:
    """A margin of 0 says nothing, whatever the configuration asks for."""
    return margin > 0 and margin >= config.min_margin


def _speaks(text: str) -> bool:
    """False for the loops and scraps that a reward of form alone could favour: they must not be learned from."""
    return len(text.split()) >= FEWEST_WORDS and fluency(text) >= LEAST_FLUENCY


@dataclass(frozen=True, slots=True)
class _Maker:
    """Pairs for one answer of one conversation."""

    talk: Conversation
    turn_index: int
    personas: Mapping[str, Persona]

    @property
    def persona(self) -> Persona | None:
        return self.personas.get(self.talk.user_id)

    def scored(self, text: str) -> Scored:
        prompt = prompt_before(self.talk, self.turn_index)
        return Scored(self.persona.text if self.persona else "", prompt, text)

    def pair(self, source: PairSource, chosen: str, rejected: str, high: float, low: float) -> PreferencePair:
        persona = self.persona
        text, version = (persona.text, persona.version) if persona else ("", "")
        prompt = with_persona(self.talk.turns[: self.turn_index], text)
        where = (self.talk.conversation_id, self.turn_index, source)
        return PreferencePair(
            content_key(where, chosen, rejected, version), prompt, chosen, rejected, self.talk.user_id, *where[:2],
            source, text, version, high, low,
        )  # fmt: skip


def lesson(pair: PreferencePair) -> str:
    """What a pair teaches, whichever text it teaches it with: its answer's place and source."""
    return f"{pair.conversation_id}#{pair.turn_index}#{pair.source}"


def training_set(
    made: Iterable[PreferencePair], learned: frozenset[str], replay: float, most: int, seed: int
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """The pairs for a challenger: all that its champion has not learned from, and a share of those it has.

    Returns:
        (new pairs, replayed pairs); together at most ``most``, drawn by seed, new ones first.
    """
    ordered = sorted(made, key=lambda pair: content_key(seed, lesson(pair)))
    new = [pair for pair in ordered if lesson(pair) not in learned][:most]
    old = [pair for pair in ordered if lesson(pair) in learned]
    return new, old[: min(int(replay * len(new)), most - len(new))]
