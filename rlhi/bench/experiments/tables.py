"""What an experiment came to: as a table, as a picture, and both in a page of the docs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rlhi.bench.experiments.catalogue import Measured
from rlhi.contracts import Interval
from rlhi.report.plots import alone, before_and_after
from rlhi.stages import StageError
from rlhi.workspace.store import write_atomic

WHAT: Mapping[Measured, str] = {
    "satisfaction": "held-out users' satisfaction",
    "problems": "problems solved for held-out users",
    "rewrites": "wishes met by answers",
}


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm over all seeds. ``against_first`` is None for the first; pairs are the mean over seeds.

    ``lost`` is the share of users who lost half of what can be had, or more: a mean that rises does not tell of them.
    """

    name: str
    pairs: float
    before: Interval
    after: Interval
    gain: Interval
    lost: Interval
    against_first: Interval | None


@dataclass(frozen=True, slots=True)
class ExperimentTable:
    """An experiment's table; ``minutes`` are of all its arms and worlds, ``ran`` tells on which days and machines."""

    name: str
    question: str
    measured: Measured
    quick: bool
    seeds: int
    minutes: float
    ran: tuple[str, ...]
    policy: Path | None
    arms: tuple[ArmResult, ...]


def table(told: ExperimentTable) -> str:
    """As markdown, for a terminal and for the docs."""
    what = WHAT[told.measured]
    lines = [
        f"**{told.name}**: {told.question}",
        "",
        f"{what}, {'quick size, ' if told.quick else ''}{_seeds(told.seeds)}, {told.arms[0].gain.clusters} users; "
        f"brackets are 95% intervals by user; {told.minutes:.0f} minutes",
        "",
        "| arm | pairs | before | after | gain, points | against the first arm, points | users who lost half |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in told.arms:
        against = "" if arm.against_first is None else _points(arm.against_first)
        lines.append(
            f"| {arm.name} | {arm.pairs:.0f} | {arm.before.mean:.1%} | {arm.after.mean:.1%} | {_points(arm.gain)} "
            f"| {against} | {_share(arm.lost)} |"
        )
    return "\n".join(lines)


def check_page(page: Path) -> None:
    """Refuse what :func:`write` could not write to, before hours of arms.

    Raises:
        StageError: a folder, a name without an ending, or a file that is no text.
    """
    if page.is_dir() or not page.suffix:
        raise StageError(f"--page {page} should name a file with an ending, such as {page.with_suffix('.md').name}")
    try:
        if page.exists():
            page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(f"--page {page} cannot be read as text ({error}): name another file") from None


def kept_beside(page: Path, name: str, quick: bool, seed: int) -> Path:
    """Where the results of one seed lie that a page shows: users' figures of every arm."""
    return page.with_suffix("") / f"{name}{'-quick' if quick else ''}-seed-{seed}.json"


def write(told: ExperimentTable, page: Path) -> None:
    """Put the table and its picture into a page, in place of what the page told of this experiment and size before.

    The picture lies beside the page, in a folder of the page's name. Other text of the page stays as it is.
    """
    name = f"{told.name}-quick" if told.quick else told.name
    picture = page.with_suffix("") / f"{name}.svg"
    what = f"{told.name}: {WHAT[told.measured]}, before and after"
    plot = before_and_after([(arm.name, arm.before, arm.after) for arm in told.arms], what)
    write_atomic(picture, alone(plot).encode())
    policy = f" --policy {told.policy}" if told.policy else ""
    command = f"rlhi experiment {told.name} --seeds {told.seeds}{' --quick' if told.quick else ''}{policy}"
    section = "\n".join([
        f"<!-- experiment: {name} -->", table(told), "",
        f"![{what}]({picture.relative_to(page.parent).as_posix()})", "",
        f"`{command}`; {'; '.join(told.ran)}. The picture: before in grey, after in blue.",
        f"<!-- end of {name} -->",
    ])  # fmt: skip
    text = page.read_text(encoding="utf-8") if page.exists() else "# Experiments\n"
    former = re.compile(rf"<!-- experiment: {re.escape(name)} -->.*?<!-- end of {re.escape(name)} -->", re.S)
    new, found = former.subn(lambda _: section, text, count=1)
    write_atomic(page, (new if found else f"{text.rstrip()}\n\n{section}\n").encode())


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _share(value: Interval) -> str:
    return f"{value.mean:.0%} ({value.low:.0%} to {value.high:.0%})"


def _points(value: Interval) -> str:
    return f"{100 * value.mean:+.1f} ({100 * value.low:+.1f} to {100 * value.high:+.1f})"
