"""What `dpo.sft_weight` and `dpo.ld_alpha` add to DPO's loss and take from it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rlhi.config import DpoConfig
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import provenance, trl_row
from rlhi.learn.training.trainer import make_trainer, trl_arguments
from tests.support.training import PLAIN, make_pair

if TYPE_CHECKING:
    import torch

CHOSEN, REJECTED = "- sun", "There are many things such as"


def loss_of(base: Path, folder: Path, tail: str = "", **values: object) -> torch.Tensor:
    """The first loss of a pair whose rejected answer is the longer one, by ``tail``."""
    folder.mkdir()
    rows = folder / "pairs.jsonl"
    told = [trl_row(row) | provenance(row) for row in [make_pair(0, CHOSEN, REJECTED + tail)]]
    rows.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    config = DpoConfig.model_validate(
        {"batch": 1, "lora_rank": 0, "precision": "fp32", "max_length": 256, "save_steps": 0, **PLAIN} | values
    )
    plan = PolicyPlan(base=base, output=folder, seed=0, dpo=config)
    trainer = make_trainer(plan, trl_arguments(plan))[0]
    data = trainer._remove_unused_columns(trainer.train_dataset)
    loss: torch.Tensor = trainer.compute_loss(trainer.model, trainer.data_collator([data[0]]))
    loss.backward()  # type: ignore[no-untyped-call]
    weight = next(one for one in trainer.model.parameters() if one.grad is not None and one.grad.abs().sum() > 0)
    grad: torch.Tensor = weight.grad
    grad.told = float(loss.detach())  # type: ignore[attr-defined]
    return grad


def told(grad: torch.Tensor) -> float:
    return float(grad.told)  # type: ignore[attr-defined]


@pytest.mark.parametrize("share", [True, False])
def test_a_term_of_the_chosen_side_is_added_by_its_weight(tmp_path: Path, tiny_policy: Path, share: bool) -> None:
    alone = told(loss_of(tiny_policy, tmp_path / "a", share_prompt=share))
    half, whole = (
        told(loss_of(tiny_policy, tmp_path / f"s{weight}", share_prompt=share, sft_weight=weight))
        for weight in (0.5, 1)
    )
    assert alone == pytest.approx(math.log(2), abs=1e-4)
    # A tiny model of 400 tokens finds any token about as likely as another.
    assert 3 < whole - alone < 9 and half - alone == pytest.approx((whole - alone) / 2, rel=1e-3)


def test_the_longer_side_s_tail_weighs_as_ld_alpha_says(tmp_path: Path, tiny_policy: Path) -> None:
    """At 0 two rejected answers that differ behind the chosen one's length alone teach the same."""
    tails = " which one can do", " and nobody knows why or when"
    free = [loss_of(tiny_policy, tmp_path / f"f{at}", tail) for at, tail in enumerate(tails)]
    held = [loss_of(tiny_policy, tmp_path / f"h{at}", tail, ld_alpha=0.0) for at, tail in enumerate(tails)]
    assert not free[0].allclose(free[1], rtol=1e-3)
    assert held[0].allclose(held[1], rtol=1e-3, atol=1e-6)
