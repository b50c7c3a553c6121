"""Preference pairs worth learning from: from rewrites (UGR), from rewards (UBR) and from what users chose themselves.

Rewrites and candidates are filtered by the reward model; a user's own choice needs no model to agree. Where a program
can tell what was asked for (:mod:`rlhi.learn.instruction_checks`), it is asked first: the model may doubt what it
finds, but not be sure of the contrary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import groupby
from random import Random

from rlhi.checks.demands import Demand
from rlhi.contracts import Candidate, Conversation, PairSource, PreferencePair, Rewrite, ToldClaim, content_key
from rlhi.contracts.turns import NOWHERE, beside, is_first, request
from rlhi.learn.instruction_checks import demands, is_calculation, judge
from rlhi.learn.pairs.filters import SPEAKS_OF_FORM, speaks_of_form
from rlhi.learn.pairs.groups import GroupMaker
from rlhi.learn.pairs.lessons import parted
from rlhi.learn.pairs.pairing import COPY, Pairing
from rlhi.learn.reward.comparisons import choices
from rlhi.models.base import Sampled

IGNORES = "chosen does not follow the feedback"
FITS_NOT = "the feedback does not fit the answer"
# A user who wishes the contrary is looked for among so many, drawn anew for every pair.
ASKED_TO_MIRROR = 64
NOT_DRAWN = "of a user who was not drawn"
OVER_SHARE = "over the user's share"


class PairMaker(Pairing):
    """Makes pairs of everything that a log gives, and counts what gives none."""

    def pairs(self, rewrites: Iterable[Rewrite], candidates: Iterable[Candidate]) -> Iterator[PreferencePair]:
        """At most ``config.max_per_user`` new pairs a user: the user's own choices first, then the widest margins.

        And as many of those that the champion has learned, for replay: what a user said before takes no room from
        what they say now.
        """
        groups = GroupMaker(self)
        made = [*self._from_choices(), *self._from_rewrites(rewrites)]
        rewritten = {(pair.conversation_id, pair.turn_index) for pair in made}
        made += [*groups.pairs(candidates, "reward"), *self._from_complaints(groups, rewritten)]
        yield from self._shared_out(made, Counter(), self.learned)

    def on_policy(self, candidates: Iterable[Candidate], given: Counter[str]) -> Iterator[PreferencePair]:
        """Pairs of answers by the model in training; ``given`` is how many pairs a user has given it already."""
        yield from self._shared_out(list(GroupMaker(self).pairs(candidates, "on_policy")), given)

    def _shared_out(
        self, made: list[PreferencePair], given: Counter[str], learned: frozenset[str] = frozenset()
    ) -> Iterator[PreferencePair]:
        made = [pair for pair in made if self.shows_answers(pair)]
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
        for conversation in sorted(self.conversations.values(), key=lambda row: row.conversation_id):
            for at, _, chosen, rejected in choices(conversation):
                if not chosen.strip() or not rejected.strip():
                    self.dropped.reasons[COPY] += 1
                    continue
                high, low = self.scores(conversation, at, [chosen, rejected])
                yield self.pair(conversation, at, "explicit_choice", chosen, rejected, high, low)

    def _from_rewrites(self, rewrites: Iterable[Rewrite]) -> Iterator[PreferencePair]:
        ordered = sorted(rewrites, key=lambda row: (row.conversation_id, row.turn_index, row.source, row.key))
        for (conversation_id, at, source), group in groupby(
            ordered, key=lambda row: (row.conversation_id, row.turn_index, row.source)
        ):
            tries = [row for row in group if row.text.strip() != row.original.strip() and row.text.strip()]
            if not tries or conversation_id not in self.conversations:
                self.dropped.reasons[COPY] += 1
                continue
            conversation, original = self.conversations[conversation_id], tries[0].original
            after = beside(conversation.turns, at, 1)
            said = "" if after == NOWHERE else conversation.turns[after].content
            asked = self._asked(conversation, after, said)
            asked_for = request(conversation.turns, at)
            before, *near = self.substance.near(asked_for, [original, *(row.text for row in tries)])
            reasons = [
                self.unfit(row.text, original, said, asked_for)
                or self.substance.lacking(asked_for, row.text, found, before, alone=source == "rewrite")
                or _unheeding(asked, original, row.text)
                or (SPEAKS_OF_FORM if self._echoes(conversation, row.text, said, asked_for) else "")
                for row, found in zip(tries, near, strict=True)
            ]
            fit = [Sampled(row.text, row.cut) for row, reason in zip(tries, reasons, strict=True) if not reason]
            if not fit:
                self.dropped.reasons[Counter(reasons).most_common(1)[0][0]] += 1
                continue
            low, *scores = self.scores(conversation, at, [original, *fit])
            best = max(range(len(fit)), key=lambda place: (scores[place], -place))
            if self.worth(scores[best] - low, seen_to_follow=bool(asked)):
                yield self.pair(conversation, at, source, fit[best], original, scores[best], low)
                if asked:
                    yield from self._mirrored(conversation, at, source, fit[best], original)

    def _from_complaints(self, groups: GroupMaker, done: Set[tuple[str, int]]) -> Iterator[PreferencePair]:
        """Answers that were complained of, edited by program until they do what the complaint asks.

        Nothing is sampled for them: the rejected side is what the user was served. Only those that answered, and that
        gave no pair already (``done``); none where another persona judges or wishes are ignored, as in controls.
        """
        for user in self.learners if self.config.persona == "own" and self.config.wishes != "ignore" else ():
            for turn in sorted({turn for claim in self.personas[user].claims for turn in claim.evidence}):
                conversation_id, _, said_at = turn.rpartition("#")
                conversation = self.conversations.get(conversation_id)
                at = beside(conversation.turns, int(said_at), -1) if conversation else NOWHERE
                if (
                    conversation is None
                    or at == NOWHERE
                    or conversation.turns[at].role != "assistant"
                    or (conversation_id, at) in done
                ):
                    continue
                asked = self._asked(conversation, int(said_at), "")
                if judge(asked, conversation.turns[at].content, conversation.turns[at].content) == "ignores":
                    yield from groups.edited_answer(conversation, at, asked)

    def _mirrored(
        self, conversation: Conversation, at: int, source: PairSource, better: str, worse: str
    ) -> Iterator[PreferencePair]:
        """The same two answers the other way round, for a user who wishes the contrary, if one is found.

        Of the two pairs a model learns nothing but to read the persona. Only first requests: what was said before would
        be another user's.
        """
        if (
            not self.config.mirror
            or not is_first(conversation.turns, at)
            or self.unfit(worse, better, "", request(conversation.turns, at))
        ):
            return
        # What the model in training answered stays told apart: its pairs are not the log's.
        mirrored: PairSource = "on_policy" if source == "on_policy" else "mirrored"
        random = Random(content_key(self.seed, conversation.conversation_id, better, worse))
        for user in random.sample(self.learners, min(ASKED_TO_MIRROR, len(self.learners))):
            asked = self.wishes(user)
            if sum(one.met(worse, "") - one.met(better, "") for one in asked) > 0:
                high, low = self.scores(conversation, at, [worse, better], user)
                if high - low > -self.config.max_doubt:
                    yield self.pair(conversation, at, mirrored, worse, better, high, low, user)
                    return

    def _asked(self, conversation: Conversation, at: int, said: str) -> tuple[Demand, ...]:
        """What the complaint at turn ``at`` asks for: the claims that rest on it, and the values that it puts right."""
        persona = self.personas.get(conversation.user_id)
        claims = persona.claims if persona and self.config.filter else ()
        turn = f"{conversation.conversation_id}#{at}"
        resting = [ToldClaim(claim.text, claim.check) for claim in claims if turn in claim.evidence]
        asked_for = request(conversation.turns, beside(conversation.turns, at, -1))
        calculation = self.config.calculations and is_calculation(asked_for)
        return demands(resting, said if self.config.filter else "", calculation)

    def _echoes(self, conversation: Conversation, chosen: str, said: str, asked_for: str) -> bool:
        persona = self.personas.get(conversation.user_id)
        wanted = f"{persona.text if persona else ''} {said}"
        return self.config.filter and speaks_of_form(chosen, wanted, asked_for)


def _unheeding(asked: Sequence[Demand], original: str, text: str) -> str:
    # A user who goes on from a revision that ignores what they asked for has not judged it, but given up.
    return {"ignores": IGNORES, "fits not": FITS_NOT}.get(judge(asked, original, text), "")
