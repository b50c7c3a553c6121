"""Complaints that a program understood, as tests of the workspace: what the next answer to such a request should do.

A re-attempt with feedback gives a test where a rule reads in its words what is to be changed of the whole answer, a
program can check it, and the answer complained of does not do it: else the complaint means something else. A test that
stands is kept as long as the log holds its conversation, whatever rules come to read later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rlhi.checks.demands import demands_of
from rlhi.collect.wishes.claims import LONG_MESSAGE, wishes_in
from rlhi.contracts import (
    REATTEMPTS,
    Conversation,
    FeedbackTurn,
    Message,
    Profile,
    ToldClaim,
    Turn,
    WorkspaceTest,
    content_key,
)
from rlhi.contracts.turns import Exchange, asked, followed
from rlhi.models.prompts import fit_context

LONGEST = 12_000
"""Characters of a test's prompt, its oldest exchanges left out; a longer request makes no test."""

UNSAFE = "unsafe"
NOT_UNDERSTOOD = "no rule reads what is to be changed, or no program can check it"
LONG = "a text of its own"
CODE = "of code"
FITS_NOT = "the answer did it already"
TOO_LONG = "a request too long to be asked again"

KnownBefore = Callable[[Conversation, int], Profile]
"""What was known of a user before a turn of a conversation."""


@dataclass(slots=True)
class ComplaintReader:
    """Makes tests of complaints, and counts in ``passed_over`` why others make none.

    Args:
        known: what was known of a user before a turn; asked of new tests of held-out users alone.
        holds_out: whether a user is measured on.
        cycle: which new tests are news to.
    """

    known: KnownBefore
    holds_out: Callable[[str], bool]
    cycle: int
    passed_over: Counter[str] = field(default_factory=Counter)

    def tests(
        self,
        conversations: Iterable[Conversation],
        set_aside: Iterable[Conversation],
        feedback: Iterable[FeedbackTurn],
        before: Iterable[WorkspaceTest],
    ) -> list[WorkspaceTest]:
        """The tests that stand and whose conversations the log still holds, and those of complaints that are new.

        Conversations that came to be ``set_aside`` keep their tests and give no new ones.
        """
        by_id = {one.conversation_id: one for one in conversations}
        aside = {(one.conversation_id, one.user_id) for one in set_aside}
        kept: dict[str, WorkspaceTest] = {}
        for one in before:
            conversation = by_id.get(one.conversation_id)
            if conversation is not None and conversation.user_id == one.user_id:
                kept[one.key] = self._as_of_now(one, conversation)
            elif (one.conversation_id, one.user_id) in aside:
                kept[one.key] = one
        labels: dict[str, dict[int, FeedbackTurn]] = {}
        for row in feedback:
            labels.setdefault(row.conversation_id, {})[row.turn_index] = row
        for name in sorted(labels.keys() & by_id.keys()):
            kept |= {one.key: one for one in self._of(by_id[name], labels[name], kept)}
        return list(kept.values())

    def _as_of_now(self, test: WorkspaceTest, conversation: Conversation) -> WorkspaceTest:
        """The same test, with its texts as the log has them now (more may be redacted), and for whom it counts now."""
        turns, held_out = conversation.turns, self.holds_out(conversation.user_id)
        if held_out and not test.held_out:
            test = replace(test, persona=self.known(conversation, test.request_index))
        elif not held_out:
            test = replace(test, persona=Profile())
        test = replace(test, held_out=held_out)
        exchange = followed(turns).get(test.turn_index)
        prompt = _prompt(turns, test.request_index)
        if exchange is None or not prompt:
            return test  # the log tells its turns otherwise now
        return replace(test, prompt=prompt, original=turns[exchange.answer].content)

    def _of(
        self, conversation: Conversation, labels: Mapping[int, FeedbackTurn], kept: Mapping[str, WorkspaceTest]
    ) -> Iterator[WorkspaceTest]:
        by_follow_up = followed(conversation.turns)
        for at, exchange in by_follow_up.items():
            label, key = labels.get(at), content_key(conversation.conversation_id, at)
            if label is None or label.label != "reattempt_with_feedback" or key in kept:
                continue
            wishes = checkable(conversation.turns[at].content)
            root = _root(exchange, by_follow_up, labels)
            prompt = _prompt(conversation.turns, root.request)
            why = UNSAFE if label.unsafe else unfit(wishes, conversation.turns, exchange)
            if why or not prompt:
                self.passed_over[why or TOO_LONG] += 1
                continue
            held_out = self.holds_out(conversation.user_id)
            yield WorkspaceTest(
                key, conversation.conversation_id, conversation.user_id, at, root.request, held_out, prompt,
                self.known(conversation, root.request) if held_out else Profile(),
                conversation.turns[exchange.answer].content, wishes, self.cycle,
            )  # fmt: skip


def checkable(complaint: str) -> tuple[ToldClaim, ...]:
    """What a complaint asks of the whole answer, as far as a rule reads it and a program can check it.

    >>> checkable("Way too long! And no commas, please.")
    (ToldClaim(text='Do not use commas.', check='no_commas'), ToldClaim(text='Keep answers short.', check='shorter'))
    """
    return tuple(ToldClaim(wish.text, wish.check) for wish in wishes_in(complaint) if wish.check)


def unfit(wishes: tuple[ToldClaim, ...], turns: tuple[Turn, ...], exchange: Exchange) -> str:
    """Why a complaint makes no test; empty for one that does.

    A message of many words brings a text of its own, which it speaks of. Lines and marks of code are code's.
    """
    original, complaint = turns[exchange.answer].content, turns[exchange.follow_up].content
    if not wishes:
        return NOT_UNDERSTOOD
    if len(complaint.split()) > LONG_MESSAGE:
        return LONG
    if "```" in original:
        return CODE
    return FITS_NOT if all(one.met(original, original) for one in demands_of(wishes)) else ""


def _root(exchange: Exchange, by_follow_up: Mapping[int, Exchange], labels: Mapping[int, FeedbackTurn]) -> Exchange:
    """The exchange whose request was the last that asked for no answer again: "shorter", "still too long" have one."""
    while (label := labels.get(exchange.request)) and label.label in REATTEMPTS and exchange.request in by_follow_up:
        exchange = by_follow_up[exchange.request]
    return exchange


def _prompt(turns: tuple[Turn, ...], request: int) -> tuple[Message, ...]:
    """What was said up to the request at a place; empty where no request is there, or one that is too long."""
    if request >= len(turns) or turns[request].role != "user" or not turns[request].has_text:
        return ()
    messages = [Message(turn.role, turn.content) for turn in asked(turns, request + 1) if turn.has_text]
    return fit_context(messages, LONGEST, lambda part: sum(len(one.content) for one in part)) or ()
