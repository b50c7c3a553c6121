"""The decision: which columns drifted, and how often that is said where nothing changed.

A user's conversations resemble one another, so the user is the unit: one row each. Numbers are compared by
Kolmogorov-Smirnov, categories by chi-square, p-values are corrected by Holm over all columns, and a column drifted only
where it also lies at least its ``least`` apart: in a large log any difference is significant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rlhi.config import DriftConfig
from rlhi.contracts import DriftColumn, DriftReport, content_key
from rlhi.evaluate.drift.rows import COLUMNS, NUMERICAL, DriftRow, by_user, sort_key
from rlhi.evaluate.drift.two_samples import Coded, coded, holm, least_shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

AT_ONCE = 200
"""Splits that are counted at a time: some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Tested:
    """Columns of several draws, ``[draws, columns]``; ``p`` is corrected over the columns."""

    distances: Floats
    p: Floats

    def excess(self, leasts: Floats, level: float) -> Floats:
        """How many times its least distance each column lies apart; 0 where it is not significant."""
        import numpy as np

        return np.where(self.p <= level, self.distances / leasts, 0.0)


def drift(
    current: Sequence[tuple[str, DriftRow]], reference: Sequence[tuple[str, DriftRow]], config: DriftConfig
) -> DriftReport:
    """Compare this cycle's conversations, each with its user, with the former cycles'. Their order does not matter.

    A column with fewer than ``config.min_users`` users on either side, or with one value throughout, is not compared.
    Where no side has as many users, nothing can be said: ``no_reference`` where nothing came before, else ``too_few``.
    """
    now, then = by_user(current), by_user(reference)
    report = DriftReport("no_reference", 0.0, (), (), len(current), len(reference))
    report = replace(report, current_users=len(now), reference_users=len(then))
    if not then or min(len(now), len(then)) < config.min_users:
        return replace(report, status="too_few" if then else "no_reference")
    rows = [*sorted(now.values(), key=sort_key), *sorted(then.values(), key=sort_key)]
    columns = _columns(rows, len(now), config)
    if not columns:
        return replace(report, status="stable")
    places = _places(len(rows))
    tested = two_samples(columns, places[:, : len(now)], places[:, len(now) :])
    leasts = _leasts(columns, config)
    false_alarms, raised = _calibrated(columns, places[0, len(now) :], len(now), config)
    found = tuple(_found(rows, len(now), config, columns, tested, tested.excess(leasts, config.level)[0], raised))
    failed = tuple(one.name for one in found if one.drifted)
    return replace(
        report,
        status="drifted" if failed else "stable",
        share=len(failed) / len(columns),
        columns=tuple(columns),
        failed=failed,
        found=found,
        visible=least_shown(config.level / len(columns), len(now), len(then)),
        splits=config.splits,
        false_alarms=false_alarms,
        raised=raised,
    )


def two_samples(columns: Mapping[str, Coded], current: Places, reference: Places) -> Tested:
    """Test every column of every draw (``[draws, users]``, places in the columns' codes)."""
    import numpy as np

    figures = [one.compare(one.counts(current), one.counts(reference)) for one in columns.values()]
    distances, p = (np.stack(part, axis=1) for part in zip(*figures, strict=True))
    return Tested(distances, holm(p))


def code_columns(rows: Sequence[DriftRow], names: Sequence[str] = COLUMNS) -> dict[str, Coded]:
    """Users' rows as coded columns."""
    return {name: coded([getattr(row, name) for row in rows], statistic_of(name)) for name in names}


def statistic_of(column: str) -> Literal["ks", "chi_square"]:
    """By which test a column is compared."""
    return "ks" if column in NUMERICAL else "chi_square"


def leasts_of(columns: Sequence[str], config: DriftConfig) -> list[float]:
    """The least distance of each column."""
    return [getattr(config.columns, name).least for name in columns]


def _columns(rows: Sequence[DriftRow], now: int, config: DriftConfig) -> dict[str, Coded]:
    """The columns that can be compared, in the order of the row."""
    return {
        name: one
        for name, one in code_columns(rows).items()
        if one.levels > 1 and min((one.codes[:now] >= 0).sum(), (one.codes[now:] >= 0).sum()) >= config.min_users
    }


def _calibrated(columns: Mapping[str, Coded], former: Places, now: int, config: DriftConfig) -> tuple[float, float]:
    """The share of false alarms among splits of the former users, and what least distances are multiplied by.

    Splits have the two sides' proportion.
    """
    import numpy as np

    if not config.splits:
        return 0.0, 1.0
    rng = np.random.default_rng(int(content_key("drift", len(former), now), 16))
    part = min(len(former) - 1, max(1, round(len(former) * now / (len(former) + now))))
    leasts = _leasts(columns, config)
    worst = []
    for start in range(0, config.splits, AT_ONCE):
        size = min(AT_ONCE, config.splits - start)
        drawn = rng.permuted(np.tile(former, (size, 1)), axis=1)
        worst.append(two_samples(columns, drawn[:, :part], drawn[:, part:]).excess(leasts, config.level).max(axis=1))
    return raised_to(np.concatenate(worst), config.level)


def raised_to(excess: Floats, level: float) -> tuple[float, float]:
    """The share of splits whose greatest ``excess`` is a drift (1 or more), and the factor that keeps it to the level.

    The factor lies just above the quantile of one less the level; it is 1 where nothing has to be raised.
    """
    import numpy as np

    share = float((excess >= 1).mean())
    if share <= level:
        return share, 1.0
    return share, float(np.nextafter(np.quantile(excess, 1 - level, method="higher"), np.inf))


def _found(
    rows: Sequence[DriftRow], now: int, config: DriftConfig, columns: Mapping[str, Coded], tested: Tested,
    excess: Floats, raised: float,
) -> list[DriftColumn]:  # fmt: skip
    found = []
    for at, (name, one) in enumerate(columns.items()):
        told = getattr(config.columns, name)
        new, former = (int((side >= 0).sum()) for side in (one.codes[:now], one.codes[now:]))
        distance, p = float(tested.distances[0, at]), float(tested.p[0, at])
        drifted = bool(excess[at] >= raised)
        found.append(DriftColumn(name, one.test, new, former, distance, p, told.least, told.does, drifted))
    return found


def _leasts(columns: Mapping[str, Coded], config: DriftConfig) -> Floats:
    import numpy as np

    return np.array(leasts_of(list(columns), config))


def _places(users: int) -> Places:
    import numpy as np

    return np.arange(users)[None, :]
