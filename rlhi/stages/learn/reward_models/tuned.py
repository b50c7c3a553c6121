"""Fine-tuned reward models in a workspace: a folder each, of which the cycle's own and the one before are kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rlhi.config import PromptConfig, RewardConfig
from rlhi.contracts import content_key
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.reward.head import RewardError, check_enough
from rlhi.learn.training import launch
from rlhi.learn.training.plan import RewardPlan
from rlhi.learn.training.rows import reward_row
from rlhi.learn.training.run import weights_hash
from rlhi.models.base import ModelError, RewardModel
from rlhi.models.prepare import checked_policy
from rlhi.models.prompts import Prompts
from rlhi.models.tuned_reward import RECORD, TunedReward
from rlhi.stages.learn.reward_models.kind import FOLDER, RewardModelKind
from rlhi.stages.learn.runs import keep_only, replace_folder, steps_told, zero_preset
from rlhi.workspace import ledger
from rlhi.workspace.store import read_json, write_json

TUNED = f"{FOLDER}/tuned"
RUNS = ".rlhi/reward"


class Tuned(RewardModelKind):
    """:class:`rlhi.models.tuned_reward.TunedReward`, trained in processes that have their folders in ``RUNS``.

    One goes on from the former cycle's, if its base is the same. The newest scores, where no head does.
    """

    def train(
        self, learned: Sequence[Comparison], config: RewardConfig, prompt: PromptConfig, seed: int,
        former: RewardModel | None,
    ) -> RewardModel:  # fmt: skip
        check_enough(learned, config)
        tuned, kind = config.tuned, config.kind
        warm = former.warm_start(tuned.base) if former else None
        base = warm or self._base(tuned.base)
        how = [one.model_dump(mode="json") for one in (config, prompt)]
        key = content_key(list(learned), weights_hash(base), how, seed)
        plan = RewardPlan(
            base=base, output=self.space.path(RUNS) / key, seed=seed, preset=zero_preset(tuned.deepspeed),
            reward=config, prompt=prompt,
        )  # fmt: skip
        keep_only(self.space.path(RUNS), plan.output)
        with steps_told(f"training the reward model ({kind})") as on_step:
            done = launch.train(plan, map(reward_row, learned), on_step)
        told: dict[str, object] = {
            "kind": kind, "base": tuned.base, "warm_start": warm.name if warm else "", "too_long": len(done.too_long),
            "engine": done.engine, "precision": done.precision, "zero_stage": done.zero_stage,
            "world_size": done.world_size, "history": list(done.history),
        }  # fmt: skip
        sections = {"tuned": tuned.model_dump(mode="json"), "prompt": prompt.model_dump(mode="json")}
        write_json(done.model / RECORD, {**told, **sections})
        return TunedReward(done.model, tuned, told, Prompts(prompt))

    def kept(self) -> list[Path]:
        return sorted(self.space.path(TUNED).glob("[0-9]*"))

    def scoring(self) -> Path | None:
        return kept[-1] if (kept := self.kept()) else None

    def load(self, path: Path) -> RewardModel:
        read_json(path / RECORD)  # what is damaged is told as it is of any file
        try:
            return TunedReward.load(path)
        except ModelError as error:
            raise RewardError(str(error)) from None

    def keep(self, cycle: str, model: RewardModel | None) -> None:
        if model is None:
            shutil.rmtree(self.space.path(TUNED) / cycle, ignore_errors=True)
        else:
            replace_folder(self.space.path(TUNED) / cycle, model.save)
        # The cycle's own and the one before: the stage may run again, and then goes on from that.
        before = [folder for folder in self.kept() if folder.name < cycle]
        for folder in before[:-1]:
            shutil.rmtree(folder, ignore_errors=True)
        keep_only(self.space.path(RUNS))

    def _base(self, name: str) -> Path:
        """The folder of ``reward.tuned.base``."""
        if name == "champion":
            under_way = ledger.under_way(self.space.root)
            version = ledger.pinned(self.space.root).champion if under_way else ledger.champion(self.space.root)
            return ledger.policy_path(self.space.root, version)
        try:
            return checked_policy(name.removeprefix("local:"))
        except ModelError as error:
            raise ModelError(f"reward.tuned.base: {error}") from None
