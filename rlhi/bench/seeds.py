"""What cycles of several workspaces measured, side by side, and the mean over them.

A loop that was run once may have been lucky. The same command with other seeds (`rlhi demo W1 --seed 1`) makes other
users, other samples and another training; this reads what each workspace recorded of one cycle.

The interval of the mean follows from the standard errors that the workspaces' own intervals imply (half a width over
1.96): users are drawn anew in each, so errors are independent. It says how sure the users make the mean of these
workspaces, and not how far the next seed may lie from it: for that the lowest and the highest stand beside it.

    rlhi bench seeds WORKSPACE... [--cycle N] [--json]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rlhi.config.suites import scale_of
from rlhi.contracts import Measurement
from rlhi.report import CycleEvidence
from rlhi.stages import StageError
from rlhi.stages.conclude import recorded
from rlhi.workspace.store import Workspace

NORMAL = 1.96


class SeedsError(StageError):
    """A workspace holds no such cycle; the message names it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One suite: what each workspace measured, None where it did not, and the mean of the gains with its interval."""

    suite: str
    measured: tuple[Measurement | None, ...]
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Seeds:
    """One cycle of several workspaces."""

    cycle: int
    names: tuple[str, ...]
    verdicts: tuple[str, ...]
    rows: tuple[Row, ...]


def run(workspaces: Sequence[Path], cycle: int, as_json: bool) -> str:
    """The table, as Markdown or JSON.

    Raises:
        SeedsError: a workspace has not ended this cycle with a decision, or is named twice.
        ConfigError: a folder is no workspace.
    """
    places = [one.resolve() for one in workspaces]
    if twice := next((one for one in places if places.count(one) > 1), None):
        raise SeedsError(f"{twice} is named twice: one workspace is one seed")
    names = [one.name for one in places]
    alike = len(set(names)) < len(names)
    told = compare([(str(one) if alike else one.name, _evidence(one, cycle)) for one in places], cycle)
    return json.dumps(asdict(told)) if as_json else table(told)


def compare(found: Sequence[tuple[str, CycleEvidence]], cycle: int) -> Seeds:
    """Line up the suites in the order in which the first workspace measured them."""
    suites = list(dict.fromkeys(one.suite for _, evidence in found for one in evidence.measurements))
    rows = tuple(_row(suite, tuple(evidence.measured(suite) for _, evidence in found)) for suite in suites)
    verdicts = tuple(evidence.decision.verdict if evidence.decision else "none" for _, evidence in found)
    return Seeds(cycle, tuple(name for name, _ in found), verdicts, rows)


def _row(suite: str, measured: tuple[Measurement | None, ...]) -> Row:
    scale = scale_of(suite)
    gains = [one.gain for one in measured if one is not None]
    mean = sum(gain.mean for gain in gains) / len(gains)
    error = sum(((gain.high - gain.low) / (2 * NORMAL)) ** 2 for gain in gains) ** 0.5 / len(gains)
    return Row(suite, measured, scale * mean, scale * (mean - NORMAL * error), scale * (mean + NORMAL * error))


def table(told: Seeds) -> str:
    """As Markdown, for a terminal and for the docs."""
    lines = [
        f"cycle {told.cycle}; change in points, brackets are 95% intervals by user",
        "",
        "| suite | " + " | ".join(told.names) + " | mean (95%), lowest to highest |",
        "|---" * (len(told.names) + 2) + "|",
    ]
    for row in told.rows:
        scale = scale_of(row.suite)
        gains = [100 * scale * one.gain.mean for one in row.measured if one is not None]
        pooled = f"{_points(row.mean, row.low, row.high)}, {min(gains):+.1f} to {max(gains):+.1f}"
        name = row.suite if scale == 1 else f"{row.suite}, x {scale}"
        lines.append(f"| {name} | {' | '.join(_cell(one, scale) for one in row.measured)} | {pooled} |")
    lines.append("| verdict | " + " | ".join(told.verdicts) + " | |")
    return "\n".join(lines)


def _cell(one: Measurement | None, scale: int) -> str:
    if one is None:
        return "not measured"
    change = _points(scale * one.gain.mean, scale * one.gain.low, scale * one.gain.high)
    # Levels of halved differences say nothing to a reader.
    return change if scale != 1 else f"{100 * one.champion.mean:.1f} to {100 * one.challenger.mean:.1f}, {change}"


def _points(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _evidence(workspace: Path, cycle: int) -> CycleEvidence:
    found = {one.number: one for one in recorded(Workspace.open(workspace))}
    if cycle not in found or found[cycle].decision is None:
        ended = ", ".join(str(number) for number, one in sorted(found.items()) if one.decision) or "none"
        raise SeedsError(f"{workspace} has no decision of cycle {cycle} (of cycles with one it has: {ended})")
    return found[cycle]
