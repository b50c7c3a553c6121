"""The rounds of the stage ``dpo``: train, let the trained model answer, judge its answers, train on them.

One round is offline learning. A killed run goes on in the round it was in: a finished training is read from its folder,
answers from ``data/samples/dpo``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi.config import CandidatesConfig, DpoConfig, ModelsConfig, PairsConfig, SplitConfig
from rlhi.contracts import Sample, content_key
from rlhi.learn.pairs.candidates import candidates
from rlhi.learn.pairs.lessons import Row, size, training_set
from rlhi.learn.pairs.rewrite import Asked
from rlhi.learn.pairs.sampling import sample
from rlhi.learn.training import launch
from rlhi.learn.training.guards import check_changed
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.lengths import Lengths
from rlhi.learn.training.rounds import Fresh, Round, fresh_requests, room
from rlhi.learn.training.rows import trl_row
from rlhi.learn.training.run import TrainingError, weights_hash
from rlhi.learn.training.trl.truncated import CUT
from rlhi.progress import progress
from rlhi.stages import backends
from rlhi.stages.backends import embedder_folder, local_model
from rlhi.stages.learn.log import Log, pair_maker, read_log, requests
from rlhi.stages.learn.reward_models import scorer
from rlhi.stages.learn.runs import RUNS, keep_only, steps_told, zero_preset
from rlhi.stages.learn.teachers import Teachers
from rlhi.stages.samples import SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace

WITH_MODELS = "rlhi.stages.learn.train_policy"
"""The training process that can tell whether replies answer: it builds models, which a wing does not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The sections of params.yaml that a training follows; those of answers and pairs are for its later rounds."""

    dpo: DpoConfig
    candidates: CandidatesConfig
    pairs: PairsConfig
    split: SplitConfig
    models: ModelsConfig
    seed: int


@dataclass(frozen=True, slots=True)
class Champion:
    """Where training starts and the reference of every round: its version, folder, and :func:`weights_hash`."""

    version: str
    folder: Path
    weights: str


@dataclass(frozen=True, slots=True)
class Run:
    """The rounds of a training in order, their folders, and why there were fewer than asked for, if so."""

    rounds: tuple[Round, ...]
    folders: tuple[Path, ...]
    ended: str

    @property
    def too_long(self) -> int:
        """Pairs of all rounds that were left out for their length."""
        return sum(len(one.trained.too_long) for one in self.rounds)


def train(space: Workspace, plan: Plan, champion: Champion, first: Sequence[Row]) -> Run:
    """Train on ``first``, then on fresh pairs for ``dpo.rounds`` in all, each round from where the one before ended.

    Raises:
        TrainingError: a round's training stopped; what it says begins with the round where there are several.
        RewardError: the rewards of all of a round's answers are the same.
    """
    rounds: list[Round] = []
    folders: list[Path] = []
    for number in range(1, plan.dpo.rounds + 1):
        before, fresh = (rounds[-1], _answers(space, plan, rounds)) if rounds else (None, None)
        if isinstance(fresh, str):
            return Run(tuple(rounds), tuple(folders), fresh)
        rows = fresh.pairs if fresh else tuple(first)
        start = before.weights if before else champion.weights
        config = plan.dpo.model_dump(mode="json")
        key = content_key([(row.key, trl_row(row)[CUT]) for row in rows], champion.version, start, config, plan.seed)
        folders.append(space.path(f"{RUNS}/{key}"))
        trained = launch.finished(folders[-1])
        if trained is None:
            keep_only(space.path(RUNS), *folders)
            trained = _train(plan, champion, rows, folders[-1], number, before)
        weights = weights_hash(trained.model)
        check_changed(weights, start, len(trained.history), plan.dpo)
        rounds.append(Round(number, rows, start, weights, trained, fresh))
    return Run(tuple(rounds), tuple(folders), "")


def _train(
    plan: Plan, champion: Champion, rows: Sequence[Row], work: Path, number: int, before: Round | None
) -> Trained:
    several = f", round {number} of {plan.dpo.rounds}" if plan.dpo.rounds > 1 else ""
    embedder = embedder_folder(plan.models) if plan.dpo.limits.answers_every else None
    with steps_told(f"training ({plan.dpo.method.upper()}){several}") as on_step:
        try:
            return launch.train(
                rows, champion.folder, work, plan.dpo, zero_preset(plan.dpo.deepspeed), plan.seed, on_step,
                champion.weights, before.trained.unmerged if before else None,
                embedder, WITH_MODELS,
            )  # fmt: skip
        except TrainingError as error:
            raise TrainingError(f"{several.removeprefix(', ')}: {error}" if several else str(error)) from None


def _answers(space: Workspace, plan: Plan, rounds: Sequence[Round]) -> Fresh | str:
    """What the last round's model answers now, as pairs for the next; or why the rounds end here."""
    embedder = backends.remembering(plan.models)
    before, head = rounds[-1], scorer(space, plan.models, embedder)
    ended = f"ended before round {before.number + 1} of {plan.dpo.rounds}"
    if head.is_neutral:
        return f"{ended}: the reward model was trained on too little to tell answers apart"
    log = read_log(space)
    asked = _requests(space, plan, log, rounds)
    teachers = Teachers(space, plan.candidates, plan.models, plan.seed, asked, log)
    samples, wanting = _sampled(space, plan, before, asked, teachers)
    if wanting:
        return f"{ended}: of its own answers, {wanting}"
    rows = list(candidates(asked, samples))
    maker = pair_maker(log, plan.pairs, plan.split, plan.seed, head, embedder)
    made = list(maker.on_policy(rows, Counter(pair.user_id for one in rounds for pair in one.pairs)))
    maker.spread.check()
    used = sum(size(one.rows) for one in rounds)
    most = room(plan.dpo.max_pairs, math.ceil(used), before.number + 1, plan.dpo.rounds)
    lengths = Lengths(before.trained.model, plan.dpo.max_length)
    drawn, _ = training_set(made, frozenset(), 0.0, most, plan.seed, lengths.fits)
    if len(drawn) < plan.dpo.min_fresh_pairs:
        fit = f" that fit dpo.max_length ({len(lengths.too_long)} do not)" if lengths.too_long else ""
        return f"{ended}: {len(drawn)} fresh pairs{fit}, dpo.min_fresh_pairs is {plan.dpo.min_fresh_pairs}"
    maker.dropped.reasons["longer than dpo.max_length"] += len(lengths.too_long)
    maker.dropped.reasons["over the round's share"] += len(made) - len(drawn) - len(lengths.too_long)
    distinct = len(rows) / max(1, plan.candidates.n * len(asked))
    dropped = tuple(sorted((reason, count) for reason, count in maker.dropped.reasons.items() if count))
    return Fresh(tuple(drawn), len(asked), distinct, maker.spread, dropped)


def _requests(space: Workspace, plan: Plan, log: Log, rounds: Sequence[Round]) -> list[Asked]:
    """What to ask: first of all what this cycle's candidates were sampled for."""
    cycle, held = ledger.pinned(space.root).cycle, SampleStore(space, "candidates").samples
    found, users = requests(log, plan.candidates, plan.split), {pair.user_id for pair in rounds[0].pairs}
    if plan.pairs.max_users:
        found = [one for one in found if one.user_id in users]
    this_cycle = {name for name, one in held.items() if one.cycle == cycle}
    config = plan.candidates
    return fresh_requests(
        found, this_cycle.__contains__, config.prompts, rounds[-1].weights, config.sampling, plan.seed
    )  # fmt: skip


def _sampled(
    space: Workspace, plan: Plan, before: Round, asked: Sequence[Asked], teachers: Teachers
) -> tuple[Mapping[str, Sample], str]:
    """All samples, once the round's model has answered what it had not answered yet; what it was found wanting of."""
    store, cycle, config = SampleStore(space, "dpo"), ledger.pinned(space.root).cycle, plan.candidates.sampling
    name = f"cycle {cycle}, round {before.number}, {before.weights[:12]}"
    todo = [one for one in asked if one.key not in store.samples]
    with progress(f"sampling anew after round {before.number}", len(todo)) as advance:

        def keep(block: list[Sample]) -> None:
            store.keep(block)
            advance(len(block), "")

        def enough() -> bool:
            return teachers.fails(store.samples, cycle, name)

        if todo:
            model = local_model(before.trained.model, name, config, plan.models)
            sample(todo, model, plan.candidates.n, config, plan.seed, cycle, keep, enough=enough)
            model.release()
    return store.samples, teachers.verdict(store.samples, cycle, name).wanting if teachers.asks else ""
