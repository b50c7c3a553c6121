"""What a row holds and nobody can read: noted while it is read, so that its reader can say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

Kind = Literal["time", "id"]

KINDS: tuple[Kind, ...] = get_args(Kind)

_noted: ContextVar[set[Kind] | None] = ContextVar("rlhi_unread", default=None)


def note(kind: Kind) -> None:
    """A value of this kind is there and says nothing: a time that is none, an id that is none."""
    noted = _noted.get()
    if noted is not None:
        noted.add(kind)


@contextmanager
def noting() -> Iterator[set[Kind]]:
    """The kinds of values that the code inside could not read."""
    found: set[Kind] = set()
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def unread_of(kind: Kind) -> str:
    """How a conversation says it among its ``changes``."""
    return f"{kind} unread"
