"""What the record says of cycles: the one under way, as it was pinned, and the finished ones, from the git log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rlhi.contracts import PeopleTally, Spending, from_record
from rlhi.workspace.repository import LedgerError, commits
from rlhi.workspace.store import read_json


@dataclass(frozen=True, slots=True)
class CyclePin:
    """What a cycle holds fast from its beginning: its number and the champion it starts from.

    ``day`` (ISO, UTC) is when it began, ``decisions`` those of all cycles before it: what the gate may spend follows.
    ``compared`` is what people said of the challenger that this cycle decides on anew; None where it makes one.
    """

    cycle: int
    champion: str
    day: str
    decisions: tuple[Spending, ...]
    compared: PeopleTally | None = None


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """A finished cycle as the git log tells it, newest first in :func:`history`; ``decided`` where it spent budget."""

    cycle: int
    revision: str
    date: str
    verdict: str
    champion: str
    promoted: str
    decided: Spending | None


def pinned(root: Path) -> CyclePin:
    """The pin of the cycle under way, or of the last one.

    Raises:
        LedgerError: no cycle was ever begun.
    """
    held = read_json(root / "cycle.json")
    if not held:
        raise LedgerError(f"no cycle has begun in {root}: run `rlhi cycle`")
    day = str(held.get("day", "")) or today()
    decisions = held.get("decisions")
    before = [from_record(Spending, one) for one in decisions] if isinstance(decisions, list) else []
    told = held.get("compared")
    compared = from_record(PeopleTally, told) if isinstance(told, dict) else None
    return CyclePin(int(str(held["cycle"])), str(held["champion"]), day, tuple(before), compared)


def history(root: Path) -> list[CycleRecord]:
    """All finished cycles, newest first."""
    found = []
    for revision, date, trailers in commits(root):
        if "RLHI-Cycle" in trailers:
            verdict, before, promoted = (trailers.get(f"RLHI-{name}", "") for name in ("Verdict", "From", "Champion"))
            day, _, level = trailers.get("RLHI-Decided", "").partition(" ")
            spent = Spending(day, float(level)) if day else None
            found.append(CycleRecord(int(trailers["RLHI-Cycle"]), revision, date, verdict, before, promoted, spent))
    return found


def finished(root: Path) -> int:
    """The number of the last finished cycle; 0 for none."""
    return max((one.cycle for one in history(root)), default=0)


def today() -> str:
    """The day that it is (ISO, UTC)."""
    return datetime.now(UTC).date().isoformat()
