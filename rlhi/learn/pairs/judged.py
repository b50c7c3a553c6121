"""What users said of single answers, for methods that need no pair (KTO): thumbs, stars, thanks and complaints.

- ``thumbs``, ``stars``: the user's own mark, above or below the middle of its scale.
- ``positive_feedback``: wanted, for the user said thanks. ``continuation``: wanted, at the lower weight of its label.
- ``complaint``: unwanted, for the user asked for it again.

A mark is what was said outright: the follow-up is asked where there is none, or a middling one. A follow-up weighs as
much as its label does, times the probability of the label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rlhi.checks.form import is_refusal
from rlhi.config import PairsConfig
from rlhi.contracts import (
    REATTEMPTS,
    Conversation,
    FeedbackTurn,
    JudgedAnswer,
    JudgedSource,
    Persona,
    PreferencePair,
    Turn,
    content_key,
)
from rlhi.contracts.thoughts import holds_thought
from rlhi.contracts.turns import asked, exchanges
from rlhi.learn.pairs.build import NOT_DRAWN, OVER_SHARE
from rlhi.learn.pairs.counts import Dropped
from rlhi.learn.pairs.filters import NO_LANGUAGE, REFUSAL, speaks
from rlhi.learn.pairs.lessons import parted
from rlhi.learn.pairs.pairing import CUT, THOUGHT
from rlhi.learn.reward.comparisons import mark
from rlhi.models.prompts import DEFAULT, Prompts

EMPTY = "empty"
IN_A_PAIR = "a pair holds the answer"
UNSAFE = "after a jailbreak or abuse"
GAVE_UP = "gone on from after a complaint"

Judgement = tuple[JudgedSource, bool, float]
"""Where it comes from, whether the answer is wanted, and how much that weighs."""


@dataclass(slots=True)
class JudgedMaker:
    """Makes judged answers and counts what gives none.

    Args:
        conversations: conversations by id, of users who may be learned from.
        personas: by user; the one that the prompt tells, as a pair's does.
        learned: the lessons that the champion has learned.
        seed: draws the users when there may not be all of them.
        prompts: makes the prompts that they answer.
    """

    conversations: Mapping[str, Conversation]
    personas: Mapping[str, Persona]
    config: PairsConfig
    learned: frozenset[str] = frozenset()
    seed: int = 0
    prompts: Prompts = DEFAULT
    dropped: Dropped = field(default_factory=Dropped)

    def answers(self, feedback: Iterable[FeedbackTurn], pairs: Sequence[PreferencePair]) -> Iterator[JudgedAnswer]:
        """At most ``config.max_per_user`` new answers a user, what weighs most first, and as many learned ones.

        An answer that a pair of its user's holds is left to the pair. Where ``config.max_users`` bounds the users,
        those who gave pairs are among them.
        """
        rows = {(row.conversation_id, row.turn_index): row for row in feedback}
        held = {
            (pair.conversation_id, pair.turn_index, text)
            for pair in pairs
            if pair.source != "mirrored"
            for text in (pair.chosen, pair.rejected)
        }
        made = [one for conversation in self.conversations.values() for one in self._of(conversation, rows, held)]
        made.sort(
            key=lambda one: (
                one.user_id,
                -one.weight,
                content_key(one.conversation_id, one.turn_index, one.source),
                one.key,
            )
        )
        drawn = self._drawn({one.user_id for one in made}, {pair.user_id for pair in pairs})
        for user, group in groupby(made, key=lambda one: one.user_id):
            listed = list(group)
            if user not in drawn:
                self.dropped.reasons[NOT_DRAWN] += len(listed)
                continue
            for share in parted(listed, self.learned):
                self.dropped.reasons[OVER_SHARE] += max(0, len(share) - self.config.max_per_user)
                yield from share[: self.config.max_per_user]

    def _drawn(self, users: set[str], paired: set[str]) -> set[str]:
        if not self.config.max_users:
            return users
        others = sorted(users - paired, key=lambda user: content_key(self.seed, user))
        return paired | set(others[: max(0, self.config.max_users - len(paired))])

    def _of(
        self, conversation: Conversation, rows: Mapping[tuple[str, int], FeedbackTurn], held: set[tuple[str, int, str]]
    ) -> Iterator[JudgedAnswer]:
        labels = {
            at: row for at in range(len(conversation.turns)) if (row := rows.get((conversation.conversation_id, at)))
        }
        jailbreaks = [at for at, row in labels.items() if row.unsafe == "jailbreak"]
        silent = (turn for turn in conversation.turns if turn.role == "assistant" and not turn.has_text)
        self.dropped.reasons[EMPTY] += sum(judgement(turn, None) is not None for turn in silent)
        for one in exchanges(conversation.turns):
            complaint, at = labels.get(one.request), one.answer
            found = judgement(conversation.turns[at], labels.get(one.follow_up))
            if found is None:
                continue
            # What a jailbreak got out of the model teaches nothing, and neither does what is said under it.
            jailbroken = any(place <= one.request for place in jailbreaks)
            unsafe = jailbroken or (complaint is not None and bool(complaint.unsafe))
            reason = UNSAFE if unsafe else self._unfit(conversation.turns[at], found)
            if not reason and found[0] == "continuation" and complaint and complaint.label in REATTEMPTS:
                reason = GAVE_UP
            if not reason and (conversation.conversation_id, at, conversation.turns[at].content) in held:
                reason = IN_A_PAIR
            if reason:
                self.dropped.reasons[reason] += 1
            else:
                yield self._row(conversation, at, found)

    def _unfit(self, turn: Turn, found: Judgement) -> str:
        _, wanted, _ = found
        if holds_thought(turn.content):
            return THOUGHT
        if wanted and turn.cut:
            return CUT
        if not wanted or not self.config.filter:
            return ""
        if not speaks(turn.content):
            return NO_LANGUAGE
        return REFUSAL if is_refusal(turn.content) else ""

    def _row(self, conversation: Conversation, at: int, found: Judgement) -> JudgedAnswer:
        source, wanted, weight = found
        persona = self.personas.get(conversation.user_id)
        text, version = (persona.text, persona.version) if persona else ("", "")
        response = conversation.turns[at].content
        return JudgedAnswer(
            content_key(conversation.conversation_id, at, source, response, wanted, weight, version),
            self.prompts.told(asked(conversation.turns, at), text), response, wanted, weight,
            conversation.user_id, conversation.conversation_id, at,
            source, text, version,
        )  # fmt: skip


def judgement(answer: Turn, follow_up: FeedbackTurn | None) -> Judgement | None:
    """What its user said of an answer, by a mark on it or by the follow-up; None for nothing."""
    if value := mark(answer):
        thumbs = any(signal.kind == "thumbs" for signal in answer.signals)
        return "thumbs" if thumbs else "stars", value > 0, round(abs(value), 6)
    if follow_up is None or follow_up.unsafe:
        return None
    weight = round(follow_up.weight * follow_up.probability, 6)
    if not weight:
        return None
    if follow_up.label in REATTEMPTS:
        # A complaint of a refusal where the answer is none speaks of another answer.
        return None if follow_up.about_refusal and not is_refusal(answer.content) else ("complaint", False, weight)
    if follow_up.label == "positive_feedback" or follow_up.label == "continuation":
        return follow_up.label, True, weight
    return None
