"""`rlhi quarantine`: what was refused, set aside or changed, each with its reason; and another try after a fix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlhi import stages
from rlhi.contracts import Conversation, Quarantined
from rlhi.stages.collect.ingest.stage import forget
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import Workspace, read_table


@dataclass(frozen=True, slots=True)
class Held:
    """One row: refused (``place`` is ``file:line``), or a conversation that is set aside or whose text was changed."""

    fate: str
    place: str
    reason: str

    def as_text(self) -> str:
        """For a terminal."""
        return f"{self.place}: {self.reason}"


def held(root: Path, changes: bool) -> Iterator[Held]:
    """What was refused, then what is set aside, then, where asked for, what was changed."""
    space = Workspace.open(root)
    for row in sorted(read_table(space.path("data/quarantine"), Quarantined), key=lambda row: (row.file, row.line)):
        yield Held("refused", f"{row.file}:{row.line}", row.reason)
    conversations = sorted(
        read_table(space.path("data/conversations"), Conversation), key=lambda row: (row.user_id, row.conversation_id)
    )
    for conversation in conversations:
        if conversation.set_aside:
            yield Held(
                "set aside",
                f"conversation {conversation.conversation_id} of {conversation.user_id}",
                conversation.set_aside,
            )
    for conversation in conversations if changes else ():
        if conversation.changes:
            place = f"conversation {conversation.conversation_id} of {conversation.user_id}"
            yield Held("changed", place, ", ".join(conversation.changes))


def replay(root: Path) -> stages.StageReport:
    """Read every landed log again with the code and the bounds of today."""
    space = Workspace.open(root)
    with alone(space):
        forget(space)
        report = stages.run("ingest", root)
        ledger.record_collect(root, ("ingest",))
    return report
