"""git, DVC and GTO as this package calls them: by argument lists, in one workspace, one writer at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rlhi.file_lock import locked
from rlhi.workspace.store import write_atomic

LOCK_SECONDS = 15
# All that DVC versions stays out of git, also before DVC first sees it.
IGNORED = ("/.rlhi/", "/data/?*/", "/models/?*/", "/reports/")
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


class LedgerError(RuntimeError):
    """A version cannot be written or found; the message is one line with the remedy."""


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Hold the ledger's lock; the system frees it when its holder dies."""
    if (root / ".dvc").is_dir():
        (root / ".rlhi").mkdir(exist_ok=True)  # a clone has none
    with locked(root / ".rlhi" / "ledger.lock"):
        _drop_dead_locks(root / ".git")
        _drop_dead_rwlock(root / ".dvc" / "tmp" / "rwlock")
        if (root / ".git").is_dir():
            prepare(root)
        yield


def prepare(root: Path) -> None:
    """Give a repository what a clone, or a workspace made before 2026-12, lacks.

    A name to commit by, and patterns of what git shall not hold that leave ``data/`` and ``models/`` themselves in
    sight. DVC's reader of such patterns takes ``/data/*/`` for the folder too, and then `dvc push`, `pull` and `gc`
    pass over every ``.dvc`` file in it.
    """
    # GTO reads nothing but these two; git itself prefers GIT_COMMITTER_NAME and its like, where they are set.
    for setting, value in (("user.name", "rlhi"), ("user.email", "rlhi@localhost")):
        if not git(root, "config", setting, check=False):
            git(root, "config", setting, value)
    file = root / ".gitignore"
    held = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines() if file.is_file() else []
    kept = [f"{line[:-2]}?*/" if line in ("/data/*/", "/models/*/") else line for line in held]
    kept += [line for line in IGNORED if line not in kept]
    if kept != held:
        write_atomic(file, "\n".join([*kept, ""]).encode("utf-8", "surrogateescape"))


def _drop_dead_locks(git: Path) -> None:
    """Remove git's lock files that a killed process left: nobody else writes here, so one that stays is dead."""
    for lock in (*git.glob("*.lock"), *git.glob("refs/**/*.lock")):
        while (age := _age(lock)) is not None and age < LOCK_SECONDS:
            time.sleep(0.2)
        lock.unlink(missing_ok=True)


def _drop_dead_rwlock(file: Path) -> None:
    """Remove DVC's list of readers and writers when it is torn or none of them lives: DVC would refuse ever after.

    A live one is a person's `dvc repro`, which has to be waited for.
    """
    if file.exists():
        try:
            holders = {int(pid) for pid in re.findall(r'"pid": ?(\d+)', json.dumps(json.loads(file.read_bytes())))}
        except ValueError:
            holders = set()
        if not any(map(_alive, holders)):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A killed process whose parent has not looked yet still answers to its number.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except PermissionError:
        return True
    except OSError:
        return False


def _age(path: Path) -> float | None:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None


def git(root: Path, *arguments: str, check: bool = True) -> str:
    """What git says; empty for a failure with ``check`` off. Raises LedgerError."""
    return _call(root, ["git", *arguments], check)


def tags(root: Path, pattern: str) -> list[str]:
    """The names of tags, by git's pattern."""
    return git(root, "tag", "--list", pattern).split()


def commits(root: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(revision, date, trailers) of every commit, the newest first; nothing before the first."""
    if not git(root, "rev-parse", "--verify", "--quiet", "HEAD", check=False):
        return
    for entry in git(root, "log", "--format=%H%x1f%aI%x1f%(trailers:only,unfold)%x1e").split("\x1e"):
        # Not strip(): to Python \x1f is white space, and a commit made by hand ends with it.
        if "\x1f" in entry:
            revision, date, lines = entry.strip("\n").split("\x1f")
            pairs = (line.split(": ", 1) for line in lines.splitlines() if ": " in line)
            yield revision, date, {name: value for name, value in pairs}


def number(tag: str) -> tuple[int, int, int]:
    """The version that a tag ends with, zeros for none."""
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)$", tag)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def dvc(root: Path, *arguments: str) -> str:
    """What DVC says; it waits for its lock. Raises LedgerError."""
    return _call(root, [str(Path(sys.executable).parent / "dvc"), "--wait-for-lock", *arguments])


def gto(root: Path, *arguments: str) -> str:
    """What GTO says. Raises LedgerError."""
    return _call(root, [str(Path(sys.executable).parent / "gto"), *arguments])


def _call(root: Path, command: list[str], check: bool = True) -> str:
    # In a git hook GIT_DIR and its like name another repository than this workspace.
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    environment |= {"DVC_NO_ANALYTICS": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LedgerError(f"{Path(command[0]).name} is not installed here: install it and run again") from None
    if check and done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        shown = " ".join(Path(command[0]).name if at == 0 else part for at, part in enumerate(command[:4]))
        # DVC says first what is wrong, in a line of its own, and then where; git says it last.
        cause = next((line for line in said if line.startswith("ERROR: ")), said[-1] if said else "")
        raise LedgerError(f"`{shown}` failed in {root}: {cause or f'code {done.returncode}'}")
    return done.stdout.strip()
