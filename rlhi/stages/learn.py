"""The stages of the learn flow: rewrites and candidates -> reward -> pairs -> dpo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rlhi.config import Params, SamplingConfig
from rlhi.contracts import Candidate, JudgedAnswer, PreferencePair, Rewrite, Sample
from rlhi.contracts.turns import request
from rlhi.learn.pairs import candidates as ubr
from rlhi.learn.pairs import rewrite as ugr
from rlhi.learn.pairs.meta_talk import without_asides
from rlhi.learn.pairs.rewrite import Asked
from rlhi.learn.pairs.sampling import draw, sample
from rlhi.models.base import ChatModel
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.learned_from import Log, complaints, judged_maker, lessons_of, pair_maker, read_log, requests
from rlhi.stages.reward_models import scorer
from rlhi.stages.rewarding import reward
from rlhi.stages.samples import SampleStore
from rlhi.stages.teachers import WANTING, Teachers, counted
from rlhi.stages.training import TRAINING, dpo
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_table

__all__ = ["candidates", "dpo", "pairs", "reward", "rewrites"]


def rewrites(space: Workspace, params: Params) -> Outcome:
    """Rewrite complained-about answers with their users' words, and keep the revisions the log itself holds."""
    log = read_log(space)
    config, found = params.rewrites, complaints(log, params)
    model = backends.chat_model(space, params.models.rewriter, config.sampling)
    asked = [one for one in found if one.whole == 1 or model.fits(one.core)]
    teachers = Teachers(space, params, "rewrites", asked, log, config.tries)
    store, new, wanting = _sampled(space, params, teachers, asked, model, config.turns, config.tries, config.sampling)
    revisions = ugr.observed_revisions(log.talks.values(), log.labels) if config.revisions else ()
    said = [*ugr.rewrites(asked, teachers.teaching(store.samples), log.talks), *revisions]
    rows = [replace(row, text=without_asides(row.text, _request(log, row))) for row in said]
    write_table(space.path("data/rewrites"), Rewrite, rows, user=lambda row: row.user_id, note=_noted(wanting))
    sources = Counter(str(row.source) for row in rows)
    note = f"used {_used(space, store, asked)} of {len(asked)} complaints this cycle, {config.tries} tries each"
    shortened = sum(row.text != whole.text for row, whole in zip(rows, said, strict=True))
    counts: dict[str, int | float | str] = {
        **sources,
        "complaints": len(found),
        "asides taken off": shortened,
        **_unanswered(asked, store),
    }
    counts |= _judged(space, teachers, store, model)
    written = [row.cut for row in rows if row.source == "rewrite"]
    counts["cut off"] = sum(written)
    note += f"; {wanting}" if wanting else _cut_off(written, config.sampling.max_new_tokens)
    if len(found) > len(asked):
        counts["too long for the rewriter with the answer"] = len(found) - len(asked)
    return Outcome(new, max(0, len(rows) - new * config.tries), counts, note)


def _request(log: Log, row: Rewrite) -> str:
    return request(log.talks[row.conversation_id].turns, row.turn_index)


def candidates(space: Workspace, params: Params) -> Outcome:
    """Sample N answers with the persona for requests drawn by seed."""
    log, config = read_log(space), params.candidates
    asked = requests(log, params)
    model = backends.chat_model(space, params.models.policy, config.sampling)
    teachers = Teachers(space, params, "candidates", asked, log, config.n)
    store, new, wanting = _sampled(space, params, teachers, asked, model, config.prompts, config.n, config.sampling)
    rows = list(ubr.candidates(asked, teachers.teaching(store.samples)))
    write_table(space.path("data/candidates"), Candidate, rows, user=lambda row: row.user_id, note=_noted(wanting))
    note = f"used {_used(space, store, asked)} of {len(asked)} requests this cycle, {config.n} candidates each"
    distinct = len(rows) / max(1, config.n * len({(row.conversation_id, row.turn_index) for row in rows}))
    counts: dict[str, int | float | str] = {
        "candidates": len(rows),
        "requests": len(asked),
        "distinct share": distinct,
        **_unanswered(asked, store),
    }
    counts["cut off"] = sum(row.cut for row in rows)
    counts |= _judged(space, teachers, store, model)
    note += f"; {wanting}" if wanting else _cut_off([row.cut for row in rows], config.sampling.max_new_tokens)
    return Outcome(new, 0, counts, note)


def pairs(space: Workspace, params: Params) -> Outcome:
    """Turn rewrites and candidates into preference pairs, filtered by the reward model; and what users judged singly.

    Judged answers tell the persona that pairs tell, all that is known of the user: what its claims ask for is what is
    to be learned, and most complaints are the first word of it (docs/training.md, "Judged answers").
    """
    rows = [row for row in read_table(space.path("data/rewrites"), Rewrite) if not params.split.holds_out(row.user_id)]
    sampled = read_table(space.path("data/candidates"), Candidate)
    embedder = backends.remembering(params)
    log, head = read_log(space), scorer(space, params, embedder)
    champion = ledger.policy_path(space.root, ledger.pinned(space.root).champion)
    learned = lessons_of(read_json(champion / TRAINING))
    maker = pair_maker(log, params, head, embedder, learned)
    made = list(maker.pairs(rows, sampled))
    # A head that too few comparisons trained finds all alike by design: pairs are then of what was seen without it.
    if not head.is_neutral:
        maker.spread.check()
    write_table(space.path("data/pairs"), PreferencePair, made, user=lambda row: row.user_id)
    single = judged_maker(log, params, learned)
    judged = list(single.answers(log.labels, made))
    write_table(space.path("data/judged"), JudgedAnswer, judged, user=lambda row: row.user_id)
    sources = Counter(str(pair.source) for pair in made)
    sides = Counter(f"judged by {row.source}, {'wanted' if row.wanted else 'unwanted'}" for row in judged)
    counts: dict[str, int | float | str] = {
        **sources, "mean deviation of a request's rewards": maker.spread.deviation,
        "mean best to worst": maker.spread.best_to_worst,
        "wishes of candidates' users": maker.wanted.wishes,
        "wishes that no candidate met": maker.wanted.never.total(),
        **{f"never met: {claim}": count for claim, count in maker.wanted.never.most_common(5) if count},
        **{f"dropped: {reason}": count for reason, count in sorted(maker.dropped.reasons.items()) if count},
        **dict(sorted(sides.items())),
        **{f"judged, dropped: {reason}": count for reason, count in sorted(single.dropped.reasons.items()) if count},
    }  # fmt: skip
    note = f"{len(made)} pairs from {len({pair.user_id for pair in made})} users"
    note += f", {len(judged)} judged answers from {len({row.user_id for row in judged})}"
    return Outcome(len(made) + len(judged), 0, counts, note)


def _sampled(
    space: Workspace,
    params: Params,
    teachers: Teachers,
    asked: Sequence[Asked],
    model: ChatModel,
    most: int,
    n: int,
    config: SamplingConfig,
) -> tuple[SampleStore, int, str]:
    """Sample what this cycle may still sample, until the model is found wanting.

    The stage's store, how many requests are new in it, and what is to be told of a model that may not teach.
    """
    cycle, new = _cycle(space), 0
    store = SampleStore(space, teachers.stage)
    todo = draw(asked, store.taken(cycle, (one.key for one in asked)), most, store.samples.__contains__, params.seed)
    with progress(f"sampling {teachers.stage}", len(todo)) as advance:

        def keep(block: list[Sample]) -> None:
            nonlocal new
            store.keep(block)
            new += len(block)
            advance(len(block), "")

        def enough() -> bool:
            return teachers.fails(store.samples, cycle, model.name)

        if todo:
            sample(todo, model, n, config, params.seed, cycle, keep, store.answered(model.name), enough)
    verdict = teachers.verdict(store.samples, cycle, model.name) if teachers.asks else None
    return store, new, teachers.told(verdict, model.name) if verdict and verdict.wanting else ""


def _judged(space: Workspace, teachers: Teachers, store: SampleStore, model: ChatModel) -> dict[str, int | float | str]:
    """The figures that the model was judged by in this cycle; none where nothing is asked or was said."""
    verdict = teachers.verdict(store.samples, _cycle(space), model.name) if teachers.asks else None
    return counted(verdict) if verdict and verdict.measured.said else {}


def _noted(wanting: str) -> dict[str, object]:
    return {WANTING: wanting} if wanting else {}


def _used(space: Workspace, store: SampleStore, asked: Sequence[Asked]) -> str:
    """How many requests this cycle sampled; and how many samples are of cycles before, by whichever model they are."""
    keys = [one.key for one in asked if one.key in store.samples]
    now = store.taken(_cycle(space), keys)
    return f"{now} (and {len(keys) - now} of cycles before)" if len(keys) > now else str(now)


def _cut_off(cut: Sequence[bool], tokens: int) -> str:
    """A warning where most of the text had not ended: what that costs, and what to do."""
    if sum(cut) <= len(cut) / 2:
        return ""
    return (
        f"; {sum(cut)} of {len(cut)} are cut off at {tokens} tokens and teach no end; "
        "a larger sampling.max_new_tokens takes longer"
    )


def _unanswered(asked: Sequence[Asked], store: SampleStore) -> dict[str, int]:
    """How many requests an endpoint would not take: too long for it, or refused by its content filter."""
    count = sum(not store.samples[one.key].texts for one in asked if one.key in store.samples)
    return {"refused by the model": count} if count else {}


def _cycle(space: Workspace) -> int:
    return ledger.pinned(space.root).cycle
