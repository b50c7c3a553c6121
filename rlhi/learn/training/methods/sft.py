"""SFT: the chosen answers alone; a baseline that no reference holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlhi.config import DpoConfig
from rlhi.learn.training.methods.method import TrainingMethod, pairs_of
from rlhi.learn.training.rows import Row, TrlRow, one_side

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, Trainer, TrainingArguments


class Sft(TrainingMethod):
    """TRL's ``SFTTrainer``."""

    told = "supervised fine-tuning on the chosen answers"
    reference = False

    def arguments(self, dpo: DpoConfig, common: Mapping[str, object]) -> TrainingArguments:
        from trl import SFTConfig

        return SFTConfig(**common, completion_only_loss=True)

    def trainer(self, dpo: DpoConfig, policy: PreTrainedConfig) -> type[Trainer]:
        from trl import SFTTrainer

        kind: type[Trainer] = SFTTrainer
        return kind

    def rows(self, rows: Sequence[Row]) -> list[TrlRow]:
        return [one_side(row, "chosen") for row in pairs_of(rows)]
