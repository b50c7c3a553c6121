"""The rounds of the stage ``dpo``: train, let the trained model answer, judge its answers, train on them.

One round is offline learning. A killed run goes on in the round it was in: a finished training is read from its folder,
answers from ``data/samples/dpo`` (:mod:`rlhi.stages.learn.answers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi.learn.pairs.lessons import Row
from rlhi.learn.training import launch
from rlhi.learn.training.guards import check_changed
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rounds import Round, planned
from rlhi.learn.training.rows import policy_row
from rlhi.learn.training.run import TrainingError, weights_hash
from rlhi.stages.learn.answers import Answers
from rlhi.stages.learn.runs import keep_only, steps_told


@dataclass(frozen=True, slots=True)
class Run:
    """The rounds of a training in order, and why there were fewer than asked for, if so."""

    rounds: tuple[Round, ...]
    ended: str

    @property
    def folders(self) -> list[Path]:
        """Where the rounds were trained."""
        return [one.plan.output for one in self.rounds]

    @property
    def too_long(self) -> int:
        """Pairs of all rounds that were left out for their length."""
        return sum(len(one.trained.too_long) for one in self.rounds)


def train(plan: PolicyPlan, first: Sequence[Row], answers: Answers) -> Run:
    """Train on ``first``, then on fresh pairs for ``dpo.rounds`` in all, each round from where the one before ended.

    Raises:
        TrainingError: a round's training stopped; what it says begins with the round where there are several.
        RewardError: the rewards of all of a round's answers are the same.
    """
    rounds: list[Round] = []
    for _ in range(plan.dpo.rounds):
        before, fresh = (rounds[-1], answers.fresh(plan, rounds)) if rounds else (None, None)
        if isinstance(fresh, str):
            return Run(tuple(rounds), fresh)
        rows = fresh.pairs if fresh else tuple(first)
        ours = planned(plan, rows, before)
        trained = launch.finished(ours.output)
        if trained is None:
            keep_only(plan.output, *(one.plan.output for one in rounds), ours.output)
            trained = _train(ours, rows)
        weights = weights_hash(trained.model)
        check_changed(weights, ours.begun, len(trained.history), plan.dpo)
        rounds.append(Round(ours, rows, weights, trained, fresh))
    return Run(tuple(rounds), "")


def _train(plan: PolicyPlan, rows: Sequence[Row]) -> Trained:
    told = plan.told_round
    with steps_told(f"training ({plan.dpo.method.upper()})" + (f", {told}" if told else "")) as on_step:
        try:
            return launch.train(plan, map(policy_row, rows), on_step)
        except TrainingError as error:
            raise TrainingError(f"{told}: {error}" if told else str(error)) from None
