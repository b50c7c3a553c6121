"""What the stage `ingest` remembers of each row of `data/conversations` in a few numbers.

One file for each file of the table, in `.rlhi/index/VERSION`, named like it. They are a cache: a missing one is made
again from the rows.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from rlhi.collect.clean.duplicates import BANDS, Signatures, bands, first_of_cluster, hash64, places_of_repeated
from rlhi.collect.clean.templates import skeleton
from rlhi.contracts import Conversation
from rlhi.workspace.store import Workspace, read_file, read_manifest, user_hash, write_atomic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = ".rlhi/index"
KEPT, TEMPLATE = 0, 1
UNDATED, LAST = 2**62, 2**63 - 1
# What is cached hangs on how it is computed: signatures, skeletons, names. Another way of it wants another number.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Index:
    """N rows, all arrays aligned.

    ``marks`` tell why a row is set aside: ``KEPT``, ``TEMPLATE``, or the name of the row that it repeats.
    """

    names: NDArray[np.uint64]
    users: NDArray[np.uint64]
    known: NDArray[np.bool_]
    moments: NDArray[np.int64]
    bands: NDArray[np.uint64]
    skeletons: NDArray[np.uint64]
    marks: NDArray[np.uint64]

    @classmethod
    def of(cls, rows: Sequence[Conversation]) -> Index:
        """The index of rows."""
        import numpy as np

        def column(values: Iterable[int]) -> NDArray[np.uint64]:
            return np.fromiter(values, dtype=np.uint64, count=len(rows))

        return cls(
            names=column(name_of(row.user_id, row.conversation_id) for row in rows),
            users=column(user_hash(row.user_id) for row in rows),
            known=np.fromiter((row.has_user for row in rows), dtype=np.bool_, count=len(rows)),
            moments=np.fromiter((_moment(row) for row in rows), dtype=np.int64, count=len(rows)),
            bands=bands(rows),
            skeletons=column(hash64(text) if (text := skeleton(row)) else 0 for row in rows),
            marks=column(mark_of(row.set_aside) for row in rows),
        )

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.names)

    def take(self, places: NDArray[np.int64]) -> Index:
        """These rows."""
        return Index(*(getattr(self, field.name)[places] for field in fields(self)))

    def latest(self) -> Index:
        """Of rows of one name the last; the order of the others stays."""
        import numpy as np

        places = places_of_repeated(self.names)
        if not len(places):
            return self
        _, last = np.unique(self.names[places][::-1], return_index=True)
        kept = np.ones(self.size, dtype=np.bool_)
        kept[places] = False
        kept[places[len(places) - 1 - last]] = True
        return self.take(np.flatnonzero(kept))

    def marked(self, repeats: int) -> NDArray[np.uint64]:
        """Why each row is to be set aside: a function of the set of rows.

        Args:
            repeats: a first message that more than this many rows share, but for numbers and quotes, is a template's.
        """
        import numpy as np

        _, group, count = np.unique(self.skeletons, return_inverse=True, return_counts=True)
        template = (self.skeletons != 0) & (count[group] > repeats)
        # A template's row comes last in its cluster: first, it would take all the others with it.
        moments = np.where(template, LAST, self.moments)
        first = first_of_cluster(Signatures(self.names, moments, self.bands))
        marks = np.where(first == np.arange(self.size), np.uint64(KEPT), self.names[first])
        return np.where(template, np.uint64(TEMPLATE), marks)

    def packed(self) -> list[bytes]:
        """The arrays as bytes, for :meth:`unpacked`."""
        return [getattr(self, field.name).tobytes() for field in fields(self)]

    @classmethod
    def unpacked(cls, parts: Sequence[bytes]) -> Index:
        """The inverse of :meth:`packed`."""
        import numpy as np

        names, users, known, moments, bands, skeletons, marks = parts
        whole = np.uint64
        return cls(
            np.frombuffer(names, whole), np.frombuffer(users, whole), np.frombuffer(known, np.bool_),
            np.frombuffer(moments, np.int64), np.frombuffer(bands, whole).reshape(-1, BANDS),
            np.frombuffer(skeletons, whole), np.frombuffer(marks, whole),
        )  # fmt: skip

    def only(self, names: Collection[int]) -> Index:
        """The rows of these names."""
        import numpy as np

        wanted = np.fromiter(names, dtype=np.uint64, count=len(names))
        return self.take(np.flatnonzero(np.isin(self.names, wanted)))

    def with_marks(self, marks: Mapping[int, int]) -> Index:
        """The same rows with these marks by name; ``KEPT`` for the rest."""
        import numpy as np

        column = np.fromiter((marks.get(name, KEPT) for name in self.names.tolist()), np.uint64, count=self.size)
        return replace(self, marks=column)

    def figures(self) -> dict[str, int]:
        """Rows, users known by an id, rows without one, rows set aside."""
        import numpy as np

        users = np.sort(self.users[self.known])
        return {
            "conversations": self.size,
            "users": len(users) and 1 + int((users[1:] != users[:-1]).sum()),
            "anonymous": int((~self.known).sum()),
            "set aside": int((self.marks != KEPT).sum()),
        }

    @classmethod
    def load(cls, path: Path) -> Index:
        """The index of a file."""
        import numpy as np

        with np.load(path) as arrays:
            return cls(*(arrays[field.name] for field in fields(cls)))

    def save(self, path: Path) -> None:
        """Write the index of a file."""
        import numpy as np

        sink = io.BytesIO()
        np.savez(sink, **{field.name: getattr(self, field.name) for field in fields(self)})
        write_atomic(path, sink.getvalue(), sync=False)  # a cache, whose check sums tell when it is torn


def name_of(user_id: str, conversation_id: str) -> int:
    """A row's name as 64 bits: the user with the conversation, for some public logs give one id to two users."""
    return hash64(f"{user_id}\0{conversation_id}")


def mark_of(set_aside: str) -> int:
    """The mark that a row carries."""
    if not set_aside:
        return KEPT
    return TEMPLATE if set_aside == "template" else int(set_aside.rpartition(" ")[2], 16)


def reason_of(mark: int) -> str:
    """A mark as :attr:`Conversation.set_aside` says it."""
    return {KEPT: "", TEMPLATE: "template"}.get(mark, f"duplicate of {mark:016x}")


def joined(parts: Sequence[Index]) -> Index:
    """Several indexes as one, in their order."""
    import numpy as np

    every = parts or [Index.of([])]
    return Index(*(np.concatenate([getattr(part, field.name) for part in every]) for field in fields(Index)))


def index_path(space: Workspace, file: str) -> Path:
    """Where the index of a file of the table lies."""
    return space.path(f"{FOLDER}/{VERSION}/{file}").with_suffix(".npz")


def file_index(space: Workspace, file: str) -> Index:
    """The index of one file of the table."""
    path = index_path(space, file)
    with suppress(OSError, EOFError, KeyError, ValueError, BadZipFile):  # missing, or torn when the machine went down
        return Index.load(path)
    Index.of(read_file(space.path("data/conversations") / file, Conversation)).save(path)
    return Index.load(path)


def read_index(space: Workspace) -> Index:
    """The index of the whole table, one entry a row that holds."""
    files = (read_manifest(space.path("data/conversations")) or {}).get("files")
    names = sorted(files) if isinstance(files, dict) else []
    return joined([file_index(space, name) for name in names]).latest()


def forget_stale(space: Workspace, files: Iterable[str]) -> None:
    """Remove the indexes of files that the table no longer has, and those of other versions."""
    wanted = {index_path(space, name) for name in files}
    for path in space.path(FOLDER).rglob("*.npz"):
        if path not in wanted:
            path.unlink()


def _moment(row: Conversation) -> int:
    """Seconds since 1970; what has no time comes after what has."""
    try:
        return int(datetime.fromisoformat(row.created_at).timestamp()) if row.created_at else UNDATED
    except ValueError:
        return UNDATED
