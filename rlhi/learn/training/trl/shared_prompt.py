"""TRL's DPO with the prompt computed once: prompt, chosen and rejected answer share one row.

TRL runs ``prompt + chosen`` and ``prompt + rejected`` as two rows and, on a CPU, projects every position on the
vocabulary. Here a pair is the one row ``prompt | chosen | rejected``: positions restart after the prompt, the two
answers cannot see each other, and only the positions that predict a token of an answer meet the vocabulary. The
log-probabilities, and so the gradients of every loss of TRL's, stay the same; ``rlhi bench dpo`` tells the speed.

The trainer stays TRL's. What changes is the forward pass of the models that it calls: they get TRL's batch and give
TRL's output, and do the work between on packed rows.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedConfig, PreTrainedModel
from trl import DPOTrainer

# The per-token fields of TRL's output; those that the trainer has no use for are None.
FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
PROMPT, CHOSEN, REJECTED, PADDING = range(4)
IGNORED = -100


class SharedPromptDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """TRL's ``DPOTrainer`` over models that compute the prompt of a pair once."""

    _shared = False

    def compute_ref_log_probs(self, model: object, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """As TRL's; called for the reference, while the trainer is being made."""
        self._share()
        chosen, rejected = super().compute_ref_log_probs(model, inputs)
        return chosen, rejected

    def _compute_loss(self, model: object, inputs: dict[str, Tensor], return_outputs: bool) -> Tensor:
        self._share()
        loss: Tensor = super()._compute_loss(model, inputs, return_outputs)
        return loss

    def _share(self) -> None:
        """Give the models their forward pass, once, over the head that TRL gave them."""
        if self._shared:
            return
        self._shared = True
        models = [self.model] if self.ref_model is None else [self.model, self.ref_model]
        for model in map(self.accelerator.unwrap_model, models):
            share_prompts(model.get_base_model() if isinstance(model, PeftModel) else model)


def can_share(config: PreTrainedConfig) -> bool:
    """Whether a model's attention obeys our mask: scaled dot product attention, and no sliding window."""
    text = config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    window = getattr(text, "sliding_window", None) if getattr(text, "use_sliding_window", True) else None
    return text._attn_implementation == "sdpa" and kinds == {"full_attention"} and window is None


def share_prompts(model: PreTrainedModel) -> None:
    """Make ``model(input_ids, attention_mask, labels, fused_lm_head=True)`` run on packed rows.

    The batch is TRL's: chosen sequences in the first half, rejected ones in the second, labels ``-100`` outside the
    answers. The model must carry TRL's fused head; calls without it go through as they were.
    """
    fused = model.forward

    def forward(self: PreTrainedModel, *args: object, fused_lm_head: bool = False, **kwargs: object) -> object:
        if not fused_lm_head:
            return fused(*args, **kwargs)
        input_ids, labels = kwargs.pop("input_ids"), kwargs.pop("labels")
        kwargs.pop("attention_mask", None)
        assert isinstance(input_ids, Tensor) and isinstance(labels, Tensor)
        packed = pack(input_ids, labels)
        handle = self.base_model.register_forward_hook(_only(packed.sources))
        try:
            output = fused(
                input_ids=packed.input_ids, attention_mask=packed.mask[:, None], position_ids=packed.positions,
                shift_labels=packed.labels, fused_lm_head=True, **kwargs,
            )  # fmt: skip
        finally:
            handle.remove()
        for field in FIELDS:
            if (values := getattr(output, field)) is not None:
                spread = values.new_zeros((labels.shape[0], labels.shape[1] - 1))
                setattr(output, field, spread.index_put(packed.targets, values[0]))
        output.label_mask = labels[:, 1:] != IGNORED
        return output

    model.forward = types.MethodType(forward, model)


@dataclass(frozen=True, slots=True)
class Packed:
    """B pairs as B rows of S positions, and where each of the N answer tokens is predicted and belongs."""

    input_ids: Tensor  # (B, S)
    positions: Tensor  # (B, S): restart after the prompt for each answer
    mask: Tensor  # (B, S, S), bool: which keys a query sees
    sources: tuple[Tensor, Tensor]  # row and position that predict each answer token, (N,) each
    targets: tuple[Tensor, Tensor]  # its place in TRL's shifted (2B, L - 1) layout, (N,) each
    labels: Tensor  # (1, N)


def pack(input_ids: Tensor, labels: Tensor) -> Packed:
    """Put each pair of TRL's batch (``(2B, L)``, chosen first) in one row.

    Raises:
        ValueError: a sequence without a token of its answer, or two answers to different prompts.
    """
    pairs = input_ids.shape[0] // 2
    answers = labels != IGNORED
    if not bool(answers.any(dim=1).all()):
        raise ValueError("an answer has no token left: dpo.max_length cuts it off")
    begins = answers.int().argmax(dim=1)
    ends = begins + answers.sum(dim=1)
    rows, positions, segments, sources, targets = [], [], [], [], []
    for at in range(pairs):
        prompt, other = int(begins[at]), at + pairs
        if not torch.equal(input_ids[at, :prompt], input_ids[other, : int(begins[other])]):
            raise ValueError("the two answers of a pair have different prompts")
        chosen, rejected = input_ids[at, prompt : int(ends[at])], input_ids[other, prompt : int(ends[other])]
        sizes = torch.tensor([prompt, len(chosen), len(rejected)], device=input_ids.device)
        rows.append(torch.cat([input_ids[at, :prompt], chosen, rejected]))
        positions.append(torch.cat([torch.arange(int(ends[one]), device=input_ids.device)[skip:]
                                    for one, skip in ((at, 0), (other, prompt))]))  # fmt: skip
        segments.append(torch.arange(3, device=input_ids.device).repeat_interleave(sizes))
        for one, start in ((at, prompt), (other, prompt + len(chosen))):
            steps = torch.arange(prompt, int(ends[one]), device=input_ids.device)
            # A token is predicted by the one before it, and the first of either answer by the prompt's last.
            source = steps - prompt + start - 1
            source[0] = prompt - 1
            sources.append((torch.full_like(source, at), source))
            targets.append((torch.full_like(steps, one), steps - 1))
    segment = pad_sequence(segments, batch_first=True, padding_value=PADDING)
    size = segment.shape[1]
    causal = torch.ones(size, size, dtype=torch.bool, device=input_ids.device).tril()
    seen = (segment[:, None, :] == PROMPT) | (segment[:, None, :] == segment[:, :, None])
    into = torch.cat([one for one, _ in targets]), torch.cat([one for _, one in targets])
    return Packed(
        input_ids=pad_sequence(rows, batch_first=True),
        positions=pad_sequence(positions, batch_first=True),
        mask=causal & seen,
        sources=(torch.cat([one for one, _ in sources]), torch.cat([one for _, one in sources])),
        targets=into,
        labels=input_ids[into[0], into[1] + 1][None],
    )


def _only(places: tuple[Tensor, Tensor]) -> Callable[..., object]:
    """A hook on the backbone: keep the hidden states of these places, as one row."""

    def hook(_module: object, _args: object, output: object) -> object:
        hidden = output.last_hidden_state  # type: ignore[attr-defined]
        output.last_hidden_state = hidden[places][None]  # type: ignore[attr-defined]
        return output

    return hook
