"""`rlhi ingest`: land logs, run the ingest stage, commit what came in."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi import ledger, stages
from rlhi.collect.formats import LogError, read_log
from rlhi.collect.formats.sources import Source, expand
from rlhi.stages import incoming
from rlhi.stages.alone import alone
from rlhi.stages.ingest import batches_read
from rlhi.store import Workspace


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What came of the logs: rows by fate, and the files that were refused whole, with the reason."""

    read: int
    new: int
    updated: int
    duplicate: int
    quarantined: int
    refused: tuple[str, ...]
    note: str

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "read": self.read, "new": self.new, "updated": self.updated, "duplicate": self.duplicate,
            "quarantined": self.quarantined, "refused": list(self.refused),
        }  # fmt: skip

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"refused: {reason}" for reason in self.refused]
        lines.append(
            f"read {self.read:,}: {self.new:,} new, {self.updated:,} updated, {self.duplicate:,} duplicate, "
            f"{self.quarantined:,} quarantined" + (" (see `rlhi quarantine`)" if self.quarantined else "")
        )
        return "\n".join([*lines, self.note])


def take_in(root: Path, logs: Sequence[str | Path]) -> IngestReport:
    """Land the logs that can be read, and ingest them; a file that is no log is refused and nothing of it lands.

    ``logs`` are files, folders, ``-`` for standard input, or fsspec addresses. Other commands that take in logs here
    wait until these are recorded: they would share a landing's number, and record a table that is being written.
    """
    space = Workspace(root)
    _ = space.params
    with alone(space):
        return _take_in(space, logs)


def _take_in(space: Workspace, logs: Sequence[str | Path]) -> IngestReport:
    root = space.root
    cycle, landing = ledger.upcoming(root), incoming.next_landing(space)
    known = batches_read(space, space.params)
    refused, repeated = [], 0
    for log in logs:
        try:
            sources = expand(str(log))
        except LogError as error:
            refused.append(str(error))
            continue
        for source in sources:
            try:
                repeated += _land(space, source, cycle, landing, known)
            except LogError as error:
                refused.append(str(error))
    report = stages.run("ingest", root)
    figures = dict(report.counts)
    # Also when nothing is new: what a killed command made and did not record is recorded by the next one.
    ledger.record_collect(root, ("ingest",))

    def figure(name: str) -> int:
        return int(figures.get(name, "0"))

    return IngestReport(
        # The very same file again: its rows were read before, whatever became of them.
        read=figure("read") + repeated,
        new=figure("new"),
        updated=figure("updated"),
        duplicate=figure("duplicate") + repeated,
        quarantined=figure("quarantined"),
        refused=tuple(refused),
        note=report.note,
    )


def _land(space: Workspace, source: Source, cycle: int, landing: int, known: Container[str]) -> int:
    """Land one log; returns its rows when the table has the very same file already, 0 when it is yet to be read.

    What only landed, before a kill, is still to be read: its rows are told as what becomes of them then.
    """
    with source.local() as path:
        next(iter(read_log(path, source.name)), None)
        if incoming.land(space, path, cycle, landing, source.name) not in known:
            return 0
        return sum(1 for _ in read_log(path, source.name))
