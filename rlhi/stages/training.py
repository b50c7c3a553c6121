"""The stage ``dpo``: which rows train, from which champion, in which folder; and the folder of the challenger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rlhi import ledger
from rlhi.config import Method, Params
from rlhi.contracts import JudgedAnswer, PreferencePair, content_key
from rlhi.learn import launch
from rlhi.learn.card import Provenance, model_card
from rlhi.learn.lessons import Row, lesson, size, training_set, weight
from rlhi.learn.resolved import TrainingError, weights_hash
from rlhi.learn.rows import answers_in_batch, rows_for
from rlhi.learn.weights import WEIGHT
from rlhi.progress import progress
from rlhi.stages import Outcome, StageError
from rlhi.store import Workspace, read_json, read_table, write_atomic, write_json

TRAINING = "training.json"
"""What a model has learned from; it travels with the model."""
RUNS = ".rlhi/training"
_POLL_SECONDS = 1.0


def dpo(space: Workspace, params: Params) -> Outcome:
    """Train a challenger from the champion, in a process of its own; none when there is too little that is new."""
    version = ledger.pinned(space.root).champion
    champion = ledger.policy_path(space.root, version)
    before = read_json(champion / TRAINING)
    learned = before.get("lessons")
    known = frozenset(map(str, learned)) if isinstance(learned, list) else frozenset()
    made = _made(space, params.dpo.method, params.dpo.unpaired)
    new, replayed = training_set(made, known, params.pairs.replay, params.dpo.max_pairs, params.seed)
    rows, folder = [*new, *replayed], space.path("models/challenger")
    counts: dict[str, int | float | str] = {"new pairs": _pairs(new), "replayed pairs": _pairs(replayed)}
    if any(isinstance(row, JudgedAnswer) for row in made):
        counts |= {"new judged": len(new) - _pairs(new), "replayed judged": len(replayed) - _pairs(replayed)}
    if size(new) < params.dpo.min_new_pairs:
        found = f"{_pairs(new)} new pairs"
        if judged := counts.get("new judged"):
            found += f" and {judged} new judged answers, worth {size(new):g} pairs together"
        note = f"no challenger: {found}, dpo.min_new_pairs is {params.dpo.min_new_pairs}"
        _replace_folder(folder, lambda target: write_json(target / TRAINING, {"skipped": note}))
        return Outcome(0, 0, counts, note)
    # A promoted challenger brings the hash of the weights that were measured; the first champion is taken as it is.
    weights = str(before.get("weights") or weights_hash(champion))
    config = params.dpo.model_dump(mode="json")
    keys = [row.key for row in rows]
    work = space.path(f"{RUNS}/{content_key(keys, version, weights, config, params.seed)}")
    _keep_only(work)
    with progress(f"training ({params.dpo.method.upper()}), percent", 100) as advance:
        shown = 0

        def on_step(step: int, of: int, loss: float) -> None:
            nonlocal shown
            advance(100 * step // of - shown, f"step {step} of {of}, loss {loss:.3f}")
            shown = 100 * step // of

        trained = launch.train(
            rows, champion, work, params.dpo, _deepspeed(params.dpo.deepspeed), params.seed, on_step, weights,
        )  # fmt: skip
    left_out = set(trained.too_long)
    learned_now = {lesson(row) for at, row in enumerate(rows) if at not in left_out}
    record = {
        "champion": version, "lessons": sorted(known | learned_now),
        **{name.replace(" ", "_"): count for name, count in counts.items()}, "too_long": len(left_out),
        "wanted": trained.wanted, "unwanted": trained.unwanted, "class_weights": list(trained.class_weights),
        "method": params.dpo.method, "engine": trained.engine, "zero_stage": trained.zero_stage,
        "trainer": trained.trainer, "world_size": trained.world_size,
        "reference": weights, "weights": weights_hash(trained.model), "history": list(trained.history),
    }  # fmt: skip
    origin = Provenance(
        version, weights, content_key(sorted(row.key for row in made)), _pairs(new), _pairs(replayed),
        len(new) - _pairs(new), len(replayed) - _pairs(replayed),
    )  # fmt: skip
    card = model_card(origin, params.dpo)

    def fill(target: Path) -> None:
        shutil.copytree(trained.model, target, dirs_exist_ok=True)
        write_json(target / TRAINING, record)
        write_atomic(target / "README.md", card.encode())

    _replace_folder(folder, fill)
    shutil.rmtree(work, ignore_errors=True)
    losses = [step["loss"] for step in trained.history]
    counts |= {
        "too long": len(left_out), "wanted answers": trained.wanted, "unwanted answers": trained.unwanted,
        "first loss": losses[0], "last loss": losses[-1], "engine": trained.engine, "processes": trained.world_size,
        "resumed from step": trained.resumed_from,
    }  # fmt: skip
    what = f"{trained.pairs} pairs"
    if trained.judged:
        what += f" and {trained.judged} judged answers ({trained.wanted} wanted, {trained.unwanted} unwanted in all)"
    return Outcome(1, 0, counts, f"challenger trained on {what} from policy@{version}")


def _made(space: Workspace, method: Method, unpaired: bool) -> list[Row]:
    """What the method learns from; answers that users judged singly are for KTO alone."""
    pairs = read_table(space.path("data/pairs"), PreferencePair)
    judged = read_table(space.path("data/judged"), JudgedAnswer) if method == "kto" and unpaired else []
    return [*pairs, *judged]


def _pairs(rows: Sequence[Row]) -> int:
    return sum(isinstance(row, PreferencePair) for row in rows)


def exported(space: Workspace, method: Method) -> Iterator[str]:
    """What ``method`` learns from as JSON lines of TRL's rows: by key, or for KTO in the order that its batches want.

    Raises:
        StageError: there are no pairs yet.
    """
    dpo = space.params.dpo  # says so where this is no workspace
    if not space.path("data/pairs").is_dir():
        raise StageError(f"{space.root} has no data/pairs yet: run `rlhi cycle`")
    made = sorted(_made(space, method, dpo.unpaired), key=lambda row: row.key)
    told = [launch.trl_row(row) | launch.provenance(row) for row in made]
    if method == "kto":
        told = [one | {WEIGHT: weight(row)} for one, row in zip(told, made, strict=True)]
    for row in rows_for(method, told, answers_in_batch(dpo)):
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


def _keep_only(work: Path) -> None:
    """Remove what other runs left: no pairs and no champion will ask for their checkpoints again."""
    for other in work.parent.glob("*"):
        if other != work:
            shutil.rmtree(other, ignore_errors=True)


def _deepspeed(stage: int) -> dict[str, object] | None:
    if stage == 0:
        return None
    loaded: dict[str, object] = json.loads(ledger.template(f"deepspeed/zero{stage}.json"))
    return loaded


def _replace_folder(folder: Path, fill: Callable[[Path], object]) -> None:
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
