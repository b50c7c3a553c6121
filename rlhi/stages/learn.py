"""The stages of the learn flow: rewrites and candidates -> reward -> pairs -> dpo."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rlhi import ledger
from rlhi.config import Params, SamplingConfig
from rlhi.contracts import (
    Candidate,
    Conversation,
    FeedbackTurn,
    Persona,
    PreferencePair,
    Rewrite,
    Sample,
    content_key,
)
from rlhi.learn import candidates as ubr
from rlhi.learn import launch
from rlhi.learn import rewrite as ugr
from rlhi.learn.card import model_card
from rlhi.learn.pairs import PairMaker, lesson, training_set
from rlhi.learn.rewrite import Asked
from rlhi.learn.sampling import draw, sample
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.ingest import conversations
from rlhi.stages.personas import told
from rlhi.stages.rewarding import reward, scorer
from rlhi.stages.samples import SampleStore
from rlhi.store import Workspace, read_json, read_table, write_atomic, write_json, write_table

__all__ = ["candidates", "dpo", "pairs", "reward", "rewrites"]

TRAINING = "training.json"
"""What a model has learned from; it travels with the model."""


def rewrites(space: Workspace, params: Params) -> Outcome:
    """Rewrite complained-about answers with their users' words, and keep the revisions the log itself holds."""
    talks, labels, personas = _log(space)
    asked = [
        one
        for one in ugr.complaints(talks.values(), labels, personas, params.rewrites)
        if not params.split.holds_out(one.user_id)
    ]
    config = params.rewrites
    store, new = _sampled(space, params, "rewrites", asked, config.turns, config.tries, config.sampling)
    rows = [*ugr.rewrites(asked, store.samples, talks), *ugr.observed_revisions(talks.values(), labels)]
    write_table(space.path("data/rewrites"), Rewrite, rows, user=lambda row: row.user_id)
    sources = Counter(str(row.source) for row in rows)
    used = store.taken(_cycle(space), (one.key for one in asked))
    note = f"used {used} of {len(asked)} complaints this cycle, {config.tries} tries each"
    return Outcome(new, len(rows) - new * config.tries, {**sources, "complaints": len(asked)}, note)


def candidates(space: Workspace, params: Params) -> Outcome:
    """Sample N answers with the persona for requests drawn by seed."""
    talks, labels, personas = _log(space)
    asked = [
        one
        for one in ubr.requests(talks.values(), labels, personas, params.candidates)
        if not params.split.holds_out(one.user_id)
    ]
    config = params.candidates
    store, new = _sampled(space, params, "candidates", asked, config.prompts, config.n, config.sampling)
    rows = list(ubr.candidates(asked, store.samples))
    write_table(space.path("data/candidates"), Candidate, rows, user=lambda row: row.user_id)
    used = store.taken(_cycle(space), (one.key for one in asked))
    note = f"used {used} of {len(asked)} requests this cycle, {config.n} candidates each"
    distinct = len(rows) / max(1, config.n * len({(row.conversation_id, row.turn_index) for row in rows}))
    return Outcome(new, 0, {"candidates": len(rows), "requests": len(asked), "distinct share": distinct}, note)


def pairs(space: Workspace, params: Params) -> Outcome:
    """Turn rewrites and candidates into preference pairs, filtered by the reward model."""
    talks, _, personas = _log(space)
    ours = {name: talk for name, talk in talks.items() if not params.split.holds_out(talk.user_id)}
    rows = [row for row in read_table(space.path("data/rewrites"), Rewrite) if not params.split.holds_out(row.user_id)]
    sampled = read_table(space.path("data/candidates"), Candidate)
    judged_by = told(personas.values(), params.pairs.persona)
    maker = PairMaker(ours, personas, judged_by, scorer(space, params), params.pairs, seed=params.seed)
    made = list(maker.pairs(rows, sampled))
    write_table(space.path("data/pairs"), PreferencePair, made, user=lambda row: row.user_id)
    sources = Counter(str(pair.source) for pair in made)
    counts: dict[str, int | float | str] = {
        **sources, "mean deviation of a request's rewards": maker.spread.deviation,
        "mean best to worst": maker.spread.best_to_worst,
        **{f"dropped: {reason}": count for reason, count in sorted(maker.dropped.reasons.items()) if count},
    }  # fmt: skip
    return Outcome(len(made), 0, counts, f"{len(made)} pairs from {len({p.user_id for p in made})} users")


def dpo(space: Workspace, params: Params) -> Outcome:
    """Train a challenger from the champion, in a process of its own; none when there are too few new pairs."""
    version = ledger.pinned(space.root).champion
    champion = ledger.policy_path(space.root, version)
    learned = read_json(champion / TRAINING).get("lessons")
    known = frozenset(map(str, learned)) if isinstance(learned, list) else frozenset()
    made = read_table(space.path("data/pairs"), PreferencePair)
    new, replayed = training_set(made, known, params.pairs.replay, params.dpo.max_pairs, params.seed)
    folder = space.path("models/challenger")
    if len(new) < params.dpo.min_new_pairs:
        note = f"no challenger: {len(new)} new pairs, dpo.min_new_pairs is {params.dpo.min_new_pairs}"
        _replace_folder(folder, lambda target: write_json(target / TRAINING, {"skipped": note}))
        return Outcome(0, 0, {"new pairs": len(new)}, note)
    work = space.path(f".rlhi/training/{content_key([p.key for p in (*new, *replayed)], version)}")
    shutil.rmtree(work, ignore_errors=True)
    with progress("training (DPO), percent", 100) as advance:
        shown = 0

        def on_step(step: int, of: int, loss: float) -> None:
            nonlocal shown
            advance(100 * step // of - shown, f"step {step} of {of}, loss {loss:.3f}")
            shown = 100 * step // of

        trained = launch.train(
            [*new, *replayed], champion, work, params.dpo, _deepspeed(params.dpo.deepspeed), params.seed, on_step
        )
    record = {
        "champion": version, "lessons": sorted(known | {lesson(pair) for pair in (*new, *replayed)}),
        "new_pairs": len(new), "replayed_pairs": len(replayed), "too_long": trained.too_long,
        "engine": trained.engine, "trainer": trained.trainer, "world_size": trained.world_size,
        "history": list(trained.history),
    }  # fmt: skip

    def fill(target: Path) -> None:
        shutil.copytree(trained.model, target, dirs_exist_ok=True)
        write_json(target / TRAINING, record)
        write_atomic(target / "README.md", model_card(version, len(new), len(replayed), params.dpo).encode())

    _replace_folder(folder, fill)
    shutil.rmtree(work, ignore_errors=True)
    losses = [step["loss"] for step in trained.history]
    counts: dict[str, int | float | str] = {
        "new pairs": len(new), "replayed pairs": len(replayed), "too long": trained.too_long,
        "first loss": losses[0], "last loss": losses[-1], "engine": trained.engine, "processes": trained.world_size,
    }  # fmt: skip
    return Outcome(1, 0, counts, f"challenger trained on {trained.pairs} pairs from policy@{version}")


def _log(space: Workspace) -> tuple[dict[str, Conversation], list[FeedbackTurn], dict[str, Persona]]:
    talks = conversations(space)
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    personas = read_table(space.path("data/personas"), Persona)
    return {row.conversation_id: row for row in talks}, labels, {row.user_id: row for row in personas}


def _sampled(
    space: Workspace, params: Params, stage: str, asked: Sequence[Asked], most: int, n: int, config: SamplingConfig
) -> tuple[SampleStore, int]:
    """Sample what this cycle may still sample; the stage's store, and how many requests are new in it."""
    cycle = _cycle(space)
    store = SampleStore(space, stage)
    todo = draw(asked, store.taken(cycle, (one.key for one in asked)), most, store.samples.__contains__, params.seed)
    name = params.models.rewriter if stage == "rewrites" else params.models.policy
    with progress(f"sampling {stage}", len(todo)) as advance:

        def keep(block: list[Sample]) -> None:
            store.keep(block)
            advance(len(block), "")

        if todo:
            sample(todo, backends.chat_model(space, name, config), n, config, params.seed, cycle, keep)
    return store, len(todo)


def _cycle(space: Workspace) -> int:
    return ledger.pinned(space.root).cycle


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
