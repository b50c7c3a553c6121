"""A forecast of re-attempts: what share of the next follow-ups will ask again, under the model that will serve.

Whether an answer is asked again is learned from the log by a ridge logistic regression on measures of the answer. It is
asked of both models' replies to the same held-out prefixes; what it says of their difference, in log-odds, moves the
share of the last nights. So what all replies to prefixes have in common, and what the log has that these have not
(second answers, say), falls out, and a champion that stays is foreseen to do as before. Estimates off-policy of whole
texts, by the ratio of their probabilities, degenerate: one reply in a thousand carries all weight.

The interval is one of what will be counted: the error of the last share, of the change (a bootstrap over users of the
log and of the prefixes, and :data:`TRANSFER`), and chance among so many follow-ups as hang together by user.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from rlhi.contracts import content_key
from rlhi.contracts.foreseen import Forecast, ForecastScore, ServedBy, Track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST = 24
"""Fewer labelled follow-ups tell no share, and teach nothing."""
TRANSFER = 0.25
"""A change is as large as foreseen but for this part of it, give or take one standard error (docs/gate.md)."""
STRANGE = 0.3
"""Where more of the replies than this are unlike any in the log, it tells nothing of them."""
RESAMPLES = 200
FAR = 4.0
"""Measures are held to so many standard deviations of the log's: beyond them it says nothing."""
_STEPS, _NODES = 30, 101


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures of one answer to one user; ``again`` tells of a logged one whether it was asked again."""

    user_id: str
    measures: tuple[float, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """How many follow-ups asked again, by user: ``(again, all)``."""

    by_user: Mapping[str, tuple[int, int]]

    @property
    def follow_ups(self) -> int:
        """All of them."""
        return sum(every for _, every in self.by_user.values())

    @property
    def value(self) -> float:
        """The share that asked again."""
        return sum(again for again, _ in self.by_user.values()) / self.follow_ups

    @property
    def inner(self) -> float:
        """The share with half a follow-up more on either side: never 0 or 1, so that it has log-odds."""
        return (self.value * self.follow_ups + 0.5) / (self.follow_ups + 1)

    @property
    def clustering(self) -> float:
        """The variance of the share over users, in that of as many independent follow-ups; 1 at least."""
        users, every = len(self.by_user), self.follow_ups
        if users < 2:
            return 1.0
        off = math.fsum((again - self.inner * count) ** 2 for again, count in self.by_user.values())
        return max(1.0, users / (users - 1) * off / (every * self.inner * (1 - self.inner)))

    @property
    def error(self) -> float:
        """The standard error of the share, in log-odds."""
        return math.sqrt(self.clustering / (self.follow_ups * self.inner * (1 - self.inner)))


@dataclass(frozen=True, slots=True)
class Change:
    """By how much a model's replies move the log-odds of a re-attempt, against the champion's to the same prefixes.

    ``unlike`` is the share of its replies with a measure beyond all in the log, above the champion's own share.
    """

    log_odds: float
    error: float
    fitted: int
    replies: int
    unlike: float


def share_of(rows: Iterable[tuple[str, bool]]) -> Share:
    """From users and whether each of their follow-ups asked again."""
    found: dict[str, list[bool]] = defaultdict(list)
    for user, again in rows:
        found[user].append(again)
    return Share({user: (sum(said), len(said)) for user, said in sorted(found.items())})


def change(
    logged: Sequence[Measured],
    champion: Sequence[Measured],
    challenger: Sequence[Measured],
    penalties: Sequence[float],
    seed: int,
) -> Change | None:
    """What the log says of the difference between two models' replies; None where it teaches too little.

    ``penalties`` are ridge penalties, one a measure, of measures in standard deviations. Replies are to the same
    prefixes.
    """
    import numpy as np

    rows = sorted(logged, key=lambda row: (row.user_id, row.measures, row.again))
    asked = np.array([row.again for row in rows], dtype=np.float64)
    if len(rows) < LEAST or not champion or not challenger or asked.min() == asked.max():
        return None
    seen = np.array([row.measures for row in rows], dtype=np.float64)
    middle, scale = seen.mean(axis=0), seen.std(axis=0)
    scale[scale < 1e-9] = 1.0

    def scaled(measured: Sequence[Measured]) -> Floats:
        told: Floats = (np.array([row.measures for row in measured], dtype=np.float64) - middle) / scale
        return told

    sides = [sorted(side, key=lambda row: (row.user_id, row.measures)) for side in (champion, challenger)]
    before, after = (np.clip(scaled(side), -FAR, FAR) for side in sides)
    penalty = np.array([0.0, *penalties])
    users, of_log = _numbered([row.user_id for row in rows])
    people, of_sides = _numbered([row.user_id for side in sides for row in side])
    of_before, of_after = of_sides[: len(before)], of_sides[len(before) :]
    once = np.clip((seen - middle) / scale, -FAR, FAR)

    def moved(weight: Floats, shown: Floats) -> float:
        held = _fitted(once, asked, weight[of_log], penalty)
        return _mean_odds(after, held, shown[of_after]) - _mean_odds(before, held, shown[of_before])

    rng = np.random.default_rng(int(content_key("forecast", seed)[:8], 16))
    drawn = [
        moved(
            rng.multinomial(users, [1 / users] * users).astype(np.float64),
            rng.multinomial(people, [1 / people] * people).astype(np.float64),
        )
        for _ in range(RESAMPLES if users > 1 and people > 1 else 0)
    ]

    def beyond(shown: Floats) -> float:
        return float(((shown < once.min(axis=0)) | (shown > once.max(axis=0))).any(axis=1).mean())

    return Change(
        moved(np.ones(users), np.ones(people)), float(np.std(drawn)) if drawn else math.inf,
        len(rows), len(challenger), max(0.0, beyond(after) - beyond(before)),
    )  # fmt: skip


def forecast(
    cycle: int,
    model: str,
    last: Share,
    served_by: ServedBy,
    found: Change | None,
    promoted: bool,
    confidence: float,
) -> Forecast:
    """What is foreseen for the model that serves after a decision: the challenger where it was ``promoted``."""
    if last.follow_ups < LEAST:
        why = f"{last.follow_ups} labelled follow-ups of the last nights, and {LEAST} tell a share"
        return Forecast(cycle, model, promoted, why, served_by=served_by)
    if promoted and found is None:
        why = "the log teaches nothing of what is asked again, or no held-out prefix was replayed"
        return Forecast(cycle, model, promoted, why, served_by=served_by)
    if promoted and found and found.unlike > STRANGE:
        why = f"{found.unlike:.0%} of the replies are unlike any in the log"
        return Forecast(cycle, model, promoted, why, served_by=served_by)
    by = found.log_odds if found and promoted else 0.0
    error = math.hypot(found.error, TRANSFER * by) if found and promoted else 0.0
    share = _moved(last.inner, by) if by else last.value
    spread = math.hypot(last.error, error)
    low, high = interval(share, spread, last.clustering, last.follow_ups, confidence)
    return Forecast(
        cycle, model, promoted, "", share, last.value, low, high, confidence, last.follow_ups, spread, last.clustering,
        served_by, _moved(last.inner, found.log_odds) if found and found.unlike <= STRANGE else None,
        found.fitted if found else 0, found.replies if found else 0, found.unlike if found else 0.0,
    )  # fmt: skip


def interval(share: float, spread: float, clustering: float, follow_ups: int, confidence: float) -> tuple[float, float]:
    """Where a share will be counted among so many follow-ups: a mixture of binomials over what is not known of it.

    Follow-ups that hang together by ``clustering`` count as that many fewer.
    """
    import numpy as np
    from scipy.stats import binom, norm

    count = max(1, round(follow_ups / clustering))
    centre = _log_odds(min(max(share, 0.5 / (count + 1)), 1 - 0.5 / (count + 1)))
    nodes = norm.ppf((np.arange(_NODES) + 0.5) / _NODES)
    told = 1 / (1 + np.exp(-np.clip(centre + min(spread, 50.0) * nodes, -50, 50)))
    tail = (1 - confidence) / 2

    def first(level: float) -> int:
        """The least count with more than this chance at or below it."""
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if float(binom.cdf(middle, count, told).mean()) > level:
                high = middle
            else:
                low = middle + 1
        return low

    return first(tail) / count, first(1 - tail) / count


def score(made: Forecast, cycle: int, came: Share, served_by: ServedBy) -> ForecastScore:
    """What came of a forecast that said something; its interval is that of as many follow-ups as came."""
    low, high = interval(made.share, made.spread, made.clustering, came.follow_ups, made.confidence)
    foreseen, moved = made.share - made.last, came.value - made.last
    return ForecastScore(
        cycle, made.cycle, made.model, made.share, came.value, came.follow_ups, low, high,
        hit=low <= came.value <= high,
        ratio=_ratio(made.share, came),
        last_ratio=_ratio(made.last, came),
        right=(foreseen > 0) == (moved > 0) if made.promoted and foreseen and moved else None,
        served_by=served_by,
    )  # fmt: skip


def track(scores: Sequence[ForecastScore], confidence: float = 0.95) -> Track | None:
    """How forecasts fared so far; None before the first was scored."""
    if not scores:
        return None
    from scipy.stats import binomtest

    hits, told = sum(one.hit for one in scores), [one.right for one in scores if one.right is not None]
    ends = binomtest(hits, len(scores)).proportion_ci(confidence, method="exact")
    return Track(
        hits, len(scores), float(ends.low), float(ends.high), median(one.ratio for one in scores),
        median(one.last_ratio for one in scores), sum(told), len(told),
    )  # fmt: skip


def _ratio(foreseen: float, came: Share) -> float:
    """The factor between two shares, each held off 0 by half a follow-up."""
    least = 0.5 / came.follow_ups
    one, other = max(foreseen, least), max(came.value, least)
    return max(one / other, other / one)


def _numbered(users: Sequence[str]) -> tuple[int, NDArray[np.int64]]:
    """How many users there are, and the number of each row's."""
    import numpy as np

    number = {user: at for at, user in enumerate(sorted(set(users)))}
    return len(number), np.array([number[user] for user in users], dtype=np.int64)


def _fitted(rows: Floats, asked: Floats, weight: Floats, penalty: Floats) -> Floats:
    """Coefficients of the ridge logistic regression, the constant first, by Newton's method."""
    import numpy as np

    told = np.column_stack([np.ones(len(rows)), rows])
    held = np.zeros(told.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(told @ held, -30, 30)))
        slope = told.T @ (weight * (asked - chance)) - penalty * held
        bend = (told.T * (weight * chance * (1 - chance))) @ told + np.diag(penalty + 1e-6)
        step = np.linalg.solve(bend, slope)
        held = held + np.clip(step, -2, 2)
        if float(np.abs(step).max()) < 1e-8:
            break
    return held


def _mean_odds(rows: Floats, held: Floats, weight: Floats) -> float:
    """The log-odds of the mean chance of a re-attempt."""
    import numpy as np

    chance = 1 / (1 + np.exp(-(held[0] + rows @ held[1:])))
    return _log_odds(float(np.average(chance, weights=weight)))


def _moved(share: float, by: float) -> float:
    return 1 / (1 + math.exp(-(_log_odds(share) + by)))


def _log_odds(share: float) -> float:
    held = min(max(share, 1e-9), 1 - 1e-9)
    return math.log(held / (1 - held))
