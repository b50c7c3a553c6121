"""Challengers built for a purpose: real weights that were taught one habit, for the gate to judge."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rlhi.config import Precision
from rlhi.contracts import Message
from rlhi.learn.training.run import weights_hash
from rlhi.models.precision import computed
from rlhi.models.prompts import chat_text, tokenizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Habit = Sequence[tuple[Sequence[Message], str]]
"""Prompts with the reply that is to become the habit."""


def teach(
    policy: Path, habit: Habit, folder: Path, steps: int = 24, rate: float = 5e-5, precision: Precision = "fp32"
) -> Path:
    """A copy of the policy that learned the habit: ``steps`` of 4 rows with AdamW, all weights, from seed 0.

    bf16 is mixed and takes 0.6 of the time on a CPU that has instructions for it.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    tokenizer, random = tokenizer_of(policy), Random(0)
    model = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    for _ in range(steps):
        rows = []
        for prompt, reply in random.sample(list(habit), 4):
            asked = tokenizer.encode(chat_text(prompt, tokenizer, add_generation_prompt=True), add_special_tokens=False)
            said = [*tokenizer.encode(reply, add_special_tokens=False), int(tokenizer.eos_token_id)]
            rows.append(([*asked, *said], [*[-100] * len(asked), *said]))
        width = max(len(ids) for ids, _ in rows)
        ids, labels, mask = (
            torch.tensor([[*row, *[filling] * (width - len(row))] for row in side])
            for side, filling in (
                ([ids for ids, _ in rows], 0),
                ([labels for _, labels in rows], -100),
                ([[1] * len(ids) for ids, _ in rows], 0),
            )
        )
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=computed(precision) == "bf16"):
            loss = model(input_ids=ids, labels=labels, attention_mask=mask).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return _kept(model, policy, folder)


def _kept(model: PreTrainedModel, policy: Path, folder: Path) -> Path:
    """The model as a training leaves a challenger."""
    import torch

    shutil.copytree(policy, folder, dirs_exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps({"weights": weights_hash(folder), "lessons": []}))
    return folder
