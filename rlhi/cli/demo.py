"""`rlhi demo`: cycles with simulated users, told as a story with a table at its end."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import yaml

from rlhi.bench.experiments.sizes import DEMO, TALK, TEXT, USERS, simulator
from rlhi.cli.cycle import improve
from rlhi.config.suites import SUITES, Shown, Suite
from rlhi.contracts import PAST, Interval, Measurement, Verdict
from rlhi.models.prepare import policy_path
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.simulator.recovery import Reading, readings
from rlhi.stages.simulator.talk import Talked, talk
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json


@dataclass(frozen=True, slots=True)
class DemoCycle:
    """One cycle of the demo, as the table shows it."""

    cycle: int
    minutes: float
    conversations: int
    pairs: int
    reward_accuracy: float
    longer_wins: float
    measured: tuple[Measurement, ...]
    drift: str
    verdict: Verdict
    champion: str
    reasons: tuple[str, ...]
    read: tuple[Reading, Reading]
    asked: str = ""
    budget: str = ""

    def of(self, suite: str) -> Measurement | None:
        """What one suite measured."""
        return next((one for one in self.measured if one.suite == suite), None)


def talked(root: Path, users: int, seed: int) -> str:
    """`rlhi simulate`: one round of talk; what to tell of it."""
    done = talk(root, simulator(users, seed), TALK)
    return f"{done.users} users, {done.conversations} conversations, {done.messages} messages: landed {done.log.name}"


def demo(root: Path, seed: int, cycles: int, as_json: bool) -> None:
    """Make a workspace and run the loop in it; prints the story, or JSON at the end."""
    start = time.monotonic()
    if not (root / ".dvc").is_dir():
        _tell(f"making the workspace {root.name}/ with SmolLM2-135M-Instruct as champion policy@v0.1.0")
        ledger.init(root, policy_path())
        _size(root, seed)
    told = []
    for number in range(len(ledger.history(root)) + 1, cycles + 1):
        told.append(_cycle(root, number, seed))
    if as_json:
        print(json.dumps([asdict(one) for one in told]))
    else:
        _table(told)
    page = root / "reports" / "index.html"
    memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
    _tell(f"{(time.monotonic() - start) / 60:.1f} minutes, {memory:.1f} GB of memory at most in one process")
    where = os.path.relpath(root)
    _tell(f"evidence page: {page}")
    _tell(f"what it says now, beside what it said before: rlhi --workspace {where} replies")
    _tell(f"these runs in the Prefect UI: rlhi --workspace {where} up")


def _cycle(root: Path, number: int, seed: int) -> DemoCycle:
    start = time.monotonic()
    _tell(f"cycle {number}: simulated users talk to policy@{ledger.champion(root)}")
    said: Talked | None = None
    if not (root / ".rlhi" / "simulated" / f"cycle-{number:04d}.jsonl.gz").exists():
        said = talk(root, simulator(USERS, seed), TALK)
        _tell(f"  {said.users} users had {said.conversations} conversations, {said.messages} messages")
    report = improve(root)
    _tell("  " + report.as_text().replace("\n", "\n  "))
    space = Workspace.open(root)
    decision = read_decision(space)
    counts = {one.stage: dict(one.counts) for one in report.stages}
    reward = read_json(space.path("models/reward/metrics.json"))
    training = read_json(space.path("models/challenger") / TRAINING)
    return DemoCycle(
        cycle=report.cycle,
        minutes=(time.monotonic() - start) / 60,
        conversations=int(counts.get("ingest", {}).get("conversations", "0")),
        pairs=int(str(training.get("new_pairs", 0))) + int(str(training.get("replayed_pairs", 0))),
        reward_accuracy=float(str(reward.get("accuracy", "nan"))),
        longer_wins=float(str(reward.get("longer_wins", "nan"))),
        measured=decision.overall,
        drift=decision.drift.status,
        verdict=decision.verdict,
        champion=report.version,
        reasons=decision.reasons,
        read=readings(root),
        asked=report.asked,
        budget=report.budget,
    )


def _size(root: Path, seed: int) -> None:
    """Write the demo's sizes into the workspace's params.yaml, and commit them with the first cycle."""
    file = root / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for section, values in DEMO.items():
        params[section] = {**params.get(section, {}), **values}
    for section in ("rewrites", "candidates", "evaluate"):
        params[section]["sampling"] = {**params[section].get("sampling", {}), **TEXT}
    params["seed"] = seed
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def _table(told: list[DemoCycle]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What the loop did", title_justify="left", show_lines=True)
    table.add_column("")
    for one in told:
        table.add_column(f"cycle {one.cycle}")
    rows = {
        **{title: cells for suite in SUITES.values() if suite.title for title, cells in _lines(suite, told)},
        "pairs learned from": [str(one.pairs) for one in told],
        "reward model / the longer wins": [f"{one.reward_accuracy:.2f} / {one.longer_wins:.2f}" for one in told],
        "re-attempts found (F1) / in held-out phrasings": [
            f"{one.read[0].f1:.2f} / {one.read[1].f1:.2f}" for one in told
        ],
        "wishes recovered / from held-out phrasings": [
            f"{one.read[0].recovered:.0%} of {one.read[0].wishes} / {one.read[1].recovered:.0%} of {one.read[1].wishes}"
            for one in told
        ],
        "drift": [one.drift for one in told],
        "asked": [one.asked or "nobody" for one in told],
        "verdict": [f"{PAST[one.verdict]}: champion policy@{one.champion}" for one in told],
        "minutes": [f"{one.minutes:.1f}" for one in told],
    }
    for name, values in rows.items():
        table.add_row(name, *values)
    Console(width=100 if not sys.stdout.isatty() else None).print(table)


NOT_MEASURED = "not measured"


def _lines(suite: Suite, told: Sequence[DemoCycle]) -> Iterator[tuple[str, list[str]]]:
    """A suite's lines of the table: title, and a cell a cycle."""

    def cells(tell: Callable[[Measurement], str]) -> list[str]:
        return [NOT_MEASURED if (found := one.of(suite.name)) is None else tell(found) for one in told]

    gain = partial(_gain, scale=suite.scale)
    if suite.shown == "levels":
        yield f"{suite.title}, before", cells(lambda found: _level(found.champion))
        yield "after", cells(lambda found: _level(found.challenger))
        yield "gain (95% interval by user)", cells(gain)
    else:
        tell: dict[Shown, Callable[[Measurement], str]] = {"gain": gain, "change": _change, "lost": _lost}
        yield suite.title, cells(tell[suite.shown])


def _level(value: Interval) -> str:
    return f"{value.mean:.1%} ({value.low:.1%} to {value.high:.1%})"


def _gain(found: Measurement, scale: int) -> str:
    """In points; ``scale`` 2 for a suite whose values are halved differences."""
    mean, low, high = (100 * scale * value for value in (found.gain.mean, found.gain.low, found.gain.high))
    return f"{mean:+.1f} points ({low:+.1f} to {high:+.1f})"


def _change(found: Measurement) -> str:
    return f"{found.champion.mean:.1%} to {found.challenger.mean:.1%}"


def _lost(found: Measurement) -> str:
    return f"{1 - found.challenger.mean:.0%} of {found.challenger.clusters}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
