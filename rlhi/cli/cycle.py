"""`rlhi cycle`: the improve flow on a Prefect server."""

from __future__ import annotations

from pathlib import Path

from rlhi.stages import CycleReport
from rlhi.workspace.store import Workspace


def improve(root: Path) -> CycleReport:
    """Run one cycle through Prefect: on the server that is configured or running, else on one for this time."""
    from rlhi.orchestrate.server import server_for

    root = Workspace.open(root).root
    with server_for(root):
        from flows.improve import improve as flow

        return flow(str(root))
