"""The stage ``dpo``: which rows train, from which champion, in which folder; and the folder of the challenger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rlhi.config import CandidatesConfig, DpoConfig, Method, ModelsConfig, PairsConfig, PromptConfig, SplitConfig
from rlhi.contracts import FreshPair, JudgedAnswer, PreferencePair, content_key
from rlhi.learn.pairs.lessons import Row, size, weight
from rlhi.learn.training import launch
from rlhi.learn.training.card import Learned, model_card
from rlhi.learn.training.methods import method_of
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rounds import fresh_rows, history, lessons, room, told
from rlhi.learn.training.rows import provenance, trl_row
from rlhi.learn.training.run import TrainingError
from rlhi.learn.training.trl.weights import WEIGHT
from rlhi.stages import Outcome, StageError
from rlhi.stages.backends import embedder_folder
from rlhi.stages.learn.answers import Answers
from rlhi.stages.learn.draw import Champion, Draw
from rlhi.stages.learn.rounds import Run, train
from rlhi.stages.learn.runs import RUNS, discard, keep_only, replace_folder, zero_preset
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_atomic, write_json, write_table

TRAINING = "training.json"
"""What a model has learned from; it travels with the model."""
CHALLENGER = "models/challenger"
FRESH = "data/online"
"""Pairs of answers that the challenger gave between its rounds of training; without such rounds a table of no rows."""
WITH_MODELS = "rlhi.stages.learn.train_policy"
"""The training process that can tell whether replies answer: it builds models, which a wing does not."""
_POLL_SECONDS = 1.0


def dpo(
    space: Workspace,
    /,
    *,
    dpo: DpoConfig,
    candidates: CandidatesConfig,
    pairs: PairsConfig,
    prompt: PromptConfig,
    split: SplitConfig,
    models: ModelsConfig,
    seed: int,
) -> Outcome:
    """Train a challenger from the champion, in a process of its own; none when there is too little that is new."""
    version = ledger.pinned(space.root).champion
    folder = ledger.policy_path(space.root, version)
    champion = Champion(version, folder, read_json(folder / TRAINING))
    made = read_table(space.path("data/pairs"), PreferencePair)
    draw = Draw([*made, *_judged(space, dpo.method, dpo.unpaired)], champion, dpo, pairs.replay, seed)
    new, _ = draw.rows(dpo.max_pairs)
    draw.check(new)
    if size(new) < dpo.min_new_pairs:
        return _skipped(space, draw, new, dpo)
    new, replayed = draw.rows(room(dpo.max_pairs, 0, 1, dpo.rounds))
    counts = _counts(draw.made, new, replayed)
    weights = champion.weights
    plan = PolicyPlan(
        base=folder, output=space.path(RUNS), seed=seed, preset=zero_preset(dpo.deepspeed), module=WITH_MODELS,
        dpo=dpo, champion=version, reference=weights, begun=weights,
        embedder=embedder_folder(models) if dpo.limits.answers_every else None,
    )  # fmt: skip
    run = train(plan, [*new, *replayed], Answers(space, candidates, pairs, prompt, split, models))
    trained, fresh = run.rounds[-1].trained, list(fresh_rows(run.rounds))
    record: dict[str, object] = {"lessons": sorted(draw.learned | lessons(run.rounds))}
    record |= {name.replace(" ", "_"): count for name, count in counts.items()}
    left_out = draw.left_out + run.too_long
    record |= {"too_long": left_out, "not_learned": draw.not_learned}
    record |= _record(run, plan)
    learned = Learned(
        content_key(sorted(row.key for row in draw.made)), _pairs(new), _pairs(replayed), len(fresh), len(run.rounds),
        len(new) - _pairs(new), len(replayed) - _pairs(replayed),
    )  # fmt: skip
    card = model_card(plan, learned)

    def fill(target: Path) -> None:
        shutil.copytree(trained.model, target, dirs_exist_ok=True)
        write_json(target / TRAINING, record)
        write_atomic(target / "README.md", card.encode())

    _write_fresh(space, fresh)
    replace_folder(space.path(CHALLENGER), fill)
    for work in run.folders:
        discard(work)
    return _outcome(run, version, counts | {"too long": left_out})


def _skipped(space: Workspace, draw: Draw, new: Sequence[Row], config: DpoConfig) -> Outcome:
    counts = _counts(draw.made, new, [])
    found = f"{_pairs(new)} new pairs"
    if judged := counts.get("new judged"):
        found += f" and {judged} new judged answers, worth {size(new):g} pairs together"
    if draw.too_long:
        found += f" that fit dpo.max_length ({len(draw.too_long)} do not)"
    note = f"no challenger: {found}, dpo.min_new_pairs is {config.min_new_pairs}"
    _write_fresh(space, ())
    keep_only(space.path(RUNS))
    replace_folder(space.path(CHALLENGER), lambda target: write_json(target / TRAINING, {"skipped": note}))
    return Outcome(0, 0, counts, note)


def _judged(space: Workspace, method: Method, unpaired: bool) -> list[JudgedAnswer]:
    """Answers that users judged singly: for KTO alone."""
    return read_table(space.path("data/judged"), JudgedAnswer) if method_of(method).singly and unpaired else []


def _pairs(rows: Sequence[Row]) -> int:
    return sum(isinstance(row, PreferencePair) for row in rows)


def _counts(made: Sequence[Row], new: Sequence[Row], replayed: Sequence[Row]) -> dict[str, int | float | str]:
    counts: dict[str, int | float | str] = {"new pairs": _pairs(new), "replayed pairs": _pairs(replayed)}
    if _pairs(made) < len(made):
        counts |= {"new judged": len(new) - _pairs(new), "replayed judged": len(replayed) - _pairs(replayed)}
    return counts


def _write_fresh(space: Workspace, rows: Iterable[FreshPair]) -> None:
    write_table(space.path(FRESH), FreshPair, rows, user=lambda row: row.pair.user_id)


def _record(run: Run, plan: PolicyPlan) -> dict[str, object]:
    """What training.json tells of how the model was trained; of rounds only where there may be several."""
    trained = run.rounds[-1].trained
    record: dict[str, object] = {
        "champion": plan.champion, "method": plan.dpo.method, "engine": trained.engine,
        "wanted": sum(one.trained.wanted for one in run.rounds),
        "unwanted": sum(one.trained.unwanted for one in run.rounds), "class_weights": list(trained.class_weights),
        "zero_stage": trained.zero_stage, "precision": trained.precision, "trainer": trained.trainer,
        "world_size": trained.world_size, "answers": trained.answers, "reference": plan.reference,
        "weights": run.rounds[-1].weights, "history": history(run.rounds),
    }  # fmt: skip
    if plan.dpo.rounds > 1:
        rounds = [told(one) for one in run.rounds]
        record |= {"fresh_pairs": len(list(fresh_rows(run.rounds))), "rounds": rounds, "ended": run.ended}
    return record


def _outcome(run: Run, version: str, counts: dict[str, int | float | str]) -> Outcome:
    trained, steps = run.rounds[-1].trained, history(run.rounds)
    wanted, unwanted = (sum(getattr(one.trained, side) for one in run.rounds) for side in ("wanted", "unwanted"))
    counts = counts | {
        "wanted answers": wanted, "unwanted answers": unwanted,
        "first loss": steps[0]["loss"], "last loss": steps[-1]["loss"], "engine": trained.engine,
        "processes": trained.world_size, "resumed from step": trained.resumed_from,
        "replies that answer": _answers(trained),
    }  # fmt: skip
    for one in run.rounds:
        if one.fresh is not None:
            counts |= {
                f"round {one.plan.round}: fresh pairs": len(one.pairs),
                f"round {one.plan.round}: requests": one.fresh.requests,
                f"round {one.plan.round}: distinct share": one.fresh.distinct,
                f"round {one.plan.round}: mean deviation of a request's rewards": one.fresh.spread.deviation,
                f"round {one.plan.round}: mean best to worst": one.fresh.spread.best_to_worst,
                **{f"round {one.plan.round}: dropped: {reason}": count for reason, count in one.fresh.dropped},
            }
    what = f"{sum(one.trained.pairs for one in run.rounds)} pairs"
    if judged := sum(one.trained.judged for one in run.rounds):
        what += f" and {judged} judged answers ({wanted} wanted, {unwanted} unwanted in all)"
    rounds = f" in {len(run.rounds)} rounds" if len(run.rounds) > 1 else ""
    ended = f"; {run.ended}" if run.ended else ""
    return Outcome(1, 0, counts, f"challenger trained on {what} from policy@{version}{rounds}{ended}")


def _answers(trained: launch.Trained) -> str:
    """What the guard of answers saw, in words; of the last round."""
    before, off = trained.answers.get("before"), trained.answers.get("off", "")
    shares = [step["answers"] for step in trained.history if "answers" in step]
    if off or before is None:
        return f"not watched: {off or 'not told'}"
    later = f"{shares[-1]:.0%} when last looked at" if shares else "not looked at again"
    return f"{before:.0%} before the first step, {later}"


def exported(space: Workspace, method: Method) -> Iterator[str]:
    """What ``method`` learns from as JSON lines of TRL's rows: by key, or for KTO in the order that its batches want.

    Pairs of the last challenger's own answers (``on_policy``) are among them.

    Raises:
        StageError: there are no pairs yet.
    """
    dpo = space.params.dpo
    if not space.path("data/pairs").is_dir():
        raise StageError(f"{space.root} has no data/pairs yet: run `rlhi cycle`")
    rows: list[Row] = [*all_pairs(space), *_judged(space, method, dpo.unpaired)]
    made = sorted(rows, key=lambda row: row.key)
    told = [trl_row(row) | provenance(row) for row in made]
    way = method_of(method)
    if way.singly:
        told = [one | {WEIGHT: weight(row)} for one, row in zip(told, made, strict=True)]
    for row in way.ordered(way.rows(told), dpo):
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
            launch.join(waiting[0], rank)
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
