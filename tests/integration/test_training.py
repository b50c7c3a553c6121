"""Training in processes of its own: every ZeRO stage, several processes and nodes, every method, one saved layout."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from rlhi.config import DpoConfig
from rlhi.learn.training.card import Provenance, model_card
from rlhi.learn.training.launch import Trained, command
from tests.support.spaces import make_space
from tests.support.training import PLAIN, made_pairs, run, run_here

FAST: dict[str, Any] = {
    "batch": 2, "accumulation": 1, "epochs": 1, "learning_rate": 5e-3, "max_length": 256, "save_steps": 0,
    **PLAIN,
}  # fmt: skip
BASE = {"full": 0, "LoRA": 4}


def losses(done: Trained) -> list[float]:
    """The loss of every step."""
    return [step["loss"] for step in done.history]


def assert_whole(done: Trained, base: Path) -> None:
    """The saved folder is what ``from_pretrained`` and vLLM read: every weight of the base, in bf16, and its words."""
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    model, told = AutoModelForCausalLM.from_pretrained(done.model, output_loading_info=True)
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    before = AutoModelForCausalLM.from_pretrained(base)
    shapes = {name: weight.shape for name, weight in before.named_parameters()}
    assert {name: weight.shape for name, weight in model.named_parameters()} == shapes
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    moved = [name for name, weight in model.named_parameters() if not torch.equal(weight, before.get_parameter(name))]
    assert len(moved) > 4, "training changed nothing"
    with safe_open(done.model / "model.safetensors", "pt") as held:
        assert set(shapes) <= set(held.keys()), "weights are stored by their own names, not as shards"
    tokenizer = AutoTokenizer.from_pretrained(done.model)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(base).chat_template
    assert GenerationConfig.from_pretrained(done.model).eos_token_id == tokenizer.eos_token_id
    assert not list(done.model.glob("*.pt")) and not list(done.model.glob("adapter*"))


@pytest.mark.parametrize(
    ("stage", "lora"),
    [
        pytest.param(stage, lora, marks=[pytest.mark.long] * ((stage, lora) != (3, "LoRA")))
        for stage in (1, 2, 3)
        for lora in BASE
    ],
)
def test_zero_over_two_processes_learns_in_bf16_and_saves_a_whole_model(
    tmp_path: Path, tiny_policy: Path, stage: Literal[1, 2, 3], lora: str
) -> None:
    config = DpoConfig(processes=2, deepspeed=stage, lora_rank=BASE[lora], precision="bf16", **FAST)
    done = run(tiny_policy, tmp_path, config)
    assert (done.world_size, done.engine, done.zero_stage) == (2, "DeepSpeedEngine", stage)
    assert done.master_weights == "float32", "the optimizer must not round its steps to bf16"
    assert losses(done)[0] == pytest.approx(math.log(2), abs=0.01) and losses(done)[-1] < 0.5
    assert_whole(done, tiny_policy)


@pytest.mark.long
def test_zero_presets_serve_one_process_too_and_agree_with_plain_training(tmp_path: Path, tiny_policy: Path) -> None:
    config = DpoConfig(lora_rank=0, precision="fp32", **FAST)
    plain = run(tiny_policy, tmp_path / "plain", config)
    sharded = run(tiny_policy, tmp_path / "zero", config.model_copy(update={"deepspeed": 2}))
    assert (sharded.world_size, sharded.engine, sharded.zero_stage) == (1, "DeepSpeedEngine", 2)
    assert losses(sharded) == pytest.approx(losses(plain), abs=1e-3)


def test_two_processes_without_deepspeed_share_the_reference_s_figures(tmp_path: Path, tiny_policy: Path) -> None:
    done = run(tiny_policy, tmp_path, DpoConfig(processes=2, lora_rank=0, **FAST))
    assert (done.world_size, done.zero_stage) == (2, 0) and losses(done)[-1] < 0.5
    assert_whole(done, tiny_policy)


@pytest.mark.parametrize("lora", BASE)
def test_a_part_of_what_was_learned_is_merged(tmp_path: Path, tiny_policy: Path, lora: str) -> None:
    """Weights between the champion's and the trained ones, whether an adapter or the whole model was trained."""
    import torch
    from transformers import AutoModelForCausalLM

    def weights(folder: Path) -> dict[str, torch.Tensor]:
        return dict(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).named_parameters())

    config = DpoConfig(lora_rank=BASE[lora], precision="fp32", **FAST)
    whole = run_here(tiny_policy, tmp_path / "whole", config)
    part = run_here(tiny_policy, tmp_path / "part", config.model_copy(update={"merge": 0.25}))
    assert losses(part) == pytest.approx(losses(whole), abs=1e-4), "training itself is the same"
    before, after, between = weights(tiny_policy), weights(whole.model), weights(part.model)
    moved = 0
    for name, weight in between.items():
        wanted = torch.lerp(before[name], after[name], 0.25)
        assert torch.allclose(weight, wanted, rtol=2e-2, atol=1e-4), name
        moved += not torch.allclose(weight, after[name], rtol=2e-2, atol=1e-4)
    assert moved > 4


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_nodes_of_one_process_meet_and_train_one_model(tmp_path: Path, tiny_policy: Path) -> None:
    config = DpoConfig(nodes=2, rendezvous=f"127.0.0.1:{free_port()}", deepspeed=2, lora_rank=0, **FAST)
    # The second node is there first: it waits until the stage's own begins.
    make_space(tmp_path / "w", tiny_policy)
    other = subprocess.Popen(
        [sys.executable, "-c", "from rlhi.cli.app import main; main()", "--workspace", str(tmp_path / "w"), "join",
         "--rank", "1", "--patience", "120"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    done = run(tiny_policy, tmp_path / "w" / ".rlhi" / "training" / "key", config)
    told, errors = other.communicate(timeout=60)
    assert other.returncode == 0 and told.startswith("trained as node 1: "), errors
    assert (done.world_size, done.engine) == (2, "DeepSpeedEngine") and losses(done)[-1] < 0.5
    assert_whole(done, tiny_policy)


def test_the_command_line_of_a_node(tmp_path: Path) -> None:
    config = tmp_path / "resolved.json"
    assert command(DpoConfig(), config)[1:] == ["-m", "rlhi.learn.training.dpo", "--config", str(config)]
    alone = command(DpoConfig(processes=4, deepspeed=2), config)
    assert alone[1:4] == ["-m", "torch.distributed.run", "--nproc_per_node=4"] and "--nnodes" not in " ".join(alone)
    many = DpoConfig(processes=8, nodes=3, rendezvous="trainer-0:29500", deepspeed=3)
    assert many.world_size == 24
    first, last = command(many, config), command(many, config, 2)
    assert first[3:8] == [
        "--nproc_per_node=8", "--nnodes=3", "--node_rank=0", "--rdzv_backend=static",
        "--rdzv_endpoint=trainer-0:29500",
    ]  # fmt: skip
    assert [one for one in last if one not in first] == ["--node_rank=2"]
    with pytest.raises(ValueError, match="needs dpo.rendezvous"):
        DpoConfig(nodes=2)


@pytest.mark.parametrize(
    ("method", "trainer", "rows", "first"),
    [("sft", "SFTTrainer", (16, 0, 16, 0), math.log(355)), ("kto", "KTOTrainer", (12, 8, 16, 16), 0.5)],
)
def test_baselines_learn_from_the_same_rows_and_save_the_same_layout(
    tmp_path: Path, tiny_policy: Path, method: str, trainer: str, rows: tuple[int, ...], first: float
) -> None:
    config = DpoConfig.model_validate({**FAST, "method": method, "lora_rank": 4, "learning_rate": 2e-2, "epochs": 2})
    done = run_here(tiny_policy, tmp_path, config)
    assert (done.trainer, done.class_weights) == (trainer, (1.0, 1.0))
    assert (done.pairs, done.judged, done.wanted, done.unwanted) == rows
    assert losses(done)[0] == pytest.approx(first, rel=0.05)
    assert sum(losses(done)[-3:]) < 0.9 * sum(losses(done)[:3])
    assert_whole(done, tiny_policy)


def test_separators_of_lines_in_users_text_end_no_row(tmp_path: Path, tiny_policy: Path) -> None:
    rows = [replace(pair, rejected=f"soil\u2028and\x85sun {at}") for at, pair in enumerate(made_pairs(4))]
    assert run(tiny_policy, tmp_path, DpoConfig.model_validate({**FAST, "lora_rank": 4}), rows).pairs == 4


def test_kto_s_neighbours_are_answers_to_other_prompts() -> None:
    from rlhi.learn.training.methods.kto import arranged, singles
    from rlhi.learn.training.rows import trl_row

    rows = arranged(singles([trl_row(pair) for pair in made_pairs(6)]), 4)
    assert [row["label"] for row in rows] == [True, False] * 6
    assert {json.dumps(row["completion"]) for row in rows} == {
        json.dumps(row[side]) for row in map(trl_row, made_pairs(6)) for side in ("chosen", "rejected")
    }
    for start in range(0, 12, 4):
        batch = [json.dumps(row["prompt"]) for row in rows[start : start + 4]]
        assert all(one != other for one, other in zip(batch, batch[-1:] + batch[:-1], strict=True))


def test_the_card_tells_origin_data_and_that_no_verdict_is_known_yet() -> None:
    card = model_card(Provenance("v0.2.0", "a" * 64, "feed", 30, 9), DpoConfig(method="kto"))
    assert card.startswith("---\n") and "tags: [rlhi, kto, persona]" in card
    assert "`policy@v0.2.0`" in card and "a" * 64 in card and "`feed`" in card and "verdict | not yet" in card
