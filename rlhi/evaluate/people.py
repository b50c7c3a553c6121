"""What people say of two models' replies, side by side: which pairs they see, and what their answers show.

The unit is the held-out user, as everywhere in the gate: a user's pairs, and all raters' answers to them, come to one
sign: won, lost, or even. Signs are compared with a fair coin by the exact binomial test; even users say nothing of
which is better and are left out. With one pair a user it is the sign test over pairs.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rlhi.contracts import Comparison, Interval, Measurement, PeopleTally, content_key
from rlhi.evaluate.power import LIKELY
from rlhi.evaluate.replies import SideBySide

PEOPLE = "people"
"""The suite."""
RATES = (0.6, 0.65)
"""The win rates of which it is said first how many pairs would show them."""
_MOST = 20_000
"""A win rate so near a half that more pairs than these would show it is told as none."""

Side = Literal["champion", "challenger"]
Pair = tuple[str, str]
"""A held-out user and the item that both models answered."""
_SCORES = {"champion": -1, "challenger": 1}


def to_compare(rows: Iterable[SideBySide], seed: int) -> tuple[list[SideBySide], int]:
    """The pairs in the order in which people are asked, and how many were left out, for both replies are alike.

    One pair a user first, then a second of everybody who has one; another request comes before another reply.
    """
    alike, own = 0, defaultdict[str, list[SideBySide]](list)
    for row in sorted({(row.user_id, row.item): row for row in rows}.values(), key=lambda row: _drawn(seed, row)):
        if row.champion.split() == row.challenger.split():
            alike += 1
        else:
            own[row.user_id].append(row)
    ordered = []
    for pairs in own.values():
        asked = Counter[str]()
        again = []
        for row in pairs:
            again.append((asked[row.request], row))
            asked[row.request] += 1
        ordered += list(enumerate(row for _, row in sorted(again, key=lambda one: one[0])))
    return [row for _, row in sorted(ordered, key=lambda one: (one[0], _drawn(seed, one[1])))], alike


def left_of(row: SideBySide, rater: str, seed: int) -> Side:
    """Whose reply stands on the left for this rater: drawn for each pair, as by a coin."""
    drawn = int(content_key("left", seed, rater, row.user_id, row.item), 16)
    return "challenger" if drawn % 2 else "champion"


def _drawn(seed: int, row: SideBySide) -> str:
    return content_key("compare", seed, row.user_id, row.item)


def tally(answers: Sequence[Comparison], challenger: str) -> PeopleTally:
    """What all of ``answers`` come to; they are of one challenger."""
    scores: dict[str, int] = defaultdict(int)
    for one in answers:
        scores[one.user_id] += _SCORES.get(one.answer, 0)
    signs = Counter((score > 0) - (score < 0) for score in scores.values())
    said = Counter(one.answer for one in answers)
    return PeopleTally(
        challenger=challenger, won=signs[1], lost=signs[-1], even=signs[0],
        pairs=len({(one.user_id, one.item) for one in answers}), answers=len(answers),
        ties=said["tie"], neither=said["neither"], raters=len({one.rater for one in answers}),
    )  # fmt: skip


def win_rate(found: PeopleTally, confidence: float = 0.95) -> Interval:
    """The share of decided users whose pairs the challenger won, with the exact interval (Clopper and Pearson 1934)."""
    count = found.decided
    if not count:
        return Interval(math.nan, 0.0, 1.0, 0, found.pairs)
    tail = (1 - confidence) / 2
    low, high = _least(found.won, count, tail), 1 - _least(found.lost, count, tail)
    return Interval(found.won / count, low, high, count, found.pairs)


def measured(found: PeopleTally, level: float, margin: float, confidence: float) -> Measurement | None:
    """What the gate reads: the gain is the win rate less the champion's; None where people decided on no user.

    Both bounds are exact at the one-sided ``level``.
    """
    rate = win_rate(found, confidence)
    if not rate.clusters:
        return None
    n = rate.clusters
    return Measurement(
        suite=PEOPLE,
        champion=Interval(1 - rate.mean, 1 - rate.high, 1 - rate.low, n, rate.items),
        challenger=rate,
        gain=Interval(2 * rate.mean - 1, 2 * rate.low - 1, 2 * rate.high - 1, n, rate.items),
        level=level,
        above=2 * _least(found.won, n, level) - 1,
        below=1 - 2 * _least(found.lost, n, level),
        least=least_gain(n, level, margin),
    )


def _least(won: int, count: int, tail: float) -> float:
    """The least win rate under which so many wins, or more, have a chance of ``tail``."""
    from scipy.stats import beta

    return float(beta.ppf(tail, won, count - won + 1)) if won else 0.0


def needed(count: int, level: float, rate: float = 0.5) -> int:
    """The fewest wins of ``count`` that a win rate of ``rate`` has with a chance of ``level`` at most."""
    from scipy.stats import binom

    return int(binom.isf(level, count, rate)) + 1


def power(rate: float, count: int, level: float, than: float = 0.5) -> float:
    """The chance that a true win rate ``rate`` is shown above ``than`` by ``count`` decided pairs."""
    from scipy.stats import binom

    return float(binom.sf(needed(count, level, than) - 1, count, rate))


def pairs_to_show(rate: float, level: float, probability: float = LIKELY, than: float = 0.5) -> int | None:
    """The fewest decided pairs of as many users that show a true win rate with this ``probability``.

    The test is exact and one-sided; ties are none of the pairs. None where no number within reach does.

    >>> pairs_to_show(0.65, 0.001), pairs_to_show(0.60, 0.001)
    (172, 386)
    """
    import numpy as np
    from scipy.stats import binom

    if not rate > than:
        return None
    counts = np.arange(1, _MOST + 1)
    shown = binom.sf(binom.isf(level, counts, than), counts, rate) >= probability
    return int(counts[shown.argmax()]) if shown.any() else None


def least_gain(count: int, level: float, margin: float) -> float | None:
    """The smallest true gain above ``margin`` that so many decided users show four times in five; None for none."""
    than = (1 + margin) / 2
    if needed(count, level, than) > count or power(1.0, count, level, than) < LIKELY:
        return None
    low, high = than, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, count, level, than) >= LIKELY else (middle, high)
    return 2 * high - 1


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike raters answered: ``share`` of pairs of answers to one pair of replies, and Krippendorff's alpha.

    ``alpha`` (nominal, over the four answers) is 0 where they agree as by chance, 1 where always; None where all said
    the same of everything. ``pairs`` of replies had several raters.
    """

    pairs: int
    share: float
    alpha: float | None


def agreement(answers: Iterable[Comparison]) -> Agreement | None:
    """Over pairs that several people answered; None where there is none."""
    by_pair: dict[Pair, list[str]] = defaultdict(list)
    for one in answers:
        by_pair[one.user_id, one.item].append(one.answer)
    several = [said for said in by_pair.values() if len(said) > 1]
    if not several:
        return None
    shares = [_alike(said) for said in several]
    # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", C: nominal data, missing answers.
    total, count = Counter[str](), sum(map(len, several))
    for said in several:
        total.update(said)
    differ = sum(len(said) * (1 - share) for said, share in zip(several, shares, strict=True)) / count
    by_chance = 1 - sum(n * (n - 1) for n in total.values()) / (count * (count - 1))
    return Agreement(len(several), sum(shares) / len(shares), 1 - differ / by_chance if by_chance else None)


def _alike(said: Sequence[str]) -> float:
    """The share of pairs of answers that are the same."""
    return sum(n * (n - 1) for n in Counter(said).values()) / (len(said) * (len(said) - 1))


def beside(suite: str, answers: Sequence[Comparison], rows: Iterable[SideBySide]) -> tuple[int, int]:
    """Of how many pairs a suite's figures and people name the same winner, and how many both decide."""
    told: Mapping[Pair, float] = {
        (row.user_id, row.item): one.challenger - one.champion
        for row in rows
        for one in row.figures
        if one.name == suite
    }
    scores: dict[Pair, int] = defaultdict(int)
    for one in answers:
        scores[one.user_id, one.item] += _SCORES.get(one.answer, 0)
    both = [(score, told[pair]) for pair, score in scores.items() if score and told.get(pair)]
    decided = [(score, change) for score, change in both if math.isfinite(change)]
    return sum((score > 0) == (change > 0) for score, change in decided), len(decided)
