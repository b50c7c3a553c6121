"""A fine-tuned reward model on this machine: a language model with one output.

:mod:`rlhi.learn.training.reward_model` trains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.config import TunedRewardConfig
from rlhi.models.base import ModelError, Scored
from rlhi.models.local import blocks
from rlhi.models.precision import dtype
from rlhi.models.prompts import judged, tokenizer_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Padded tokens of a batch: memory.
SCORED_TOKENS = 4096


class TunedReward:
    """A ``Scorer``: the reward is the model's one output behind the last token of the judged conversation.

    Args:
        path: the model's folder.
        config: of which ``max_length`` cuts prompts as in training, and ``precision`` is computed with.

    Raises:
        ModelError: there is no model in the folder.
    """

    is_neutral = False

    def __init__(self, path: Path, config: TunedRewardConfig) -> None:
        if not (path / "config.json").is_file():
            raise ModelError(f"no reward model at {path}: delete models/reward, then `rlhi run reward`")
        self.path = path
        self.config = config

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
        rows = [judged(one.persona, one.prompt, one.response, most, self.tokenizer) for one in batch]
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
