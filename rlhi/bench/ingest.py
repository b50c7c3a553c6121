"""How fast a log of any size is taken in, and what one per cent more costs.

The log is written by a seeded generator: conversations of real lengths in words of this project's own requests, many
users, a share of near copies, of exports that grew, of personal data and of broken lines. ``bench ingest`` reads it
with the stage `ingest` and with a datatrove pipeline over the same rows on the same cores; ``bench increment`` then
lands one per cent more.

    rlhi bench ingest [--rows N] [--baseline-rows N] [--json]
    rlhi bench increment [--rows N] [--json]

The baseline takes hours for a million rows. It then reads as many rows of the same kind as ``--baseline-rows`` says,
and the rates are compared. What is on disk at once: the logs, their landed copy, and the rows on their way into the
table or the table, about five times the logs' size.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random

from rlhi.bench.figure import figure
from rlhi.config import IngestConfig
from rlhi.simulate.requests import conversation_requests
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import ingest
from rlhi.workspace.store import Workspace

COPIES, GROWN, PERSONAL, BROKEN = 0.03, 0.02, 0.02, 0.001
SHARE = 0.01
FILES = 8  # datatrove spreads files over its workers


@dataclass(frozen=True, slots=True)
class Taken:
    """One way of taking a log in: seconds on the clock and of all cores, peak memory of all its processes in GB,
    shared pages once."""

    way: str
    rows: int
    seconds: float
    cpu: float
    memory: float
    kept: int

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


@dataclass(frozen=True, slots=True)
class IngestBench:
    """Ours beside datatrove's, on one log of ``megabytes``."""

    megabytes: float
    ours: Taken
    baseline: Taken

    @property
    def ratio(self) -> float:
        """How many times as many conversations a second."""
        return self.ours.rate / self.baseline.rate

    def record(self) -> dict[str, object]:
        """All of it for a program."""
        rate = self.ours.rate
        return figure("ingest", "conversations a second", rate, self.baseline.rate, [rate]) | {"taken": asdict(self)}


@dataclass(frozen=True, slots=True)
class IncrementBench:
    """What one per cent more costs, as a share of the whole's time."""

    whole: Taken
    increment: Taken

    @property
    def ratio(self) -> float:
        """The increment's time over the whole's."""
        return self.increment.seconds / self.whole.seconds

    def record(self) -> dict[str, object]:
        """All of it for a program; the baseline is the whole."""
        took = self.increment.seconds
        return figure("increment", "seconds", took, self.whole.seconds, [took]) | {"taken": asdict(self)}


def bench_ingest(rows: int, baseline_rows: int, as_json: bool) -> str:
    """The table, or JSON."""
    from rlhi.bench.datatrove_pipeline import run_pipeline

    fewer = min(rows, baseline_rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = write_logs(folder / "logs", fewer, seed=0)
        baseline = measured("datatrove", fewer, run_pipeline, logs, folder / "datatrove")
        shutil.rmtree(folder / "datatrove")
        if fewer < rows:
            shutil.rmtree(logs)
            logs = write_logs(folder / "logs", rows, seed=0)
        ours = measured("rlhi", rows, take_in, folder / "w", logs)
        size = sum(log.stat().st_size for log in logs.iterdir()) / 1e6
        found = IngestBench(size, ours, baseline)
    if as_json:
        return json.dumps(found.record())
    lines = [f"{rows:,} rows, {found.megabytes:,.0f} MB, {os.cpu_count()} cores"]
    lines += [_line(one) for one in (found.ours, found.baseline)]
    if fewer < rows:
        lines.append(f"datatrove read {fewer:,} such rows; all would take it {rows / baseline.rate / 60:,.0f} min")
    lines.append(f"ratio {found.ratio:.2f}x")
    return "\n".join(lines)


def bench_increment(rows: int, as_json: bool) -> str:
    """The table, or JSON."""
    more = max(1, int(rows * SHARE))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = measured("the whole", rows, take_in, folder / "w", write_logs(folder / "logs", rows, seed=0))
        added = write_logs(folder / "more", more, seed=1)
        increment = measured("one per cent more", more, take_in, folder / "w", added)
        found = IncrementBench(whole, increment)
    if as_json:
        return json.dumps(found.record())
    return "\n".join([_line(found.whole), _line(found.increment), f"ratio {found.ratio:.4f} of the whole's time"])


def _line(one: Taken) -> str:
    return (
        f"{one.way:18} {one.seconds:9.1f} s {one.rate:9,.0f} conversations/s {one.cpu:9.1f} s of cores "
        f"{one.memory:6.2f} GB at most, {one.kept:,} kept"
    )


def take_in(root: Path, logs: Path) -> int:
    """Land the logs of a folder and ingest them; the conversations that are learned from."""
    space = Workspace(root)
    landing = incoming.next_landing(space)
    for log in sorted(logs.iterdir()):
        incoming.land(space, log, 1, landing)
    counts = ingest(space, ingest=IngestConfig()).counts
    return int(counts["conversations"]) - int(counts["set aside"])


def write_logs(folder: Path, rows: int, seed: int) -> Path:
    """Logs of ``rows`` lines together, in the platform's own format: the same bytes for the same seed."""
    random = Random(seed)
    words = sorted({word for request in conversation_requests() for word in request.split()})
    weights = list(accumulate(1 / (at + 10) for at in range(len(words))))
    recent: list[dict[str, object]] = []
    folder.mkdir(parents=True)
    for part in range(FILES):
        with (folder / f"{part}.jsonl").open("w", encoding="utf-8") as file:
            for at in range(part, rows, FILES):
                if random.random() < BROKEN:
                    file.write('{"conversation_id": "broken\n')
                else:
                    file.write(json.dumps(_row(random, words, weights, f"{seed}-{at}", rows, recent)) + "\n")
    return folder


def _row(
    random: Random, words: list[str], weights: list[float], name: str, rows: int, recent: list[dict[str, object]]
) -> dict[str, object]:
    def text(count: int) -> str:
        return " ".join(random.choices(words, cum_weights=weights, k=count))

    draw = random.random()
    if recent and draw < COPIES:
        return {**random.choice(recent), "conversation_id": name, "user_id": f"user-{random.randrange(rows // 5 + 1)}"}
    if recent and draw < COPIES + GROWN:
        old = random.choice(recent)
        turns = old["turns"]
        assert isinstance(turns, list)
        return {**old, "turns": [*turns, {"role": "user", "content": text(12)}]}
    said: list[dict[str, str]] = []
    for _ in range(random.choice((1, 1, 2, 3))):
        said += [
            {"role": "user", "content": text(random.randint(5, 40))},
            {"role": "assistant", "content": text(random.randint(20, 160))},
        ]
    if random.random() < PERSONAL:
        said[0]["content"] += f" write to {random.choice(words)}.{random.randrange(10**6)}@mail.test or +1 415 555 0132"
    row: dict[str, object] = {
        "conversation_id": name, "user_id": f"user-{random.randrange(rows // 5 + 1)}", "user_id_kind": "real",
        "created_at": f"2026-01-{random.randint(1, 28):02d}T{random.randrange(24):02d}:00:00Z", "turns": said,
    }  # fmt: skip
    recent.append(row)
    if len(recent) > 1000:
        del recent[:500]
    return row


def measured(way: str, rows: int, work: Callable[[Path, Path], int], one: Path, other: Path) -> Taken:
    """Run ``work(one, other)`` in a process of its own and watch it: time and memory of it and its children."""
    queue: multiprocessing.Queue[int] = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(queue, work, one, other))
    began = time.perf_counter()
    process.start()
    with _watched(process.pid or 0) as use:
        process.join()
    if process.exitcode:
        raise RuntimeError(f"{way} ended with code {process.exitcode}: its error is above")
    seconds = time.perf_counter() - began
    return Taken(way, rows, seconds, sum(use.cpu.values()), use.memory / 1e9, queue.get())


def _answer(queue: multiprocessing.Queue[int], work: Callable[[Path, Path], int], one: Path, other: Path) -> None:
    queue.put(work(one, other))


@dataclass(slots=True)
class _Use:
    """What a process tree used: bytes at most, and seconds of cores by process."""

    memory: int = 0
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)


def _memory(pid: int) -> int:
    """Bytes of one process, its share of shared pages; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@contextmanager
def _watched(pid: int) -> Iterator[_Use]:
    """Look at a process tree ten times a second: servers that fork workers do not tell what those used.

    Memory is looked at twice a second. A page that several processes share counts once (its proportional set size).
    """
    import psutil

    use, done = _Use(), threading.Event()

    def watch() -> None:
        looks = 0
        while not done.wait(0.1):
            memory, looks = 0, looks + 1
            try:
                root = psutil.Process(pid)
                for one in [root, *root.children(recursive=True)]:
                    with suppress(psutil.Error):  # it ended meanwhile
                        times = one.cpu_times()
                        use.cpu[one.pid, one.create_time()] = times.user + times.system
                        memory += _memory(one.pid) if looks % 5 == 1 else 0
            except psutil.Error:
                continue
            use.memory = max(use.memory, memory)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield use
    finally:
        done.set()
        thread.join()
