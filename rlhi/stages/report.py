"""What a stage and a cycle did, from where they ran to a terminal, to `--json` and to the UI."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Literal

from rlhi.contracts import PAST, Verdict


@dataclass(frozen=True, slots=True)
class StageReport:
    """What one run of a stage did. ``shown`` are texts to look at in the UI, each with what it shows."""

    stage: str
    seconds: float
    made: int
    kept: int
    counts: tuple[tuple[str, str], ...]
    note: str
    shown: tuple[tuple[str, str], ...] = ()

    def as_text(self) -> str:
        """One line of a terminal: ``  ingest         1.2s  1523 new conversations``."""
        return f"  {self.stage:<11}{self.seconds:>7.1f}s  {' '.join(self.note.split())}"

    def as_markdown(self) -> str:
        """For an artifact; text is escaped, for it may hold what users or logs said."""
        rows = [("rows made", f"{self.made:,}"), ("rows kept", f"{self.kept:,}"), *self.counts]
        table = "".join(f"| {escaped(label)} | {escaped(value)} |\n" for label, value in rows)
        texts = "".join(f"- {escaped(label)}: {escaped(text)}\n" for label, text in self.shown)
        told = f"**{escaped(self.note)}** in {self.seconds:.1f} s\n\n| figure | value |\n|---|---|\n{table}"
        return f"{told}\n{texts}" if texts else told


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What a cycle came to. ``cycle`` is 0 where there was nothing to do: ``note`` says why, and there is no verdict.

    ``version`` is the champion after it, ``revision`` the commit that holds it; ``stages`` are those that ran.
    ``asked`` says who was asked, ``changes`` what would change the verdict, ``budget`` how much of the year's error is
    spent, ``forecast`` which share of re-attempts is foreseen, ``scored`` what came of the last forecast.
    """

    cycle: int
    verdict: Verdict | Literal[""]
    version: str
    reasons: tuple[str, ...] = ()
    revision: str = ""
    stages: tuple[StageReport, ...] = ()
    note: str = ""
    asked: str = ""
    changes: tuple[str, ...] = ()
    budget: str = ""
    forecast: str = ""
    scored: str = ""

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """What is told of a verdict before its reasons: a name and a line each."""
        lines = ("asked", self.asked), *(("would change", change) for change in self.changes), ("budget", self.budget)
        lines += ("forecast", self.forecast), ("last forecast", self.scored)
        return tuple((name, line) for name, line in lines if line)

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "cycle": self.cycle, "verdict": self.verdict, "champion": f"policy@{self.version}",
            "asked": self.asked, "would_change": list(self.changes), "budget": self.budget,
            "forecast": self.forecast, "last_forecast": self.scored,
            "reasons": list(self.reasons), "note": self.note,
            "stages": {one.stage: {"seconds": one.seconds, **dict(one.counts)} for one in self.stages},
        }  # fmt: skip

    def as_text(self) -> str:
        """For a terminal; the stages have told their lines while they ran."""
        if not self.cycle:
            return self.note
        lines = [*(f"  {name:<13} {line}" for name, line in self.told), *(f"  - {reason}" for reason in self.reasons)]
        return "\n".join([f"cycle {self.cycle}: {PAST[self.verdict]}; champion policy@{self.version}", *lines])

    def as_markdown(self) -> str:
        """For an artifact, escaped."""
        told = "".join(f"- **{name}**: {escaped(line)}\n" for name, line in self.told)
        reasons = "".join(f"- {escaped(reason)}\n" for reason in self.reasons)
        rows = "".join(f"| {one.stage} | {one.seconds:.1f} | {escaped(one.note)} |\n" for one in self.stages)
        return f"**{escaped(self.note)}**\n\n{told}\n{reasons}\n| stage | seconds | note |\n|---|---|---|\n{rows}"


def escaped(text: str) -> str:
    """Text that markdown and HTML show as it is, on one line."""
    return re.sub(r"([\\`*_\[\]()#|~!])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
