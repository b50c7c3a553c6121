"""What can be measured of any reply to a user, on every log: is it language, and an answer to its own request?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random

from rlhi.checks import relevance
from rlhi.checks.form import fluency as fluency_of
from rlhi.checks.form import words
from rlhi.contracts import EvalResult, content_key
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import MODELS, Model, Progress, Reading, Replies, Reply
from rlhi.models.base import Embedder


def fluency(*, replies: Replies) -> list[EvalResult]:
    """Whether replies are still language (no loops, no broken characters), on the scale of ``checks.fluency``.

    Of what users see alone: instructions without a persona would hide that it is no language any more.
    """
    return [
        EvalResult("fluency", reply.item, reply.user_id, model, float(fluency_of(reply.text)))
        for model, said in replies.items()
        for reply in said
    ]


def nearness(*, replies: Replies, embedder: Embedder) -> list[EvalResult]:
    """Whether replies are near their requests (:mod:`rlhi.checks.relevance`): 1 or 0."""
    rows = []
    for model, said in replies.items():
        cosines = relevance.nearness([reply.request for reply in said], [reply.text for reply in said], embedder)
        rows += [
            EvalResult("nearness", reply.item, reply.user_id, model, float(cosine >= relevance.NEAR))
            for reply, cosine in zip(said, cosines, strict=True)
        ]
    return rows


def answers(*, replies: Replies, reading: Reading, progress: Progress) -> list[EvalResult]:
    """Can the request be told from the reply, among others? No rows where there are no others."""
    read = {model: first_samples(replies[model], reading.samples) for model in MODELS}
    others = others_of(read["champion"], reading.others, reading.seed)
    rows = []
    with progress("can the request be told from the reply", sum(map(len, read.values()))) as advance:
        for model in MODELS:
            for block in _blocks(read[model]):
                rows += recognised(block, model, reading.yardstick, others)
                advance(len(block), "")
    return rows


READ_AT_ONCE = 16


def _blocks(replies: Sequence[Reply]) -> list[Sequence[Reply]]:
    return [replies[start : start + READ_AT_ONCE] for start in range(0, len(replies), READ_AT_ONCE)]


def first_samples(replies: Sequence[Reply], count: int) -> list[Reply]:
    """The first ``count`` replies to each request."""
    return [reply for reply in replies if int(reply.item.rpartition("/")[2] or 0) < count]


def others_of(replies: Sequence[Reply], count: int, seed: int) -> Callable[[str], list[str]]:
    """Other requests to tell a request from, drawn by seed; the same for both models' replies."""
    pool = sorted({reply.request for reply in replies})

    def others(request: str) -> list[str]:
        rest = [one for one in pool if one != request]
        return Random(content_key(seed, "others", request)).sample(rest, min(count, len(rest)))

    return others


def recognised(
    replies: Sequence[Reply], model: Model, yardstick: relevance.Yardstick, others: Callable[[str], Sequence[str]]
) -> list[EvalResult]:
    """The rows of ``answers`` of some replies; none of those whose request has no ``others``."""
    asked = [reply for reply in replies if others(reply.request)]
    found = yardstick.recognises([(one.text, one.request, others(one.request)) for one in asked])
    return [EvalResult("answers", one.item, one.user_id, model, value) for one, value in zip(asked, found, strict=True)]


PHRASE = 3
"""Words of a phrase that ``diversity`` counts."""


def diversity(*, replies: Replies) -> list[EvalResult]:
    """The share of a reply's phrases that are in none of the model's replies to other requests.

    Each phrase of three words counts once (distinct-n, arXiv 1510.03055, across requests). A model that comes to answer
    everything alike falls. 0 for a reply without a word; no rows where one request alone was asked.
    """
    return [row for model, said in replies.items() for row in _diverse(model, said)]


def _diverse(model: Model, said: Sequence[Reply]) -> list[EvalResult]:
    phrases = [_phrases(reply.text) for reply in said]
    asked: dict[tuple[str, ...], set[str]] = {}
    for reply, found in zip(said, phrases, strict=True):
        for phrase in found:
            asked.setdefault(phrase, set()).add(reply.request)
    if len({reply.request for reply in said}) < 2:
        return []
    return [
        EvalResult("diversity", reply.item, reply.user_id, model, _own(found, asked))
        for reply, found in zip(said, phrases, strict=True)
    ]


def _phrases(text: str) -> set[tuple[str, ...]]:
    """All runs of three words; of a shorter text, all of it."""
    found = [word.lower() for word in words(text)]
    return {tuple(found[at : at + PHRASE]) for at in range(max(1, len(found) - PHRASE + 1)) if found}


def _own(phrases: Collection[tuple[str, ...]], asked: Mapping[tuple[str, ...], Collection[str]]) -> float:
    return sum(len(asked[phrase]) == 1 for phrase in phrases) / len(phrases) if phrases else 0.0


MEASURES = (Measure(fluency), Measure(nearness), Measure(answers), Measure(diversity))
