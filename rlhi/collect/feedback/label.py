"""Label what each follow-up says of the answer before it (paper, section 3: follow-ups as feedback)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from rlhi.collect.feedback.complaint import RULES, about_refusal, instruction, unsafe, weight
from rlhi.collect.feedback.head import AccurateLabeller, Context, Labeller
from rlhi.collect.feedback.training import LabelledFollowUp
from rlhi.config import FeedbackConfig
from rlhi.contracts import FEEDBACK_LABELS, REATTEMPTS, Conversation, FeedbackLabel, FeedbackTurn, content_key
from rlhi.contracts.turns import followed, request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "AccurateLabeller",
    "Context",
    "FollowUp",
    "FollowUpLabeller",
    "LabelledFollowUp",
    "Labeller",
    "decide",
    "follow_ups",
    "label_conversations",
]


class FollowUpLabeller(Protocol):
    """What labels follow-ups: the local head, the slower one with embeddings, or a language model."""

    @property
    def version(self) -> str:
        """Names all that its labels hang on; part of their keys."""
        ...

    def label_probabilities(self, contexts: Sequence[Context]) -> NDArray[np.float64]:
        """Rows over ``FEEDBACK_LABELS``, ``[len(contexts), 6]``; NaN where it has no answer."""
        ...


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A user's turn that follows an assistant's answer to a user's request, with the key of its label."""

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    context: Context


def never(key: str) -> bool:
    """No key has been seen."""
    return False


def follow_ups(conversation: Conversation, labeller: FollowUpLabeller, config: FeedbackConfig) -> list[FollowUp]:
    """The follow-ups of a conversation in order. The key holds all that the label depends on.

    System turns are passed over; ``turn_index`` counts them, as ``conversation.turns`` does.
    """
    turns, found = conversation.turns, list[FollowUp]()
    for one in followed(turns).values():
        context = (request(turns, one.answer), turns[one.answer].content, turns[one.follow_up].content)
        asked = (*context, conversation.conversation_id, one.follow_up)
        key = content_key(labeller.version, (RULES, config.implicit_weight), config.threshold, *asked)
        found.append(FollowUp(key, conversation.conversation_id, conversation.user_id, one.follow_up, context))
    return found


def label_conversations(
    conversations: Iterable[Conversation],
    labeller: FollowUpLabeller,
    config: FeedbackConfig,
    seen: Callable[[str], bool] = never,
) -> Iterator[FeedbackTurn]:
    """A label for each follow-up whose key is not ``seen``, in order; ``config.batch`` follow-ups at a time.

    A follow-up that the labeller has no answer for gets none, and is asked about again the next time.
    """
    every = (item for conversation in conversations for item in follow_ups(conversation, labeller, config))
    new = (item for item in every if not seen(item.key))
    while batch := list(islice(new, config.batch)):
        found = labeller.label_probabilities([item.context for item in batch])
        for item, row in zip(batch, found.tolist(), strict=True):
            if not math.isnan(row[0]):
                yield _feedback(item, row, config)


def _feedback(item: FollowUp, row: Sequence[float], config: FeedbackConfig) -> FeedbackTurn:
    label, probability = decide(row, config.threshold)
    asked = label == "reattempt_with_feedback"
    return FeedbackTurn(
        item.key, item.conversation_id, item.user_id, item.turn_index, label, probability,
        instruction=instruction(item.context).text if asked else "",
        about_refusal=asked and about_refusal(item.context),
        unsafe=unsafe(item.context),
        weight=weight(label, item.context, config.implicit_weight),
    )  # fmt: skip


def decide(row: Sequence[float] | NDArray[np.float64], threshold: float) -> tuple[FeedbackLabel, float]:
    """A label and the probability of the decision, from one row over ``FEEDBACK_LABELS``.

    A re-attempt where the two together reach ``threshold`` (the probability is then that of both), the likelier of
    the two; otherwise the likeliest of the rest.

    >>> decide([0.3, 0.25, 0.05, 0.4, 0.0, 0.0], 0.5)
    ('reattempt_with_feedback', 0.55)
    """
    values = [round(float(value), 6) for value in row]
    reattempt = round(sum(values[: len(REATTEMPTS)]), 6)
    if reattempt >= threshold:
        return REATTEMPTS[values.index(max(values[: len(REATTEMPTS)]))], reattempt
    rest = values[len(REATTEMPTS) :]
    at = len(REATTEMPTS) + rest.index(max(rest))
    return FEEDBACK_LABELS[at], values[at]
