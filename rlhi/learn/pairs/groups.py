"""The candidates of one request, and the pairs that were made of them: a group serves several users."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rlhi.checks.demands import Demand, demands_of
from rlhi.checks.form import satisfies
from rlhi.contracts import Candidate, Conversation, PairSource, PreferencePair, content_key
from rlhi.contracts.turns import is_first, request
from rlhi.learn.pairs.edits.edit import edit_to_meet, ended
from rlhi.learn.pairs.filters import SPEAKS_OF_FORM, speaks, speaks_of_form
from rlhi.learn.pairs.pairing import Pairing
from rlhi.models.base import Sampled

ALIKE = "all candidates have one reward"
RARE = 0.25
"""Of a group's answers: a style that no more of them have is not the model's own."""
UNTOLD = "the user's wishes tell no candidates apart"


@dataclass(frozen=True, slots=True)
class Group:
    """Answers to the request before ``conversation.turns[at]``; how near each is to it, and whether that is an answer
    (:mod:`rlhi.learn.pairs.substance`)."""

    conversation: Conversation
    at: int
    texts: tuple[Sampled, ...]
    request: str
    near: tuple[float, ...]
    answers: tuple[bool, ...]
    source: PairSource


@dataclass(slots=True)
class Ranked:
    """Pairs of one group so far; ``unturned``: (better, worse) of those that nobody was given the other way round."""

    pairs: list[PreferencePair] = field(default_factory=list)
    unturned: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, pairs: Sequence[PreferencePair]) -> Ranked:
        """The group with these pairs."""
        made = cls()
        for pair in pairs:
            made.take(pair)
        return made

    def holds(self, pair: PreferencePair) -> bool:
        """Whether there is such a pair, of whichever user."""
        return any(
            (one.persona, one.chosen, one.rejected) == (pair.persona, pair.chosen, pair.rejected) for one in self.pairs
        )

    def take(self, pair: PreferencePair, turned: bool = False) -> None:
        """Add a pair; one that is another's the other way round is not turned again."""
        self.pairs.append(pair)
        if not turned:
            self.unturned.append((pair.chosen, pair.rejected))


@dataclass(frozen=True, slots=True)
class GroupMaker:
    """Makes pairs of candidates: ranked for the user who asked, and for others who wish otherwise."""

    of: Pairing
    served: Counter[str] = field(default_factory=Counter)

    def pairs(self, candidates: Iterable[Candidate], source: PairSource) -> Iterator[PreferencePair]:
        ordered = sorted(candidates, key=lambda row: (row.conversation_id, row.turn_index, row.index))
        for (conversation_id, at), rows in groupby(ordered, key=lambda row: (row.conversation_id, row.turn_index)):
            drawn = [row for row in rows if speaks(row.text) or not self.of.config.filter]
            texts = tuple(Sampled(row.text, row.cut) for row in drawn)
            if len(texts) < 2 or conversation_id not in self.of.conversations:
                self.of.dropped.reasons["fewer than two candidates speak"] += 1
                continue
            conversation = self.of.conversations[conversation_id]
            group = self._group(conversation, at, texts, source)
            if persona := self.of.personas.get(conversation.user_id):
                self.of.wanted.add(demands_of(persona.told), texts)
            made = Ranked.of(list(self._ranked(group, conversation.user_id)))
            yield from made.pairs
            if self._serves_others(group):
                yield from self._for_others(group, made)
                yield from self._as_it_was(group, made.pairs)

    def edited_answer(self, conversation: Conversation, at: int, asked: Sequence[Demand]) -> Iterator[PreferencePair]:
        """The answer at ``at``, edited until it does what its user ``asked``, over itself; nothing where none is made.

        An answer that is not about its request is not edited. Whom it is all the same to gets the answer as it was.
        """
        logged = conversation.turns[at]
        group = self._group(conversation, at, (Sampled(logged.content, logged.cut),), "reward")
        scores = self.of.scores(conversation, at, group.texts)
        if self.of.config.edit and (pair := self._edited(group, conversation.user_id, asked, scores)):
            yield pair
            if self._serves_others(group):
                yield from self._as_it_was(group, [pair])

    def _serves_others(self, group: Group) -> bool:
        """Only first requests: what was said before would be another user's."""
        return is_first(group.conversation.turns, group.at) and self.of.config.served > 0 and self.of.config.filter

    def _group(self, conversation: Conversation, at: int, texts: tuple[Sampled, ...], source: PairSource) -> Group:
        asked_for = request(conversation.turns, at)
        near = self.of.substance.near(asked_for, texts)
        answers = (self.of.substance.answers(asked_for, *one) for one in zip(texts, near, strict=True))
        return Group(conversation, at, texts, asked_for, tuple(near), tuple(answers), source)

    def _ranked(self, group: Group, user: str, turn: int = 0) -> Iterator[PreferencePair]:
        """The best of a request's answers over the worst, for one user; or one edited over what it was made from.

        For who asked an edit has to do what no answer does: two answers teach to answer. For others it comes first: its
        two sides differ in the wish and in nothing else, which teaches to read who asks. ``turn`` is whose turn it is
        among them, so that they do not all get the same answer edited.
        """
        asked, own = self.of.wishes(user), user == group.conversation.user_id
        met = [sum(one.met(text, "") for one in asked) for text in group.texts]
        if not own and max(met) == min(met) == len(asked):
            return
        scores = self.of.scores(group.conversation, group.at, group.texts, user)
        if own:
            self.of.spread.add(scores)
        unmet = (max(met) if own else min(met)) < len(asked)
        may_edit = self.of.config.edit and group.source == "reward"
        if unmet and may_edit and (edited := self._edited(group, user, asked, scores, turn)):
            yield edited
            return
        if max(scores) == min(scores) and max(met) == min(met):
            self.of.dropped.reasons[ALIKE] += own
            return
        places = range(len(group.texts))
        worst = min(places, key=lambda place: (met[place], scores[place], place))
        others = [place for place in places if place != worst]
        ranked = sorted(others, key=lambda place: (-met[place], not group.answers[place], -scores[place], place))
        reasons = [self._lacking(group, user, group.texts[place], group.near[place], worst) for place in ranked]
        best = next((place for place, reason in zip(ranked, reasons, strict=True) if not reason), None)
        if best is None:
            self.of.dropped.reasons[reasons[0]] += own
        elif met[best] == met[worst] and (not own or (asked and self.of.config.wishes == "only")):
            self.of.dropped.reasons[UNTOLD] += own
        elif self.of.worth(scores[best] - scores[worst], seen_to_follow=met[best] > met[worst], counted=own):
            sides = group.texts[best], group.texts[worst]
            yield self.of.pair(group.conversation, group.at, group.source, *sides, scores[best], scores[worst], user)

    def _edited(
        self, group: Group, user: str, asked: Sequence[Demand], scores: Sequence[float], turn: int = 0
    ) -> PreferencePair | None:
        """An answer edited by program to meet what it does not meet, over the answer that it was made from.

        Both without an unfinished end, so that the pair tells of the edit and not of ending.
        """
        checks = [one.check for one in asked if one.check]
        fit = [
            place
            for place, (text, answers) in enumerate(zip(group.texts, group.answers, strict=True))
            if answers and not all(satisfies(check, text) for check in checks)
        ]
        ranked = sorted(fit, key=lambda place: (-scores[place], place))
        ranked = ranked[(first := turn % max(1, len(ranked))) :] + ranked[:first]
        found = edit_to_meet([group.texts[place] for place in ranked], checks) if len(checks) == len(asked) else None
        if found is None:
            return None
        worse, text = ranked[found[0]], Sampled(found[1])
        original = Sampled(ended(group.texts[worse]))
        if text.strip() == original.strip():
            return None
        (near,) = self.of.substance.near(group.request, [text])
        (high,) = self.of.scores(group.conversation, group.at, [text], user)
        if self._lacking(group, user, text, near, worse) or high - scores[worse] <= -self.of.config.max_doubt:
            return None
        return self.of.pair(group.conversation, group.at, "edited", text, original, high, scores[worse], user)

    def _lacking(self, group: Group, user: str, chosen: Sampled, near: float, worse: int) -> str:
        """Why ``chosen`` may not be learned from beside answer ``worse`` of the group, for this user."""
        rejected = group.texts[worse]
        if not self.of.config.filter:
            return ""
        persona = self.of.personas.get(user)
        return (
            self.of.unfit(chosen, rejected, "", group.request)
            or self.of.substance.lacking(group.request, chosen, near, group.near[worse])
            or (SPEAKS_OF_FORM if speaks_of_form(chosen, persona.text if persona else "", group.request) else "")
        )

    def _for_others(self, group: Group, made: Ranked) -> Iterator[PreferencePair]:
        """The same answers for ``config.served`` users who wish otherwise, those who were served least first.

        What such pairs have in common is the persona, and not the request or its answers. Who wishes the contrary of a
        pair gets it the other way round.
        """
        others = [user for user in self.of.learners if user != group.conversation.user_id and self.of.wishes(user)]
        left = self.of.config.served if self.of.config.wishes != "ignore" else 0
        for user in sorted(
            others, key=lambda user: (self.served[user], content_key(self.of.seed, user, group.request))
        ):
            if left == 0:
                return
            turned = self._turned(group, made, user)
            edits = sum(pair.source == "edited" for pair in made.pairs)
            pair = turned or next(self._ranked(group, user, edits), None)
            # Users whose personas say the same would be given the same pair.
            if pair is not None and not made.holds(pair):
                made.take(pair, turned is not None)
                self.served[user] += 1
                left -= 1
                yield pair

    def _as_it_was(self, group: Group, pairs: Sequence[PreferencePair]) -> Iterator[PreferencePair]:
        """What the model says by itself, over what only somebody asked for, for users whom either serves.

        Those are users who have asked for nothing, and users who wish for something else and have it in both: without
        them a model learns that who is known at all wants what a few ask for (docs/log.md, 2026-11-30).
        """
        asked_for = [one for one in pairs if one.source != "mirrored" and self._is_somebody_s_form(group, one)]
        given = {one.user_id for one in pairs if one.source == "mirrored"}
        for pair in asked_for[: self.of.config.served]:
            better, worse = Sampled(pair.rejected, "rejected" in pair.cut), Sampled(pair.chosen, "chosen" in pair.cut)
            near, other = self.of.substance.near(group.request, [better, worse])
            if self.of.substance.lacking(group.request, better, near, other):
                continue
            same = self._served_by_either(better, worse)
            if pair.user_id in same or not same - given:
                continue
            drawn = {user: (self.served[user], content_key(self.of.seed, pair.key, user)) for user in same - given}
            user = min(drawn, key=drawn.__getitem__)
            given.add(user)
            self.served[user] += 1
            high, low = self.of.scores(group.conversation, group.at, [better, worse], user)
            source: PairSource = "on_policy" if group.source == "on_policy" else "mirrored"
            yield self.of.pair(group.conversation, group.at, source, better, worse, high, low, user)

    def _served_by_either(self, one: str, other: str) -> set[str]:
        """Users who have asked for nothing, and those who have all that they asked for in both answers.

        Who has it in neither would be taught, by the term of the chosen side's likelihood, what they do not want.
        """
        asked = ((user, self.of.wishes(user)) for user in self.of.learners)
        both = {
            user for user, wishes in asked if wishes and all(it.met(one, "") and it.met(other, "") for it in wishes)
        }
        return both | set(self.of.content)

    def _is_somebody_s_form(self, group: Group, pair: PreferencePair) -> bool:
        """Whether a pair's chosen side does more of what its user asks for, and few answers do it by themselves.

        Else the chosen side may be the model's own way, or simply the better answer.
        """
        asked = self.of.wishes(pair.user_id)
        gained = sum(one.met(pair.chosen, "") - one.met(pair.rejected, "") for one in asked)
        met = sum(all(one.met(text, "") for one in asked) for text in group.texts)
        return gained > 0 and met <= RARE * len(group.texts)

    def _turned(self, group: Group, made: Ranked, user: str) -> PreferencePair | None:
        """A pair of this request the other way round, if the user wishes the contrary of it; each once."""
        asked = self.of.wishes(user)
        for better, worse in made.unturned:
            if sum(one.met(worse, "") - one.met(better, "") for one in asked) <= 0:
                continue
            near, other = self.of.substance.near(group.request, [worse, better])
            high, low = self.of.scores(group.conversation, group.at, [worse, better], user)
            fit = not self.of.unfit(worse, better, "", group.request)
            fit &= not self.of.substance.lacking(group.request, worse, near, other)
            if fit and high - low > -self.of.config.max_doubt:
                made.unturned.remove((better, worse))
                # What the model in training answered stays told apart: its pairs are not the log's.
                mirrored: PairSource = "on_policy" if group.source == "on_policy" else "mirrored"
                return self.of.pair(group.conversation, group.at, mirrored, worse, better, high, low, user)
        return None
