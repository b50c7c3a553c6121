"""How likely several answers to one prompt are: the prompt is computed once and shared by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhi.models.cache import roomy

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def shared_prompt(model: PreTrainedModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> list[float]:
    """The sum of each answer's token log-probabilities (nats) behind the prompt; no padding is read."""
    import torch

    device = model.device
    with torch.inference_mode():
        cache = roomy(model.config)
        asked = torch.tensor([list(prompt)], device=device)
        first = model(asked, past_key_values=cache, logits_to_keep=1).logits[0, -1].float().log_softmax(-1)
        ids, mask = _right_padded(answers, device)
        cache.batch_repeat_interleave(len(answers))
        before = mask.new_ones(len(answers), len(prompt))
        position = torch.arange(len(prompt), len(prompt) + ids.shape[1], device=device).expand_as(ids)
        logits = model(
            ids, attention_mask=torch.cat([before, mask], 1), position_ids=position, past_key_values=cache
        ).logits
        told = logits[:, :-1].float().log_softmax(-1).gather(2, ids[:, 1:, None])[:, :, 0] * mask[:, 1:]
        return [float(value) for value in (told.sum(1) + first[ids[:, 0]]).tolist()]


def _right_padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask
