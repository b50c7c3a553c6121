"""What is true of simulated users and their requests. ``evaluate`` alone opens it; nothing that learns may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check
from rlhi.simulate.users import WishRow
from rlhi.workspace.store import Workspace, read_json, read_table

EVALUATION_REQUESTS = "data/simulator/requests.json"
WISHES = "data/simulator/wishes"


@dataclass(frozen=True, slots=True)
class Truth:
    """Users' hidden ``wishes``; by request, the one ``right`` result or the answer's key in ``keys``."""

    wishes: Mapping[str, tuple[Check, ...]]
    right: Mapping[str, Check]
    keys: Mapping[str, AnswerKey]


def truth_of(space: Workspace) -> Truth:
    """The truth about a workspace's simulated users; empty where there are none."""
    rows = sorted(read_table(space.path(WISHES), WishRow), key=lambda row: row.user_id)
    wishes = {
        user: tuple(Check(row.kind, row.argument) for row in group)
        for user, group in groupby(rows, key=lambda row: row.user_id)
    }
    kept = read_json(space.path(EVALUATION_REQUESTS))
    right = {request: Check.parse(text) for request, text in _texts(kept.get("checks"))}
    return Truth(wishes, right, {request: AnswerKey.parse(text) for request, text in _texts(kept.get("keys"))})


def _texts(held: object) -> list[tuple[str, str]]:
    return [(str(name), str(text)) for name, text in held.items()] if isinstance(held, dict) else []
