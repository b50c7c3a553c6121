"""Our forward pass against TRL's on the same pairs: log-probabilities, gradients, losses step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
    from trl import DPOTrainer

    from rlhi.learn.training.trl.shared_prompt import Packed

PAIRS = [
    {
        "prompt": [
            {"role": "system", "content": "You are a helpful assistant. About this user: Use bullet points."},
            {"role": "user", "content": f"How do I keep basil alive indoors, for {at} weeks? " * (1 + at % 3)},
        ],
        "chosen": [{"role": "assistant", "content": "- one\n- two" + "\n- three" * (at % 4)}],
        "rejected": [{"role": "assistant", "content": "It depends on many things, for example " + "light " * (at % 5)}],
    }
    for at in range(12)
]  # fmt: skip


def trainer(kind: type[DPOTrainer], base: Path, folder: Path, lora: int, dropout_free_steps: int) -> DPOTrainer:
    """TRL's trainer, or ours, made the same way."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return kind(
        model=model,
        ref_model=None if lora else AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        args=DPOConfig(
            output_dir=str(folder), per_device_train_batch_size=3, gradient_accumulation_steps=2, bf16=False,
            max_steps=dropout_free_steps, learning_rate=5e-3, use_cpu=True, logging_steps=1, save_strategy="no",
            disable_tqdm=True, report_to="none", gradient_checkpointing=False, precompute_ref_log_probs=bool(lora),
            pad_to_multiple_of=32, seed=1,
        ),
        train_dataset=Dataset.from_list(PAIRS),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LoraConfig(r=lora, target_modules="all-linear", task_type="CAUSAL_LM") if lora else None,
    )  # fmt: skip


def gradients(one: DPOTrainer) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the first batch."""
    batch = next(iter(one.get_train_dataloader()))
    one.model.train()
    loss = one.compute_loss(one.model, batch)
    loss.backward()
    return float(loss.detach()), {
        name: weight.grad for name, weight in one.model.named_parameters() if weight.grad is not None
    }


@pytest.fixture(params=[0, 4], ids=["every weight", "LoRA"])
def both(
    request: pytest.FixtureRequest, tiny_policy: Path, tmp_path: Path
) -> Callable[[], tuple[DPOTrainer, DPOTrainer]]:
    """TRL's trainer and ours, fresh."""
    from trl import DPOTrainer

    from rlhi.learn.training.trl.shared_prompt import SharedPromptDPOTrainer

    lora = int(request.param)
    return lambda: (
        trainer(DPOTrainer, tiny_policy, tmp_path / "trl", lora, 6),
        trainer(SharedPromptDPOTrainer, tiny_policy, tmp_path / "ours", lora, 6),
    )


def test_loss_and_gradients_of_a_batch_are_those_of_trl(both: Callable[[], tuple[DPOTrainer, DPOTrainer]]) -> None:
    theirs, ours = both()
    # A first step moves policy and reference apart: at the start, LoRA's gradients are zero on one side.
    for one in (theirs, ours):
        one.train()
        one.model.zero_grad()
    (their_loss, expected), (our_loss, found) = gradients(theirs), gradients(ours)
    assert our_loss == pytest.approx(their_loss, abs=1e-5)
    assert found.keys() == expected.keys() and any(float(grad.abs().max()) > 1e-3 for grad in expected.values())
    for name, grad in expected.items():
        assert float((grad - found[name]).abs().max()) < 1e-4, name


def test_losses_and_metrics_follow_trl_step_by_step(both: Callable[[], tuple[DPOTrainer, DPOTrainer]]) -> None:
    theirs, ours = both()
    for one in (theirs, ours):
        one.train()
    expected = [row for row in theirs.state.log_history if "loss" in row]
    found = [row for row in ours.state.log_history if "loss" in row]
    assert len(expected) == len(found) == 6 and expected[-1]["loss"] < expected[0]["loss"] - 0.05
    for want, have in zip(expected, found, strict=True):
        assert have.keys() == want.keys()
        for key in ("loss", "grad_norm", "rewards/margins", "logps/chosen", "logps/rejected", "entropy",
                    "logits/chosen", "mean_token_accuracy"):  # fmt: skip
            assert have[key] == pytest.approx(want[key], rel=2e-3, abs=2e-3), key


def packed(prompt: list[int], chosen: list[int], rejected: list[int]) -> Packed:
    """One pair in TRL's layout, packed."""
    import torch

    from rlhi.learn.training.trl.shared_prompt import IGNORED, pack

    width = len(prompt) + max(len(chosen), len(rejected)) + 2
    rows = [prompt + side for side in (chosen, rejected)]
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    labels = torch.tensor([[IGNORED] * len(prompt) + side + [IGNORED] * (width - len(prompt) - len(side))
                           for side in (chosen, rejected)])  # fmt: skip
    return pack(ids, labels)


def test_a_pair_is_one_row_whose_answers_do_not_see_each_other() -> None:
    one = packed([5, 6, 7], [8, 9], [10, 11, 12])
    size = 8
    assert one.input_ids.tolist()[0][:size] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert one.positions.tolist()[0][:size] == [0, 1, 2, 3, 4, 3, 4, 5]
    assert one.mask[0, 4, :5].tolist() == [True] * 5
    assert one.mask[0, 6, :size].tolist() == [True, True, True, False, False, True, True, False]
    # The prompt's last token predicts the first of both answers.
    assert one.sources[1].tolist() == [2, 3, 2, 5, 6]
    assert one.labels.tolist() == [[8, 9, 10, 11, 12]]
    assert [tensor.tolist() for tensor in one.targets] == [[0, 0, 1, 1, 1], [2, 3, 2, 3, 4]]


def test_a_pair_that_lost_an_answer_or_has_two_prompts_is_refused() -> None:
    import torch

    from rlhi.learn.training.trl.shared_prompt import IGNORED, pack

    with pytest.raises(ValueError, match="no token left"):
        packed([5, 6, 7], [8, 9], [])
    with pytest.raises(ValueError, match="different prompts"):
        pack(torch.tensor([[5, 6, 7], [5, 9, 7]]), torch.tensor([[IGNORED, IGNORED, 7], [IGNORED, IGNORED, 7]]))


def test_models_whose_attention_would_not_obey_the_mask_are_left_to_trl(tiny_policy: Path) -> None:
    from transformers import AutoModelForCausalLM, GPT2Config, MistralConfig

    from rlhi.learn.training.trl.shared_prompt import can_share

    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    assert can_share(model.config)
    model.set_attn_implementation("eager")
    assert not can_share(model.config)
    windowed = MistralConfig(sliding_window=64)
    windowed._attn_implementation = "sdpa"
    assert not can_share(windowed)
    assert not can_share(GPT2Config(attn_implementation="flash_attention_2"))


def test_the_benchmark_trains_in_all_ways_and_prints_nothing_but_its_table(
    tiny_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rlhi.bench.dpo import WAYS, loss_curves
    from rlhi.models.precision import computed

    curves = loss_curves(60, pairs=4, epochs=2, base=tiny_policy)
    for way in WAYS:
        assert len(curves.losses[way]) == 4 and curves.losses[way][0] == pytest.approx(0.693, abs=0.01)
        assert curves.losses[way][-1] < 0.65
    # In bf16 the two round in other places; and by default TRL may compute in another precision.
    near = 0.01 if computed("auto") == "bf16" else 0.001
    assert curves.apart(WAYS[1]) < near and curves.apart(WAYS[0]) < 0.1
    assert capsys.readouterr().out == "", "trainers print their figures elsewhere"


def test_the_benchmark_of_a_shape_times_steps_and_tells_shares_of_known_peaks(
    tmp_path: Path, tiny_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a GPU with eight billion weights; here with few, on a CPU, whose peak nobody told."""
    from rlhi.bench.dpo import WAYS
    from rlhi.bench.dpo_shape import PEAKS, measure, random_model

    size = random_model("tiny", tmp_path / "model", tiny_policy)
    found = measure("tiny", tmp_path / "model", size, 60, steps=2)
    assert min(size) > 10_000 and all(len(found.seconds[way]) == 2 for way in WAYS)
    for way in WAYS:
        assert len(found.losses[way]) == 3 and found.rate(way) > 0 and found.peak_share(way) is None
        assert found.losses[way] == pytest.approx(found.losses["ours"], abs=0.02), "one random model learns one thing"
    name, peak = next(iter(PEAKS.items()))
    known = replace(found, device=f"NVIDIA {name}", weights=10**9, head=10**8, seconds={way: (0.5,) for way in WAYS})
    assert known.rate("ours") == 2 * 2 * 160 / 0.5
    assert known.peak_share("ours") == pytest.approx(2 * (6e9 * (60 + 200) + 6e8 * 200) / 0.5 / peak)
    assert known.peak_share(WAYS[0]) == pytest.approx(2 * 6.6e9 * (120 + 200) / 0.5 / peak)
    failed = replace(known, seconds={**known.seconds, "ours": ()})
    assert failed.peak_share("ours") is None and failed.rate("ours") != failed.rate("ours"), "out of memory"
    assert capsys.readouterr().out == ""
