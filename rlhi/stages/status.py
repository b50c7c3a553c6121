"""`rlhi status`: what a workspace holds, read from its tables, its ledger and the last decision."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rlhi.contracts import (
    PAST,
    Account,
    Conversation,
    FeedbackTurn,
    GateDecision,
    PreferencePair,
    Quarantined,
    to_record,
)  # fmt: skip
from rlhi.contracts.foreseen import Forecast
from rlhi.evaluate.budget import account_of
from rlhi.report import asked, would_change
from rlhi.stages.collect.ingest.told import counted, told
from rlhi.stages.evaluate import compare
from rlhi.stages.evaluate.decision import DECISION, read_decision
from rlhi.stages.evaluate.forecast import read_forecasts
from rlhi.stages.learn.teachers import found_wanting
from rlhi.stages.tests import states
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table


@dataclass(frozen=True, slots=True)
class Status:
    """The figures of a workspace: ``conversations`` counts the anonymous ones too, ``decision`` is None at first.

    ``changes`` would change it; ``account`` is the error budget of today. ``wanting`` is what was said of models that
    may not teach on this log.
    """

    conversations: int
    users: int
    anonymous: int
    quarantined: int
    feedback: tuple[tuple[str, int], ...]
    pairs: int
    champion: str
    account: Account
    decision: GateDecision | None
    changes: tuple[str, ...]
    cycles: int
    wanting: tuple[str, ...] = ()
    """What was said of models that may not teach on this log."""
    forecast: Forecast | None = None
    """Of the next nights' re-attempts, as the last decision foresaw them."""
    unread: tuple[tuple[str, int], ...] = ()
    """What could not be read of the logs, or not be told apart (:mod:`rlhi.stages.collect.ingest.told`)."""
    people: str = ""
    """What people say of the last challenger (`rlhi compare`); empty where nobody was asked."""
    tests: tuple[tuple[str, int], ...] = ()
    """Tests of the workspace by what became of them."""

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        one = self.decision
        decision = None if one is None else {
            "verdict": one.verdict, "asked": asked(one),
            "would_change": list(self.changes), "reasons": list(one.reasons),
        }  # fmt: skip
        return {
            "conversations": self.conversations, "users": self.users, "anonymous": self.anonymous,
            "quarantined": self.quarantined, "feedback": dict(self.feedback), "pairs": self.pairs,
            "champion": f"policy@{self.champion}", "last_decision": decision, "cycles": self.cycles,
            "budget": {**to_record(self.account.budget), "free": self.account.free},
            "may_not_teach": list(self.wanting),
            "forecast": to_record(self.forecast) if self.forecast else None,
            "unread": dict(self.unread),
            "people": self.people,
            "tests": dict(self.tests),
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
            f"budget         {self.account.as_text()}",
        ]
        if self.forecast:
            lines.append(f"forecast       {self.forecast.as_text()}")
        if self.tests:
            by_state = ", ".join(f"{state} {count:,}" for state, count in self.tests)
            lines.append(f"tests          {sum(count for _, count in self.tests):,}: {by_state}")
        if unread := told(dict(self.unread)):
            lines += [f"of the logs    {said}" for said in unread.split("; ")]
        lines += [f"may not teach  {why}" for why in self.wanting]
        lines += [f"people         {self.people}"] if self.people else []
        if self.decision:
            who = asked(self.decision)
            lines.append(f"last decision  {PAST[self.decision.verdict]}{f' by {who}' if who else ''}")
            lines += [f"would change   {change}" for change in self.changes]
            lines += [f"               - {reason}" for reason in self.decision.reasons]
        return "\n".join(lines)


def status(root: Path) -> Status:
    """Read the figures of a workspace."""
    space = Workspace.open(root)
    params = space.params
    accepted = read_table(space.path("data/conversations"), Conversation)
    labels = Counter(row.label for row in read_table(space.path("data/feedback"), FeedbackTurn))
    users = {row.user_id for row in accepted if row.has_user}
    account = account_of(params.gate.budget, ledger.spendings(root), ledger.today())
    decision = read_decision(space) if space.path(DECISION).exists() else None
    held_out = sum(map(params.split.holds_out, users))
    return Status(
        conversations=len(accepted),
        users=len(users),
        anonymous=sum(not row.has_user for row in accepted),
        quarantined=len(read_table(space.path("data/quarantine"), Quarantined)),
        feedback=tuple(labels.most_common()),
        pairs=len(read_table(space.path("data/pairs"), PreferencePair)),
        champion=ledger.champion(root),
        account=account,
        decision=decision,
        changes=would_change(decision, params.gate, account, held_out) if decision else (),
        cycles=len(ledger.history(root)),
        wanting=found_wanting(space),
        forecast=next(reversed(read_forecasts(space).made), None),
        unread=tuple(counted(space).items()),
        people=compare.as_line(space),
        tests=states(space),
    )
