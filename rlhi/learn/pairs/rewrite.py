"""User-guided rewrites (paper, UGR): a complaint shows where to improve, and its words show how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from rlhi.checks.form import is_refusal
from rlhi.config import RewritesConfig
from rlhi.contracts import REATTEMPTS, Conversation, FeedbackTurn, Message, Persona, Rewrite, Sample, content_key
from rlhi.contracts.turns import asked as asked_before
from rlhi.contracts.turns import beside, exchanges, request
from rlhi.learn.instruction_checks import names_result
from rlhi.models.prompts import DEFAULT, Prompts


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """A request for sampled text: ``key`` names it for ever, ``messages`` is what the model reads.

    The last ``whole`` messages of the user and the assistant make no sense without one another.

    What stands behind a ``/`` in the key is how it is asked: the draw of requests does not hang on it.
    """

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    messages: tuple[Message, ...]
    whole: int = 1

    @property
    def core(self) -> tuple[Message, ...]:
        """What has to be read: the system turn, and the last ``whole`` messages with what tools said among them."""
        first = self._first
        return (*(one for one in self.messages[:1] if first and one.role == "system"), *self.messages[first:])

    @property
    def spoken(self) -> SampleRequest:
        """The same without documents and tools' results among what has to be read."""
        first = self._first
        return replace(self, messages=(*self.messages[:first], *(one for one in self.messages[first:] if one.speaks)))

    @property
    def _first(self) -> int:
        """Where what has to be read begins."""
        return [at for at, one in enumerate(self.messages) if one.speaks][-self.whole]


def complaints(
    conversations: Iterable[Conversation],
    feedback: Iterable[FeedbackTurn],
    personas: Mapping[str, Persona],
    config: RewritesConfig,
    prompts: Prompts = DEFAULT,
) -> Iterator[SampleRequest]:
    """The answers that their users asked to have changed, each with the prompt that rewrites it.

    Jailbreaks and abuse are left out, and complaints of a refusal where the answer is none. ``turn_index`` is the
    unsatisfactory answer's. The persona is no part of the key: a turn is rewritten once.
    """
    by_id = {conversation.conversation_id: conversation for conversation in conversations}
    for row in feedback:
        conversation = by_id.get(row.conversation_id)
        if conversation is None or row.label != "reattempt_with_feedback" or row.unsafe:
            continue
        answer = beside(conversation.turns, row.turn_index, -1)
        if row.about_refusal and not is_refusal(conversation.turns[answer].content):
            continue  # what is complained of is not in this answer: a rewrite would mend nothing
        turns, before = conversation.turns[: answer + 1], asked_before(conversation.turns, answer)
        persona = personas[row.user_id].text if row.user_id in personas else ""
        said = conversation.turns[row.turn_index].content
        key = content_key("rewrite", conversation.conversation_id, [turn.content for turn in turns], said, config.tries)
        asked, whole = prompts.rewrite((*before, conversation.turns[answer]), said, persona), 3
        if config.guidance != "words":
            # From scratch: the request alone, with the persona or without.
            key += f"/{config.guidance}"
            asked, whole = prompts.told(before, persona if config.guidance == "persona" else ""), 1
        elif config.results == "check" and names_result(said, request(turns, answer)):
            # Told the result, a model writes towards it and computes nothing. Not told, it has to come to it by itself.
            key += "/unaided"
            asked, whole = prompts.told(before, persona), 1
        key += prompts.form(before)
        # A rewrite is of a request, an answer and what is to be changed: who reads less writes of something else.
        yield SampleRequest(key, conversation.conversation_id, row.user_id, answer, asked, whole)


def rewrites(
    asked: Iterable[SampleRequest], samples: Mapping[str, Sample], by_id: Mapping[str, Conversation]
) -> Iterator[Rewrite]:
    """A row for every sampled rewrite of every complaint that has samples."""
    for one in asked:
        sample = samples.get(one.key)
        if sample is None:
            continue
        original = by_id[one.conversation_id].turns[one.turn_index].content
        for at, text in enumerate(sample.texts):
            yield Rewrite(
                content_key(one.key, at), one.conversation_id, one.user_id, one.turn_index, "rewrite", original, text,
                sample.model, at in sample.cut,
            )  # fmt: skip


def observed_revisions(conversations: Iterable[Conversation], feedback: Iterable[FeedbackTurn]) -> Iterator[Rewrite]:
    """The revisions that the assistant gave itself after a complaint, where the user then went on or said thanks."""
    rows = {(row.conversation_id, row.turn_index): row for row in feedback}
    labels = {place: row.label for place, row in rows.items()}
    for conversation in conversations:
        for one, then in pairwise(exchanges(conversation.turns)):
            at = one.follow_up
            after = labels.get((conversation.conversation_id, then.follow_up))
            if labels.get((conversation.conversation_id, at)) != "reattempt_with_feedback" or after is None:
                continue
            if rows[conversation.conversation_id, at].unsafe:
                continue  # an answer that a jailbreak got out of the model is no revision
            if conversation.turns[then.answer].cut:
                continue  # half an answer is nobody's revision
            if after in REATTEMPTS or after == "other" or then.request != at:
                continue
            original, text = conversation.turns[one.answer].content, conversation.turns[then.answer].content
            key = content_key("observed", conversation.conversation_id, at, original, text)
            yield Rewrite(
                key, conversation.conversation_id, conversation.user_id, one.answer, "observed_revision", original,
                text, conversation.turns[then.answer].model or "logged",
            )  # fmt: skip
