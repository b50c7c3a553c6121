"""User-based rewards (paper, UBR): N candidates for a request, sampled with the persona."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rlhi.config import CandidatesConfig
from rlhi.contracts import REATTEMPTS, Candidate, Conversation, FeedbackTurn, Persona, Sample, content_key
from rlhi.contracts.turns import asked, exchanges
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.models.prompts import DEFAULT, Prompts


def requests(
    conversations: Iterable[Conversation],
    feedback: Iterable[FeedbackTurn],
    personas: Mapping[str, Persona],
    config: CandidatesConfig,
    prompts: Prompts = DEFAULT,
) -> Iterator[SampleRequest]:
    """The requests to sample for: user turns that ask for something, complain of nothing, and were answered.

    ``turn_index`` is the answer's. ``config.persona_only`` leaves out users of whom nothing is known: for them the
    reward model can only tell what everybody likes. A follow-up that nobody has labelled yet may be a complaint: a log
    that lands during a cycle is told by the next.
    """
    passed = (*REATTEMPTS, "positive_feedback", "other")
    labels = {(row.conversation_id, row.turn_index): row.label for row in feedback}
    for conversation in conversations:
        persona = (
            personas[conversation.user_id].text if conversation.has_user and conversation.user_id in personas else ""
        )
        follow_ups = {one.follow_up for one in exchanges(conversation.turns)}
        for one in exchanges(conversation.turns):
            label = labels.get(
                (conversation.conversation_id, one.request), "other" if one.request in follow_ups else ""
            )
            if label in passed:
                continue
            turns = conversation.turns[: one.answer]
            key = content_key("candidates", conversation.conversation_id, [turn.content for turn in turns], config.n)
            if persona or not config.persona_only:
                said = asked(turns, one.answer)
                messages, key = prompts.told(said, persona), key + prompts.form(said)
                yield SampleRequest(key, conversation.conversation_id, conversation.user_id, one.answer, messages)


def candidates(requested: Iterable[SampleRequest], samples: Mapping[str, Sample]) -> Iterator[Candidate]:
    """A row for every candidate of every request that has samples; equal texts are one candidate."""
    for one in requested:
        sample = samples.get(one.key)
        if sample is None:
            continue
        cut = {sample.texts[place] for place in sample.cut}
        for at, text in enumerate(dict.fromkeys(sample.texts)):
            if text:
                yield Candidate(
                    content_key(one.key, at), one.conversation_id, one.user_id, one.turn_index, at, text,
                    sample.model, sample.seed, text in cut,
                )  # fmt: skip
