"""Suites: from replies, rewards and likelihoods to one :class:`EvalResult` a row. Pure functions over rows.

Every value lies in 0 to 1 and higher is better, so that suites share a scale, bounds and plots. A row's ``item``
and ``user_id`` pair it with the other model's row; the user is also the cluster (:mod:`rlhi.evaluate.statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from rlhi.checks import relevance
from rlhi.checks.answers import AnswerKey, answers
from rlhi.checks.form import Check, share_met
from rlhi.checks.form import fluency as fluency_of
from rlhi.checks.relevance import Yardstick
from rlhi.contracts import EvalResult, Message, Profile
from rlhi.evaluate.instructions import INSTRUCTIONS
from rlhi.models.base import Embedder

Model = Literal["champion", "challenger"]
LogLikelihoods = Sequence[tuple[float, float]]
"""For each choice: the sum of token log-probabilities (nats) of the chosen and of the rejected answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's answer to one item (request and sample) of one held-out user, whose persona is in ``prompt``."""

    item: str
    user_id: str
    persona: Profile
    prompt: tuple[Message, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A held-out user's logged choice between two answers."""

    item: str
    user_id: str
    chosen: str
    rejected: str


def satisfaction(
    replies: Sequence[Reply],
    wishes: Mapping[str, Sequence[Check]],
    model: Model,
    keys: Mapping[str, AnswerKey],
    right: Mapping[str, Check] = MappingProxyType({}),
) -> list[EvalResult]:
    """What simulated users want: an answer, in the form that they wish for. Three suites, of which the last counts.

    ``wishes`` is the share of the user's hidden wishes that a reply meets, ``answered`` whether it answers by the
    request's key, ``satisfaction`` their product. Users without wishes give no row; a request without a key gives
    ``wishes`` alone, for a form without an answer is no satisfaction.

    Args:
        keys: answer keys by request.
        right: requests that have one right result, which is then all that is wished for.
    """
    rows = []
    for reply in replies:
        request = request_of(reply)
        check, key = right.get(request), keys.get(request)
        asked = (check,) if check else wishes.get(reply.user_id)
        if not asked:
            continue
        met = share_met(asked, reply.text)
        values = {"wishes": met}
        if check or key:
            values["answered"] = float(answers(key, request, reply.text)) if key else met
            values["satisfaction"] = met * values["answered"]
        rows += [EvalResult(suite, reply.item, reply.user_id, model, value) for suite, value in values.items()]
    return rows


def answered_by(keys: Mapping[str, AnswerKey]) -> Callable[[Reply], bool]:
    """Whether a reply answers, by its request's key; one without a key does not."""

    def answered(reply: Reply) -> bool:
        key = keys.get(request_of(reply))
        return key is not None and answers(key, request_of(reply), reply.text)

    return answered


LOST = 0.5
"""A user whose own satisfaction falls by so much has lost half of what can be had."""


def kept(satisfied: Sequence[EvalResult]) -> list[EvalResult]:
    """By user, from rows of ``satisfaction``: 0 for a challenger under which the user lost half, else 1.

    A mean that rises does not tell of those who lose. With few replies a user, some lose half by chance alone.
    """
    means: dict[str, dict[str, list[float]]] = {}
    for row in satisfied:
        means.setdefault(row.user_id, {}).setdefault(row.model, []).append(row.value)
    rows = []
    for user, sides in sorted(means.items()):
        before, after = (math.fsum(sides[model]) / len(sides[model]) for model in ("champion", "challenger"))
        # A NaN is told on and refused by the gate.
        value = math.nan if math.isnan(before - after) else float(round(before - after, 9) < LOST)
        rows += [EvalResult("kept", user, user, "champion", 1.0), EvalResult("kept", user, user, "challenger", value)]
    return rows


def beyond(suite: str, control: Sequence[EvalResult], satisfied: Sequence[EvalResult]) -> list[EvalResult]:
    """A control's rows in the champion's place beside the challenger's: the suite's gain is what only learning has."""
    return [
        *(replace(row, suite=suite, model="champion") for row in control),
        *(replace(row, suite=suite) for row in satisfied),
    ]


def preference(
    replies: Sequence[Reply], champion_rewards: Sequence[float], challenger_rewards: Sequence[float]
) -> list[EvalResult]:
    """Held-out users' preference as the persona-conditioned reward model tells it: the challenger's probability.

    Bradley-Terry: p = sigmoid(challenger's reward - champion's) for the challenger, 1 - p for the champion, so that
    the gain is 2p - 1: 0 at no preference. ``replies`` are either model's: they name the items.

    Raises:
        ValueError: the lengths differ.
    """
    rows = []
    for reply, before, after in zip(replies, champion_rewards, challenger_rewards, strict=True):
        p = _sigmoid(after - before)
        rows.append(EvalResult("preference", reply.item, reply.user_id, "champion", 1 - p))
        rows.append(EvalResult("preference", reply.item, reply.user_id, "challenger", p))
    return rows


def choices(logged: Sequence[Choice], champion: LogLikelihoods, challenger: LogLikelihoods) -> list[EvalResult]:
    """Whether each model finds what held-out users chose more likely, per byte, than what they rejected: 1, 0 or 0.5.

    Log-likelihoods are divided by the answer's UTF-8 bytes (as lm-evaluation-harness's ``acc_norm`` does), which does
    not depend on the tokenizer. An empty answer counts as one byte.

    Raises:
        ValueError: the lengths differ.
    """
    rows = []
    for choice, before, after in zip(logged, champion, challenger, strict=True):
        rows.append(EvalResult("choices", choice.item, choice.user_id, "champion", _prefers(choice, before)))
        rows.append(EvalResult("choices", choice.item, choice.user_id, "challenger", _prefers(choice, after)))
    return rows


def instructions(replies: Sequence[Reply], model: Model) -> list[EvalResult]:
    """Whether replies to the built-in instructions follow them: a guard against forgetting, without persona.

    ``replies`` answer :func:`instruction_items`; each item is its own cluster.

    Raises:
        KeyError: a reply's ``user_id`` names no instruction.
    """
    by_id = {instruction.item: instruction.check for instruction in INSTRUCTIONS}
    return [
        EvalResult("instructions", reply.item, reply.user_id, model, share_met((by_id[reply.user_id],), reply.text))
        for reply in replies
    ]


def instruction_items() -> list[tuple[str, tuple[Message, ...]]]:
    """The built-in instructions as (item, prompt): without persona and without system message."""
    return [(each.item, (Message("user", each.prompt),)) for each in INSTRUCTIONS]


def fluency(replies: Sequence[Reply], model: Model) -> list[EvalResult]:
    """Whether replies are still language (no loops, no broken characters), on the scale of ``checks.fluency``."""
    return [EvalResult("fluency", reply.item, reply.user_id, model, float(fluency_of(reply.text))) for reply in replies]


def nearness(replies: Sequence[Reply], model: Model, embedder: Embedder) -> list[EvalResult]:
    """Whether replies are near their requests (:mod:`rlhi.checks.relevance`): 1 or 0."""
    cosines = relevance.nearness([request_of(reply) for reply in replies], [reply.text for reply in replies], embedder)
    return [
        EvalResult("nearness", reply.item, reply.user_id, model, float(cosine >= relevance.NEAR))
        for reply, cosine in zip(replies, cosines, strict=True)
    ]


READ_AT_ONCE = 16


def recognised(
    replies: Sequence[Reply],
    model: Model,
    yardstick: Yardstick,
    others: Callable[[str], Sequence[str]],
    told: Callable[[int], None] = lambda _: None,
) -> list[EvalResult]:
    """The suite ``answers``: can the request be told from the reply, among ``others``? No rows where there is none.

    ``told`` hears how many more replies were read, for a progress bar.
    """
    rows = []
    for start in range(0, len(replies), READ_AT_ONCE):
        block = [reply for reply in replies[start : start + READ_AT_ONCE] if others(request_of(reply))]
        found = yardstick.recognises([(one.text, request_of(one), others(request_of(one))) for one in block])
        rows += [
            EvalResult("answers", one.item, one.user_id, model, value) for one, value in zip(block, found, strict=True)
        ]
        told(len(replies[start : start + READ_AT_ONCE]))
    return rows


def first_samples(replies: Sequence[Reply], count: int) -> list[Reply]:
    """The first ``count`` replies to each request."""
    return [reply for reply in replies if int(reply.item.rpartition("/")[2] or 0) < count]


def request_of(reply: Reply) -> str:
    """What a reply answers; empty for no prompt."""
    return reply.prompt[-1].content if reply.prompt else ""


def per_byte(text: str, nats: float) -> float:
    """A log-likelihood by the text's UTF-8 bytes, one at least: as lm-evaluation-harness's ``acc_norm``."""
    return nats / max(1, len(text.encode("utf-8", "surrogatepass")))


def _prefers(choice: Choice, pair: tuple[float, float]) -> float:
    chosen, rejected = per_byte(choice.chosen, pair[0]), per_byte(choice.rejected, pair[1])
    if math.isnan(chosen) or math.isnan(rejected):
        return math.nan
    return 0.5 if chosen == rejected else float(chosen > rejected)


def _sigmoid(x: float) -> float:
    """The logistic function, without overflow at either end."""
    small = math.exp(-abs(x))
    return 1 / (1 + small) if x >= 0 else small / (1 + small)
