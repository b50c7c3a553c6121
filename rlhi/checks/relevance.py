"""Does a reply answer its request at all? Measured without knowing any wish, so it can be asked of every log.

Every other figure once looked at form alone (satisfaction, rewards, checks), and a model that answered
"Sour, no." to "How does soap clean?" was promoted (docs/log.md, 2026-11-29).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhi.checks.form import words
from rlhi.contracts import Message

if TYPE_CHECKING:
    from rlhi.models.base import Embedder, LikelihoodModel

NEAR = 0.5
"""Cosine of two sentence embeddings from which a reply counts as being about its request. Of replies that were read
blind, 95% of the answers reach it, 81% of the weak ones and 23% of those that were no answer (docs/log.md, 2026-11-29).
"""


def nearness(requests: Sequence[str], replies: Sequence[str], embedder: Embedder) -> list[float]:
    """The cosine of each request's and its reply's embedding, in -1 to 1; 0 for a reply without a word.

    It tells replies that left the topic, not weak or wrong ones. With an embedder of English alone, replies in other
    languages look far from English requests.

    Raises:
        ValueError: the lengths differ.
    """
    if len(requests) != len(replies):
        raise ValueError(f"nearness needs a reply for each request: {len(requests)}, {len(replies)}")
    if not replies:
        return []
    texts = {text: at for at, text in enumerate(dict.fromkeys([*requests, *replies]))}  # many replies, few requests
    vectors = embedder.embed(list(texts))
    asked, said = ([texts[text] for text in side] for side in (requests, replies))
    cosines = (vectors[asked] * vectors[said]).sum(axis=1)
    return [float(cosine) if words(reply) else 0.0 for cosine, reply in zip(cosines, replies, strict=True)]


def about(requests: Sequence[str], logged: Sequence[str], replies: Sequence[str], embedder: Embedder) -> list[bool]:
    """Whether each reply is near its request, or near the answer that the log holds of it.

    "And the second one?" is near to nothing, and what answers it is near to what answered it before.

    Raises:
        ValueError: the lengths differ.
    """
    near = nearness([*requests, *logged], [*replies, *replies], embedder)
    return [max(near[at], near[len(replies) + at]) >= NEAR for at in range(len(replies))]


SHOWN = 1200
"""Characters of a reply, and of a request a quarter of that, which the yardstick reads."""
NOTHING = "..."


class Yardstick:
    """Can the request be told from the reply? A frozen model that is asked which of several requests was answered.

    ``log p(request | reply) - log p(request | "...")`` ranks the true request among others: what a request gains by the
    reply, so that common requests have no start. Of the embedded base model's own replies 96% rank their request first
    of 20. The model must never be trained on what it is asked for; the workspace's first champion is that one.
    """

    def __init__(self, model: LikelihoodModel) -> None:
        self._model = model
        self._alone: dict[str, float] = {}

    def recognises(self, replies: Sequence[tuple[str, str, Sequence[str]]]) -> list[float]:
        """For each (reply, request, other requests): 1 where the true request ranks first, a share of it where it ties
        with others, else 0.

        NaN where a likelihood is no number; 0 for a reply without a word.

        Raises:
            ValueError: there is no other request to tell it from.
        """
        told = [(reply, [request, *(one for one in others if one != request)]) for reply, request, others in replies]
        if any(len(requests) < 2 for _, requests in told):
            raise ValueError("a yardstick needs another request to tell the true one from")
        gains = self._gains([(reply, [_shown(one) for one in requests]) for reply, requests in told])
        return [ranks_first(found) if words(reply) else 0.0 for (reply, _), found in zip(told, gains, strict=True)]

    def _gains(self, told: Sequence[tuple[str, Sequence[str]]]) -> list[list[float]]:
        unknown = dict.fromkeys(one for _, requests in told for one in requests if one not in self._alone)
        if unknown:
            (alone,) = self._model.log_likelihood_of([(_which(NOTHING), list(unknown))])
            self._alone |= dict(zip(unknown, alone, strict=True))
        behind = self._model.log_likelihood_of([(_which(reply[:SHOWN]), requests) for reply, requests in told])
        return [
            [value - self._alone[request] for value, request in zip(values, requests, strict=True)]
            for values, (_, requests) in zip(behind, told, strict=True)
        ]


def _shown(request: str) -> str:
    return request[: SHOWN // 4]


def ranks_first(values: Sequence[float]) -> float:
    """Whether the first of some values is the greatest: 1, a share of it where others tie with it, else 0.

    NaN where one of them is no number.
    """
    if any(map(math.isnan, values)):
        return math.nan
    best = max(values)
    return (values[0] == best) / values.count(best)


def _which(reply: str) -> tuple[Message, ...]:
    return (Message("user", f"Here is an answer that somebody gave:\n\n{reply}\n\nWhich question was asked?"),)
