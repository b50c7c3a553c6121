"""Where logs lie: a file, a folder, standard input, or any address that fsspec knows (``s3://``, ``gs://``, ``hf://``).

This module alone of its wing reads from the network and from standard input, and the stage that lands logs alone calls
it: readers only ever see a file on this machine.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

from rlhi.collect.formats import LogError
from rlhi.collect.formats.wrapped import is_beside

if TYPE_CHECKING:
    import fsspec

STDIN = "-"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One log. ``name`` is what people know it by: a path inside the folder that was given, else the file's name.

    ``address`` is a path on this machine, an fsspec address, or ``-``.
    """

    name: str
    address: str

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The log as a file on this machine, for as long as the block lasts; what is far is copied in chunks.

        Raises:
            LogError: it cannot be read.
        """
        if self.address != STDIN and not is_remote(self.address):
            yield Path(self.address)
            return
        with tempfile.TemporaryDirectory(prefix="rlhi-log-") as folder:
            path = Path(folder) / "log"
            with path.open("wb") as file:
                _copy(self.address, file)
            yield path


def is_remote(address: str) -> bool:
    """Whether an address is fsspec's to read.

    >>> is_remote("s3://bucket/log.jsonl"), is_remote("logs/may.jsonl"), is_remote("-")
    (True, False, False)
    """
    return "://" in address


def expand(address: str) -> list[Source]:
    """The logs at an address, in the order of their names; a folder's are those of its folders too.

    Hidden files and what Hugging Face keeps beside a data set's files are left out. A file that is no log is not told
    apart here: its reader refuses it by name.

    Raises:
        LogError: there is nothing there, or the address needs a package that is not installed.
    """
    if address == STDIN:
        return [Source(STDIN, STDIN)]
    if is_remote(address):
        return _expand_remote(address)
    path = Path(address)
    if not path.is_dir():
        return [Source(path.name, address)]
    files = {str(file.relative_to(path)): file for file in path.rglob("*") if file.is_file()}
    return [Source(name, str(files[name])) for name in _logs(files, address)]


def shown(address: str) -> str:
    """An address for people: without a password in it, and without the signature of a link.

    >>> shown("https://ann:secret@example.org/logs/may.jsonl?X-Signature=abc")
    'https://example.org/logs/may.jsonl'
    """
    return re.sub(r"//[^/@\s]*@", "//", address).split("?")[0] if is_remote(address) else address


def _expand_remote(address: str) -> list[Source]:
    with _told(address):
        system, path = _open(address)
        # A chain of protocols (``zip://a.jsonl::s3://...``) names one file.
        folder = "::" not in address and "*" not in path and system.isdir(path)
        if not folder and "*" not in path:
            return [Source(PurePosixPath(urlsplit(path).path).name or shown(address), address)]
        root = path.rstrip("/") if folder else path.partition("*")[0].rpartition("/")[0]
        found = map(str, system.find(path) if folder else system.glob(path))
        files = {file.removeprefix(root).lstrip("/"): system.unstrip_protocol(file) for file in found}
    return [Source(name, files[name]) for name in _logs(files, address)]


def _logs(names: Iterable[str], address: str) -> list[str]:
    """The names among them that may be logs, in order."""
    found = sorted(name for name in names if not is_beside(name))
    if not found:
        raise LogError(f"{shown(address)}: no log in it")
    return found


def _copy(address: str, file: IO[bytes]) -> None:
    if address == STDIN:
        shutil.copyfileobj(sys.stdin.buffer, file, CHUNK_BYTES)
        return
    with _told(address):
        system, path = _open(address)
        with system.open(path, "rb") as far:
            shutil.copyfileobj(cast("IO[bytes]", far), file, CHUNK_BYTES)


def _open(address: str) -> tuple[fsspec.AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    return system, str(path)


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Whatever a protocol's own client raises, as one line that says where."""
    try:
        yield
    except LogError:
        raise
    except ImportError as error:
        raise LogError(f"{shown(address)}: a package is missing: {error}") from None
    except FileNotFoundError:
        raise LogError(f"{shown(address)}: no such file or folder") from None
    except Exception as error:  # botocore, aiohttp and their like share no base class
        said = " ".join(str(error).split())[:200].replace(address, shown(address))
        raise LogError(f"{shown(address)}: {said or type(error).__name__}") from None
