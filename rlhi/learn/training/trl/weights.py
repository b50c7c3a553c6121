"""Rows weigh unevenly: what a user gave together as much as ``dpo.user_cap`` pairs at most, comparisons as they say.

A judged answer brings a weight of its own. TRL averages the losses of a batch (SFT: of its tokens). A row's
log-probabilities (or the rewards of its sides) are all that its loss has of the weights, so a row is weighed where
these leave the model: their values stay, their gradient is scaled. The figures that are told are therefore the
unweighted ones.
"""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, Trainer

WEIGHT = "weight"
"""The column of a row's weight, 1 where it is missing."""

Example = dict[str, object]


def user_weights(users: Sequence[str], cap: float, own: Sequence[float] | None = None) -> list[float]:
    """A weight for each row of these users: its ``own`` (1), less where a user's rows weigh more than ``cap`` together.

    >>> user_weights(["a", "a", "a", "a", "b"], 2)
    [0.5, 0.5, 0.5, 0.5, 1.0]
    """
    given = own or [1.0] * len(users)
    together: dict[str, float] = defaultdict(float)
    for user, weight in zip(users, given, strict=True):
        together[user] += weight
    return [weight * min(1.0, cap / together[user]) for user, weight in zip(users, given, strict=True)]


class WeighedRows:
    """Goes before TRL's trainers: each row's loss counts as its column ``weight`` says."""

    _weights: Tensor | None = None
    _weighing = False
    _output = "log_probs"
    """What the model gives for every row of a batch: all chosen, then all rejected answers, where there are both."""

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        if WEIGHT not in self._signature_columns:  # type: ignore[has-type]
            self._signature_columns = [*self._signature_columns, WEIGHT]  # type: ignore[has-type]

    def compute_loss(self, model: object, inputs: dict[str, Tensor], *args: object, **kwargs: object) -> Tensor:
        """TRL's loss; the gradient is that of the weighted mean."""
        if not self._weighing:
            self._weighing = True
            # A forward pass on packed rows has to be in place first: its answers are rows again when it returns.
            getattr(self, "_share", lambda: None)()
            self._weigh(_bare(self))
        rest = {name: value for name, value in inputs.items() if name != WEIGHT}
        self._weights = inputs.get(WEIGHT)
        try:
            loss: Tensor = super().compute_loss(model, rest, *args, **kwargs)  # type: ignore[misc]
        finally:
            self._weights = None
        return loss

    def _weigh(self, model: PreTrainedModel) -> None:
        inner = model.forward

        def forward(_model: PreTrainedModel, *args: object, **kwargs: object) -> object:
            output = inner(*args, **kwargs)
            values = getattr(output, self._output, None)
            if self._weights is not None and values is not None:
                weights = self._weights.repeat(values.shape[0] // self._weights.shape[0])[:, None].to(values.dtype)
                setattr(output, self._output, weights * values + (1 - weights) * values.detach())
            return output

        model.forward = types.MethodType(forward, model)


class WeighedComparisons(WeighedRows):
    """Goes before TRL's reward trainer."""

    _output = "logits"


def weigh(trainer: Trainer) -> None:
    """Let a trainer of :func:`weighing` read the rows' weights; once it is made, for TRL makes the collator."""
    trainer.data_collator = _collator(trainer.data_collator)


def weighing(kind: type[Trainer], how: type[WeighedRows] = WeighedRows) -> type[Trainer]:
    """A trainer's class with ``how`` before it, under its own name."""
    return type(kind.__name__, (how, kind), {})


def _collator(inner: Callable[[list[Example]], dict[str, object]]) -> Callable[[list[Example]], dict[str, object]]:
    def collate(examples: list[Example]) -> dict[str, object]:
        import torch

        return inner(examples) | {WEIGHT: torch.tensor([one[WEIGHT] for one in examples], dtype=torch.float32)}

    return collate


def _bare(trainer: object) -> PreTrainedModel:
    """The model that a forward pass ends in, without what wraps it."""
    from peft import PeftModel

    model = trainer.accelerator.unwrap_model(trainer.model)  # type: ignore[attr-defined]
    return model.get_base_model() if isinstance(model, PeftModel) else model
