"""What a training run is told, and how it says that it cannot go on: shared by both sides of the process."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from rlhi.config import DpoConfig, RewardConfig, StepLimits, TunedRewardConfig

POLICY = "rlhi.learn.training.policy"
"""What trains a challenger, unless a stage brings a module that has more at hand."""
RESULT = "result.json"
"""What a run came to; it is written last, when the model is there."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message is one line: what, which figure, the remedy."""


class TrainingStopped(TrainingError):
    """A guard stopped training while it ran: what was trained so far is of no use, and so are its checkpoints."""


class Machines(Protocol):
    """Where a training runs: ``processes`` on each of ``nodes``, under the ZeRO stage ``deepspeed`` (0 for none)."""

    @property
    def processes(self) -> int:
        """Processes on a node."""
        ...

    @property
    def nodes(self) -> int:
        """Machines."""
        ...

    @property
    def rendezvous(self) -> str:
        """``HOST:PORT`` of the first node, where there are several."""
        ...

    @property
    def deepspeed(self) -> int:
        """ZeRO stage."""
        ...

    @property
    def world_size(self) -> int:
        """Processes on all nodes together."""
        ...


class Run(BaseModel):
    """One training run, fully said: what the launcher writes beside the run.

    ``pairs`` is a file of TRL's preference rows, ``module`` what the training process runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: ClassVar[str]
    """The part of params.yaml that an error's remedy names."""

    base: str
    pairs: str
    output: str
    seed: int
    module: str
    deepspeed: dict[str, object] | None = None

    @property
    @abstractmethod
    def machines(self) -> Machines:
        """Where it runs."""

    @property
    @abstractmethod
    def limits(self) -> StepLimits:
        """Where it stops."""

    @property
    def checkpoints(self) -> Path:
        """The trainer's own folder: checkpoints, and the reference's log-probabilities."""
        return Path(self.output) / "trainer"


class Resolved(Run):
    """Training a challenger.

    ``base`` is the champion, who is the reference; ``reference`` is its :func:`weights_hash`, empty checks nothing.
    ``start`` is what training begins with: the ``trained`` folder of the round before (a LoRA's adapter, or all
    weights); empty begins with the champion itself. ``embedder`` is the folder of what tells whether replies answer.
    """

    section: ClassVar[str] = "dpo"

    module: str = POLICY
    dpo: DpoConfig
    reference: str = ""
    start: str = ""
    embedder: str = ""

    @property
    def machines(self) -> DpoConfig:
        """As ``dpo`` says."""
        return self.dpo

    @property
    def limits(self) -> StepLimits:
        """As ``dpo`` says."""
        return self.dpo.limits


class ResolvedReward(Run):
    """Training a reward model; ``base`` is a chat model, or the reward model of the cycle before."""

    section: ClassVar[str] = "reward.tuned"

    module: str = "rlhi.learn.training.reward_model"
    reward: RewardConfig

    @property
    def tuned(self) -> TunedRewardConfig:
        """The part that training reads."""
        return self.reward.tuned

    @property
    def machines(self) -> TunedRewardConfig:
        """As ``reward.tuned`` says."""
        return self.tuned

    @property
    def limits(self) -> StepLimits:
        """As ``reward.tuned`` says."""
        return self.tuned.limits


def weights_hash(folder: Path) -> str:
    """SHA-256 of a model's safetensors, file by file in the order of their names.

    Raises:
        TrainingError: the folder holds none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TrainingError(f"{folder} holds no safetensors, the champion's weights are missing: roll back")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()
