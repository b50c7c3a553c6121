"""What one training is told: a stage builds its plan once, and all that take part in the training read it.

The launcher writes it beside the rows as ``resolved.json``; the process with its trainer and guards reads it there, and
so do other nodes.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from rlhi.config import DpoConfig, PromptConfig, RewardConfig, TunedRewardConfig
from rlhi.learn.training.methods import TrainingMethod, method_of

FILE = "resolved.json"
POLICY = "rlhi.learn.training.policy"
"""What trains a challenger, unless a stage brings a module that has more at hand."""


class TrainingPlan(BaseModel):
    """One training, fully said.

    Attributes:
        base: the folder of the model that training begins with.
        output: the folder of the rows, the plan, the log, checkpoints and the model. A run that was killed goes on from
            its last checkpoint there, so another training needs another folder.
        preset: DeepSpeed's configuration; None trains without it.
        module: what the training process runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path
    output: Path
    seed: int
    module: str
    preset: dict[str, object] | None = None

    @property
    @abstractmethod
    def settings(self) -> DpoConfig | TunedRewardConfig:
        """The section of params.yaml that it follows: machines, batches, limits."""

    @property
    def section(self) -> str:
        """Its name there, for an error's remedy."""
        return self.settings.section

    @property
    def rows(self) -> Path:
        """The file of rows, one a line."""
        return self.output / "pairs.jsonl"

    @property
    def file(self) -> Path:
        """The file of the plan itself."""
        return self.output / FILE

    @property
    def checkpoints(self) -> Path:
        """The trainer's own folder: checkpoints, and the reference's log-probabilities."""
        return self.output / "trainer"


class PolicyPlan(TrainingPlan):
    """Training a challenger: one round of it, if there are several.

    Attributes:
        base: the champion, who is the reference.
        output: in the plan of all rounds (:func:`rlhi.learn.training.rounds.planned`) the folder of their folders.
        champion: its version.
        reference: its :func:`rlhi.learn.training.run.weights_hash`; empty checks nothing.
        start: what training begins with: the ``trained`` folder of the round before (a LoRA's adapter, or all weights).
            None begins with the champion itself.
        begun: the hash of the model that it begins with.
        embedder: the folder of what tells whether replies answer; None does not look.
    """

    module: str = POLICY
    dpo: DpoConfig
    champion: str = ""
    reference: str = ""
    start: Path | None = None
    begun: str = ""
    embedder: Path | None = None
    round: int = 1

    @property
    def settings(self) -> DpoConfig:
        """``dpo``."""
        return self.dpo

    @property
    def method(self) -> TrainingMethod:
        """How it learns."""
        return method_of(self.dpo.method)

    @property
    def told_round(self) -> str:
        """Which round it is, in words; empty where there is one only."""
        return f"round {self.round} of {self.dpo.rounds}" if self.dpo.rounds > 1 else ""


class RewardPlan(TrainingPlan):
    """Training a reward model; ``base`` is a chat model, or the reward model of the cycle before."""

    module: str = "rlhi.learn.training.reward_model"
    reward: RewardConfig
    prompt: PromptConfig = PromptConfig()

    @property
    def settings(self) -> TunedRewardConfig:
        """``reward.tuned``."""
        return self.reward.tuned
