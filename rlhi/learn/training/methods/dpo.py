"""DPO: chosen against rejected, the champion as the reference (paper, section 3.3), in every round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlhi.config import DpoConfig
from rlhi.learn.training.methods.method import TrainingMethod, pairs_of
from rlhi.learn.training.rows import Row, TrlRow

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, Trainer, TrainingArguments


class Dpo(TrainingMethod):
    """TRL's ``DPOTrainer``; a pair's prompt is computed once where the policy's attention allows it."""

    told = "persona-conditioned DPO (arXiv 2509.25137)"

    def arguments(self, dpo: DpoConfig, common: Mapping[str, object]) -> TrainingArguments:
        from trl import DPOConfig

        losses: dict[str, object] = {"loss_type": [dpo.loss]}
        if dpo.sft_weight:  # the figure told as the loss is the sum of both
            losses = {"loss_type": [dpo.loss, "sft"], "loss_weights": [1.0, dpo.sft_weight]}
        if dpo.ld_alpha < 1:
            losses["ld_alpha"] = dpo.ld_alpha
        return DPOConfig(**common, **losses, precompute_ref_batch_size=dpo.batch)

    def trainer(self, dpo: DpoConfig, policy: PreTrainedConfig) -> type[Trainer]:
        from trl import DPOTrainer

        from rlhi.learn.training.trl.shared_prompt import SharedPromptDPOTrainer, can_share

        return SharedPromptDPOTrainer if dpo.share_prompt and can_share(policy) else DPOTrainer

    def rows(self, rows: Sequence[Row]) -> list[TrlRow]:
        return [dict(row) for row in pairs_of(rows)]

    def unwanted(self, rows: Sequence[TrlRow]) -> int:
        return len(rows)
