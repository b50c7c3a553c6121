"""The stage ``evaluate``: champion and challenger answer what held-out users ask, and every suite measures both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import get_args

from rlhi.checks.relevance import Yardstick
from rlhi.config import EvaluateConfig, ModelsConfig, PersonasConfig, SplitConfig
from rlhi.config.evaluate import Suite
from rlhi.contracts import EvalResult, Message, Profile, content_key
from rlhi.evaluate import personas as lifts
from rlhi.evaluate import suites
from rlhi.evaluate.controls import controls
from rlhi.evaluate.knowledge import ask, knowledge
from rlhi.evaluate.replies import EvaluatedReply, evaluated_replies
from rlhi.evaluate.suites import Choice, Model, Reply
from rlhi.models.base import Policy, Scored
from rlhi.progress import progress
from rlhi.stages import Outcome, StageError, backends
from rlhi.stages.collect.personas import PersonaBefore, persona_before
from rlhi.stages.evaluate.asked import answers, choices, held_out_requests, likelihoods, other_persona, samples_key
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.learn.reward_models import scorer
from rlhi.stages.simulator.truth import Truth, truth_of
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, write_table

REPLIES = "data/replies"
"""What champion and challenger said to held-out users when they were last measured: ``EvaluatedReply``."""
MODELS: tuple[Model, Model] = ("champion", "challenger")
Logged = Sequence[tuple[Choice, tuple[Message, ...]]]
Likely = dict[Model, list[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class _Questions:
    """What both models are asked: ``shuffled`` are the same requests, each with another user's persona."""

    requests: list[Reply]
    shuffled: list[Reply]
    instructions: list[Reply]
    logged: Logged
    elsewhere: Logged


@dataclass(slots=True)
class _Said:
    """What both models said, and how likely they find what was chosen in the log."""

    replies: dict[Model, list[Reply]] = field(default_factory=dict)
    shuffled: dict[Model, list[Reply]] = field(default_factory=dict)
    instructed: dict[Model, list[Reply]] = field(default_factory=dict)
    likely: Likely = field(default_factory=dict)
    elsewhere: Likely = field(default_factory=dict)
    known: list[EvalResult] = field(default_factory=list)


def evaluate(
    space: Workspace,
    /,
    *,
    evaluate: EvaluateConfig,
    personas: PersonasConfig,
    split: SplitConfig,
    models: ModelsConfig,
    seed: int,
) -> Outcome:
    """Ask champion and challenger what held-out users ask, and measure both on every suite that can be measured."""
    folder, challenger = space.path("data/evaluation"), space.path("models/challenger")
    skipped = read_json(challenger / TRAINING).get("skipped")
    if skipped:
        write_table(folder, EvalResult, [], user=lambda row: row.user_id, note={"skipped": str(skipped)})
        _write_replies(space, {})
        return Outcome(0, 0, {}, f"nothing to evaluate: {skipped}")
    version, sampling = ledger.pinned(space.root).champion, evaluate.sampling
    both: dict[Model, Policy] = {
        "champion": backends.local_model(
            ledger.policy_path(space.root, version), f"policy@{version}", sampling, models
        ),
        "challenger": backends.local_model(challenger, "challenger", sampling, models),
    }
    truth = truth_of(space)
    questions = _questions(
        space, evaluate, split, seed, persona_before(space, personas, split), truth, both["champion"]
    )
    said = _ask(space, evaluate, seed, both, questions, version)
    results = [
        *_of_replies(space, evaluate, models, seed, said),
        *_of_users(said, truth),
        *_of_personas(said, questions, truth),
    ]
    results += suites.choices([one for one, _ in questions.logged], said.likely["champion"], said.likely["challenger"])
    results += _preference(space, models, said.replies)
    if strange := {row.suite for row in results} - set(get_args(Suite)):
        raise StageError(f"suite {min(strange)!r} is not in Suite of rlhi/config/evaluate.py")
    write_table(folder, EvalResult, results, user=lambda row: row.user_id)
    _write_replies(space, said.replies)
    asked = questions.requests
    users, met = {reply.user_id for reply in asked}, sorted({row.suite for row in results})
    note = f"{len(users)} held-out users, {len(asked)} requests, {evaluate.samples} samples by each model"
    return Outcome(len(results), 0, {"suites": ", ".join(met), "logged choices": len(questions.logged)}, note)


def _write_replies(space: Workspace, replies: Mapping[Model, Sequence[Reply]]) -> None:
    write_table(space.path(REPLIES), EvaluatedReply, evaluated_replies(replies), user=lambda row: row.user_id)


def _questions(
    space: Workspace, config: EvaluateConfig, split: SplitConfig, seed: int, known: PersonaBefore, truth: Truth,
    reader: Policy,
) -> _Questions:  # fmt: skip
    requests = held_out_requests(space, config, split, seed, known)
    items = [Reply(item, item, Profile(), prompt, "") for item, prompt in suites.instruction_items()]
    logged = choices(space, config, split, seed, known, reader)
    own = config.persona == "own" and config.lift_samples > 0
    # By wishes where they are known, else by what users chose in the log.
    shuffled = held_out_requests(space, config, split, seed, known, "shuffled") if own and truth.wishes else []
    told = {one.item: one.persona.text for one in requests}
    shuffled = [
        one for one in shuffled if one.persona.text and told.get(one.item) and one.persona.text != told[one.item]
    ]
    elsewhere = other_persona(space, split, logged) if own and not truth.wishes else []
    return _Questions(requests, shuffled, items, logged, elsewhere)


def _ask(
    space: Workspace, config: EvaluateConfig, seed: int, models: Mapping[Model, Policy], asked: _Questions,
    version: str,
) -> _Said:  # fmt: skip
    said = _Said()
    batches = len(asked.requests) + len(asked.shuffled) + len(asked.instructions)
    with progress("asking both models", 2 * (batches + len(asked.logged) + len(asked.elsewhere))) as advance:
        for model, backend in models.items():
            identity = samples_key(space, model, version)

            def reply(
                items: Sequence[Reply], n: int, model: Model = model, backend: Policy = backend,
                identity: str = identity,
            ) -> list[Reply]:  # fmt: skip
                found = answers(space, config, seed, backend, items, n, identity)
                advance(len(items), model)
                return found

            said.replies[model] = reply(asked.requests, config.samples)
            said.shuffled[model] = reply(asked.shuffled, config.lift_samples)
            said.instructed[model] = reply(asked.instructions, config.instruction_samples)
            for likely, logged in ((said.likely, asked.logged), (said.elsewhere, asked.elsewhere)):
                likely[model] = likelihoods(backend, logged)
                advance(len(logged), model)
            said.known += knowledge(ask(backend), model)
            backend.release()
    return said


def _of_replies(
    space: Workspace, config: EvaluateConfig, models: ModelsConfig, seed: int, said: _Said
) -> list[EvalResult]:
    """What can be measured of any reply: is it language, does it answer, does it follow instructions?"""
    reader, rows = backends.embedder(models), [*said.known]
    for model in MODELS:
        rows += suites.instructions(said.instructed[model], model)
        # Of what users see alone: instructions without a persona would hide that it is no language any more.
        rows += suites.fluency(said.replies[model], model)
        rows += suites.nearness(said.replies[model], model, reader)
    if not config.recognised:
        return rows
    yardstick = Yardstick(backends.yardstick(space, config.sampling, models))
    read = {model: suites.first_samples(said.replies[model], config.recognised) for model in MODELS}
    others = _others(read["champion"], config.others, seed)
    with progress("can the request be told from the reply", sum(map(len, read.values()))) as advance:
        for model in MODELS:
            rows += suites.recognised(read[model], model, yardstick, others, lambda count: advance(count, ""))
    return rows


def _others(replies: Sequence[Reply], count: int, seed: int) -> Callable[[str], list[str]]:
    """Other requests to tell a request from, drawn by seed; the same for both models' replies."""
    pool = sorted({suites.request_of(reply) for reply in replies})

    def others(request: str) -> list[str]:
        rest = [one for one in pool if one != request]
        random = Random(content_key(seed, "others", request))
        return random.sample(rest, min(count, len(rest)))

    return others


def _of_users(said: _Said, truth: Truth) -> list[EvalResult]:
    """What simulated users find: wishes met by answers, who lost half, and what no one style for all would have."""
    rows = list[EvalResult]()
    for model in MODELS:
        rows += suites.satisfaction(said.replies[model], truth.wishes, model, truth.keys, truth.right)
    judged = [row for row in rows if row.suite == "satisfaction"]
    rows += suites.kept(judged)
    if truth.keys and any(reply.user_id in truth.wishes for reply in said.replies["champion"]):
        after = [row for row in judged if row.model == "challenger"]
        found = controls(said.replies["champion"], truth.wishes, suites.answered_by(truth.keys))
        for name, control in zip(("beyond_two_sentences", "beyond_best_style"), (found[0], found[2]), strict=True):
            rows += suites.beyond(name, control.rows, after)
    return rows


def _of_personas(said: _Said, asked: _Questions, truth: Truth) -> list[EvalResult]:
    """Persona lift: what the user's own persona is worth over another's."""
    rows = list[EvalResult]()
    for model in MODELS:
        if truth.wishes:
            rows += lifts.lift_by_wishes(said.replies[model], said.shuffled[model], truth.wishes, model)
        else:
            logged = {choice.item: own for (choice, _), own in zip(asked.logged, said.likely[model], strict=True)}
            for (choice, _), other in zip(asked.elsewhere, said.elsewhere[model], strict=True):
                rows.append(lifts.lift_by_choice(choice, logged[choice.item], other, model))
    return rows


def _preference(space: Workspace, models: ModelsConfig, replies: Mapping[Model, Sequence[Reply]]) -> list[EvalResult]:
    head = scorer(space, models)
    rewards = [
        head.score([Scored(reply.persona, reply.prompt, reply.text) for reply in replies[model]])
        for model in ("champion", "challenger")
    ]
    return suites.preference(replies["champion"], *rewards)
