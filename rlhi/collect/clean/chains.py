"""Conversations whose turns a server keeps: a request holds what is new, and the id of the response it goes on from.

OpenAI's Responses API keeps state so (``previous_response_id``), or under the id of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rlhi.contracts import Conversation, UserKind

UNANSWERED = "the answer has no text, as when a tool is called; a later request may hold it"
BRANCHED = "response on another branch left out x"
MISSING = "an earlier response is missing"


@dataclass(frozen=True, slots=True)
class Link:
    """A response of a log: its id, what it goes on from, and whose conversation it would be by itself."""

    response: str
    before: str
    conversation_id: str
    user_id: str
    user_id_kind: UserKind = "real"

    @property
    def begins(self) -> bool:
        """Whether nothing comes before it, or a conversation that is named."""
        return self.before in ("", self.conversation_id)


def link(conversation: Conversation) -> Link | None:
    """The link that a row of a log is; None for a row that holds its history."""
    if len(conversation.chain) != 2:
        return None
    before, response = conversation.chain
    return Link(response, before, conversation.conversation_id, conversation.user_id, conversation.user_id_kind)


def waits(conversation: Conversation) -> bool:
    """Whether a row is a conversation only with those that it goes on from, or that go on from it."""
    found = link(conversation)
    return found is not None and (not found.begins or conversation.turns[-1].role != "assistant")


def beginnings(links: Iterable[Link], standing: Mapping[str, Link]) -> dict[str, Link]:
    """For each response the link that its conversation begins with: the oldest that is there, of the same user.

    ``standing`` holds, for responses of logs before, the link under whose name their conversation stands.
    """
    by_id = {one.response: one for one in links}
    found: dict[str, Link] = {}
    for one in by_id.values():
        path, seen = [one], {one.response}
        while not path[-1].begins and (before := by_id.get(path[-1].before)) and before.response not in seen:
            if path[-1].user_id_kind == before.user_id_kind == "real" and path[-1].user_id != before.user_id:
                break
            path.append(before)
            seen.add(before.response)
        first = standing.get(path[-1].before, path[-1]) if not path[-1].begins else path[-1]
        found[one.response] = first
    return found


def joined(rows: Sequence[Conversation]) -> Conversation:
    """The rows of one conversation as one, in whatever order they come: whole ones, and single requests.

    Where several requests go on from one response, the branch with most turns is the conversation, and of equal ones
    the latest.
    """
    whole = max((row for row in rows if len(row.chain) > 2), key=_reach, default=None)
    held = set(whole.chain[1:]) if whole else set[str]()
    single = {row.chain[1]: row for row in sorted(rows, key=_reach) if len(row.chain) == 2 and row.chain[1] not in held}
    after: dict[str, list[Conversation]] = {}
    for row in single.values():
        after.setdefault(row.chain[0], []).append(row)
    named = rows[0].conversation_id
    if named in after or (whole and whole.chain[0] == named):
        path = sorted(after.get(named, ()), key=lambda row: (row.created_at or "", row.chain[1]))
    elif whole:
        path = _longest(whole.chain[-1], after)
    else:
        starts = [before for before in after if before not in single]
        path = max((_longest(before, after) for before in sorted(starts)), key=_weight, default=[])
    parts = [*([whole] if whole else []), *path] or [max(rows, key=_reach)]
    first = parts[0]
    turns = first.turns
    for part in parts[1:]:
        said = [(turn.role, turn.content) for turn in part.turns]
        goes_on = said[: len(turns)] == [(turn.role, turn.content) for turn in turns]
        turns = part.turns if goes_on else (*turns, *part.turns)
    left = len(single) - len(parts) + (whole is not None)
    told = {change for part in parts for change in part.changes if not change.startswith(BRANCHED)}
    told |= {f"{BRANCHED}{left}"} if left else set()
    told |= {MISSING} if first.chain[0] not in ("", named) else set()
    return replace(
        first,
        turns=turns,
        chain=(first.chain[0], *(name for part in parts for name in part.chain[1:])),
        changes=tuple(sorted(told)),
        toxic=any(part.toxic for part in parts),
        redacted=any(part.redacted for part in parts),
    )


def _longest(before: str, after: Mapping[str, Sequence[Conversation]]) -> list[Conversation]:
    """The requests that go on from a response, along the longest branch."""
    best: dict[str, list[Conversation]] = {}
    order, seen = [before], {before}
    for name in order:
        new = [row.chain[1] for row in after.get(name, ()) if row.chain[1] not in seen]
        order += new
        seen |= set(new)
    for name in reversed(order):
        paths = ([row, *best.get(row.chain[1], [])] for row in after.get(name, ()))
        best[name] = max(paths, key=_weight, default=[])
    return best[before]


def _weight(path: Sequence[Conversation]) -> tuple[int, str, str]:
    last = path[-1] if path else None
    return len(path), (last.created_at or "") if last else "", last.chain[1] if last else ""


def _reach(row: Conversation) -> tuple[int, str, str]:
    return len(row.turns), row.created_at or "", row.chain[-1]
