"""`rlhi status`: what a workspace holds, read from its tables, its ledger and the last decision."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rlhi.contracts import Conversation, FeedbackTurn, PreferencePair, Quarantined
from rlhi.stages.collect.ingest.told import counted, told
from rlhi.stages.learn.teachers import found_wanting
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table


@dataclass(frozen=True, slots=True)
class Status:
    """The figures of a workspace: ``conversations`` counts the anonymous ones too, ``verdict`` is empty at first."""

    conversations: int
    users: int
    anonymous: int
    quarantined: int
    feedback: tuple[tuple[str, int], ...]
    pairs: int
    champion: str
    verdict: str
    reasons: tuple[str, ...]
    cycles: int
    wanting: tuple[str, ...] = ()
    """What was said of models that may not teach on this log."""
    unread: tuple[tuple[str, int], ...] = ()
    """What could not be read of the logs, or not be told apart (:mod:`rlhi.stages.collect.ingest.told`)."""

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        decision = {"verdict": self.verdict, "reasons": list(self.reasons)} if self.verdict else None
        return {
            "conversations": self.conversations, "users": self.users, "anonymous": self.anonymous,
            "quarantined": self.quarantined, "feedback": dict(self.feedback), "pairs": self.pairs,
            "champion": f"policy@{self.champion}", "last_decision": decision, "cycles": self.cycles,
            "may_not_teach": list(self.wanting), "unread": dict(self.unread),
        }  # fmt: skip

    def as_text(self) -> str:
        """For a terminal."""
        labels = ", ".join(f"{label} {count:,}" for label, count in self.feedback) or "none yet"
        known = self.conversations - self.anonymous
        lines = [
            f"champion       policy@{self.champion}",
            f"conversations  {self.conversations:,}: {known:,} of {self.users:,} users with an id, "
            f"{self.anonymous:,} anonymous",
            f"feedback       {labels}",
            f"pairs          {self.pairs:,}",
            f"quarantined    {self.quarantined:,}",
            f"cycles         {self.cycles}",
        ]
        if unread := told(dict(self.unread)):
            lines += [f"of the logs    {said}" for said in unread.split("; ")]
        lines += [f"may not teach  {why}" for why in self.wanting]
        if self.verdict:
            lines += [f"last decision  {self.verdict}", *(f"               - {reason}" for reason in self.reasons)]
        return "\n".join(lines)


def status(root: Path) -> Status:
    """Read the figures of a workspace."""
    space = Workspace.open(root)
    accepted = read_table(space.path("data/conversations"), Conversation)
    labels = Counter(row.label for row in read_table(space.path("data/feedback"), FeedbackTurn))
    decision = read_json(space.path("metrics/decision.json"))
    reasons = decision.get("reasons")
    return Status(
        conversations=len(accepted),
        users=len({row.user_id for row in accepted if row.has_user}),
        anonymous=sum(not row.has_user for row in accepted),
        quarantined=len(read_table(space.path("data/quarantine"), Quarantined)),
        feedback=tuple(labels.most_common()),
        pairs=len(read_table(space.path("data/pairs"), PreferencePair)),
        champion=ledger.champion(root),
        verdict=str(decision.get("verdict", "")),
        reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        cycles=len(ledger.history(root)),
        wanting=found_wanting(space),
        unread=tuple(counted(space).items()),
    )
