"""Reward heads in a workspace: a small file for every cycle that one scored in, and the one that scores beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rlhi.config import PromptConfig, RewardConfig
from rlhi.learn.reward import head as rewarding
from rlhi.learn.reward.comparisons import Comparison
from rlhi.models.base import RewardModel
from rlhi.stages.learn.reward_models.kind import FOLDER, RewardModelKind
from rlhi.workspace.store import write_atomic

HEAD = f"{FOLDER}/head.npz"
HEADS = f"{FOLDER}/heads"


class Heads(RewardModelKind):
    """:class:`rlhi.learn.reward.head.RewardHead`, trained in seconds: none goes on from another."""

    def train(
        self, learned: Sequence[Comparison], config: RewardConfig, prompt: PromptConfig, seed: int,
        former: RewardModel | None,
    ) -> RewardModel:  # fmt: skip
        return rewarding.train(learned, self.embedder(), config)

    def kept(self) -> list[Path]:
        return sorted(self.space.path(HEADS).glob("*.npz"))

    def scoring(self) -> Path | None:
        file = self.space.path(HEAD)
        return file if file.is_file() else None

    def load(self, path: Path) -> RewardModel:
        return rewarding.RewardHead.load(path).attach(self.embedder())

    def keep(self, cycle: str, model: RewardModel | None) -> None:
        now, this_cycle = self.space.path(HEAD), self.space.path(HEADS) / f"{cycle}.npz"
        if model is None:
            for file in (now, this_cycle):
                file.unlink(missing_ok=True)
            return
        with tempfile.TemporaryDirectory() as folder:
            model.save(saved := Path(folder) / now.name)
            data = saved.read_bytes()
        for file in (this_cycle, now):
            write_atomic(file, data)
