"""What judges said of both models' replies: rows, how far judges agree, and how often the challenger wins."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from rlhi.contracts import Message, content_key
from rlhi.contracts.judges import CRITERIA, Agreement, Criterion, JudgeVerdict, Turns, WhichTurn, WinRate, Won
from rlhi.evaluate.bounds import VALUES
from rlhi.evaluate.judges.compare import Judgement, Pair, Side
from rlhi.evaluate.judges.length import at_equal_length
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.evaluate.said import MODELS, Model
from rlhi.evaluate.statistics import clustered

_WON: Mapping[Side, Won] = {"one": "champion", "other": "challenger", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class Judged:
    """Both models' replies to one request, the champion's as side ``one``, and at which turn it stands."""

    pair: Pair
    turn: WhichTurn


def judged(replies: Sequence[EvaluatedReply], most: int, seed: int) -> list[Judged]:
    """At most so many requests, each with its first reply by both models.

    Users take turns, each with requests drawn by seed: so many requests come from as many users as there are.
    """
    said: dict[tuple[str, str], dict[Model, EvaluatedReply]] = {}
    for one in replies:
        if one.item.rpartition("/")[2] == "0":
            said.setdefault((one.user_id, one.item), {})[one.model] = one
    by_user: dict[str, list[Judged]] = {}
    for (user, _), both in sorted(said.items(), key=lambda one: content_key(seed, "judges", *one[0])):
        if len(both) == len(MODELS):
            by_user.setdefault(user, []).append(_judged(both))
    users = sorted(by_user)
    Random(content_key(seed, "judges")).shuffle(users)
    rounds = range(max(map(len, by_user.values()), default=0))
    return [by_user[user][at] for at in rounds for user in users if at < len(by_user[user])][:most]


def _judged(both: Mapping[Model, EvaluatedReply]) -> Judged:
    before, after = both["champion"], both["challenger"]
    prompt = (*before.before, Message("user", before.request))
    pair = Pair(before.item, before.user_id, before.persona, prompt, before.text, after.text)
    return Judged(pair, "follow_up" if before.before else "first")


def verdicts(judge: str, asked: Sequence[Judged], said: Sequence[Judgement | None]) -> Iterator[JudgeVerdict]:
    """A judge's rows: each request that it answered of, by each criterion."""
    for one, judgement in zip(asked, said, strict=True):
        for criterion, found in (judgement or {}).items():
            pair = one.pair
            yield JudgeVerdict(
                judge, pair.item, pair.user_id, one.turn, criterion, _WON[found.better], found.flipped,
                math.log1p(len(pair.other)) - math.log1p(len(pair.one)),
            )  # fmt: skip


def win_rates(rows: Sequence[JudgeVerdict], confidence: float, resamples: int, seed: int) -> Iterator[WinRate]:
    """Of one judge's rows: by each criterion, of all turns, and of first and follow-up turns apart where both are."""
    there: tuple[Turns, ...] = ("first", "follow_up") if len({row.turn for row in rows}) > 1 else ()
    for criterion in CRITERIA:
        for turns in ("", *there):
            own = [row for row in rows if row.criterion == criterion and turns in ("", row.turn)]
            if own:
                yield _win_rate(criterion, turns, own, confidence, resamples, seed)


def _win_rate(
    criterion: Criterion, turns: Turns, rows: Sequence[JudgeVerdict], confidence: float, resamples: int, seed: int
) -> WinRate:
    won, users, longer = [row.value for row in rows], [row.user_id for row in rows], [row.longer for row in rows]
    return WinRate(
        criterion,
        turns,
        clustered(won, users, confidence=confidence, resamples=resamples, seed=seed, bounds=VALUES),
        at_equal_length(won, longer, users, confidence=confidence, resamples=resamples, seed=seed),
        sum(row.won == "tie" for row in rows) / len(rows),
        sum(row.flipped for row in rows) / len(rows),
    )


def agreements(rows: Sequence[JudgeVerdict]) -> Iterator[Agreement]:
    """How often each two judges say the same of what both were asked of."""
    told: dict[str, dict[tuple[str, str, Criterion], Won]] = {}
    for row in rows:
        told.setdefault(row.judge, {})[row.user_id, row.item, row.criterion] = row.won
    for one, other in combinations(sorted(told), 2):
        both = sorted(told[one].keys() & told[other].keys())
        for criterion in CRITERIA:
            pairs = [(told[one][key], told[other][key]) for key in both if key[2] == criterion]
            if pairs:
                same = sum(first == second for first, second in pairs) / len(pairs)
                yield Agreement(one, other, criterion, len(pairs), same, kappa(pairs))


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two raters' names; None where chance alone explains that all are the same.

    >>> kappa([("a", "a"), ("b", "b")]), kappa([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]), kappa([("a", "a")])
    (1.0, 0.0, None)
    """
    count = len(pairs)
    first, second = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    chance = sum(first[name] * second[name] for name in first) / count**2
    seen = sum(one == other for one, other in pairs) / count
    return None if chance == 1 else (seen - chance) / (1 - chance)


def of_judges(rows: Sequence[JudgeVerdict], names: Collection[str]) -> list[JudgeVerdict]:
    """The rows of these judges; of all of them where none is named, for what decides nothing is told."""
    return [row for row in rows if row.judge in names] if names else list(rows)
