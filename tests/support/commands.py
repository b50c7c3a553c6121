"""The commands that a user types, as processes of their own."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path

RLHI = [str(Path(sys.executable).parent / "rlhi")]


def rlhi(*arguments: object, limit: int | None = None, seconds: int = 900) -> subprocess.CompletedProcess[str]:
    """Run a command; ``limit`` bounds the size of files it may write, as a full disk would."""
    return subprocess.run(
        [*RLHI, *map(str, arguments)], capture_output=True, text=True, timeout=seconds,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of an error; a traceback fails the test."""
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("rlhi: "), done.stderr
    return lines[0]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
