"""OASST message trees: one conversation along the replies that people ranked best."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rlhi.collect.formats.fields import Row, mapping, moment, number, rows_in, text
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import identity
from rlhi.collect.formats.turns import Dialogue, role_of
from rlhi.contracts import Conversation, Signal, Turn
from rlhi.contracts.thoughts import Parted, parted


def is_oasst(row: Row) -> bool:
    """A tree with its root. Files of single messages (``parent_id``) are not read: a message is no conversation."""
    return "message_tree_id" in row and isinstance(row.get("prompt"), Mapping)


def oasst(row: Row) -> Conversation:
    """The path of rank 0. An answer that was ranked above another carries the choice, with the next best as the other.

    The ranks are volunteers', the user is the author of the first message alone: nobody else in the tree is.
    """
    root = mapping(row, "prompt")
    turns: list[Turn] = []
    node: Row | None = root
    choice: tuple[Signal, ...] = ()
    while node is not None:
        role = role_of(node, len(turns))
        said = text(node, "text")
        if role is None or said is None:
            raise ValueError(f"turn {len(turns) + 1} has no text")
        signals = choice if role == "assistant" else ()
        answer = parted(said) if role == "assistant" else Parted("", said)
        told = moment(node, "created_date"), text(node, "model_name"), signals
        turns.append(Turn(role, answer.answer, *told, answer.thought))
        node, choice = _best(rows_in(node.get("replies")) or [])
    return conversation(
        "oasst",
        Dialogue(tuple(turns)),
        conversation_id=identity(row, "message_tree_id"),
        user_id=identity(root, "user_id"),
        kind="real_root_only",
        created_at=moment(root, "created_date"),
        language=text(root, "lang"),
    )


def _best(replies: list[Row]) -> tuple[Row | None, tuple[Signal, ...]]:
    """The reply of the lowest rank, and its preference to the next where both have ranks."""
    standing = [one for one in replies if one.get("deleted") is not True and text(one, "text")]
    if not standing:
        return None, ()
    best, *others = sorted(standing, key=_rank)
    if others and _rank(best) < _rank(others[0]) < math.inf:
        return best, (Signal("choice", 1.0, text(others[0], "text") or ""),)
    return best, ()


def _rank(reply: Row) -> float:
    rank = number(reply, "rank")
    return math.inf if rank is None else rank
