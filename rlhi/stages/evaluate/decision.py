"""The last decision, as the stage ``gate`` left it, and whether it waited for the budget alone."""

from __future__ import annotations

from rlhi.contracts import GateDecision, from_record
from rlhi.evaluate.budget import budget_of
from rlhi.evaluate.gate import unpromising
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json

DECISION = "metrics/decision.json"


def read_decision(space: Workspace) -> GateDecision:
    """The last verdict, from metrics/decision.json."""
    record = read_json(space.path(DECISION))
    for extra in ("cycle", "champion"):
        record.pop(extra, None)
    return from_record(GateDecision, record)


def may_be_decided(space: Workspace, today: str) -> bool:
    """Whether the last challenger promised something, only the budget held it back, and it does not on that day."""
    decision, gate = read_decision(space), space.params.gate
    waited = decision.panel == "screen" and decision.budget is not None and bool(decision.budget.wait)
    if not (waited and decision.verdict == "hold" and decision.measurements):
        return False
    free = not budget_of(gate.budget, ledger.spendings(space.root), today).wait
    return free and not unpromising(decision.measurements, gate)
