"""Training in processes of its own: every ZeRO stage, several processes and nodes, every method, one saved layout."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from rlhi.config import DpoConfig, Method
from rlhi.learn.training.card import Learned, model_card
from rlhi.learn.training.launch import Trained, command
from rlhi.learn.training.methods import METHODS, method_of
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import policy_row
from rlhi.learn.training.trainer import trl_arguments
from rlhi.models.local import LocalChatModel
from tests.support.spaces import make_space
from tests.support.training import PLAIN, made_pairs, made_rows, plan_of, run, run_here

FAST: dict[str, Any] = {
    "batch": 2, "accumulation": 1, "epochs": 1, "learning_rate": 5e-3, "max_length": 256, "save_steps": 0,
    **PLAIN,
}  # fmt: skip
BASE = {"full": 0, "LoRA": 4}
ROWS = [policy_row(pair) for pair in made_pairs()]


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
    def plan(**dpo: Any) -> PolicyPlan:
        return PolicyPlan(base=tmp_path, output=tmp_path, seed=0, dpo=DpoConfig(**dpo))

    config = str(tmp_path / "resolved.json")
    assert command(plan())[1:] == ["-m", "rlhi.learn.training.policy", "--config", config]
    alone = command(plan(processes=4, deepspeed=2))
    assert alone[1:4] == ["-m", "torch.distributed.run", "--nproc_per_node=4"] and "--nnodes" not in " ".join(alone)
    many = plan(processes=8, nodes=3, rendezvous="trainer-0:29500", deepspeed=3)
    assert many.settings.world_size == 24
    first, last = command(many), command(many, 2)
    assert first[3:8] == [
        "--nproc_per_node=8", "--nnodes=3", "--node_rank=0", "--rdzv_backend=static",
        "--rdzv_endpoint=trainer-0:29500",
    ]  # fmt: skip
    assert [one for one in last if one not in first] == ["--node_rank=2"]
    with pytest.raises(ValueError, match="needs dpo.rendezvous"):
        DpoConfig(nodes=2)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Callable[[Method], Trained]:
    """A training by a method, each of which is run once."""

    @cache
    def by(name: Method) -> Trained:
        config = {**FAST, "method": name, "lora_rank": 4, "learning_rate": 2e-2, "epochs": 2}
        return run_here(tiny_policy, tmp_path_factory.mktemp(name), DpoConfig.model_validate(config))

    return by


def preferred(folder: Path) -> float:
    """By how much a model finds the chosen answers likelier than the rejected ones (nats), asked without a trainer."""
    sides = [(pair.prompt, text) for pair in made_pairs(12) for text in (pair.chosen, pair.rejected)]
    found = LocalChatModel(folder, "asked").log_likelihood(sides)
    return (sum(found[::2]) - sum(found[1::2])) / 12


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_what_is_preferred_and_saves_the_same_layout(
    learned: Callable[[Method], Trained], tiny_policy: Path, name: Method
) -> None:
    done, method = learned(name), method_of(name)
    rows = made_rows(DpoConfig(method=name))
    assert done.pairs + done.judged == len(rows) and bool(done.judged) == method.singly
    assert done.class_weights == (1.0, 1.0) and bool(done.unwanted) == bool(method.unwanted(method.rows(ROWS)))
    assert sum(losses(done)[-3:]) < 0.9 * sum(losses(done)[:3])
    assert preferred(done.model) > preferred(tiny_policy) + 1
    assert_whole(done, tiny_policy)


@pytest.mark.parametrize(
    ("name", "trainer", "rows", "first"),
    [
        ("dpo", "SharedPromptDPOTrainer", (16, 0, 16, 16), math.log(2)),
        ("sft", "SFTTrainer", (16, 0, 16, 0), math.log(355)),
        ("kto", "KTOTrainer", (12, 8, 16, 16), 0.5),
    ],
)
def test_a_method_s_trainer_rows_and_first_loss_are_its_own(
    learned: Callable[[Method], Trained], name: Method, trainer: str, rows: tuple[int, ...], first: float
) -> None:
    done = learned(name)
    assert done.trainer == trainer and losses(done)[0] == pytest.approx(first, rel=0.05)
    assert (done.pairs, done.judged, done.wanted, done.unwanted) == rows


def test_separators_of_lines_in_users_text_end_no_row(tmp_path: Path, tiny_policy: Path) -> None:
    rows = [replace(pair, rejected=f"soil\u2028and\x85sun {at}") for at, pair in enumerate(made_pairs(4))]
    assert run(tiny_policy, tmp_path, DpoConfig.model_validate({**FAST, "lora_rank": 4}), rows).pairs == 4


def test_the_card_tells_origin_data_and_that_no_verdict_is_known_yet() -> None:
    plan = PolicyPlan(
        base=Path(), output=Path(), seed=0, dpo=DpoConfig(method="kto"), champion="v0.2.0", reference="a" * 64
    )
    card = model_card(plan, Learned("feed", 30, 9))
    assert card.startswith("---\n") and "tags: [rlhi, kto, persona]" in card
    assert "`policy@v0.2.0`" in card and "a" * 64 in card and "`feed`" in card and "verdict | not yet" in card


@pytest.mark.parametrize("name", METHODS)
def test_the_card_tells_of_beta_where_the_trainer_is_told_it(name: Method, tmp_path: Path, tiny_policy: Path) -> None:
    plan = plan_of(tiny_policy, tmp_path, DpoConfig(method=name, beta=0.123))
    told = getattr(trl_arguments(plan), "beta", None)
    assert ("beta 0.123" in model_card(plan, Learned("feed", 30, 9))) == (told == 0.123)
