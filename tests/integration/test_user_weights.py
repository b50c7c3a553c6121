"""A user's pairs weigh together as much as the cap says: the gradient is that of the weighted mean of TRL's losses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import DpoConfig
from rlhi.contracts import content_key
from rlhi.learn.pairs.lessons import Row, weight
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import provenance, trl_row
from rlhi.learn.training.trainer import make_trainer, trl_arguments
from rlhi.learn.training.trl.weights import WEIGHT, WeighedRows, user_weights
from tests.support.training import PLAIN, made_judged, made_pairs

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

USERS = ("often", "often", "often", "often", "once")


@given(st.lists(st.sampled_from("abc"), max_size=30), st.floats(0.5, 10))
def test_no_user_weighs_more_than_the_cap_and_few_pairs_keep_their_weight(users: list[str], cap: float) -> None:
    weights = user_weights(users, cap)
    for name in set(users):
        own = [weight for user, weight in zip(users, weights, strict=True) if user == name]
        assert sum(own) == pytest.approx(min(len(own), cap)) and len(set(own)) == 1


def trainer(
    base: Path, folder: Path, users: tuple[str, ...], made: Sequence[Row] | None = None, **values: object
) -> Trainer:
    """The platform's trainer over one row (a pair, if none are given) for each of these users' turns."""
    folder.mkdir()
    rows = folder / "pairs.jsonl"
    told = [
        trl_row(row) | provenance(row) | {"user_id": user, WEIGHT: weight(row)}
        for row, user in zip(made or made_pairs(len(users)), users, strict=True)
    ]
    rows.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    config = DpoConfig.model_validate(
        {"batch": len(users), "lora_rank": 0, "precision": "fp32", "max_length": 256, "save_steps": 0, **PLAIN} | values
    )
    plan = PolicyPlan(base=base, output=folder, seed=0, dpo=config)
    return make_trainer(plan, trl_arguments(plan))[0]


def gradients(one: Trainer, rows: list[int] | None = None) -> dict[str, torch.Tensor]:
    """Of the loss of these rows as one batch."""
    data = one._remove_unused_columns(one.train_dataset)
    batch = one.data_collator([data[at] for at in rows or range(len(data))])
    one.model.zero_grad()
    one.model.train()
    one.compute_loss(one.model, batch).backward()
    return {name: weight.grad.clone() for name, weight in one.model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("lora", [0, 4])
def test_the_gradient_is_that_of_the_weighted_mean(tmp_path: Path, tiny_policy: Path, lora: int, shared: bool) -> None:
    way = {"lora_rank": lora, "share_prompt": shared, "user_cap": 2}
    weighed = trainer(tiny_policy, tmp_path / "weighed", USERS, None, **way)
    assert list(weighed.train_dataset[WEIGHT]) == [0.5] * 4 + [1.0] and isinstance(weighed, WeighedRows)
    plain = trainer(tiny_policy, tmp_path / "plain", tuple("abcde"), None, **way)
    assert not isinstance(plain, WeighedRows)
    found, alone = gradients(weighed), [gradients(plain, [at]) for at in range(5)]
    assert any(float(grad.abs().max()) > 1e-4 for grad in found.values())
    for name, grad in found.items():
        expected = sum(weight * one[name] for weight, one in zip([0.5] * 4 + [1.0], alone, strict=True)) / 5
        assert float((grad - expected).abs().max()) < 1e-5, name


def test_sft_weighs_the_tokens_of_a_user_s_answers(tmp_path: Path, tiny_policy: Path) -> None:
    weighed = trainer(tiny_policy, tmp_path / "weighed", USERS, user_cap=2, method="sft")
    assert list(weighed.train_dataset[WEIGHT]) == [0.5] * 4 + [1.0] and isinstance(weighed, WeighedRows)
    plain = trainer(tiny_policy, tmp_path / "plain", tuple("abcde"), user_cap=2, method="sft")
    found, alone = gradients(weighed), [gradients(plain, [at]) for at in range(5)]
    tokens = [sum(token >= 0 for token in labels) for labels in plain.train_dataset["labels"]]
    for name, grad in found.items():
        each = zip([0.5] * 4 + [1.0], tokens, alone, strict=True)
        expected = sum(weight * count * one[name] for weight, count, one in each) / sum(tokens)
        assert float((grad - expected).abs().max()) < 1e-5, name
    assert any(float(grad.abs().max()) > 1e-4 for grad in found.values())


def test_kto_weighs_pairs_and_judged_answers_of_a_user_together(tmp_path: Path, tiny_policy: Path) -> None:
    judged = [replace(row, weight=share) for row, share in zip(made_judged(3), (0.5, 1.0, 1.0), strict=True)]
    made: list[Row] = [*made_pairs(2), *judged]
    users = ("often", "often", "often", "once", "rarely")
    one = trainer(tiny_policy, tmp_path / "kto", users, made, user_cap=1, method="kto")
    weights: dict[tuple[str, bool], list[float]] = {}
    for row in one.train_dataset:
        weights.setdefault((row["user_id"], row["label"]), []).append(row[WEIGHT])
    # Two pairs are four answers, with half a thumb 4.5; a cap of one pair is two answers.
    share = 2 / 4.5
    assert {key: sorted(values) for key, values in weights.items()} == {
        ("often", True): pytest.approx([share / 2, share, share]), ("often", False): pytest.approx([share, share]),
        ("once", False): [1.0], ("rarely", True): [1.0],
    }  # fmt: skip
    sides = {
        side: sum(sum(values) for (_, label), values in weights.items() if label == side) for side in (True, False)
    }
    ratio = one.desirable_weight * sides[True] / (one.undesirable_weight * sides[False])
    assert ratio == pytest.approx(sides[True] / sides[False]) and 1 <= ratio <= 4 / 3
    found, batch = gradients(one), len(one.train_dataset)
    plain = trainer(tiny_policy, tmp_path / "plain", tuple("abcde"), [*made_pairs(2), *made_judged(3)], method="kto")
    order = {content_key(row["prompt"], row["completion"]): at for at, row in enumerate(plain.train_dataset)}
    places = [order[content_key(row["prompt"], row["completion"])] for row in one.train_dataset]
    alone = [(row[WEIGHT], gradients(plain, [at])) for row, at in zip(one.train_dataset, places, strict=True)]
    for name, grad in found.items():
        expected = sum(weight * each[name] for weight, each in alone) / batch
        assert float((grad - expected).abs().max()) < 1e-5, name


@pytest.mark.parametrize("method", ["dpo", "sft", "kto"])
def test_weighed_rows_train_and_the_loss_that_is_told_is_unweighted(
    tmp_path: Path, tiny_policy: Path, method: str
) -> None:
    one = trainer(tiny_policy, tmp_path / method, USERS, user_cap=1, method=method, learning_rate=1e-2, epochs=8)
    one.train()
    losses = [row["loss"] for row in one.state.log_history if "loss" in row]
    assert losses[0] == pytest.approx({"dpo": 0.693, "kto": 0.5, "sft": 5.87}[method], rel=0.05)
    assert losses[-1] < 0.8 * losses[0]


def test_one_cap_for_all_is_no_weighing(tmp_path: Path, tiny_policy: Path) -> None:
    one = trainer(tiny_policy, tmp_path / "even", USERS[:4], user_cap=8)
    assert not isinstance(one, WeighedRows)
