"""Run a cycle stage by stage, without Prefect; as a program, so that a test can kill it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from rlhi import stages
from rlhi.stages.conclude import conclude
from rlhi.workspace import ledger

COLLECT = stages.stages_of("collect")


def run_cycle(root: Path) -> stages.CycleReport | None:
    """What the improve flow does; None when there is nothing to do."""
    for name in COLLECT:
        stages.run(name, root)
    if stages.pending(root) is not None:
        return None
    ledger.begin(root)
    for name in stages.STAGES:
        if name not in COLLECT:
            stages.run(name, root)
    return conclude(root)


def digest(root: Path, *folders: str) -> dict[str, str]:
    """The hash of every file in these folders of a workspace."""
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for folder in folders
        for file in sorted((root / folder).rglob("*"))
        if file.is_file()
    }


if __name__ == "__main__":
    run_cycle(Path(sys.argv[1]))
