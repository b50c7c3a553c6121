"""The stage ``drift``: what changed in the log."""

from __future__ import annotations

from rlhi.config import DriftConfig
from rlhi.contracts import FeedbackTurn, to_record
from rlhi.evaluate.drift import DriftRow, drift_row
from rlhi.evaluate.drift import drift as measure_drift
from rlhi.stages import Outcome
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_atomic, write_json


def drift(space: Workspace, /, *, drift: DriftConfig) -> Outcome:
    """Compare what the champion has not learned from with what it has: the cycles up to its promotion, or the first.

    So a batch that drifted is told of until a challenger that learned from it is promoted. A log that landed
    during this cycle is news to the next: its follow-ups are not labelled, and it would count as free of complaints.
    """
    cycles = {batch.digest: batch.cycle for batch in incoming.batches(space)}
    labels: dict[str, list[FeedbackTurn]] = {}
    for row in read_table(space.path("data/feedback"), FeedbackTurn):
        labels.setdefault(row.conversation_id, []).append(row)
    pin = ledger.pinned(space.root)
    promoted = (one.cycle for one in ledger.history(space.root) if one.promoted == pin.champion)
    learned = min(max(promoted, default=1), pin.cycle - 1)
    current: list[DriftRow] = []
    reference: list[DriftRow] = []
    for conversation in conversations(space):
        news = cycles.get(conversation.batch, pin.cycle)
        if news <= pin.cycle:
            side = current if news > learned else reference
            side.append(drift_row(conversation, labels.get(conversation.conversation_id, [])))
    report, files = measure_drift(current, reference, drift)
    folder = space.path("data/drift")
    write_json(folder / "drift.json", to_record(report))
    for name, text in (("evidently.html", files.html), ("evidently.json", files.json)) if files else ():
        write_atomic(folder / name, text.encode())
    note = {
        "no_reference": f"no reference: {report.reference} former conversations",
        "stable": f"stable: {len(report.failed)} of {len(report.columns)} columns drifted",
        "drifted": f"drifted: {', '.join(report.failed)}",
    }[report.status]
    return Outcome(1, 0, {"current": report.current, "reference": report.reference, "status": report.status}, note)
