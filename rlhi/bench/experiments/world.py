"""Worlds and their forks: workspaces in which simulated users have talked, and the arms that learn from them.

Everything an arm does is the loop's own stages with other parameters. A fork links the large files of its world: every
stage writes new files and renames them, so nothing that is linked is ever changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import yaml

from rlhi import stages
from rlhi.bench.experiments import sizes
from rlhi.bench.experiments.sizes import Size
from rlhi.checks.form import Check, share_met
from rlhi.contracts import EvalResult, Rewrite, content_key
from rlhi.simulate.users import WishRow
from rlhi.stages.collect import incoming
from rlhi.stages.simulator.talk import talk
from rlhi.stages.simulator.truth import WISHES
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_atomic

Overrides = Mapping[str, Mapping[str, object]]
"""Sections of params.yaml with the values that differ."""

_ORDER = tuple(stages.STAGES)
_MEASURED = _ORDER.index("evaluate") + 1
LEARN = _ORDER[_ORDER.index("personas") : _MEASURED]
"""What an arm runs to be measured. It begins with the personas, for parameters may say what is told of whom."""
DECIDE = _ORDER[_MEASURED:]
"""What follows where a cycle is concluded."""
LARGE = 1 << 20


def make_world(root: Path, seed: int, size: Size, simulator: Mapping[str, object], policy: Path) -> Workspace:
    """Users talk to ``policy``, the first champion, and their log is collected; nothing when that was done."""
    space = Workspace(root)
    ledger.init(root, policy)
    _set(space, _sampling(space), seed)
    _set(space, size.params)
    talked(space, seed, size, simulator)
    return space


def talked(space: Workspace, seed: int, size: Size, simulator: Mapping[str, object]) -> None:
    """One cycle begins: everybody talks to the champion, and what they said is collected."""
    cycle = ledger.upcoming(space.root)
    if not any(batch.cycle == cycle for batch in incoming.batches(space)):
        talk(space.root, sizes.simulator(size.users, seed, **simulator), sizes.TALK)
    for name in stages.stages_of("collect"):
        stages.run(name, space.root)
    incoming.begin(space)


def fork(world: Workspace, learned: Path, root: Path, overrides: Overrides) -> Workspace:
    """The same workspace with other parameters; what was forked before is kept as it is.

    It begins with what the last arm left in ``learned``, where there was one: text that was sampled is not sampled
    again, and a stage whose parameters and inputs are that arm's is up to date.
    """
    if not (root / "params.yaml").exists():
        shutil.rmtree(root, ignore_errors=True)
        partial = root.with_name(f".{root.name}.new")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(
            learned if learned.is_dir() else world.root, partial, copy_function=_take,
            ignore=shutil.ignore_patterns("*.lock", "prefect", "tmp"),
        )  # fmt: skip
        shutil.copy2(world.path("params.yaml"), partial)
        partial.rename(root)
    space = Workspace(root)
    _set(space, overrides)
    return space


def learn(space: Workspace, names: tuple[str, ...] = LEARN) -> None:
    """Run the stages of an arm; what is up to date is not run again."""
    for name in names:
        stages.run(name, space.root)


def satisfaction(space: Workspace) -> dict[str, tuple[float, float]]:
    """By held-out user: the share of wishes that the champion's replies meet, and the challenger's."""
    rows = [row for row in read_table(space.path("data/evaluation"), EvalResult) if row.suite == "satisfaction"]
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row.user_id, {"champion": [], "challenger": []})[row.model].append(row.value)
    return {
        user: (_mean(sides["champion"]), _mean(sides["challenger"]))
        for user, sides in found.items()
        if sides["champion"] and sides["challenger"]
    }


def rewritten(space: Workspace) -> dict[str, tuple[float, float]]:
    """By user who is learned from: the share of wishes that complained-about answers meet, and that rewrites meet."""
    hidden = sorted(read_table(space.path(WISHES), WishRow), key=lambda row: row.user_id)
    wishes = {
        user: [Check(row.kind, row.argument) for row in group]
        for user, group in groupby(hidden, key=lambda row: row.user_id)
    }
    # By complaint first: how many different texts a rewriter gives must not weigh what was complained of.
    found: dict[str, dict[tuple[str, int], tuple[float, list[float]]]] = {}
    for row in read_table(space.path("data/rewrites"), Rewrite):
        if row.source == "rewrite" and row.user_id in wishes:
            asked, place = wishes[row.user_id], (row.conversation_id, row.turn_index)
            turns = found.setdefault(row.user_id, {})
            _, after = turns.setdefault(place, (share_met(asked, row.original), []))
            after.append(share_met(asked, row.text))
    return {
        user: (_mean([before for before, _ in turns.values()]), _mean([_mean(after) for _, after in turns.values()]))
        for user, turns in found.items()
    }


def arm_name(overrides: Overrides) -> str:
    """A folder's name for these parameters."""
    return content_key({section: dict(values) for section, values in overrides.items()})[:12]


def _take(source: str, target: str) -> str:
    """Link what is large (weights, tables: written once and renamed), copy the rest."""
    if os.stat(source).st_size > LARGE:
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))


def _set(space: Workspace, overrides: Overrides, seed: int | None = None) -> None:
    file = space.root / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for section, values in overrides.items():
        params[section] = {**params.get(section, {}), **values}
    if seed is not None:
        params["seed"] = seed
    write_atomic(file, yaml.safe_dump(params, sort_keys=False).encode())


def _sampling(space: Workspace) -> dict[str, dict[str, object]]:
    """The demo's lengths of text."""
    params = yaml.safe_load((space.root / "params.yaml").read_text(encoding="utf-8"))
    return {
        name: {"sampling": {**params.get(name, {}).get("sampling", {}), **sizes.TEXT}}
        for name in ("rewrites", "candidates", "evaluate")
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
