"""The stages of the evaluate flow: evaluate, drift -> gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from random import Random

from rlhi import ledger
from rlhi.checks import Check
from rlhi.config import Params
from rlhi.contracts import (
    Conversation,
    DriftReport,
    EvalResult,
    FeedbackTurn,
    Interval,
    Message,
    Persona,
    Rewrite,
    Sample,
    content_key,
    from_record,
    to_record,
)  # fmt: skip
from rlhi.evaluate import suites
from rlhi.evaluate.drift import DriftRow, drift_row
from rlhi.evaluate.drift import drift as measure_drift
from rlhi.evaluate.gate import decide
from rlhi.evaluate.replies import EvaluatedReply, evaluated_replies
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites import Choice, Model, Reply
from rlhi.learn.comparisons import preferred, prompt_before
from rlhi.models.base import Sampling, Scored
from rlhi.models.local import LocalChatModel
from rlhi.progress import progress
from rlhi.prompts import with_persona
from rlhi.simulate.users import WishRow
from rlhi.stages import Outcome, backends, incoming
from rlhi.stages.backends import local_model
from rlhi.stages.ingest import conversations
from rlhi.stages.personas import PersonaBefore, persona_before, told
from rlhi.stages.reward_models import scorer
from rlhi.stages.samples import SampleStore
from rlhi.stages.training import TRAINING
from rlhi.store import Workspace, read_json, read_note, read_table, write_atomic, write_json, write_table
from rlhi.turns import opening

EVALUATION_REQUESTS = "data/simulator/requests.json"
WISHES = "data/simulator/wishes"
REPLIES = "data/replies"
"""What champion and challenger said to held-out users when they were last measured: ``EvaluatedReply``."""


def evaluate(space: Workspace, params: Params) -> Outcome:
    """Ask champion and challenger what held-out users ask, and measure both on every suite that can be measured."""
    folder, challenger = space.path("data/evaluation"), space.path("models/challenger")
    skipped = read_json(challenger / TRAINING).get("skipped")
    if skipped:
        write_table(folder, EvalResult, [], user=lambda row: row.user_id, note={"skipped": str(skipped)})
        _write_replies(space, {})
        return Outcome(0, 0, {}, f"nothing to evaluate: {skipped}")
    version = ledger.pinned(space.root).champion
    champion = ledger.policy_path(space.root, version)
    models: dict[Model, LocalChatModel] = {
        "champion": local_model(champion, f"policy@{version}", params.evaluate.sampling, params),
        "challenger": local_model(challenger, "challenger", params.evaluate.sampling, params),
    }
    known = persona_before(space, params)
    asked = _held_out_requests(space, params, known)
    items = [Reply(item, item, "", prompt, "") for item, prompt in suites.instruction_items()]
    logged = _choices(space, params, known, models["champion"])
    reader = backends.embedder(params)
    results: list[EvalResult] = []
    replies: dict[Model, list[Reply]] = {}
    with progress("asking both models", 2 * (len(asked) + len(items)) + 2 * len(logged)) as advance:
        likely: dict[Model, list[tuple[float, float]]] = {}
        for model, backend in models.items():
            identity, config = _samples_key(space, model, version), params.evaluate
            replies[model] = _answers(space, params, backend, asked, config.samples, identity)
            advance(len(asked), model)
            instructed = _answers(space, params, backend, items, config.instruction_samples, identity)
            advance(len(items), model)
            results += suites.instructions(instructed, model)
            # Of what users see alone: instructions without a persona would hide that it is no language any more.
            results += suites.fluency(replies[model], model)
            results += suites.nearness(replies[model], model, reader)
            likely[model] = _likelihoods(backend, logged)
            advance(len(logged), model)
    results += suites.choices([choice for choice, _ in logged], likely["champion"], likely["challenger"])
    wishes, right = _wishes(space), _right_answers(space)
    for model in models:
        results += suites.satisfaction(replies[model], wishes, model, right)
    results += _preference(space, params, replies)
    write_table(folder, EvalResult, results, user=lambda row: row.user_id)
    _write_replies(space, replies)
    users = {reply.user_id for reply in asked}
    suites_met = sorted({row.suite for row in results})
    note = f"{len(users)} held-out users, {len(asked)} requests, {params.evaluate.samples} samples by each model"
    return Outcome(len(results), 0, {"suites": ", ".join(suites_met), "logged choices": len(logged)}, note)


def _write_replies(space: Workspace, replies: Mapping[Model, Sequence[Reply]]) -> None:
    write_table(space.path(REPLIES), EvaluatedReply, evaluated_replies(replies), user=lambda row: row.user_id)


def _held_out_requests(space: Workspace, params: Params, known: PersonaBefore) -> list[Reply]:
    """What to ask: the simulator's evaluation requests where there are some, else held-out users' own requests.

    A request of the log's comes with the persona that was known before it, or with the prior: what its user complained
    of afterwards would tell both models how to answer. Where a log tells no times, all of the user's other
    conversations count as before, and an edited persona is told as it is, for edits have no date.
    """
    personas = told(read_table(space.path("data/personas"), Persona), params.evaluate.persona, params.split.holds_out)
    prior = next((row.text for row in personas.values() if row.origin == "prior"), "")
    kept = read_json(space.path(EVALUATION_REQUESTS)).get("requests")
    fixed = [str(text) for text in kept] if isinstance(kept, list) else []
    by_user: dict[str, dict[str, Conversation]] = {}
    for talk in conversations(space):
        if _held_out(talk, params) and (first := opening(talk.turns)).strip():
            by_user.setdefault(talk.user_id, {}).setdefault(first, talk)
    chosen = sorted(by_user, key=lambda user: content_key(params.seed, "evaluate", user))[: params.evaluate.users]
    asked = []
    for user in sorted(chosen):
        random = Random(content_key(params.seed, "requests", user))
        pool = sorted(set(fixed) or by_user[user])
        row = personas.get(user)
        dated = not fixed and row is not None and row.user_id == user and row.origin == "inferred"
        for text in random.sample(pool, min(params.evaluate.requests, len(pool))):
            persona = (known(by_user[user][text], 0) or prior) if dated else row.text if row else ""
            prompt = with_persona([Message("user", text)], persona)
            asked.append(Reply(content_key(user, text), user, persona, prompt, ""))
    return asked


def _held_out(talk: Conversation, params: Params) -> bool:
    return params.split.holds_out(talk.user_id)


def _answers(
    space: Workspace, params: Params, model: LocalChatModel, asked: Sequence[Reply], n: int, identity: str
) -> list[Reply]:
    """``n`` replies for each item, from the store of samples where this very model was asked before."""
    config = params.evaluate
    store = SampleStore(space, "evaluate")
    settings = config.sampling.model_dump() | {"n": n}
    keys = [content_key(identity, [to_record(said) for said in one.prompt], settings, one.item) for one in asked]
    size = max(1, config.sampling.batch // n)
    cycle = ledger.pinned(space.root).cycle
    for start in range(0, len(asked), size):
        # Blocks are cut from all that is asked and sampled whole, so that a run which finds some of it answered gives
        # the others the replies of an undisturbed one, and both models have the same seeds.
        block = list(zip(keys, asked, strict=True))[start : start + size]
        fresh = {key for key, _ in block if key not in store.samples}
        if not fresh:
            continue
        seed = params.seed * 1000 + start
        sampling = Sampling(n, config.sampling.temperature, config.sampling.top_k, config.sampling.max_new_tokens, seed)
        texts = model.chat([one.prompt for _, one in block], sampling)
        store.keep([
            Sample(key, tuple(got), model.name, seed, cycle)
            for (key, _), got in zip(block, texts, strict=True)
            if key in fresh
        ])  # fmt: skip
    return [
        Reply(f"{one.item}/{at}", one.user_id, one.persona, one.prompt, text)
        for key, one in zip(keys, asked, strict=True)
        for at, text in enumerate(store.samples[key].texts)
    ]


def _samples_key(space: Workspace, model: Model, version: str) -> str:
    if model == "champion":
        return version
    return content_key(read_json(space.path("models/challenger") / TRAINING))


def _choices(
    space: Workspace, params: Params, known: PersonaBefore, reader: LocalChatModel
) -> list[tuple[Choice, tuple[Message, ...]]]:
    """Held-out users' logged preferences: what they chose or edited, and revisions that they accepted.

    Each is told the persona that was known before the answer. An answer that ``reader`` does not read whole is left
    out: of a part nobody can tell how likely the whole is.
    """
    talks = {row.conversation_id: row for row in conversations(space) if _held_out(row, params)}
    found = [
        (talk, at, better, worse)
        for talk in talks.values()
        for at, turn in enumerate(talk.turns)
        for _, better, worse in preferred(turn)
    ]
    for row in read_table(space.path("data/rewrites"), Rewrite):
        if row.source == "observed_revision" and row.conversation_id in talks:
            found.append((talks[row.conversation_id], row.turn_index, row.text, row.original))
    keyed = {content_key(one[0].conversation_id, *one[1:]): one for one in found}
    fit = (
        (key, one)
        for key, one in sorted(keyed.items(), key=lambda one: content_key(params.seed, one[0]))
        if all(reader.fits((Message("user", side),)) for side in one[2:])
    )
    drawn = islice(fit, params.evaluate.pairs)
    return [
        (Choice(key, talk.user_id, better, worse), with_persona(prompt_before(talk, at), known(talk, at)))
        for key, (talk, at, better, worse) in drawn
    ]


def _likelihoods(
    model: LocalChatModel, logged: Sequence[tuple[Choice, tuple[Message, ...]]]
) -> list[tuple[float, float]]:
    chosen = model.log_likelihood([(prompt, choice.chosen) for choice, prompt in logged])
    rejected = model.log_likelihood([(prompt, choice.rejected) for choice, prompt in logged])
    return list(zip(chosen, rejected, strict=True))


def _wishes(space: Workspace) -> Mapping[str, tuple[Check, ...]]:
    """The simulated users' hidden wishes; this stage alone opens them."""
    rows = sorted(read_table(space.path(WISHES), WishRow), key=lambda row: row.user_id)
    return {
        user: tuple(Check(row.kind, row.argument) for row in group)
        for user, group in groupby(rows, key=lambda row: row.user_id)
    }


def _right_answers(space: Workspace) -> Mapping[str, Check]:
    """What answers the simulator's evaluation requests rightly, by request, where they have one right answer."""
    kept = read_json(space.path(EVALUATION_REQUESTS)).get("checks")
    return {str(text): Check.parse(str(name)) for text, name in kept.items()} if isinstance(kept, dict) else {}


def _preference(space: Workspace, params: Params, replies: Mapping[Model, Sequence[Reply]]) -> list[EvalResult]:
    head = scorer(space, params)
    rewards = [
        head.score([Scored(reply.persona, reply.prompt, reply.text) for reply in replies[model]])
        for model in ("champion", "challenger")
    ]
    return suites.preference(replies["champion"], *rewards)


def drift(space: Workspace, params: Params) -> Outcome:
    """Compare what the champion has not learned from with what it has: the cycles up to its promotion, or the first.

    So a batch that drifted is told of until a challenger that learned from it is promoted. A log that landed
    during this cycle is news to the next: its follow-ups are not labelled, and it would count as free of complaints.
    """
    cycles = {batch.digest: batch.cycle for batch in incoming.batches(space)}
    labels: dict[str, list[FeedbackTurn]] = {}
    for row in read_table(space.path("data/feedback"), FeedbackTurn):
        labels.setdefault(row.conversation_id, []).append(row)
    pin = ledger.pinned(space.root)
    promoted = (one.cycle for one in ledger.history(space.root) if one.promoted == pin.champion)
    learned = min(max(promoted, default=1), pin.cycle - 1)
    current: list[DriftRow] = []
    reference: list[DriftRow] = []
    for talk in conversations(space):
        news = cycles.get(talk.batch, pin.cycle)
        if news <= pin.cycle:
            side = current if news > learned else reference
            side.append(drift_row(talk, labels.get(talk.conversation_id, [])))
    report, files = measure_drift(current, reference, params.drift)
    folder = space.path("data/drift")
    write_json(folder / "drift.json", to_record(report))
    for name, text in (("evidently.html", files.html), ("evidently.json", files.json)) if files else ():
        write_atomic(folder / name, text.encode())
    note = {
        "no_reference": f"no reference: {report.reference} former conversations",
        "stable": f"stable: {len(report.failed)} of {len(report.columns)} columns drifted",
        "drifted": f"drifted: {', '.join(report.failed)}",
    }[report.status]
    return Outcome(1, 0, {"current": report.current, "reference": report.reference, "status": report.status}, note)


def _judge(space: Workspace) -> Interval:
    """How much of what held-out users preferred the reward model ranks right; anything, where none was compared."""
    held = read_json(space.path("models/reward/metrics.json")).get("judge")
    return from_record(Interval, held) if isinstance(held, dict) else Interval(0.5, 0.0, 1.0, 0, 0)


def gate(space: Workspace, params: Params) -> Outcome:
    """The verdict, as JSON for people and programs, and as metrics for ``dvc metrics diff``."""
    results = read_table(space.path("data/evaluation"), EvalResult)
    config = params.evaluate
    measured = measure(results, confidence=config.confidence, resamples=config.resamples, seed=params.seed)
    drifted = from_record(DriftReport, read_json(space.path("data/drift/drift.json")))
    decision = decide(measured, drifted, params.gate, _judge(space))
    skipped = read_note(space.path("data/evaluation")).get("skipped")
    if skipped:
        decision = replace(decision, reasons=(str(skipped), *decision.reasons))
    pin = ledger.pinned(space.root)
    record = {"cycle": pin.cycle, "champion": pin.champion, **to_record(decision)}
    write_json(space.path("metrics/decision.json"), record)
    figures = {
        one.suite: {"champion": one.champion.mean, "challenger": one.challenger.mean, "gain": one.gain.mean}
        for one in measured
    }
    write_json(space.path("metrics/metrics.json"), {"promote": int(decision.verdict == "promote"), **figures})
    return Outcome(1, 0, {"verdict": decision.verdict}, "; ".join(decision.reasons))
