"""A cycle that decides anew on the challenger of the last one, where people compared its replies since.

It makes nothing: what the last cycle made stands for it, and only the verdict, with people's word, is reached again.
"""

from __future__ import annotations

from pathlib import Path

from rlhi.stages.collect import incoming
from rlhi.stages.engine import restamp, up_to_date
from rlhi.stages.evaluate.compare import to_decide
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.table import STAGES
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace

DECIDES = ("confirm", "judges", "gate")
"""The stages that run: a challenger that was only screened is asked of anew, one that was decided on is not."""


def revisit(workspace: Path, today: str | None = None) -> bool:
    """Begin such a cycle; False where there is nothing to decide anew on that day (ISO, UTC; else the present one).

    It comes before any log is taken in, for what a log makes is another challenger, of which people said nothing. What
    was up to date is so for this cycle too. Killed before that is written, the cycle makes another challenger.
    """
    space = Workspace.open(workspace)
    said = to_decide(space, today or ledger.today())
    if said is None:
        return False
    anew = DECIDES if read_decision(space).panel == "screen" else DECIDES[-1:]
    pinned = [name for name, stage in STAGES.items() if "cycle.json" in stage.inputs and name not in anew]
    stands = [name for name in pinned if up_to_date(name, space)]
    incoming.begin(space, said)
    for name in stands:
        restamp(name, space)
    return True
