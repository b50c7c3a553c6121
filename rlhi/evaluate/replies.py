"""What both models said when they were measured: kept, so that people read it and do not only count it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rlhi.evaluate.suites import Model, Reply


@dataclass(frozen=True, slots=True)
class EvaluatedReply:
    """One reply of one model to a held-out user's request; ``item`` pairs it with the other model's, and with figures
    (:class:`rlhi.contracts.EvalResult`)."""

    item: str
    user_id: str
    model: Model
    persona: str
    request: str
    text: str


def evaluated_replies(replies: Mapping[Model, Sequence[Reply]]) -> Iterator[EvaluatedReply]:
    """Rows of what each model replied."""
    for model, said in replies.items():
        for one in said:
            request = one.prompt[-1].content if one.prompt else ""
            yield EvaluatedReply(one.item, one.user_id, model, one.persona, request, one.text)
