"""Asking models what an evaluation asks, and all that they said side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rlhi.checks.relevance import Yardstick
from rlhi.config import EvaluateConfig, ModelsConfig, PanelConfig
from rlhi.contracts import content_key
from rlhi.evaluate.replies import EvaluatedReply, evaluated_replies
from rlhi.evaluate.said import (
    AskedTests,
    Chosen,
    Model,
    PairLikelihoods,
    Question,
    Reading,
    Replies,
    Reply,
    Said,
    Truth,
)
from rlhi.models.base import Policy
from rlhi.progress import progress
from rlhi.stages import backends
from rlhi.stages.evaluate.questions import Draw, Logged, Questions, answers, likelihoods
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.learn.judge import judge_of
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, write_table

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A model that is asked; ``identity`` tells its replies in the store of samples from those of others."""

    policy: Policy
    identity: str


@dataclass(frozen=True, slots=True)
class _Answers:
    """What one model said."""

    replies: Sequence[Reply]
    swapped: Sequence[Reply]
    follow_ups: Sequence[Reply]
    prompted: Mapping[str, Sequence[Reply]]
    chosen: PairLikelihoods
    chosen_swapped: PairLikelihoods
    likely: Mapping[str, Sequence[Sequence[float]]]
    tested: Sequence[Reply]


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: a workspace, how much of whom (``panel``), and what is ``drawn`` for it."""

    space: Workspace
    config: EvaluateConfig
    panel: PanelConfig
    models: ModelsConfig
    draw: Draw
    truth: Truth | None

    def challenger(self) -> AskedModel:
        """The model that was just trained."""
        folder = self.space.path("models/challenger")
        policy = backends.local_model(folder, "challenger", self.config.sampling, self.models)
        return AskedModel(policy, content_key(read_json(folder / TRAINING)))

    def version(self, version: str) -> AskedModel:
        """A version of the policy."""
        folder, name = ledger.policy_path(self.space.root, version), f"policy@{version}"
        return AskedModel(backends.local_model(folder, name, self.config.sampling, self.models), version)

    def both(self, before: AskedModel, after: AskedModel, asked: Questions) -> Said:
        """What a model of before and the challenger say, side by side, and who reads it."""
        both: dict[Model, AskedModel] = {"champion": before, "challenger": after}
        with progress("asking both models", 2 * asked.count) as advance:
            found = {name: self._ask(name, model, asked, advance) for name, model in both.items()}
        return self._said(asked, found)

    def _ask(self, name: Model, model: AskedModel, asked: Questions, advance: Callable[[int, str], None]) -> _Answers:
        def reply(items: Sequence[Reply], n: int) -> list[Reply]:
            found = answers(self.space, self.config, self.draw, model.policy, items, n, model.identity)
            advance(len(items), name)
            return found

        def pairs(logged: Logged) -> PairLikelihoods:
            found = likelihoods(model.policy, logged)
            advance(len(logged), name)
            return found

        def likely(questions: Sequence[Question]) -> list[list[float]]:
            found = model.policy.log_likelihood_of([(prompt, texts) for _, prompt, texts in questions])
            advance(len(questions), name)
            return found

        said = _Answers(
            reply(asked.requests, self.panel.samples),
            reply(asked.swapped, self.panel.lift_samples),
            reply(asked.follow_ups, 1),
            {suite: reply(items, self.config.instruction_samples) for suite, items in asked.prompts.items()},
            pairs(asked.logged),
            pairs(asked.logged_swapped),
            {suite: likely(questions) for suite, questions in asked.questions.items()},
            reply(asked.tested, self.panel.samples),
        )
        model.policy.release()
        return said

    def _said(self, asked: Questions, found: Mapping[Model, _Answers]) -> Said:
        def by_model(part: Callable[[_Answers], Part]) -> dict[Model, Part]:
            return {model: part(one) for model, one in found.items()}

        def chosen(logged: Logged, part: Callable[[_Answers], PairLikelihoods]) -> Chosen | None:
            return Chosen([choice for choice, _ in logged], by_model(part)) if logged else None

        return Said(
            by_model(lambda one: one.replies), backends.embedder(self.models), judge_of(self.space, self.models),
            progress,
            swapped=by_model(lambda one: one.swapped) if asked.swapped else None,
            chosen=chosen(asked.logged, lambda one: one.chosen),
            chosen_swapped=chosen(asked.logged_swapped, lambda one: one.chosen_swapped),
            truth=self.truth, reading=self._reading() if asked.requests else None,
            prompted={suite: {model: one.prompted[suite] for model, one in found.items()} for suite in asked.prompts},
            likely={suite: {model: one.likely[suite] for model, one in found.items()} for suite in asked.questions},
            lost=self.config.lost,
            follow_ups=by_model(lambda one: one.follow_ups),
            tested=AskedTests(asked.tests, by_model(lambda one: one.tested)) if asked.tested else None,
        )  # fmt: skip

    def _reading(self) -> Reading | None:
        if not self.panel.recognised:
            return None
        yardstick = Yardstick(backends.yardstick(self.space, self.config.sampling, self.models))
        return Reading(yardstick, self.panel.recognised, self.config.others, self.draw.seed)


def write_replies(space: Workspace, name: str, *said: Replies) -> None:
    """Keep what the models said, for people and judges to read."""
    rows = [row for replies in said for row in evaluated_replies(replies)]
    write_table(space.path(name), EvaluatedReply, rows, user=lambda row: row.user_id)
