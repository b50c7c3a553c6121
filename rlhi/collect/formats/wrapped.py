"""What wraps a log: compression and archives, told by their first bytes and read as streams, never unpacked first."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, cast

from rlhi.collect.formats.record import Damage

CHUNK_BYTES = 1 << 18
DEPTH = 4  # a tar in a gzip in a zip: whoever wraps more wants to break the reader
# What is unpacked may be a gigabyte, or this many times the file: text is packed 5 to 100 times, a bomb over 1,000.
ROOM, TIMES = 1 << 30, 400
# What Hugging Face and archivers keep beside data: descriptions, and copies that `map` made of it.
BESIDE = re.compile(r"(dataset_infos?|dataset_dict|state)\.json|(README|LICENSE)(\.\w+)?|cache-.*\.arrow", re.I)
ZIP, TAR, TAR_AT = b"PK\x03\x04", b"ustar", 257
FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\x1f\x9d": "Z", b"PK\x05\x06": "empty zip",
    b"%PDF-": "PDF", b"SQLite format 3\0": "SQLite",
}  # fmt: skip
TROUBLE = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)


def _zstd(stream: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"))


def _lz4(stream: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "lz4"))


COMPRESSED: dict[bytes, tuple[str, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": ("gzip", lambda stream: cast("IO[bytes]", gzip.GzipFile(fileobj=stream))),
    b"BZh": ("bz2", lambda stream: cast("IO[bytes]", bz2.BZ2File(stream))),
    b"\xfd7zXZ\0": ("xz", lambda stream: cast("IO[bytes]", lzma.LZMAFile(stream))),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"\x04\x22\x4d\x18": ("lz4", _lz4),
}


@dataclass(slots=True)
class Part:
    """A log, or one of those that an archive holds: its name, its first bytes, and the bytes behind them.

    ``file`` is the log itself where nothing wraps it.
    """

    name: str
    first: bytes | Damage
    rest: Iterator[bytes | Damage]
    file: IO[bytes] | None = None

    def chunks(self) -> Iterator[bytes | Damage]:
        """All of it."""
        return chain([self.first], self.rest)


@dataclass(slots=True)
class _Room:
    """How much a file may still unpack to."""

    left: int

    def takes(self, chunk: bytes) -> bool:
        self.left -= len(chunk)
        return self.left >= 0


class _Stream:
    """A part as a file that is read once, from its beginning on; damage ends it with EOFError."""

    def __init__(self, part: Part) -> None:
        self._chunks = part.chunks()
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        parts, want = [self._held], size - len(self._held)
        while (size < 0 or want > 0) and (chunk := next(self._chunks, None)) is not None:
            if isinstance(chunk, Damage):
                raise EOFError(chunk.reason)
            parts.append(chunk)
            want -= len(chunk)
        whole = b"".join(parts)
        size = len(whole) if size < 0 else size
        self._held = whole[size:]
        return whole[:size]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    @property
    def closed(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held open."""

    def flush(self) -> None:
        """Nothing is written."""


def parts(path: Path, name: str, room: int = ROOM) -> Iterator[Part]:
    """The logs in a file: itself, unpacked, or what an archive holds. Each is to be read before the next is asked for.

    Whatever its size, a file may unpack to ``room`` bytes.

    Raises:
        OSError: the file cannot be opened.
    """
    with ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(path.open("rb"))
        left = _Room(max(room, TIMES * path.stat().st_size))
        first = raw.read(CHUNK_BYTES)
        yield from _unwrapped(Part(name, first, iter(lambda: raw.read(CHUNK_BYTES), b""), raw), DEPTH, left)


def _unwrapped(part: Part, depth: int, room: _Room) -> Iterator[Part]:
    first = part.first
    if isinstance(first, Damage):
        yield part
        return
    kind, opened = next((found for magic, found in COMPRESSED.items() if first.startswith(magic)), ("", None))
    if opened is None and first.startswith(ZIP):
        yield from _members(part, depth, room)
    elif opened is None and first[TAR_AT : TAR_AT + len(TAR)] == TAR:
        yield from _tarred(part, depth, room)
    elif foreign := next((kind for magic, kind in FOREIGN.items() if first.startswith(magic)), ""):
        yield _damaged(part.name, f"{foreign} is not read: unpack it, or export its rows")
    elif opened is None:
        yield part
    elif depth == 0:
        yield _damaged(part.name, "wrapped too many times")
    else:
        chunks = _chunks(lambda: opened(_source(part)), kind, room)
        yield from _unwrapped(Part(part.name, next(chunks, b""), chunks), depth - 1, room)


def _source(part: Part) -> IO[bytes]:
    if part.file is None:
        return cast("IO[bytes]", _Stream(part))
    part.file.seek(0)
    return part.file


def _chunks(open_: Callable[[], IO[bytes]], kind: str, room: _Room) -> Iterator[bytes | Damage]:
    """The bytes of a stream, and where they break off."""
    try:
        with open_() as stream:
            read1 = getattr(stream, "read1", stream.read)  # hands out what is there before it meets the damage
            size = CHUNK_BYTES if kind not in ("zstd", "lz4") else CHUNK_BYTES >> 4
            while chunk := bytes(read1(size)):
                if not room.takes(chunk):
                    yield Damage(f"unpacks to more than {TIMES} times its size, the rest is not read")
                    return
                yield chunk
    except (*TROUBLE, RuntimeError, zipfile.BadZipFile) as error:
        yield Damage(f"damaged {kind}, the rest cannot be read: {error}")


def _members(part: Part, depth: int, room: _Room) -> Iterator[Part]:
    if part.file is None or depth == 0:
        yield _damaged(part.name, "a zip inside of another file is not read: unpack the outer one")
        return
    try:
        archive = zipfile.ZipFile(part.file)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        yield _damaged(part.name, f"damaged zip: {error}")
        return
    for info in archive.infolist():
        name = member_name(part.name, info.filename)
        if info.is_dir() or is_beside(info.filename):
            continue
        if info.flag_bits & 1:
            yield _damaged(name, "encrypted: unpack it with its password")
            continue
        chunks = _chunks(lambda info=info: archive.open(info), "zip", room)  # type: ignore[misc]
        yield from _unwrapped(Part(name, next(chunks, b""), chunks), depth - 1, room)


def _tarred(part: Part, depth: int, room: _Room) -> Iterator[Part]:
    try:
        with tarfile.open(fileobj=_source(part), mode="r|") as archive:
            for info in archive:
                member = archive.extractfile(info) if info.isfile() and not is_beside(info.name) else None
                if member is not None:
                    chunks = _chunks(lambda member=member: member, "tar", room)  # type: ignore[misc]
                    inner = Part(member_name(part.name, info.name), next(chunks, b""), chunks)
                    yield from _unwrapped(inner, depth - 1, room)
    except (tarfile.TarError, *TROUBLE) as error:
        yield _damaged(part.name, f"damaged tar, the rest cannot be read: {error}")


def member_name(archive: str, member: str) -> str:
    """What an archive's member is called in the quarantine; names are anybody's, and stay in one line."""
    return f"{archive}/{''.join(sign if sign.isprintable() else '?' for sign in member)[:200]}"


def is_beside(name: str) -> bool:
    """Whether a file is hidden, or what is kept beside data and holds none."""
    names = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any(one.startswith((".", "__MACOSX")) and one not in (".", "..") for one in names)
    return hidden or not names or bool(BESIDE.fullmatch(names[-1]))


def _damaged(name: str, reason: str) -> Part:
    return Part(name, Damage(reason), iter(()))
