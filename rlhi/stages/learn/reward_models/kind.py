"""What a kind of reward model has to say: how one is trained, where those of a workspace lie, and how one is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from rlhi.config import PromptConfig, RewardConfig
from rlhi.learn.reward.comparisons import Comparison
from rlhi.models.base import Embedder, RewardModel
from rlhi.workspace.store import Workspace

FOLDER = "models/reward"


class RewardModelKind(ABC):
    """The reward models of one kind in a workspace, kept for each cycle under its name.

    ``embedder`` builds the sentence embedder, for a kind that reads through it.
    """

    def __init__(self, space: Workspace, embedder: Callable[[], Embedder]) -> None:
        self.space, self.embedder = space, embedder

    @abstractmethod
    def train(
        self, learned: Sequence[Comparison], config: RewardConfig, prompt: PromptConfig, seed: int,
        former: RewardModel | None,
    ) -> RewardModel:  # fmt: skip
        """A new model; a kind that can go on from the ``former`` cycle's (``warm_start``) does.

        Raises:
            RewardError: too few comparisons.
        """

    @abstractmethod
    def kept(self) -> list[Path]:
        """Those that are kept, by cycle: the stem is its name."""

    @abstractmethod
    def scoring(self) -> Path | None:
        """The one that scores now, if it is of this kind."""

    @abstractmethod
    def load(self, path: Path) -> RewardModel:
        """One of these, ready to score.

        Raises:
            RewardError: it cannot be read, or not with what is here now.
        """

    @abstractmethod
    def keep(self, cycle: str, model: RewardModel | None) -> None:
        """Let ``model`` score from now on as this cycle's; None where one of another kind does."""
