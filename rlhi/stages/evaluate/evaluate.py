"""The stage ``evaluate``: champion and challenger answer what held-out users ask, and every suite measures both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rlhi.checks.relevance import Yardstick
from rlhi.config import EvaluateConfig, ModelsConfig, PersonasConfig, SplitConfig
from rlhi.contracts import EvalResult
from rlhi.evaluate import suites
from rlhi.evaluate.replies import EvaluatedReply, evaluated_replies
from rlhi.evaluate.said import Chosen, Model, PairLikelihoods, Question, Reading, Replies, Reply, Said, Truth
from rlhi.models.base import Policy
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.collect.personas import persona_before
from rlhi.stages.evaluate.questions import Logged, Questions, answers, asked_of_both, likelihoods, samples_key
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.learn.reward_models import scorer
from rlhi.stages.simulator.truth import truth_of
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, write_table

Part = TypeVar("Part")
REPLIES = "data/replies"
"""What champion and challenger said to held-out users when they were last measured: ``EvaluatedReply``."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """What one model said to them."""

    replies: Sequence[Reply]
    swapped: Sequence[Reply]
    prompted: Mapping[str, Sequence[Reply]]
    chosen: PairLikelihoods
    chosen_swapped: PairLikelihoods
    likely: Mapping[str, Sequence[Sequence[float]]]


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
    truth, known = truth_of(space), persona_before(space, personas, split)
    asked = asked_of_both(space, evaluate, split, seed, known, truth, both["champion"])
    with progress("asking both models", 2 * asked.count) as advance:
        found = {
            name: _ask(space, evaluate, seed, name, model, asked, version, advance) for name, model in both.items()
        }
    said = _said(space, evaluate, models, seed, asked, found, truth)
    results = suites.results(said)
    write_table(folder, EvalResult, results, user=lambda row: row.user_id)
    _write_replies(space, said.replies)
    users, met = {reply.user_id for reply in asked.requests}, sorted({row.suite for row in results})
    note = f"{len(users)} held-out users, {len(asked.requests)} requests, {evaluate.samples} samples by each model"
    return Outcome(len(results), 0, {"suites": ", ".join(met), "logged choices": len(asked.logged)}, note)


def _write_replies(space: Workspace, replies: Replies) -> None:
    write_table(space.path(REPLIES), EvaluatedReply, evaluated_replies(replies), user=lambda row: row.user_id)


def _ask(
    space: Workspace, config: EvaluateConfig, seed: int, name: Model, model: Policy, asked: Questions, version: str,
    advance: Callable[[int, str], None],
) -> _Answers:  # fmt: skip
    identity = samples_key(space, name, version)

    def reply(items: Sequence[Reply], n: int) -> list[Reply]:
        found = answers(space, config, seed, model, items, n, identity)
        advance(len(items), name)
        return found

    def pairs(logged: Logged) -> PairLikelihoods:
        found = likelihoods(model, logged)
        advance(len(logged), name)
        return found

    def likely(questions: Sequence[Question]) -> list[list[float]]:
        found = model.log_likelihood_of([(prompt, texts) for _, prompt, texts in questions])
        advance(len(questions), name)
        return found

    said = _Answers(
        reply(asked.requests, config.samples),
        reply(asked.swapped, config.lift_samples),
        {suite: reply(items, config.instruction_samples) for suite, items in asked.prompts.items()},
        pairs(asked.logged),
        pairs(asked.logged_swapped),
        {suite: likely(questions) for suite, questions in asked.questions.items()},
    )
    model.release()
    return said


def _said(
    space: Workspace, config: EvaluateConfig, models: ModelsConfig, seed: int, asked: Questions,
    found: Mapping[Model, _Answers], truth: Truth | None,
) -> Said:  # fmt: skip
    """What both models said side by side, and who reads it."""

    def by_model(part: Callable[[_Answers], Part]) -> dict[Model, Part]:
        return {model: part(one) for model, one in found.items()}

    def chosen(logged: Logged, part: Callable[[_Answers], PairLikelihoods]) -> Chosen | None:
        return Chosen([choice for choice, _ in logged], by_model(part)) if logged else None

    return Said(
        by_model(lambda one: one.replies), backends.embedder(models), scorer(space, models), progress,
        swapped=by_model(lambda one: one.swapped) if asked.swapped else None,
        chosen=chosen(asked.logged, lambda one: one.chosen),
        chosen_swapped=chosen(asked.logged_swapped, lambda one: one.chosen_swapped),
        truth=truth, reading=_reading(space, config, models, seed),
        prompted={suite: {model: one.prompted[suite] for model, one in found.items()} for suite in asked.prompts},
        likely={suite: {model: one.likely[suite] for model, one in found.items()} for suite in asked.questions},
    )  # fmt: skip


def _reading(space: Workspace, config: EvaluateConfig, models: ModelsConfig, seed: int) -> Reading | None:
    if not config.recognised:
        return None
    yardstick = Yardstick(backends.yardstick(space, config.sampling, models))
    return Reading(yardstick, config.recognised, config.others, seed)
