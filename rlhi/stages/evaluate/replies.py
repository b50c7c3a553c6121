"""What `rlhi replies` and the evidence page show: both models' replies to held-out users, from the tables."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from rlhi.contracts import PAST, EvalResult
from rlhi.evaluate.replies import EvaluatedReply, SideBySide, side_by_side
from rlhi.stages import StageError
from rlhi.stages.collect.salt import known_as
from rlhi.stages.evaluate.confirm import CONFIRMED, CONFIRMED_REPLIES
from rlhi.stages.evaluate.evaluate import REPLIES, RESULTS
from rlhi.workspace.store import Workspace, read_json, read_manifest, read_note, read_table


@dataclass(frozen=True, slots=True)
class Replies:
    """All pairs of replies, by user; ``of`` says which cycle they are of, ``why_none`` why there are none."""

    rows: tuple[SideBySide, ...]
    of: str = ""
    why_none: str = ""


def read_replies(space: Workspace) -> list[SideBySide]:
    """The last decision's replies side by side, then the screen's; none where nobody was asked, or none were kept."""
    found = []
    for replies, results in ((CONFIRMED_REPLIES, CONFIRMED), (REPLIES, RESULTS)):
        if said := read_table(space.path(replies), EvaluatedReply):
            found += side_by_side(said, read_table(space.path(results), EvalResult))
    return found


def last_replies(space: Workspace, user: str | None = None) -> Replies:
    """All replies of the last evaluation, or one user's, by the id of a log or as it is known here.

    Raises:
        StageError: nothing was evaluated yet, the replies were not kept, or there is no such user among them.
    """
    params = space.params
    if read_manifest(space.path(RESULTS)) is None:
        raise StageError("nothing was evaluated yet: run `rlhi cycle`")
    skipped = read_note(space.path(RESULTS)).get("skipped")
    if skipped:
        return Replies((), why_none=f"no replies: the last cycle made no challenger: {skipped}")
    if read_manifest(space.path(REPLIES)) is None:
        raise StageError("the last evaluation is of a version that kept no replies: run `rlhi run evaluate`")
    rows = read_replies(space)
    if not rows:
        return Replies((), why_none="no replies: no held-out user has asked anything yet")
    return Replies(tuple(_of_user(rows, user, known_as(space, params.ingest, user)) if user else rows), _cycle(space))


def _of_user(rows: list[SideBySide], given: str, known: str) -> list[SideBySide]:
    found = [row for row in rows if row.user_id == given] or [row for row in rows if row.user_id == known]
    if found:
        return found
    near = get_close_matches(given, sorted({row.user_id for row in rows}), n=3, cutoff=0.5)
    remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else "`rlhi replies --json` has all who were"
    raise StageError(f"no held-out user {given!r} was asked in the last evaluation: {remedy}")


def _cycle(space: Workspace) -> str:
    decision = read_json(space.path("metrics/decision.json"))
    if "cycle" not in decision:
        return ""
    told, panel = PAST[str(decision.get("verdict"))], decision.get("panel")
    by = f" by a {panel}" if panel else ""
    return f"cycle {decision['cycle']}: champion policy@{decision.get('champion')}, challenger {told}{by}"
