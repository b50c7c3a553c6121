"""Child processes that end with their parent, also when it is killed.

A child is started as ``python -m rlhi.orchestrate.children MODULE ARGUMENTS...``: it runs the module and watches its
standard input, a pipe that the parent holds open and never writes to. The end of the pipe is the end of the parent.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 10.0

Child = subprocess.Popen[bytes]


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
    """Start ``python -m COMMAND`` in a process group of its own; what it prints goes to ``log``, made anew."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "rlhi.orchestrate.children", *command],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(children: Iterable[Child]) -> None:
    """Terminate the children and all that they started, wait, and kill what is left."""
    live = [child for child in children if child.poll() is None]
    _end([child.pid for child in live])
    for child in live:
        child.wait()


def _end(roots: Iterable[int], spare: frozenset[int] = frozenset()) -> None:
    import psutil

    found: dict[int, psutil.Process] = {}
    for pid in roots:
        try:
            root = psutil.Process(pid)
            found |= {one.pid: one for one in (*root.children(recursive=True), root) if one.pid not in spare}
        except psutil.NoSuchProcess:
            continue
    left = list(found.values())
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            try:
                send(process)
            except psutil.NoSuchProcess:
                continue
        left = psutil.wait_procs(left, timeout=STOP_SECONDS)[1]


def _watch(leash: int) -> None:
    while os.read(leash, 1024):
        pass
    _end([os.getpid()], frozenset([os.getpid()]))
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run a module on a leash."""
    leash = os.dup(0)
    # The module gets an empty standard input, so that nothing it starts can read from the leash.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    threading.Thread(target=_watch, args=(leash,), daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
