"""The reward models of a workspace: a head or a fine-tuned model, trained, kept for each cycle, and read again.

``models/reward/head.npz`` scores where it is there, else the newest folder in ``models/reward/tuned``. Beside them lie
those that scored in former cycles: every head, which is small, and of fine-tuned models the last one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from rlhi.config import ModelsConfig, RewardConfig, RewardKind, TunedRewardConfig
from rlhi.contracts import content_key
from rlhi.learn.reward import head as rewarding
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.training import launch
from rlhi.learn.training.plan import RewardPlan
from rlhi.learn.training.rows import reward_row
from rlhi.learn.training.run import weights_hash
from rlhi.models.base import Embedder, ModelError
from rlhi.models.prepare import checked_policy
from rlhi.models.tuned_reward import TunedReward
from rlhi.stages import StageError, backends
from rlhi.stages.learn.runs import keep_only, replace_folder, steps_told, zero_preset
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, write_atomic, write_json

FOLDER = "models/reward"
HEAD = f"{FOLDER}/head.npz"
HEADS = f"{FOLDER}/heads"
TUNED = f"{FOLDER}/tuned"
RECORD = "training.json"
"""Beside a fine-tuned model: its kind, what it began from, and the parameters that it was trained and scores with."""
RUNS = ".rlhi/reward"

Model = rewarding.RewardHead | TunedReward


@dataclass(frozen=True, slots=True)
class Made:
    """A reward model, its kind, and what metrics.json tells of its training."""

    model: Model
    kind: RewardKind
    told: Mapping[str, object] = field(default_factory=dict)


def scorer(space: Workspace, models: ModelsConfig, embedder: Embedder | None = None) -> Model:
    """The workspace's reward model, ready to score; a head reads through ``embedder``, if one is given.

    Raises:
        StageError: there is none yet.
    """
    file = space.path(HEAD)
    if file.is_file():
        return rewarding.RewardHead.from_bytes(file.read_bytes()).attach(embedder or backends.embedder(models))
    if not (tuned := _tuned(space)):
        raise StageError(f"{space.root} has no reward model yet: run `rlhi cycle` first")
    return _read(tuned[-1]).model


def train(
    space: Workspace, config: RewardConfig, models: ModelsConfig, seed: int, learned: Sequence[Comparison],
    former: Made | None,
) -> Made:  # fmt: skip
    """A new model of the configured kind; a fine-tuned one goes on from the former cycle's, if its base is the same.

    Raises:
        RewardError: too few comparisons.
        ModelError: the base is not there.
        TrainingError: training was stopped; the message says why.
    """
    if config.kind == "head":
        return Made(rewarding.train(learned, backends.embedder(models), config), "head")
    rewarding.check_enough(learned, config)
    tuned, kind = config.tuned, config.kind
    warm = None
    if former is not None and isinstance(former.model, TunedReward) and former.told["base"] == tuned.base:
        warm = former.model.path
    base = warm or _base(space, tuned)
    section = config.model_dump(mode="json")
    work = space.path(f"{RUNS}/{content_key(list(learned), weights_hash(base), section, seed)}")
    keep_only(space.path(RUNS), work)
    with steps_told(f"training the reward model ({kind})") as on_step:
        plan = RewardPlan(base=base, output=work, seed=seed, preset=zero_preset(tuned.deepspeed), reward=config)
        done = launch.train(plan, map(reward_row, learned), on_step)
    told: dict[str, object] = {
        "kind": kind, "base": tuned.base, "warm_start": warm.name if warm else "", "too_long": len(done.too_long),
        "engine": done.engine, "precision": done.precision, "zero_stage": done.zero_stage,
        "world_size": done.world_size, "history": list(done.history),
    }  # fmt: skip
    write_json(done.model / RECORD, {**told, "tuned": tuned.model_dump(mode="json")})
    return Made(TunedReward(done.model, tuned), kind, told)


def former(space: Workspace, models: ModelsConfig, cycle: int) -> Made | None:
    """What scored in the cycle before this one; None for nothing, and for what cannot score any more."""
    kept = [*space.path(HEADS).glob("*.npz"), *_tuned(space)]
    before = sorted((path for path in kept if path.stem < _name(cycle)), key=lambda path: path.stem)
    if not before:
        return None
    try:
        if before[-1].is_dir():
            return _read(before[-1])
        head = rewarding.RewardHead.from_bytes(before[-1].read_bytes()).attach(backends.embedder(models))
    except rewarding.RewardError:
        return None
    return None if head.is_neutral else Made(head, "head")


def keep(space: Workspace, cycle: int, made: Made) -> None:
    """Let a model score from now on, and remember it as this cycle's."""
    name = _name(cycle)
    head, tuned = space.path(HEADS) / f"{name}.npz", space.path(TUNED) / name
    if isinstance(made.model, TunedReward):
        source = made.model.path
        replace_folder(tuned, lambda target: shutil.copytree(source, target, dirs_exist_ok=True))
        for file in (space.path(HEAD), head):
            file.unlink(missing_ok=True)
    else:
        write_atomic(head, made.model.to_bytes())
        write_atomic(space.path(HEAD), made.model.to_bytes())
        shutil.rmtree(tuned, ignore_errors=True)
    # The cycle's own and the one before: the stage may run again, and then goes on from that.
    before = [folder for folder in _tuned(space) if folder.name < name]
    for folder in before[:-1]:
        shutil.rmtree(folder, ignore_errors=True)
    keep_only(space.path(RUNS))


def _base(space: Workspace, config: TunedRewardConfig) -> Path:
    if config.base == "champion":
        under_way = ledger.under_way(space.root)
        version = ledger.pinned(space.root).champion if under_way else ledger.champion(space.root)
        return ledger.policy_path(space.root, version)
    try:
        return checked_policy(config.base.removeprefix("local:"))
    except ModelError as error:
        raise ModelError(f"reward.tuned.base: {error}") from None


def _tuned(space: Workspace) -> list[Path]:
    """The folders of fine-tuned models, by cycle."""
    return sorted(space.path(TUNED).glob("[0-9]*"))


def _read(folder: Path) -> Made:
    """A fine-tuned model with the parameters that it was trained with.

    Raises:
        RewardError: the folder holds no such model.
    """
    told = dict(read_json(folder / RECORD))
    try:
        model = TunedReward(folder, TunedRewardConfig.model_validate(told.pop("tuned")))
        return Made(model, cast(RewardKind, told["kind"]), told)
    except (KeyError, ValueError, ModelError):
        raise rewarding.RewardError(f"the reward model in {folder} cannot be read: `rlhi run reward`") from None


def _name(cycle: int) -> str:
    return f"{cycle:04d}"
