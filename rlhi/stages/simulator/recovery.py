"""How well the loop read its simulated users: labels against the truth, personas against the hidden wishes.

Nothing of the loop reads this; it is told beside the verdict, apart for phrasings that only held-out users use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi.contracts import Conversation, FeedbackTurn
from rlhi.simulate import TruthRow
from rlhi.simulate.reactions import ANSWER
from rlhi.stages.collect.personas import read_personas
from rlhi.workspace.store import Workspace, read_table

TRUTH = "data/simulator/truth"

LOOSELY: Mapping[str, str] = {
    "at_most_words": "shorter", "at_most_sentences": "shorter", "at_least_words": "longer", "plain_words": "plainer",
    "long_words": "more_technical",
}  # fmt: skip
"""By the kind of a wish, what a vague claim that speaks of it asks for."""


def speaks_of(kind: str, check: str) -> bool:
    """Whether a claim with this check speaks of a wish of this kind.

    >>> speaks_of("at_most_words", "shorter"), speaks_of("at_most_words", "at_most_words:40")
    (True, True)
    """
    return bool(check) and check.partition(":")[0] in (kind, LOOSELY.get(kind))


@dataclass(frozen=True, slots=True)
class Reading:
    """Over ``follow_ups``: F1 of re-attempts; over ``wishes`` complained of: the share that the persona speaks of.

    A wish counts for held-out phrasings when all complaints of it were made in them.
    """

    phrasings: str
    follow_ups: int
    f1: float
    wishes: int
    recovered: float


def readings(workspace: Path) -> tuple[Reading, Reading]:
    """For phrasings that everybody uses, and for those that only held-out users use."""
    space = Workspace.open(workspace)
    truth = read_table(space.path(TRUTH), TruthRow)
    feedback = read_table(space.path("data/feedback"), FeedbackTurn)
    labels = {(row.conversation_id, row.turn_index): row.label for row in feedback}
    owners = {row.conversation_id: row.user_id for row in read_table(space.path("data/conversations"), Conversation)}
    checks = {row.user_id: [claim.check for claim in row.told] for row in read_personas(space)}
    complained: dict[tuple[str, str], bool] = {}
    for row in truth:
        if row.wish not in ("", ANSWER) and not row.contrary and row.conversation_id in owners:
            wish = owners[row.conversation_id], row.wish
            complained[wish] = complained.get(wish, True) and row.held_out_phrasing

    def reading(name: str, held_out: bool) -> Reading:
        said = [
            (row.label, labels[row.conversation_id, row.turn_index])
            for row in truth
            if row.held_out_phrasing == held_out and (row.conversation_id, row.turn_index) in labels
        ]
        wishes = [wish for wish, only in complained.items() if only == held_out]
        spoken = sum(any(speaks_of(kind, check) for check in checks.get(user, ())) for user, kind in wishes)
        return Reading(name, len(said), _f1(said), len(wishes), spoken / max(1, len(wishes)))

    return reading("said by everybody", False), reading("said by held-out users only", True)


def _f1(pairs: Sequence[tuple[str, str]]) -> float:
    asked = [(true.startswith("reattempt"), said.startswith("reattempt")) for true, said in pairs]
    hits, wrong = sum(true and said for true, said in asked), sum(true != said for true, said in asked)
    return 2 * hits / max(1, 2 * hits + wrong)
