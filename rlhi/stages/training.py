"""The stage ``dpo``: which pairs train, from which champion, in which folder; and the folder of the challenger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rlhi import ledger
from rlhi.config import DpoConfig, Method, Params
from rlhi.contracts import FreshPair, PreferencePair, content_key
from rlhi.learn import launch
from rlhi.learn.card import Provenance, model_card
from rlhi.learn.methods import rows_for
from rlhi.learn.pairs import training_set
from rlhi.learn.resolved import TrainingError, weights_hash
from rlhi.learn.rounds import fresh_rows, history, lessons, room, told
from rlhi.stages import Outcome, StageError, online
from rlhi.stages.online import RUNS, Champion
from rlhi.store import Workspace, read_json, read_table, write_atomic, write_json, write_table

TRAINING = "training.json"
"""What a model has learned from; it travels with the model."""
CHALLENGER = "models/challenger"
FRESH = "data/online"
"""Pairs of answers that the challenger gave between its rounds of training; without such rounds a table of no rows."""
_POLL_SECONDS = 1.0


def dpo(space: Workspace, params: Params) -> Outcome:
    """Train a challenger from the champion, in a process of its own; none when there are too few new pairs."""
    version = ledger.pinned(space.root).champion
    folder = ledger.policy_path(space.root, version)
    before = read_json(folder / TRAINING)
    learned = before.get("lessons")
    known = frozenset(map(str, learned)) if isinstance(learned, list) else frozenset()
    made = read_table(space.path("data/pairs"), PreferencePair)
    config = params.dpo
    new, _ = training_set(made, known, params.pairs.replay, config.max_pairs, params.seed)
    if len(new) < config.min_new_pairs:
        note = f"no challenger: {len(new)} new pairs, dpo.min_new_pairs is {config.min_new_pairs}"
        _write_fresh(space, ())
        _replace_folder(space.path(CHALLENGER), lambda target: write_json(target / TRAINING, {"skipped": note}))
        return Outcome(0, 0, {"new pairs": len(new)}, note)
    new, replayed = training_set(
        made, known, params.pairs.replay, room(config.max_pairs, 0, 1, config.rounds), params.seed
    )
    # A promoted challenger brings the hash of the weights that were measured; the first champion is taken as it is.
    champion = Champion(version, folder, str(before.get("weights") or weights_hash(folder)))
    run = online.train(space, params, champion, [*new, *replayed])
    trained, fresh = run.rounds[-1].trained, list(fresh_rows(run.rounds))
    record = {"lessons": sorted(known | lessons(run.rounds)), "new_pairs": len(new), "replayed_pairs": len(replayed)}
    record |= _record(run, champion, config)
    pairs_version = content_key(sorted(pair.key for pair in made))
    origin = Provenance(
        version, champion.weights, pairs_version, len(new), len(replayed), len(fresh), len(run.rounds)
    )  # fmt: skip
    card = model_card(origin, config)

    def fill(target: Path) -> None:
        shutil.copytree(trained.model, target, dirs_exist_ok=True)
        write_json(target / TRAINING, record)
        write_atomic(target / "README.md", card.encode())

    _write_fresh(space, fresh)
    _replace_folder(space.path(CHALLENGER), fill)
    for work in run.folders:
        shutil.rmtree(work, ignore_errors=True)
    return _outcome(run, version, len(new), len(replayed))


def _write_fresh(space: Workspace, rows: Iterable[FreshPair]) -> None:
    write_table(space.path(FRESH), FreshPair, rows, user=lambda row: row.pair.user_id)


def _record(run: online.Run, champion: Champion, config: DpoConfig) -> dict[str, object]:
    """What training.json tells of how the model was trained; of rounds only where there may be several."""
    trained = run.rounds[-1].trained
    record: dict[str, object] = {
        "champion": champion.version, "too_long": run.too_long, "method": config.method, "engine": trained.engine,
        "zero_stage": trained.zero_stage, "trainer": trained.trainer, "world_size": trained.world_size,
        "reference": champion.weights, "weights": run.rounds[-1].weights, "history": history(run.rounds),
    }  # fmt: skip
    if config.rounds > 1:
        rounds = [told(one, champion.weights) for one in run.rounds]
        record |= {"fresh_pairs": len(list(fresh_rows(run.rounds))), "rounds": rounds, "ended": run.ended}
    return record


def _outcome(run: online.Run, version: str, new: int, replayed: int) -> Outcome:
    trained, steps = run.rounds[-1].trained, history(run.rounds)
    counts: dict[str, int | float | str] = {
        "new pairs": new, "replayed pairs": replayed, "too long": run.too_long,
        "first loss": steps[0]["loss"], "last loss": steps[-1]["loss"], "engine": trained.engine,
        "processes": trained.world_size, "resumed from step": trained.resumed_from,
    }  # fmt: skip
    for one in run.rounds:
        if one.fresh is not None:
            counts |= {
                f"round {one.number}: fresh pairs": len(one.pairs),
                f"round {one.number}: requests": one.fresh.requests,
                f"round {one.number}: distinct share": one.fresh.distinct,
                f"round {one.number}: mean deviation of a request's rewards": one.fresh.spread.deviation,
                f"round {one.number}: mean best to worst": one.fresh.spread.best_to_worst,
                **{f"round {one.number}: dropped: {reason}": count for reason, count in one.fresh.dropped},
            }
    pairs = sum(one.trained.pairs for one in run.rounds)
    rounds = f" in {len(run.rounds)} rounds" if len(run.rounds) > 1 else ""
    ended = f"; {run.ended}" if run.ended else ""
    return Outcome(1, 0, counts, f"challenger trained on {pairs} pairs from policy@{version}{rounds}{ended}")


def exported(space: Workspace, method: Method) -> Iterator[str]:
    """The workspace's pairs as JSON lines of TRL's rows for ``method``, in the order of their keys.

    Pairs of the last challenger's own answers (``on_policy``) are among them.

    Raises:
        StageError: there are no pairs yet.
    """
    _ = space.params  # says so where this is no workspace
    if not space.path("data/pairs").is_dir():
        raise StageError(f"{space.root} has no data/pairs yet: run `rlhi cycle`")
    made = sorted(all_pairs(space), key=lambda pair: pair.key)
    for row in rows_for(method, [launch.trl_row(pair) | launch.provenance(pair) for pair in made]):
        yield json.dumps(row, ensure_ascii=False)


def all_pairs(space: Workspace) -> list[PreferencePair]:
    """What the last challenger could learn from: the pairs of the log, and those of its own answers."""
    fresh = read_table(space.path(FRESH), FreshPair)
    return [*read_table(space.path("data/pairs"), PreferencePair), *(row.pair for row in fresh)]


def join(space: Workspace, rank: int, patience: float) -> list[Path]:
    """Be node ``rank`` of the workspace's next training, or of the one that waits; the folders of its logs, by round.

    Where there may be more rounds it waits for them until the stage has ended and removed the folders.

    Raises:
        TrainingError: none began within ``patience`` seconds, or it failed.
    """
    rounds, served = space.params.dpo.rounds, list[Path]()
    until = time.monotonic() + patience
    while not served or (len(served) < rounds and served[-1].is_dir()):
        waiting = [folder for folder in _waiting(space) if folder not in served]
        if waiting:
            launch.join(waiting[0] / "resolved.json", rank)
            served.append(waiting[0])
            until = time.monotonic() + patience
        elif time.monotonic() > until:
            what = "no further round" if served else "no training"
            raise TrainingError(f"{what} began in {space.root} within {patience:g} s: start `rlhi cycle` there")
        else:
            time.sleep(_POLL_SECONDS)
    return served


def _waiting(space: Workspace) -> list[Path]:
    """The folders of runs that wait for other nodes, or train with them; not those that a killed one left."""
    return [file.parent for file in sorted(space.path(RUNS).glob(f"*/{launch.OPEN}")) if launch.is_running(file.parent)]


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
