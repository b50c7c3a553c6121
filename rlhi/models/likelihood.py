"""How likely several answers to each of some prompts are: a prompt is computed once and shared by its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhi.models.cache import roomy

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Group = tuple[Sequence[int], Sequence[Sequence[int]]]
"""The tokens of a prompt, and of each of its answers."""


def shared_prompts(model: PreTrainedModel, groups: Sequence[Group]) -> list[list[float]]:
    """By group: the sum of each answer's token log-probabilities (nats) behind its prompt. All in one batch."""
    import torch

    device = model.device
    ids, mask = _padded([prompt for prompt, _ in groups], device, left=True)
    whose = torch.tensor([place for place, (_, answers) in enumerate(groups) for _ in answers], device=device)
    with torch.inference_mode():
        cache = roomy(model.config)
        position = (mask.cumsum(-1) - 1).clamp(min=0)
        asked = model(ids, attention_mask=mask, position_ids=position, past_key_values=cache, logits_to_keep=1).logits
        first = asked[:, -1].float().log_softmax(-1)
        cache.batch_select_indices(whose)
        said, said_mask = _padded([answer for _, answers in groups for answer in answers], device)
        behind = position[whose, -1:] + 1 + torch.arange(said.shape[1], device=device)
        seen = torch.cat([mask[whose], said_mask], 1)
        logits = model(said, attention_mask=seen, position_ids=behind, past_key_values=cache).logits
        told = logits[:, :-1].float().log_softmax(-1).gather(2, said[:, 1:, None])[:, :, 0] * said_mask[:, 1:]
        values = iter((told.sum(1) + first[whose, said[:, 0]]).tolist())
    return [[float(next(values)) for _ in answers] for _, answers in groups]


def _padded(
    rows: Sequence[Sequence[int]], device: torch.device, left: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(map(len, rows))

    def pad(row: Sequence[int], value: int) -> list[int]:
        filling = [value] * (width - len(row))
        return [*filling, *row] if left else [*row, *filling]

    ids = torch.tensor([pad(row, 0) for row in rows], device=device)
    mask = torch.tensor([[*pad([1] * len(row), 0)] for row in rows], device=device)
    return ids, mask
