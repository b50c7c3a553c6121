"""The stage ``dpo``: which pairs train, from which champion, in which folder; and the folder of the challenger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rlhi import ledger
from rlhi.config import Method, Params
from rlhi.contracts import PreferencePair, content_key
from rlhi.learn import launch
from rlhi.learn.card import Provenance, model_card
from rlhi.learn.methods import rows_for
from rlhi.learn.pairs import lesson, training_set
from rlhi.learn.resolved import TrainingError, weights_hash
from rlhi.progress import progress
from rlhi.stages import Outcome, StageError
from rlhi.store import Workspace, read_json, read_table, write_atomic, write_json

TRAINING = "training.json"
"""What a model has learned from; it travels with the model."""
RUNS = ".rlhi/training"
_POLL_SECONDS = 1.0


def dpo(space: Workspace, params: Params) -> Outcome:
    """Train a challenger from the champion, in a process of its own; none when there are too few new pairs."""
    version = ledger.pinned(space.root).champion
    champion = ledger.policy_path(space.root, version)
    before = read_json(champion / TRAINING)
    learned = before.get("lessons")
    known = frozenset(map(str, learned)) if isinstance(learned, list) else frozenset()
    made = read_table(space.path("data/pairs"), PreferencePair)
    new, replayed = training_set(made, known, params.pairs.replay, params.dpo.max_pairs, params.seed)
    folder = space.path("models/challenger")
    if len(new) < params.dpo.min_new_pairs:
        note = f"no challenger: {len(new)} new pairs, dpo.min_new_pairs is {params.dpo.min_new_pairs}"
        replace_folder(folder, lambda target: write_json(target / TRAINING, {"skipped": note}))
        return Outcome(0, 0, {"new pairs": len(new)}, note)
    # A promoted challenger brings the hash of the weights that were measured; the first champion is taken as it is.
    weights = str(before.get("weights") or weights_hash(champion))
    config = params.dpo.model_dump(mode="json")
    keys = [pair.key for pair in (*new, *replayed)]
    work = space.path(f"{RUNS}/{content_key(keys, version, weights, config, params.seed)}")
    keep_only(work)
    with steps_told(f"training ({params.dpo.method.upper()})") as on_step:
        trained = launch.train(
            [*new, *replayed], champion, work, params.dpo, zero_preset(params.dpo.deepspeed), params.seed, on_step,
            weights,
        )  # fmt: skip
    left_out = set(trained.too_long)
    learned_now = {lesson(pair) for at, pair in enumerate((*new, *replayed)) if at not in left_out}
    record = {
        "champion": version, "lessons": sorted(known | learned_now),
        "new_pairs": len(new), "replayed_pairs": len(replayed), "too_long": len(left_out),
        "method": params.dpo.method, "engine": trained.engine, "zero_stage": trained.zero_stage,
        "trainer": trained.trainer, "world_size": trained.world_size,
        "reference": weights, "weights": weights_hash(trained.model), "history": list(trained.history),
    }  # fmt: skip
    pairs_version = content_key(sorted(pair.key for pair in made))
    card = model_card(Provenance(version, weights, pairs_version, len(new), len(replayed)), params.dpo)

    def fill(target: Path) -> None:
        shutil.copytree(trained.model, target, dirs_exist_ok=True)
        write_json(target / TRAINING, record)
        write_atomic(target / "README.md", card.encode())

    replace_folder(folder, fill)
    shutil.rmtree(work, ignore_errors=True)
    losses = [step["loss"] for step in trained.history]
    counts: dict[str, int | float | str] = {
        "new pairs": len(new), "replayed pairs": len(replayed), "too long": len(left_out),
        "first loss": losses[0], "last loss": losses[-1], "engine": trained.engine, "processes": trained.world_size,
        "resumed from step": trained.resumed_from,
    }  # fmt: skip
    return Outcome(1, 0, counts, f"challenger trained on {trained.pairs} pairs from policy@{version}")


def exported(space: Workspace, method: Method) -> Iterator[str]:
    """The workspace's pairs as JSON lines of TRL's rows for ``method``, in the order of their keys.

    Raises:
        StageError: there are no pairs yet.
    """
    _ = space.params  # says so where this is no workspace
    if not space.path("data/pairs").is_dir():
        raise StageError(f"{space.root} has no data/pairs yet: run `rlhi cycle`")
    made = sorted(read_table(space.path("data/pairs"), PreferencePair), key=lambda pair: pair.key)
    for row in rows_for(method, [launch.trl_row(pair) | launch.provenance(pair) for pair in made]):
        yield json.dumps(row, ensure_ascii=False)


def join(space: Workspace, rank: int, patience: float) -> Path:
    """Be node ``rank`` of the workspace's next training, or of the one that waits; the folder of its logs.

    Raises:
        TrainingError: none began within ``patience`` seconds, or it failed.
    """
    _ = space.params
    until = time.monotonic() + patience
    while not (waiting := _waiting(space)):
        if time.monotonic() > until:
            raise TrainingError(f"no training began in {space.root} within {patience:g} s: start `rlhi cycle` there")
        time.sleep(_POLL_SECONDS)
    launch.join(waiting[0] / "resolved.json", rank)
    return waiting[0]


def _waiting(space: Workspace) -> list[Path]:
    """The folders of runs that wait for other nodes, or train with them; not those that a killed one left."""
    return [file.parent for file in sorted(space.path(RUNS).glob(f"*/{launch.OPEN}")) if launch.is_running(file.parent)]


@contextmanager
def steps_told(what: str) -> Iterator[Callable[[int, int, float], None]]:
    """A bar of per cents, moved by whoever calls with the step, how many there are, and the loss."""
    with progress(f"{what}, percent", 100) as advance:
        shown = 0

        def on_step(step: int, of: int, loss: float) -> None:
            nonlocal shown
            advance(100 * step // of - shown, f"step {step} of {of}, loss {loss:.3f}")
            shown = 100 * step // of

        yield on_step


def keep_only(work: Path) -> None:
    """Remove what other runs left: no pairs and no champion will ask for their checkpoints again."""
    for other in work.parent.glob("*"):
        if other != work:
            shutil.rmtree(other, ignore_errors=True)


def zero_preset(stage: int) -> dict[str, object] | None:
    """DeepSpeed's configuration for a ZeRO stage; None for 0."""
    if stage == 0:
        return None
    loaded: dict[str, object] = json.loads(ledger.template(f"deepspeed/zero{stage}.json"))
    return loaded


def replace_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a folder beside the old one and swap them: a killed run leaves one of the two."""
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    fresh.mkdir(parents=True)
    fill(fresh)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
