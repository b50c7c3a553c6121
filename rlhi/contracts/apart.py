"""Names of conversations that share an id and are not one: ids that begin anew in each export, and those of nobody.

The first of such conversations has the id of the log; each other one has it with :data:`MARK` and the key of its
first exchange. A conversation without a user has an anonymous one of its own, named by the conversation's id. Rows of
one id lie together whoever their anonymous users are, so that they can be told apart: :func:`neighbourhood`.
"""

from __future__ import annotations

import re

from rlhi.contracts.codec import content_key

MARK = "~"
ID = re.compile(rf"(.+){MARK}([0-9a-f]{{16}})", re.DOTALL)
ANONYMOUS = "anonymous-"
USER = re.compile(rf"({ANONYMOUS}[0-9a-f]{{16}})-[0-9a-f]{{16}}")


def told_apart(conversation_id: str, key: str) -> str:
    """The id of one of several conversations of an id, by the key of its first exchange."""
    return f"{conversation_id}{MARK}{key}"


def shared_id(conversation_id: str) -> tuple[str, str]:
    """An id as the log has it, and the key that it was told apart by; empty where it was not.

    >>> shared_id("7~0123456789abcdef"), shared_id("7")
    (('7', '0123456789abcdef'), ('7', ''))
    """
    found = ID.fullmatch(conversation_id) if MARK in conversation_id else None
    return (found[1], found[2]) if found else (conversation_id, "")


def anonymous(conversation_id: str) -> str:
    """The user of a conversation whose user nobody named: no other conversation has the same."""
    shared, key = shared_id(conversation_id)
    name = f"{ANONYMOUS}{content_key(shared)}"
    return f"{name}-{key}" if key else name


def neighbourhood(user_id: str) -> str:
    """What of a user's name says where the rows lie: anonymous users of one conversation id are neighbours."""
    found = USER.fullmatch(user_id) if user_id.startswith(ANONYMOUS) else None
    return found[1] if found else user_id
