"""How far users, requests and replies lie apart: what a simulated gate's figures rest on, and how it was estimated.

A user's measured gain varies for three reasons: users truly differ, a user's requests differ, and replies to one
request differ. :data:`SPREADS` holds these parts as they were found, and :func:`components` finds them in any table:

    rlhi bench gate --spread WORKSPACE... [--json]

``satisfaction`` is the mean over 18 tables of 15 trained challengers (``docs/experiments``: 40 users, 3 requests,
2 replies each; SFT, KTO and DPO, with and without persona). ``people`` are 597 comparisons in which 53 real people
rated two models' answers to their own request from 1 to 5 (``RLHI_DATA``, source ifllm; :func:`of_people`), by pairs of
models; with one answer each, what is between requests and between replies cannot be told apart and counts as replies.
Guards come from the same tables, ``answers`` from the demos' intervals in ``docs/benchmarks.md``. Of ``answers``,
``instructions`` and ``choices`` the whole spread alone is known: how users and replies share it is assumed.
``unswayed``, ``candour``, ``refusals`` and ``compliance`` are those of two trained challengers, 2026-12-01; of the last
three, whose values are probabilities, gains count as replies', for all items move a little and not a few much.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rlhi.contracts import EvalResult
from rlhi.stages import StageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


CONVERSATIONS = "conversations.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Parts:
    """Variances: between users, between a user's requests, and between replies to one request."""

    users: float
    requests: float
    replies: float

    def of_a_user(self, requests: int, samples: int) -> float:
        """The variance of users' own means, where each is asked so much."""
        return self.users + self.requests / requests + self.replies / (requests * samples)


@dataclass(frozen=True, slots=True)
class Spread:
    """One suite's values: their mean, what they vary by, and what a challenger's gains over the champion vary by.

    Attributes:
        steps: a reply's value is a share of so many things that are met or not, each alike likely: the share of users
            whose replies have one, two, ...
        reached: the share of users whom a gain reaches. Challengers that gained 10 points and more had users' gains
            further apart than the others, as if so many shared the gain.
    """

    level: float
    values: Parts
    gains: Parts
    steps: tuple[float, ...] = (1.0,)
    reached: float = 1.0

    @property
    def users_alike(self) -> float:
        """The intraclass correlation of users' rates."""
        return min(0.99, self.values.users / self._binary)

    @property
    def requests_alike(self) -> float:
        """The same of a user's requests."""
        return min(0.99, self.values.requests / (self._binary - self.values.users))

    @property
    def users_redrawn(self) -> float:
        """The share of users to whom a challenger is as to somebody else: their true gains vary as was found."""
        return min(1.0, self.gains.users / (2 * self.values.users)) if self.values.users else 0.0

    @property
    def requests_redrawn(self) -> float:
        """The share of other users' requests that a challenger answers as if they were other requests."""
        if not self.values.requests or self.users_redrawn == 1:
            return 0.0
        share = self.gains.requests / (2 * self.values.requests)
        return min(1.0, max(0.0, (share - self.users_redrawn) / (1 - self.users_redrawn)))

    @property
    def replies_shared(self) -> float:
        """The share of replies that come out alike, for both models answer with the same seeds."""
        noise = (self._binary - self.values.users) * (1 - self.requests_alike)
        noise *= sum(share / steps for steps, share in enumerate(self.steps, 1))
        return min(1.0, max(0.0, 1 - self.gains.replies / (2 * noise)))

    @property
    def _binary(self) -> float:
        return self.level * (1 - self.level)


_TENTHS = (0.0,) * 9 + (1.0,)
"""Of values that are probabilities: nearly any share."""
SPREADS: Mapping[str, Spread] = MappingProxyType({
    "satisfaction": Spread(
        0.325, Parts(0.032, 0.070, 0.100), Parts(0.0077, 0.026, 0.179), steps=(0.75, 0.25), reached=0.45
    ),
    "people": Spread(0.768, Parts(0.0096, 0.0, 0.041), Parts(0.0069, 0.0, 0.076), steps=(0.0, 0.0, 0.0, 1.0)),
    "answers": Spread(0.95, Parts(0.002, 0.010, 0.035), Parts(0.003, 0.015, 0.070)),
    "nearness": Spread(0.96, Parts(0.001, 0.006, 0.031), Parts(0.0, 0.005, 0.055)),
    "fluency": Spread(0.99, Parts(0.0, 0.0005, 0.006), Parts(0.0, 0.001, 0.011), steps=(0.0, 1.0)),
    "instructions": Spread(0.45, Parts(0.17, 0.0, 0.077), Parts(0.03, 0.0, 0.10)),
    "knowledge": Spread(0.76, Parts(0.178, 0.0, 0.004), Parts(0.026, 0.0, 0.0)),
    "unswayed": Spread(0.65, Parts(0.075, 0.147, 0.0), Parts(0.014, 0.09, 0.0)),
    "candour": Spread(0.70, Parts(0.0, 0.036, 0.0), Parts(0.0, 0.0, 0.0012), steps=_TENTHS),
    "refusals": Spread(0.28, Parts(0.058, 0.0, 0.0), Parts(0.0, 0.0, 0.0044), steps=_TENTHS),
    "compliance": Spread(0.78, Parts(0.048, 0.0, 0.0), Parts(0.0, 0.0, 0.0055), steps=_TENTHS),
    "choices": Spread(0.27, Parts(0.19, 0.0, 0.007), Parts(0.05, 0.0, 0.0)),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What a table of results says of one suite."""

    suite: str
    users: int
    level: float
    values: Parts
    gain: float
    gains: Parts


def components(rows: Sequence[EvalResult], suite: str) -> Found:
    """Variances of both models' values (their mean) and of the gains, by the method of moments.

    What is small may come out below 0 by chance.

    Raises:
        StageError: fewer than two users of the suite have both models' values.
    """
    import numpy as np

    cells: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row.suite == suite:
            request, _, at = row.item.rpartition("/")
            cells[(row.user_id, request, at) if at.isdigit() else (row.user_id, row.item, "0")][row.model] = row.value
    both = {key: cell for key, cell in cells.items() if {"champion", "challenger"} <= cell.keys()}
    if len({user for user, _, _ in both}) < 2:
        raise StageError(f"no two users have values of {suite} by both models")
    sides = {
        name: {key: cell[name] for key, cell in both.items()} for name in ("champion", "challenger")
    }  # fmt: skip
    gains = {key: cell["challenger"] - cell["champion"] for key, cell in both.items()}
    levels = [_parts(side) for side in sides.values()]
    mean = Parts(*(float(np.mean([getattr(one, name) for one in levels])) for name in ("users", "requests", "replies")))
    level = float(np.mean(list(sides["champion"].values())))
    users = len({user for user, _, _ in both})
    return Found(suite, users, level, mean, float(np.mean(list(gains.values()))), _parts(gains))


def _parts(values: Mapping[tuple[str, str, str], float]) -> Parts:
    """Replies within requests within users: each part is what is left of the spread of means above the parts below."""
    import numpy as np

    by_request: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (user, request, _), value in values.items():
        by_request[user, request].append(value)
    by_user: dict[str, list[float]] = defaultdict(list)
    for (user, _), found in by_request.items():
        by_user[user].append(float(np.mean(found)))
    replies = _within(list(by_request.values()))
    requests = _within(list(by_user.values())) - replies / float(np.mean([len(one) for one in by_request.values()]))
    means = [float(np.mean(one)) for one in by_user.values()]
    users = float(np.var(means, ddof=1)) - _within(list(by_user.values())) / float(
        np.mean([len(one) for one in by_user.values()])
    )
    return Parts(users, requests, replies)


def _within(groups: Sequence[Sequence[float]]) -> float:
    import numpy as np

    found = [float(np.var(one, ddof=1)) for one in groups if len(one) > 1]
    return float(np.mean(found)) if found else 0.0


def of_people(data: Path) -> Found:
    """The same of real people's ratings of two models' answers, the pair's mean difference taken off.

    Of each pair of models the first by name stands in the champion's place. Analysis of variance by user and pair of
    models, for people rated unlike numbers of answers.
    """
    import numpy as np

    rated: dict[tuple[str, str], list[tuple[str, float, float]]] = defaultdict(list)
    with gzip.open(data / CONVERSATIONS, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            for turn in row["turns"] if row["source"] == "ifllm" else ():
                pair = sorted(turn.get("candidates") or [], key=lambda one: str(one["model"]))
                models = tuple(str(one["model"]) for one in pair)
                if len(set(models)) == 2 and all(one.get("rating") is not None for one in pair):
                    first, second = ((float(one["rating"]) - 1) / 4 for one in pair)
                    rated[models[0], models[1]].append((row["user_id"], first, second))
    gains: dict[str, list[float]] = defaultdict(list)
    values: dict[str, list[float]] = defaultdict(list)
    for models, found in rated.items():
        mean = float(np.mean([after - before for _, before, after in found]))
        for user, before, after in found:
            gains["\n".join((user, *models))].append(after - before - mean)
            values[user].append(before)
    level = float(np.mean([one for found in values.values() for one in found]))
    return Found("people", len(values), level, _unequal(values), 0.0, _unequal(gains))


def _unequal(groups: Mapping[str, Sequence[float]]) -> Parts:
    import numpy as np

    sizes = np.array([len(one) for one in groups.values()])
    total, count = int(sizes.sum()), len(sizes)
    everything = float(np.mean([value for one in groups.values() for value in one]))
    inside = sum(float(np.var(one)) * len(one) for one in groups.values()) / (total - count)
    between = sum(len(one) * (float(np.mean(one)) - everything) ** 2 for one in groups.values()) / (count - 1)
    typical = (total - float((sizes**2).sum()) / total) / (count - 1)
    return Parts((between - inside) / typical, 0.0, inside)
