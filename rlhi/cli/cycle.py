"""`rlhi cycle`: the improve flow on a Prefect server, told in lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlhi.stages import StageReport
from rlhi.workspace.store import Workspace


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What a cycle did. ``cycle`` is 0 when there was nothing to do; ``note`` then says why."""

    cycle: int
    verdict: str
    version: str
    reasons: tuple[str, ...]
    stages: tuple[StageReport, ...]
    note: str

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "cycle": self.cycle, "verdict": self.verdict, "champion": f"policy@{self.version}",
            "reasons": list(self.reasons), "note": self.note,
            "stages": {one.stage: {"seconds": one.seconds, **dict(one.counts)} for one in self.stages},
        }  # fmt: skip

    def as_text(self) -> str:
        """For a terminal; the stages have told their lines while they ran."""
        if not self.cycle:
            return self.note
        reasons = "\n".join(f"  - {reason}" for reason in self.reasons)
        return f"cycle {self.cycle}: {self.verdict}; champion policy@{self.version}\n{reasons}"


def improve(root: Path) -> CycleReport:
    """Run one cycle through Prefect: on the server that is configured or running, else on one for this time."""
    from rlhi.orchestrate.server import server_for

    _ = Workspace(root).params
    with server_for(root):
        from flows.improve import improve as flow

        done = flow(str(root))
    return CycleReport(done.cycle or 0, done.verdict, done.version, done.reasons, done.stages, done.note)
