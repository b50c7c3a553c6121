"""Marks in rows of their own, as scores beside traces: they come to the answers that they are of, wherever these lie.

A block tells its marks, and the ids under which its rows may be marked. Once all blocks of a landing are read, the logs
that hold what is marked are read once more, with the marks. Of the logs of former landings the hashes of both are
remembered: where a mark comes in one landing and its answer in another, all logs are read as one.
"""

from __future__ import annotations

import io
import marshal
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rlhi.collect.clean.duplicates import hash64
from rlhi.collect.formats.marks import Mark
from rlhi.contracts import Signal, content_key
from rlhi.workspace.store import Workspace, write_atomic

MEMORY = ".rlhi/marked.npz"


@dataclass(frozen=True, slots=True)
class Marked:
    """The hashes of ids that some logs hold marks of, and of those that their rows may be marked under."""

    marks: frozenset[int]
    markable: frozenset[int]

    @classmethod
    def of(cls, marks: Iterable[Mark], markable: Iterable[int]) -> Marked:
        """The hashes of these."""
        return cls(frozenset(hash64(one.of) for one in marks if one.signals), frozenset(markable))

    def meets(self, before: Marked) -> bool:
        """Whether one of two landings holds marks of what the other has."""
        return bool(self.marks & before.markable or (self.markable - before.markable) & before.marks)

    def __or__(self, other: Marked) -> Marked:
        return Marked(self.marks | other.marks, self.markable | other.markable)


NOTHING = Marked(frozenset(), frozenset())


def remembered(space: Workspace, digests: Collection[str]) -> Marked | None:
    """What the logs that were read before hold; None where nobody remembers."""
    if not digests:
        return NOTHING
    held = _memory(space)
    if held is None:
        return None
    named = digests & held.keys()
    return Marked(
        frozenset(one for name in named for one in held[name].marks),
        frozenset(one for name in named for one in held[name].markable),
    )


def remember(space: Workspace, logs: Mapping[str, Marked], before: Collection[str]) -> None:
    """Keep the hashes of these logs, and of those that were read ``before``."""
    held = {name: one for name, one in (_memory(space) or {}).items() if name in before}
    arrays = {
        f"{name}-{what}": np.array(sorted(getattr(one, what)), dtype=np.uint64)
        for name, one in sorted({**held, **logs}.items())
        for what in ("marks", "markable")
        if one != NOTHING
    }
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    write_atomic(space.path(MEMORY), file.getvalue())


def _memory(space: Workspace) -> dict[str, Marked] | None:
    try:
        with np.load(space.path(MEMORY), allow_pickle=False) as file:
            held = {name: frozenset(file[name].tolist()) for name in file.files}
    except (OSError, ValueError):
        return None
    names = {name.rpartition("-")[0] for name in held}
    return {name: Marked(held[f"{name}-marks"], held[f"{name}-markable"]) for name in names}


def write_marks(folder: Path, marks: Iterable[Mark]) -> Path:
    """Marks as workers find them, by what they are of, in a file that is named by what it holds."""
    by_id: dict[str, list[tuple[str, float, str]]] = {}
    for mark in marks:
        told = [(one.kind, one.value, one.text) for one in mark.signals]
        by_id.setdefault(mark.of, []).extend(one for one in told if one not in by_id.get(mark.of, ()))
    path = folder / f"marks-{content_key(by_id)}"
    path.write_bytes(marshal.dumps(by_id))
    return path


@lru_cache(maxsize=2)
def marks_at(path: Path) -> Mapping[str, tuple[Signal, ...]]:
    """The marks of a file that :func:`write_marks` wrote."""
    held: dict[str, list[Any]] = marshal.loads(path.read_bytes())
    return {name: tuple(Signal(*one) for one in told) for name, told in held.items()}
