"""A fine-tuned reward model on this machine: a language model with one output.

:mod:`rlhi.learn.training.reward_model` trains it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rlhi.config import PromptConfig, RewardKind, TunedRewardConfig
from rlhi.models.base import ModelError, Scored
from rlhi.models.local import blocks
from rlhi.models.precision import dtype
from rlhi.models.prompts import DEFAULT, Prompts, judged, tokenizer_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECORD = "training.json"
"""In its folder: its kind, what it began from, how it was trained, and the parameters that it scores with."""
# Padded tokens of a batch: memory.
SCORED_TOKENS = 4096


class TunedReward:
    """A ``RewardModel``: the reward is the model's one output behind the last token of the judged conversation.

    Args:
        path: the model's folder.
        config: of which ``max_length`` cuts prompts as in training, and ``precision`` is computed with.
        metrics: what its record tells of how it was trained.
        prompts: makes what it reads, as in training.

    Raises:
        ModelError: there is no model in the folder.
    """

    is_neutral = False

    def __init__(
        self, path: Path, config: TunedRewardConfig, metrics: Mapping[str, object] | None = None,
        prompts: Prompts = DEFAULT,
    ) -> None:  # fmt: skip
        if not (path / "config.json").is_file():
            raise ModelError(f"no reward model at {path}: delete models/reward, then `rlhi run reward`")
        self.path = path
        self.config = config
        self.metrics: Mapping[str, object] = metrics or {}
        self.prompts = prompts

    @classmethod
    def load(cls, path: Path) -> TunedReward:
        """The model of a folder with the parameters that it was trained with.

        Raises:
            ModelError: the folder holds no such model.
        """
        try:
            told = json.loads((path / RECORD).read_text(encoding="utf-8"))
            told["kind"]  # without it nobody knows whose it is
            prompts = Prompts(PromptConfig.model_validate(told.pop("prompt", {})))
            return cls(path, TunedRewardConfig.model_validate(told.pop("tuned")), told, prompts)
        except (OSError, KeyError, TypeError, ValueError, ModelError):
            raise ModelError(f"the reward model in {path} cannot be read: `rlhi run reward`") from None

    def save(self, path: Path) -> None:
        """Copy the folder, its record too."""
        shutil.copytree(self.path, path, dirs_exist_ok=True)

    @property
    def kind(self) -> RewardKind:
        """``lora`` or ``full``, as it was trained."""
        return cast(RewardKind, self.metrics["kind"])

    @property
    def counts(self) -> Mapping[str, int | float | str]:
        """How its training went."""
        told, history = self.metrics, self.metrics.get("history")
        if not isinstance(history, list) or not history:
            return {}
        return {
            "kind": self.kind, "too long": str(told["too_long"]), "engine": str(told["engine"]),
            "warm start from cycle": str(told["warm_start"] or "none"),
            "first loss": float(history[0]["loss"]), "last loss": float(history[-1]["loss"]),
        }  # fmt: skip

    def warm_start(self, base: str) -> Path | None:
        """Its folder, if it began from the same base."""
        return self.path if self.metrics["base"] == base else None

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The folder's tokenizer; its pad token is set."""
        return tokenizer_of(self.path)

    @cached_property
    def weights(self) -> PreTrainedModel:
        """The model, loaded when it is first needed."""
        import torch
        from transformers import AutoModelForSequenceClassification

        try:
            model, told = AutoModelForSequenceClassification.from_pretrained(
                self.path, dtype=dtype(self.config.precision), use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot load the reward model at {self.path}: {str(error).splitlines()[0]}") from None
        # transformers fills weights that are not there with random numbers.
        if missing := sorted(map(str, told["missing_keys"])):
            raise ModelError(f"the reward model at {self.path} lacks {missing[0]}: delete it, then `rlhi run reward`")
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """One reward an answer; differences are log-odds. An answer is never cut, whatever its length."""
        import torch

        most = self.config.max_length
        rows = [judged(one.persona.text, one.prompt, one.response, most, self.tokenizer, self.prompts) for one in batch]
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        found = [0.0] * len(rows)
        with torch.inference_mode():
            for block in blocks(order, lambda at: len(rows[at]), SCORED_TOKENS):
                rewards = self._rewards([rows[at] for at in block]).tolist()
                for at, reward in zip(block, rewards, strict=True):
                    found[at] = float(reward)
        return found

    def _rewards(self, rows: Sequence[list[int]]) -> torch.Tensor:
        import torch

        model, pad = self.weights, int(self.tokenizer.pad_token_id)
        width = max(map(len, rows))
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
        hidden = model.base_model(ids, attention_mask=mask, use_cache=False).last_hidden_state
        # Where the trainer's forward pass reads the reward: behind the last token that is no padding.
        last = ((ids != pad) * torch.arange(width, device=model.device)).argmax(-1)
        ends = hidden[torch.arange(len(rows), device=model.device), last]
        # In fp32: bf16 rewards of 4 would differ by steps of 0.03.
        rewards: torch.Tensor = (ends.float() @ model.score.weight.float().T)[:, 0]
        return rewards
