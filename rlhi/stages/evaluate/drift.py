"""The stage ``drift``: what changed in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rlhi.collect.clean.identify import identify
from rlhi.config import DriftConfig, ModelsConfig
from rlhi.contracts import Conversation, DriftReport, FeedbackTurn, Persona, from_record, to_record
from rlhi.contracts.turns import opening
from rlhi.evaluate import drift as wing
from rlhi.evaluate.drift import DriftExample, DriftFiles, DriftRow
from rlhi.evaluate.drift.topics import topics
from rlhi.stages import Outcome, backends
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_atomic, write_json

EXAMPLES = "data/drift/examples.json"
"""New users' messages that carry what drifted; apart from the report, which goes into git with the decision."""

Said = list[tuple[Conversation, DriftRow]]


def drift(space: Workspace, /, *, drift: DriftConfig, models: ModelsConfig) -> Outcome:
    """Compare what the champion has not learned from with what it has: the cycles up to its promotion, or the first.

    So a batch that drifted is told of until a challenger that learned from it is promoted. A log that landed
    during this cycle is news to the next: its follow-ups are not labelled, and it would count as free of complaints.
    """
    labels: dict[str, list[FeedbackTurn]] = {}
    for row in read_table(space.path("data/feedback"), FeedbackTurn):
        labels.setdefault(row.conversation_id, []).append(row)
    current, reference = _rows(space, *wing.compared(*_sides(space), drift), labels, drift, models)
    now, then = ([(one.user_id, row) for one, row in side] for side in (current, reference))
    report = wing.drift(now, then, drift)
    files = wing.picture(now, then, report.columns)
    report = wing.with_evidently(report, files)
    shown = wing.examples(report, current, reference, labels)
    _write(space, report, files, shown)
    counts = {
        "current": report.current, "reference": report.reference, "status": report.status,
        "current users": report.current_users, "reference users": report.reference_users,
        "false alarms": report.false_alarms, "splits": report.splits,
    }  # fmt: skip
    return Outcome(1, 0, counts, _note(report, drift), tuple((one.column, one.text) for one in shown))


def read_examples(space: Workspace) -> tuple[DriftExample, ...]:
    """The messages that carry what drifted in the last report."""
    held = read_json(space.path(EXAMPLES)).get("examples")
    return tuple(from_record(DriftExample, one) for one in held) if isinstance(held, list) else ()


def _sides(space: Workspace) -> tuple[list[Conversation], list[Conversation]]:
    """What the champion has not learned from, and what it has."""
    cycles = {batch.digest: batch.cycle for batch in incoming.batches(space)}
    pin = ledger.pinned(space.root)
    promoted = (one.cycle for one in ledger.history(space.root) if one.promoted == pin.champion)
    learned = min(max(promoted, default=1), pin.cycle - 1)
    current: list[Conversation] = []
    reference: list[Conversation] = []
    for conversation in conversations(space):
        news = cycles.get(conversation.batch, pin.cycle)
        if news <= pin.cycle:
            (current if news > learned else reference).append(conversation)
    return current, reference


def _rows(
    space: Workspace, current: Sequence[Conversation], reference: Sequence[Conversation],
    labels: Mapping[str, Sequence[FeedbackTurn]], config: DriftConfig, models: ModelsConfig,
) -> tuple[Said, Said]:  # fmt: skip
    """Both sides' conversations as rows. Requests are embedded only where there is something to compare with."""
    wishes = wing.wishes_by_user(read_table(space.path("data/personas"), Persona))
    new: Sequence[str | None] = [None] * len(current)
    former: Sequence[str | None] = [None] * len(reference)
    users = [len({one.user_id for one in side}) for side in (current, reference)]
    if min(users) >= config.min_users:
        asked = [[opening(one.turns) for one in side] for side in (current, reference)]
        new, former = topics(asked[0], asked[1], backends.embedder(models), config.topics)

    def side(told: Sequence[Conversation], found: Sequence[str | None]) -> Said:
        languages = identify([one.turns for one in told])
        rows = []
        for one, code, topic in zip(told, languages, found, strict=True):
            own = labels.get(one.conversation_id, ())
            rows.append((one, wing.drift_row(one, own, code, wishes.get(one.user_id, ()), topic)))
        return rows

    return side(current, new), side(reference, former)


def _write(space: Workspace, report: DriftReport, files: DriftFiles | None, shown: Sequence[DriftExample]) -> None:
    folder = space.path("data/drift")
    write_json(folder / "drift.json", to_record(report))
    write_json(space.path(EXAMPLES), {"examples": [to_record(one) for one in shown]})
    for name, text in (("evidently.html", files.html), ("evidently.json", files.json)) if files else ():
        write_atomic(folder / name, text.encode())


def _note(report: DriftReport, config: DriftConfig) -> str:
    users = f"{report.current_users:,} new users against {report.reference_users:,}"
    if report.status == "no_reference":
        return "no reference: nothing came before"
    if report.status == "too_few":
        return f"too few users: {users}, {config.min_users} needed on either side"
    told = f"{users}; numbers show a distance of {report.visible:.2f}"
    alarms = f"{report.false_alarms:.1%} false alarms in {report.splits:,} splits"
    if report.raised > 1:
        alarms += f", so least distances are {report.raised:.2f} times theirs"
    drifted = f"drifted: {', '.join(report.failed)}" if report.failed else f"stable: {len(report.columns)} columns"
    return f"{drifted} ({told}; {alarms})"
