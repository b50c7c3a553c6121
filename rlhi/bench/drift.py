"""Drift: how often a change is seen, and how often nothing is called one, by user and as it was decided before.

Users are drawn without their own kind on both sides: so many new ones against so many former ones, of one population.
In each draw the new ones are as they are (false alarms), or all changed in one way. Ours is the wing's decision
(:mod:`rlhi.evaluate.drift`) at its defaults. The baseline is the former decision: rows of conversations by Evidently's
default tests below 1,000 rows, more than half of nine columns with p below 5%. Its statistics are computed directly
(Kolmogorov-Smirnov for numbers, chi-square for language and code), for Evidently takes seconds a draw.

    rlhi bench drift [--quick] [--json]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.bench.drift_population import Talk, made_up, real
from rlhi.bench.feedback_data import data_folder, embedder_folder
from rlhi.bench.figure import figure
from rlhi.config import DriftConfig
from rlhi.evaluate.drift import DriftRow, by_user
from rlhi.evaluate.drift.compare import code_columns, leasts_of, two_samples
from rlhi.evaluate.drift.rows import COLUMNS
from rlhi.evaluate.drift.two_samples import Coded, coded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Places = NDArray[np.int64]

USERS = 200  # on either side of a draw
DRAWS, QUICK_DRAWS, AT_ONCE, RUNS = 4000, 200, 200, 4
QUICK_USERS = 480  # to draw from
P, SHARE = 0.05, 0.5  # of the baseline, Evidently's defaults
NUMBERS = (
    "turns",
    "request_words",
    "mean_words",
    "question_share",
    "non_ascii_share",
    "reattempt_share",
    "positive_share",
)

Change = Callable[[Talk, "np.random.Generator", bool], Talk]
"""A conversation as it is after a change; the flag is the user's own coin."""


@dataclass(frozen=True, slots=True)
class DriftFigure:
    """A share of draws, ours and the baseline's; ``runs`` are ours in parts of the draws."""

    name: str
    what: str
    ours: float
    baseline: float
    runs: tuple[float, ...]
    draws: int

    @property
    def standard_error(self) -> float:
        """Of ours, by Monte Carlo."""
        return float((self.ours * (1 - self.ours) / self.draws) ** 0.5)

    def record(self) -> dict[str, object]:
        """What the benchmark's JSON says of it."""
        told = figure(self.name, "share of draws", self.ours, self.baseline, self.runs)
        return told | {"standard_error": self.standard_error, "draws": self.draws, "what": self.what}


def drift_figures(quick: bool, data: Path | None = None, draws: int | None = None) -> list[DriftFigure]:
    """Every figure, of users of ``data`` (``RLHI_DATA``); of made-up ones where it holds no conversations.

    Raises:
        ModelError: the sentence embedder was not prepared.
    """
    return figures_of(population(quick, data), draws or (QUICK_DRAWS if quick else DRAWS))


def population(quick: bool, data: Path | None = None) -> list[Talk]:
    """The conversations of the users who are drawn from."""
    folder = data or data_folder()
    if not (folder / "conversations.jsonl.gz").is_file():
        return made_up()
    from rlhi.models.embedder import LocalEmbedder

    embedder = LocalEmbedder(embedder_folder(), max_tokens=32 if quick else 96)
    return real(folder, embedder, QUICK_USERS if quick else None)


def figures_of(talks: Sequence[Talk], draws: int) -> list[DriftFigure]:
    """The figures of these conversations' users."""
    found = []
    for name, what, change, does in CHANGES:
        ours, baseline = _drawn(talks, [*_changed(talks, change)], draws, does)
        parts = [float(part.mean()) for part in _parts(ours)]
        found.append(DriftFigure(name, what, float(ours.mean()), float(baseline.mean()), tuple(parts), draws))
    return found


def _parts(flags: Flags) -> list[Flags]:
    import numpy as np

    return np.array_split(flags, RUNS)


def _drawn(talks: Sequence[Talk], changed: Sequence[Talk], draws: int, does: Sequence[str]) -> tuple[Flags, Flags]:
    """Whether each draw is called drifted, by ours (in columns that do one of these) and by the baseline."""
    import numpy as np

    users = sorted({talk.user for talk in talks})
    ours, baseline = ByUser(talks, changed, does), ByRow(talks, changed, users)
    rng = np.random.default_rng(0)
    flags = []
    side = min(USERS, len(users) // 2)
    for start in range(0, draws, AT_ONCE):
        order = np.tile(np.arange(len(users)), (min(AT_ONCE, draws - start), 1))
        order = rng.permuted(order, axis=1)[:, : 2 * side]
        now, then = order[:, :side], order[:, side:]
        flags.append((ours.drifted(now, then), baseline.drifted(now, then)))
    return np.concatenate([one for one, _ in flags]), np.concatenate([one for _, one in flags])


class ByUser:
    """The wing's decision; changed users stand behind the others. Columns that too few of a draw know are left out."""

    def __init__(self, talks: Sequence[Talk], changed: Sequence[Talk], does: Sequence[str]) -> None:
        import numpy as np

        self.config = DriftConfig()
        sides = [list(by_user((talk.user, talk.row) for talk in side).values()) for side in (talks, changed)]
        self.users = len(sides[0])
        coded_all = code_columns([*sides[0], *sides[1]], COLUMNS)
        known = {name: (one.codes >= 0).mean() * USERS for name, one in coded_all.items()}
        self.columns = {
            name: one for name, one in coded_all.items() if one.levels > 1 and known[name] >= self.config.min_users
        }
        self.leasts = np.array(leasts_of(list(self.columns), self.config))
        told = self.config.columns
        self.counted = np.array([getattr(told, name).does in does for name in self.columns])

    def drifted(self, now: Places, then: Places) -> Flags:
        """Whether each draw of users is."""
        excess = two_samples(self.columns, now + self.users, then).excess(self.leasts, self.config.level)
        found: Flags = excess[:, self.counted].max(axis=1, initial=0.0) >= 1
        return found


class ByRow:
    """The former decision, on rows of the drawn users' conversations."""

    def __init__(self, talks: Sequence[Talk], changed: Sequence[Talk], users: Sequence[str]) -> None:
        self.columns = [*_former_columns([*talks, *changed])]
        self.before = [_table(one.codes[: len(talks)], talks, users, one.levels) for one in self.columns]
        self.after = [_table(one.codes[len(talks) :], changed, users, one.levels) for one in self.columns]

    def drifted(self, now: Places, then: Places) -> Flags:
        """Whether each draw of users is."""
        import numpy as np

        failed = []
        for column, before, after in zip(self.columns, self.before, self.after, strict=True):
            failed.append(column.compare(_of_users(after, now), _of_users(before, then))[1] < P)
        found: Flags = np.stack(failed).mean(axis=0) > SHARE
        return found


def _former_columns(talks: Sequence[Talk]) -> Iterator[Coded]:
    for name in NUMBERS:
        yield coded([getattr(talk.former, name) or 0.0 for talk in talks], "ks")
    yield coded([talk.former.language for talk in talks], "chi_square")
    yield coded(["yes" if talk.former.code else "no" for talk in talks], "chi_square")


def _table(codes: Places, talks: Sequence[Talk], users: Sequence[str], levels: int) -> Places:
    """How many conversations of each user have each level: ``[users, levels]``."""
    import numpy as np

    places = {user: at for at, user in enumerate(users)}
    found = np.zeros((len(users), levels), dtype=np.int64)
    np.add.at(found, (np.array([places[talk.user] for talk in talks]), codes), 1)
    return found


def _of_users(table: Places, drawn: Places) -> Places:
    """The same of each draw of users: ``[draws, levels]``."""
    import numpy as np
    from scipy.sparse import csr_array

    weights = np.zeros((len(table), len(drawn)), dtype=np.int64)
    weights[drawn.T, np.arange(len(drawn))[None, :]] = 1
    found: Places = (csr_array(table.T) @ weights).T
    return found


def _changed(talks: Sequence[Talk], change: Change) -> Iterator[Talk]:
    import numpy as np

    rng = np.random.default_rng(1)
    coins = {user: bool(rng.random() < 0.5) for user in sorted({talk.user for talk in talks})}
    return (change(talk, rng, coins[talk.user]) for talk in talks)


def _both(talk: Talk, alter: Callable[[DriftRow], DriftRow]) -> Talk:
    return replace(talk, row=alter(talk.row), former=alter(talk.former))


def _language(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    accents = float(rng.uniform(0.01, 0.03))
    return _both(talk, lambda row: replace(row, language="es", non_ascii_share=(row.non_ascii_share or 0.0) + accents))


def _lengths(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    return _both(
        talk, lambda row: replace(row, request_words=_half(row.request_words), mean_words=_half(row.mean_words))
    )


def _half(value: float | None) -> float | None:
    return None if value is None else value / 2


def _turns(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    return _both(talk, lambda row: replace(row, turns=2 * (row.turns or 0.0)))


def _code(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    return _both(talk, lambda row: replace(row, code=1.0)) if coin else talk


def _topics(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    return replace(talk, row=replace(talk.row, topic="topic 8")) if coin else talk


def _doubled(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    """Of what was no complaint the share that was one becomes one: of a quarter, a half."""
    others = talk.follow_ups - talk.complaints
    return _complaints(talk, talk.complaints + int(rng.binomial(others, COMPLAINTS / (1 - COMPLAINTS))))


def _halved(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    return _complaints(talk, int(rng.binomial(talk.complaints, 0.5)))


def _complaints(talk: Talk, count: int) -> Talk:
    share = count / talk.follow_ups if talk.follow_ups else None
    return _both(talk, lambda row: replace(row, reattempt_share=share))


def _nothing(talk: Talk, rng: np.random.Generator, coin: bool) -> Talk:
    return talk


COMPLAINTS = 0.25  # of follow-ups, about
ANY, STOPS = ("block", "ask", "note"), ("block", "ask")
CHANGES: tuple[tuple[str, str, Change, tuple[str, ...]], ...] = (
    ("drift_false_alarm", "nothing changed", _nothing, ANY),
    ("drift_detected_language", "all users turn Spanish", _language, ANY),
    ("drift_detected_lengths", "requests and messages halve", _lengths, ANY),
    ("drift_detected_complaints_doubled", "complaints double", _doubled, ANY),
    ("drift_detected_code", "half of the users send code in every message", _code, ANY),
    ("drift_detected_topics", "half of the users ask about what was asked least", _topics, ANY),
    ("drift_detected_turns", "conversations have twice the turns", _turns, ANY),
    ("drift_refused_complaints_halved", "complaints halve, as after a promotion: what would refuse", _halved, STOPS),
)


def run(quick: bool = False, as_json: bool = False) -> str:
    """Measure and render: JSON, or a text to read."""
    found = drift_figures(quick)
    return json.dumps([one.record() for one in found], indent=2) if as_json else table(found)


def table(found: Sequence[DriftFigure]) -> str:
    """The figures as Markdown."""
    lines = [
        f"{found[0].draws:,} draws of {USERS} new against {USERS} former users; share called drifted (standard error)",
        "",
        "| figure | change | by user | rows, Evidently's tests |",
        "|---|---|---|---|",
    ]
    for one in found:
        ours = f"{one.ours:.1%} ({one.standard_error:.1%})"
        lines.append(f"| {one.name} | {one.what} | {ours} | {one.baseline:.1%} |")
    return "\n".join(lines)
