"""Kinds of users, by what their personas ask for: what most gain may be paid for by one kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def kinds_of(users: Mapping[str, Collection[str]], at_least: int) -> dict[str, frozenset[str]]:
    """Groups of users by what their personas say, where so many say it: for guards by kind of persona."""
    groups: dict[str, set[str]] = {}
    for user, kinds in users.items():
        for kind in kinds:
            groups.setdefault(kind, set()).add(user)
    return {kind: frozenset(found) for kind, found in sorted(groups.items()) if len(found) >= at_least}
