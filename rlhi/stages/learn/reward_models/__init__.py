"""The reward models of a workspace: trained, kept for each cycle, and read again, whatever their kind.

``reward.kind`` in params.yaml names a row of :data:`KINDS`. A new kind is a module here with a class of
:class:`RewardModelKind`, its row, and its name in ``rlhi.contracts.options``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlhi.config import ModelsConfig, PromptConfig, RewardConfig, RewardKind
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.reward.head import RewardError
from rlhi.models.base import Embedder, RewardModel
from rlhi.stages import StageError, backends
from rlhi.stages.learn.reward_models.heads import HEAD, HEADS, Heads
from rlhi.stages.learn.reward_models.kind import FOLDER, RewardModelKind
from rlhi.stages.learn.reward_models.tuned import RUNS, TUNED, Tuned
from rlhi.workspace.store import Workspace

__all__ = ["FOLDER", "HEAD", "HEADS", "KINDS", "RUNS", "TUNED", "RewardModelKind", "RewardModels", "scorer"]

KINDS: dict[RewardKind, type[RewardModelKind]] = {"head": Heads, "lora": Tuned, "full": Tuned}
"""What keeps the models of each kind; where several have one that scores, the first does."""


class RewardModels:
    """Those of one workspace; heads read through ``embedder``, or else through the one that ``models`` names."""

    def __init__(self, space: Workspace, models: ModelsConfig, embedder: Embedder | None = None) -> None:
        self._space = space
        # Only heads ask for it: a workspace of fine-tuned models needs none for its rewards.
        self._kinds = {
            kind: kind(space, lambda: embedder or backends.embedder(models)) for kind in dict.fromkeys(KINDS.values())
        }

    def scorer(self) -> RewardModel:
        """The one that scores now.

        Raises:
            StageError: there is none yet.
            RewardError: it cannot be read.
        """
        for kind in self._kinds.values():
            if path := kind.scoring():
                return kind.load(path)
        raise StageError(f"{self._space.root} has no reward model yet: run `rlhi cycle` first")

    def train(
        self, learned: Sequence[Comparison], config: RewardConfig, prompt: PromptConfig, seed: int,
        former: RewardModel | None,
    ) -> RewardModel:  # fmt: skip
        """A new model of the configured kind; it may go on from the ``former`` cycle's.

        Raises:
            RewardError: too few comparisons.
            ModelError: the base is not there.
            TrainingError: training was stopped; the message says why.
        """
        return self._kinds[KINDS[config.kind]].train(learned, config, prompt, seed, former)

    def former(self, cycle: int) -> RewardModel | None:
        """What scored in the cycle before this one; None for nothing, and for what cannot score any more."""
        kept = [(path, kind) for kind in self._kinds.values() for path in kind.kept() if path.stem < _name(cycle)]
        if not kept:
            return None
        path, kind = sorted(kept, key=lambda one: one[0].stem)[-1]
        try:
            model = kind.load(path)
        except RewardError:
            return None
        return None if model.is_neutral else model

    def keep(self, cycle: int, model: RewardModel) -> None:
        """Let a model score from now on, and remember it as this cycle's."""
        own = self._kinds[KINDS[model.kind]]
        own.keep(_name(cycle), model)
        for other in self._kinds.values():
            if other is not own:
                other.keep(_name(cycle), None)


def scorer(space: Workspace, models: ModelsConfig, embedder: Embedder | None = None) -> RewardModel:
    """The workspace's reward model, ready to score; a head reads through ``embedder``, if one is given.

    Raises:
        StageError: there is none yet.
    """
    return RewardModels(space, models, embedder).scorer()


def _name(cycle: int) -> str:
    return f"{cycle:04d}"
