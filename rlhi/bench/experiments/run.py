"""Run an experiment: arms, what they gained, and how they differ from the first.

    rlhi experiment NAME [--quick] [--seeds N] [--dir DIR] [--page FILE] [--json]

A result is on disk as soon as its arm is done; the same command goes on where it was stopped. The results that a page
shows lie beside it, a file a seed: another machine, or a later version, adds seeds to them.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from rlhi.bench.experiments import sizes
from rlhi.bench.experiments import world as worlds
from rlhi.bench.experiments.catalogue import CATALOGUE, Arm, Experiment
from rlhi.bench.experiments.sizes import FULL, QUICK, Size
from rlhi.bench.experiments.tables import ArmResult, ExperimentTable, kept_beside
from rlhi.bench.machine import machine
from rlhi.config import Params
from rlhi.contracts import Interval, content_key
from rlhi.evaluate.bounds import GAINS, VALUES
from rlhi.evaluate.statistics import clustered
from rlhi.learn.training.run import TrainingError, weights_hash
from rlhi.models.local import quiet
from rlhi.models.prepare import checked_policy
from rlhi.simulate.wishes import WISHES
from rlhi.stages import STAGES, StageError, stages_of
from rlhi.stages.conclude import conclude
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.learn.runs import take_place
from rlhi.workspace.ledger import champion
from rlhi.workspace.store import Workspace, read_json, write_json

# What two gains may differ by.
APART = (-2.0, 2.0)
# A user who falls by this much or more has lost half of what can be had.
HALF = 0.5
Before = Mapping[str, tuple[float, float]]


class ExperimentError(StageError):
    """There is no such experiment; the message names those there are."""


def run(
    name: str, quick: bool, seeds: int, folder: Path, policy: Path | None = None, page: Path | None = None
) -> ExperimentTable:
    """Run what has not been run, and tell all of it. ``policy`` is the folder of the base model, else the embedded.

    A seed whose results lie beside ``page`` is not run again; those of others are put there.

    Raises:
        ExperimentError: no experiment is called so.
    """
    if name not in CATALOGUE:
        raise ExperimentError(f"no experiment {name!r}: one of {', '.join(CATALOGUE)}")
    quiet()
    size, experiment = (QUICK if quick else FULL), CATALOGUE[name]
    bench = Bench(folder, size, checked_policy(str(policy or "embedded")))
    found: dict[str, dict[str, tuple[float, float]]] = {arm.name: {} for arm in experiment.arms}
    pairs: dict[str, list[float]] = {arm.name: [] for arm in experiment.arms}
    seconds, ran = 0.0, set()
    for seed in range(seeds):
        kept = kept_beside(page, name, quick, seed) if page else None
        for arm, record in zip(experiment.arms, bench.seed(experiment, seed, kept), strict=True):
            users = record["users"]
            assert isinstance(users, dict)
            found[arm.name] |= {f"{seed}:{user}": (float(pair[0]), float(pair[1])) for user, pair in users.items()}
            pairs[arm.name].append(float(str(record["pairs"])))
            seconds += float(str(record["seconds"]))
            ran.add(f"{record['date']}, {record['machine']}")
    first = found[experiment.arms[0].name]
    arms = tuple(
        _result(arm.name, sum(pairs[arm.name]) / seeds, found[arm.name], first if at else None)
        for at, arm in enumerate(experiment.arms)
    )
    return ExperimentTable(
        name, experiment.question, experiment.measured, quick, seeds, seconds / 60, tuple(sorted(ran)), policy, arms
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """Where worlds, arms and results lie, and what everybody starts from."""

    folder: Path
    size: Size
    policy: Path

    def seed(self, experiment: Experiment, seed: int, kept: Path | None = None) -> list[dict[str, object]]:
        """What all arms came to in one seed, from ``kept`` where that file answers the same question.

        Arms of one seed are compared with one another, so all of them are of one version of the stages; seeds need not
        be.

        Raises:
            ExperimentError: ``kept`` answers another question (other arms, users, sizes or policy), and may have taken
                hours.
        """
        asked = content_key(
            self.size.params, weights_hash(self.policy), experiment.measured, experiment.cycles, _dealt(),
            [[arm.name, self._users(arm, seed), worlds.arm_name(arm.overrides)] for arm in experiment.arms],
        )  # fmt: skip
        held = read_json(kept) if kept else {}
        if held.get("asked") == asked:
            arms = held["arms"]
            assert isinstance(arms, list)
            return arms
        if held:
            what = "results of other arms, users, sizes or policy"
            raise ExperimentError(f"{kept} holds {what}: move it, or name another page")
        records = [self.arm(experiment, arm, seed) for arm in experiment.arms]
        if kept:
            write_json(kept, {"asked": asked, "arms": records})
        return records

    def arm(self, experiment: Experiment, arm: Arm, seed: int) -> dict[str, object]:
        """What an arm came to in one seed, from disk where it was run before."""
        defaults = Params().model_dump(mode="json")
        versions = {stage.name: stage.version for stage in STAGES.values()}
        made_by = {name: versions[name] for name in stages_of("collect")}, _dealt(), asdict(sizes.TALK), sizes.TEXT
        settings = self.size.params, self._users(arm, seed), weights_hash(self.policy), defaults
        world = content_key(made_by, settings)[:12]
        asked = versions, worlds.arm_name(arm.overrides), experiment.measured, experiment.cycles
        key = content_key(world, asked)[:12]
        file = self.folder / "results" / f"{key}.json"
        if not (held := read_json(file)):
            _say(f"seed {seed}, {arm.name}")
            began = time.perf_counter()
            made = worlds.make_world(self.folder / world, seed, self.size, arm.simulator, self.policy)
            root, learned = self.folder / f"arm-{key}", self.folder / f"{world}.{_sampled(arm)}.learned"
            if experiment.cycles > 1:
                # Its ledger is in the middle of things: begin again.
                shutil.rmtree(root, ignore_errors=True)
            users, pairs = self._run(experiment, arm, seed, worlds.fork(made, learned, root, arm.overrides))
            seconds = round(time.perf_counter() - began, 1)
            told = {user: list(values) for user, values in users.items()}
            held = {
                "arm": arm.name, "seed": seed, "seconds": seconds, "pairs": pairs, "users": told,
                "date": date.today().isoformat(), "machine": machine(),
            }  # fmt: skip
            write_json(file, held)
            if experiment.cycles == 1:
                take_place(root, learned)
            else:
                shutil.rmtree(root)
        return held

    def _users(self, arm: Arm, seed: int) -> dict[str, object]:
        """All that is settled about who talks."""
        return asdict(sizes.simulator(self.size.users, seed, **arm.simulator))

    def _run(
        self, experiment: Experiment, arm: Arm, seed: int, space: Workspace
    ) -> tuple[dict[str, tuple[float, float]], int]:
        if experiment.measured == "rewrites":
            worlds.learn(space, ("rewrites",))
            return worlds.rewritten(space), 0
        base: dict[str, float] = {}
        last: dict[str, tuple[float, float]] = {}
        pairs = 0
        for number in range(experiment.cycles):
            if number:
                worlds.talked(space, seed, self.size, arm.simulator)
            worlds.learn(space, worlds.LEARN)
            pairs += _learned_from(space, f"{arm.name}, seed {seed}")
            last = worlds.satisfaction(space)
            base = base or {user: before for user, (before, _) in last.items()}
            if experiment.cycles > 1:
                last = _concluded(space, number, last)
        return {user: (base[user], after) for user, (_, after) in last.items() if user in base}, pairs


def _sampled(arm: Arm) -> str:
    """What an arm samples, as a name: a stage reads all samples there are, so arms that draw others share none."""
    return worlds.arm_name({name: arm.overrides.get(name, {}) for name in ("personas", "rewrites", "candidates")})


def _learned_from(space: Workspace, where: str) -> int:
    training = read_json(space.path("models/challenger") / TRAINING)
    for name in ("skipped", "ended"):
        if training.get(name):
            raise TrainingError(f"{where}: {training[name]}")
    return sum(int(str(training.get(f"{kind}_pairs", 0))) for kind in ("new", "replayed", "fresh"))


def _concluded(space: Workspace, number: int, measured: Before) -> dict[str, tuple[float, float]]:
    """Let the gate decide; what users are left with is the challenger when it is promoted, else the champion."""
    before = champion(space.root)
    worlds.learn(space, worlds.DECIDE)
    conclude(space.root)
    promoted = champion(space.root) != before
    _say(f"  cycle {number + 1}: {'promoted' if promoted else 'refused'}")
    return {user: (first, after if promoted else first) for user, (first, after) in measured.items()}


def _result(name: str, pairs: float, users: Before, first: Before | None) -> ArmResult:
    names = sorted(users)

    def interval(values: Sequence[float], of: Sequence[str], bounds: tuple[float, float]) -> Interval:
        return clustered(values, of, bounds=bounds)

    shared = [user for user in names if first is not None and user in first]
    apart = [_gain(users[user]) - _gain(first[user]) for user in shared] if first is not None else []
    return ArmResult(
        name,
        pairs,
        interval([users[user][0] for user in names], names, VALUES),
        interval([users[user][1] for user in names], names, VALUES),
        interval([_gain(users[user]) for user in names], names, GAINS),
        interval([float(round(_gain(users[user]), 9) <= -HALF) for user in names], names, VALUES),
        interval(apart, shared, APART) if apart else None,
    )


def _gain(before_and_after: tuple[float, float]) -> float:
    return before_and_after[1] - before_and_after[0]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _dealt() -> list[tuple[str, int, tuple[str, ...]]]:
    """The decks that simulated users draw their wishes from: a world of other decks is another world."""
    return [(name, kind.weight, kind.arguments) for name, kind in WISHES.items()]
