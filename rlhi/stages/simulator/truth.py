"""What is true of simulated users and their requests. ``evaluate`` alone opens it; nothing that learns may."""

from __future__ import annotations

from itertools import groupby

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check
from rlhi.evaluate.said import Truth
from rlhi.simulate.users import WishRow
from rlhi.workspace.store import Workspace, read_json, read_table

EVALUATION_REQUESTS = "data/simulator/requests.json"
WISHES = "data/simulator/wishes"


def truth_of(space: Workspace) -> Truth | None:
    """The truth about a workspace's simulated users; None where there are none."""
    rows = sorted(read_table(space.path(WISHES), WishRow), key=lambda row: row.user_id)
    wishes = {
        user: tuple(Check(row.kind, row.argument) for row in group)
        for user, group in groupby(rows, key=lambda row: row.user_id)
    }
    kept = read_json(space.path(EVALUATION_REQUESTS))
    right = {request: Check.parse(text) for request, text in _texts(kept.get("checks"))}
    keys = {request: AnswerKey.parse(text) for request, text in _texts(kept.get("keys"))}
    return Truth(wishes, right, keys) if wishes or right or keys else None


def _texts(held: object) -> list[tuple[str, str]]:
    return [(str(name), str(text)) for name, text in held.items()] if isinstance(held, dict) else []
