"""Conversations whose turns a server keeps: a request holds what is new, and the id of the response it goes on from.

OpenAI's Responses API keeps state so (``previous_response_id``), or under the id of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from rlhi.contracts import Conversation, Turn, UserKind

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
    log: str = ""

    @property
    def begins(self) -> bool:
        """Whether nothing comes before it, or a conversation that is named."""
        return self.before in ("", self.conversation_id)

    def may_follow(self, other: Link) -> bool:
        """Whether it can go on from another: nobody goes on from another user's response."""
        named = self.user_id_kind == other.user_id_kind == "real"
        return self.before == other.response and (not named or self.user_id == other.user_id)


def link(conversation: Conversation, log: str = "") -> Link | None:
    """The link that a row of a log is; None for a row that holds its history."""
    if len(conversation.chain) != 2:
        return None
    before, response = conversation.chain
    return Link(response, before, conversation.conversation_id, conversation.user_id, conversation.user_id_kind, log)


def waits(conversation: Conversation) -> bool:
    """Whether a row is a conversation only with those that it goes on from, or that go on from it."""
    found = link(conversation)
    return found is not None and (not found.begins or conversation.turns[-1].role != "assistant")


def beginnings(links: Iterable[Link], standing: Mapping[str, Sequence[Link]]) -> dict[Link, Link]:
    """For each link the one that its conversation begins with: the oldest that is there, of the same user.

    ``standing`` holds, for responses of logs before, the links under whose name their conversations stand.
    """
    by_id: dict[str, list[Link]] = {}
    for one in dict.fromkeys(links):
        by_id.setdefault(one.response, []).append(one)
    found: dict[Link, Link] = {}
    for one in (one for same in by_id.values() for one in same):
        path, seen = [one], {one}
        while not path[-1].begins and (before := _before(path[-1], by_id)) and before not in seen:
            path.append(before)
            seen.add(before)
        last = path[-1]
        found[one] = last if last.begins else _before(last, standing) or last
    return found


def _before(one: Link, by_id: Mapping[str, Sequence[Link]]) -> Link | None:
    """What a link goes on from: what its own log has, where ids begin anew; None where several might be meant."""
    held = [other for other in by_id.get(one.before, ()) if one.may_follow(other)]
    held = [other for other in held if other.log == one.log] or held
    return held[0] if len({(other.user_id, other.conversation_id) for other in held}) == 1 else None


def joined(rows: Sequence[Conversation]) -> Conversation:
    """The rows of one conversation as one, in whatever order they come: whole ones, and single requests.

    Where several requests go on from one response, the branch with most turns is the conversation, and of equal ones
    the latest. What a named conversation holds is in the order of time.
    """
    whole = max((row for row in rows if len(row.chain) > 2), key=_reach, default=None)
    held = set(whole.chain[1:]) if whole else set[str]()
    single = {row.chain[1]: row for row in sorted(rows, key=_reach) if len(row.chain) == 2 and row.chain[1] not in held}
    after: dict[str, list[Conversation]] = {}
    for row in single.values():
        after.setdefault(row.chain[0], []).append(row)
    named = rows[0].conversation_id
    in_time = named in after or (whole is not None and whole.chain[0] == named)
    if in_time:
        path = sorted(single.values(), key=lambda row: (row.created_at or "", row.chain[1]))
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
        turns = part.turns if goes_on else (*turns, *_new(part.turns, turns))
    left = len(single) - len(parts) + (whole is not None)
    told = {change for part in parts for change in part.changes if not change.startswith(BRANCHED)}
    told |= {f"{BRANCHED}{left}"} if left else set()
    told |= {MISSING} if first.chain[0] not in ("", named) else set()
    return replace(
        first,
        turns=_in_time(turns) if in_time else turns,
        chain=(first.chain[0], *(name for part in parts for name in part.chain[1:])),
        changes=tuple(sorted(told)),
        toxic=any(part.toxic for part in parts),
        redacted=any(part.redacted for part in parts),
    )


def _new(turns: Sequence[Turn], before: Sequence[Turn]) -> Sequence[Turn]:
    """The turns of a request without the instructions that it repeats: a server keeps all but these."""
    told = {turn.content for turn in before if turn.role == "system"}
    return [turn for turn in turns if turn.role != "system" or turn.content not in told]


def _in_time(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns in the order of their times; one without a time stays behind the turn before it."""
    times, last = list[str](), ""
    for turn in turns:
        last = turn.created_at or last
        times.append(last)
    return tuple(turn for _, turn in sorted(zip(times, turns, strict=True), key=itemgetter(0)))


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
