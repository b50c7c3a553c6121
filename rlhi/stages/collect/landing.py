"""`rlhi ingest`: land logs, run the ingest stage, commit what came in."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi import stages
from rlhi.collect.formats import LogError, read_log
from rlhi.collect.formats.sources import Source, expand
from rlhi.contracts import Quarantined
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import REFUSED, batches_read
from rlhi.stages.collect.ingest.told import WORDS
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import Workspace, read_table


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What came of the logs: rows by fate, and the files that were refused whole, with the reason.

    ``held`` rows were quarantined before, under the names of logs that came again: the quarantine knows names alone.
    ``unread`` counts what could not be read or told apart (:mod:`rlhi.stages.collect.ingest.told`); ``note`` says it.
    """

    read: int
    new: int
    updated: int
    duplicate: int
    quarantined: int
    held: int
    refused: tuple[str, ...]
    note: str
    unread: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "read": self.read, "new": self.new, "updated": self.updated, "duplicate": self.duplicate,
            "quarantined": self.quarantined, "quarantined_before": self.held, "refused": list(self.refused),
            **{name.replace(" ", "_"): count for name, count in self.unread},
        }  # fmt: skip

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"refused: {reason}" for reason in self.refused]
        before = f"; {self.held:,} in quarantine from before under these names" if self.held else ""
        lines.append(
            f"read {self.read:,}: {self.new:,} new, {self.updated:,} updated, {self.duplicate:,} duplicate, "
            f"{self.quarantined:,} quarantined{before}"
            + (" (see `rlhi quarantine`)" if self.quarantined or self.held else "")
        )
        return "\n".join([*lines, self.note])


def take_in(root: Path, logs: Sequence[str | Path]) -> IngestReport:
    """Land the logs that can be read, and ingest them; a file that is no log is refused and nothing of it lands.

    ``logs`` are files, folders, ``-`` for standard input, or fsspec addresses. Other commands that take in logs here
    wait until these are recorded: they would share a landing's number, and record a table that is being written.
    """
    space = Workspace.open(root)
    with alone(space):
        return _take_in(space, logs)


def _take_in(space: Workspace, logs: Sequence[str | Path]) -> IngestReport:
    root = space.root
    # A cycle that is under way has collected already: what lands now is news to the next.
    cycle, landing = ledger.upcoming(root) + ledger.under_way(root), incoming.next_landing(space)
    known = batches_read(space, space.params.ingest)
    refused, repeated, again = [], 0, set[str]()
    for log in logs:
        try:
            sources = expand(str(log))
        except LogError as error:
            refused.append(str(error))
            continue
        for source in sources:
            try:
                digest, rows = _land(space, source, cycle, landing, known)
                repeated += rows
                again |= {digest} & known
            except LogError as error:
                refused.append(str(error))
    held = _held(space, again)
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
        held=held,
        refused=tuple(refused),
        note=report.note,
        unread=tuple((name, figure(name)) for name in WORDS),
    )


def _held(space: Workspace, digests: Container[str]) -> int:
    """How many rows the quarantine holds under the names that these logs first came with."""
    names = {batch.name for batch in incoming.batches(space) if batch.digest in digests}
    inside = tuple(f"{name}/" for name in names)
    rows = read_table(space.path(REFUSED), Quarantined) if names else []
    return sum(row.file in names or row.file.startswith(inside) for row in rows)


def _land(space: Workspace, source: Source, cycle: int, landing: int, known: Container[str]) -> tuple[str, int]:
    """Land one log; its hash, and its rows when the table has the very same file already, 0 when it is yet to be read.

    What only landed, before a kill, is still to be read: its rows are told as what becomes of them then.
    """
    with source.local() as path:
        next(iter(read_log(path, source.name)), None)
        digest = incoming.land(space, path, cycle, landing, source.name)
        return digest, sum(1 for _ in read_log(path, source.name)) if digest in known else 0
