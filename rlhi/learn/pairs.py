"""Preference pairs worth learning from: from rewrites (UGR), from rewards (UBR) and from what users chose themselves.

Rewrites and candidates are filtered by the reward model; a user's own choice needs no model to agree. Where a program
can tell what was asked for (:mod:`rlhi.learn.follows`), it is asked first: the model may doubt what it finds, but not
be sure of the contrary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from random import Random

from rlhi.config import PairsConfig
from rlhi.contracts import (
    Candidate,
    Conversation,
    PairSource,
    Persona,
    PreferencePair,
    Rewrite,
    Side,
    content_key,
)  # fmt: skip
from rlhi.learn.comparisons import preferred, prompt_before
from rlhi.learn.features import claims_of
from rlhi.learn.filters import speaks, unfit
from rlhi.learn.follows import Demand, demands, judge
from rlhi.learn.lessons import parted
from rlhi.learn.tallies import Dropped, Spread, Wanted
from rlhi.models.base import Sampled, Scored, Scorer
from rlhi.prompts import with_persona
from rlhi.turns import NOWHERE, beside, request

MARGIN = "margin too small"
ALIKE = "all candidates have one reward"
IGNORES = "chosen does not follow the feedback"
FITS_NOT = "the feedback does not fit the answer"
# A user who wishes the contrary is looked for among so many, drawn anew for every pair.
ASKED_TO_MIRROR = 64
UNTOLD = "the user's wishes tell no candidates apart"
NOT_DRAWN = "of a user who was not drawn"
OVER_SHARE = "over the user's share"


@dataclass
class PairMaker:
    """Makes pairs and counts what gives none.

    Args:
        talks: conversations by id.
        personas: by user; the one that a pair's prompt tells.
        judged_by: by user; the one that the reward model is told (another only as a control).
        learned: the lessons that the champion has learned.
        seed: draws the users when there may not be all of them.
    """

    talks: Mapping[str, Conversation]
    personas: Mapping[str, Persona]
    judged_by: Mapping[str, Persona]
    scorer: Scorer
    config: PairsConfig
    learned: frozenset[str] = frozenset()
    seed: int = 0
    dropped: Dropped = field(default_factory=Dropped)
    spread: Spread = field(default_factory=Spread)
    wanted: Wanted = field(default_factory=Wanted)

    def pairs(self, rewrites: Iterable[Rewrite], candidates: Iterable[Candidate]) -> Iterator[PreferencePair]:
        """At most ``config.max_per_user`` new pairs a user: the user's own choices first, then the widest margins.

        And as many of those that the champion has learned, for replay: what a user said before takes no room from
        what they say now.
        """
        made = [*self._from_choices(), *self._from_rewrites(rewrites), *self._from_candidates(candidates, "reward")]
        yield from self._shared_out(made, Counter(), self.learned)

    def on_policy(self, candidates: Iterable[Candidate], given: Counter[str]) -> Iterator[PreferencePair]:
        """Pairs of answers by the model in training; ``given`` is how many pairs a user has given it already."""
        yield from self._shared_out(list(self._from_candidates(candidates, "on_policy")), given)

    def _shared_out(
        self, made: list[PreferencePair], given: Counter[str], learned: frozenset[str] = frozenset()
    ) -> Iterator[PreferencePair]:
        made.sort(key=lambda pair: (pair.user_id, pair.source != "explicit_choice", -pair.margin, pair.key))
        users = sorted({pair.user_id for pair in made}, key=lambda user: content_key(self.seed, user))
        kept = set(users[: self.config.max_users or None])
        for user, rows in groupby(made, key=lambda pair: pair.user_id):
            listed = list(rows)
            if user not in kept:
                self.dropped.reasons[NOT_DRAWN] += len(listed)
                continue
            most = max(0, self.config.max_per_user - given[user])
            for share in parted(listed, learned):
                self.dropped.reasons[OVER_SHARE] += max(0, len(share) - most)
                yield from share[:most]

    def _from_choices(self) -> Iterator[PreferencePair]:
        for talk in sorted(self.talks.values(), key=lambda row: row.conversation_id):
            for at, turn in enumerate(talk.turns):
                for _, chosen, rejected in preferred(turn):
                    if not chosen.strip() or not rejected.strip():
                        self.dropped.reasons["copy or empty"] += 1
                        continue
                    high, low = self._scores(talk, at, [chosen, rejected])
                    yield self._pair(talk, at, "explicit_choice", chosen, rejected, high, low)

    def _from_rewrites(self, rewrites: Iterable[Rewrite]) -> Iterator[PreferencePair]:
        ordered = sorted(rewrites, key=lambda row: (row.conversation_id, row.turn_index, row.source, row.key))
        for (conversation_id, at, source), group in groupby(
            ordered, key=lambda row: (row.conversation_id, row.turn_index, row.source)
        ):
            tries = [row for row in group if row.text.strip() != row.original.strip() and row.text.strip()]
            if not tries or conversation_id not in self.talks:
                self.dropped.reasons["copy or empty"] += 1
                continue
            talk, original = self.talks[conversation_id], tries[0].original
            after = beside(talk.turns, at, 1)
            said = "" if after == NOWHERE else talk.turns[after].content
            asked = self._asked(talk, after, said)
            asked_for = request(talk.turns, at)
            reasons = [
                self._unfit(row.text, original, said, asked_for) or _unheeding(asked, original, row.text)
                for row in tries
            ]
            fit = [Sampled(row.text, row.cut) for row, reason in zip(tries, reasons, strict=True) if not reason]
            if not fit:
                self.dropped.reasons[Counter(reasons).most_common(1)[0][0]] += 1
                continue
            low, *scores = self._scores(talk, at, [original, *fit])
            best = max(range(len(fit)), key=lambda place: (scores[place], -place))
            if self._worth(scores[best] - low, seen_to_follow=bool(asked)):
                yield self._pair(talk, at, source, fit[best], original, scores[best], low)
                if asked:
                    yield from self._mirrored(talk, at, source, fit[best], original)

    def _from_candidates(self, candidates: Iterable[Candidate], source: PairSource) -> Iterator[PreferencePair]:
        ordered = sorted(candidates, key=lambda row: (row.conversation_id, row.turn_index, row.index))
        for (conversation_id, at), group in groupby(ordered, key=lambda row: (row.conversation_id, row.turn_index)):
            drawn = [row for row in group if speaks(row.text) or not self.config.filter]
            texts = [Sampled(row.text, row.cut) for row in drawn]
            if len(texts) < 2 or conversation_id not in self.talks:
                self.dropped.reasons["fewer than two candidates speak"] += 1
                continue
            talk = self.talks[conversation_id]
            scores = self._scores(talk, at, texts)
            self.spread.add(scores)
            if persona := self.personas.get(talk.user_id):
                self.wanted.add(demands(claims_of(persona.text)), texts)
            asked = self._wishes(talk.user_id)
            met = [sum(one.met(text, "") for one in asked) for text in texts]
            if max(scores) == min(scores) and max(met) == min(met):
                self.dropped.reasons[ALIKE] += 1
                continue
            worst = min(range(len(texts)), key=lambda place: (met[place], scores[place], place))
            ranked = sorted(range(len(texts)), key=lambda place: (-met[place], -scores[place], place))
            asked_for = request(talk.turns, at)
            reasons = [self._unfit(texts[place], texts[worst], "", asked_for) for place in ranked]
            best = next((place for place, reason in zip(ranked, reasons, strict=True) if not reason), None)
            if best is None:
                self.dropped.reasons[reasons[0]] += 1
            elif asked and self.config.wishes == "only" and met[best] == met[worst]:
                self.dropped.reasons[UNTOLD] += 1
            elif self._worth(scores[best] - scores[worst], seen_to_follow=met[best] > met[worst]):
                yield self._pair(talk, at, source, texts[best], texts[worst], scores[best], scores[worst])
                if met[best] > met[worst]:
                    yield from self._mirrored(talk, at, source, texts[best], texts[worst])

    def _mirrored(
        self, talk: Conversation, at: int, source: PairSource, better: str, worse: str
    ) -> Iterator[PreferencePair]:
        """The same two answers the other way round, for a user who wishes the contrary, if one is found.

        Of the two pairs a model learns nothing but to read the persona. Only first requests: what was said before would
        be another user's.
        """
        if (
            not self.config.mirror
            or beside(talk.turns, at, -2) != NOWHERE
            or self._unfit(worse, better, "", request(talk.turns, at))
        ):
            return
        # What the model in training answered stays told apart: its pairs are not the log's.
        mirrored: PairSource = "on_policy" if source == "on_policy" else "mirrored"
        random = Random(content_key(self.seed, talk.conversation_id, better, worse))
        for user in random.sample(self._learned, min(ASKED_TO_MIRROR, len(self._learned))):
            asked = self._wishes(user)
            if sum(one.met(worse, "") - one.met(better, "") for one in asked) > 0:
                high, low = self._scores(talk, at, [worse, better], user)
                if high - low > -self.config.max_doubt:
                    yield self._pair(talk, at, mirrored, worse, better, high, low, user)
                    return

    @cached_property
    def _learned(self) -> list[str]:
        """Users who are learned from and of whom something is known."""
        return sorted({talk.user_id for talk in self.talks.values() if talk.has_user} & set(self.personas))

    def _wishes(self, user: str) -> list[Demand]:
        """What the persona that the reward model is told asks for, where an answer alone shows whether it is met."""
        persona = self.judged_by.get(user)
        if persona is None or self.config.wishes == "ignore" or not self.config.filter:
            return []
        return [one for one in demands(claims_of(persona.text)) if not one.relative]

    def _unfit(self, chosen: str, rejected: str, said: str, asked_for: str) -> str:
        return unfit(chosen, rejected, said, self.config, asked_for) if self.config.filter else ""

    def _asked(self, talk: Conversation, at: int, said: str) -> tuple[Demand, ...]:
        """What the complaint at turn ``at`` asks for: the claims that rest on it, and the values that it puts right."""
        persona = self.personas.get(talk.user_id)
        claims = persona.claims if persona and self.config.filter else ()
        turn = f"{talk.conversation_id}#{at}"
        resting = [claim.text for claim in claims if turn in claim.evidence]
        asked_for = request(talk.turns, beside(talk.turns, at, -1))
        return demands(resting, said if self.config.filter else "", asked_for)

    def _worth(self, margin: float, seen_to_follow: bool = False) -> bool:
        """Whether the reward model finds enough of a difference; a margin of 0 says nothing, whatever is configured."""
        worth = margin > 0 and (margin >= self.config.min_margin or not self.config.filter)
        worth |= seen_to_follow and margin > -self.config.max_doubt
        self.dropped.reasons[MARGIN] += not worth
        return worth

    def _scores(self, talk: Conversation, at: int, texts: Sequence[str], user: str = "") -> list[float]:
        persona = self.judged_by.get(user or talk.user_id)
        prompt = prompt_before(talk, at)
        return self.scorer.score([Scored(persona.text if persona else "", prompt, text) for text in texts])

    def _pair(
        self, talk: Conversation, at: int, source: PairSource, chosen: str, rejected: str, high: float, low: float,
        user: str = "",
    ) -> PreferencePair:  # fmt: skip
        user = user or talk.user_id
        persona = self.personas.get(user)
        text, version = (persona.text, persona.version) if persona else ("", "")
        where = (talk.conversation_id, at, source)
        sides: dict[Side, str] = {"chosen": chosen, "rejected": rejected}
        cut = tuple(side for side, said in sides.items() if isinstance(said, Sampled) and said.cut)
        return PreferencePair(
            content_key(where, chosen, rejected, version), with_persona(talk.turns[:at], text), str(chosen),
            str(rejected), user, *where[:2], source, text, version, high, low, cut,
        )  # fmt: skip


def _unheeding(asked: Sequence[Demand], original: str, text: str) -> str:
    # A user who goes on from a revision that ignores what they asked for has not judged it, but given up.
    return {"ignores": IGNORES, "fits not": FITS_NOT}.get(judge(asked, original, text), "")
