"""A better model is promoted, and the next cycle starts from it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.config import GateConfig
from rlhi.contracts import EvalResult, Message
from rlhi.evaluate.suites.instructions import INSTRUCTIONS
from rlhi.models.base import Sampling
from rlhi.models.local import LocalChatModel
from rlhi.stages.conclude import conclude
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.learn.dpo import TRAINING
from rlhi.workspace import ledger
from rlhi.workspace.store import read_table
from tests.support.cycles import COLLECT, run_cycle
from tests.support.spaces import configure, land_talk, make_space

ANSWER = "- Put it in the sun\n- Water it"


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """The tiny policy with a LoRA adapter that has it answer in bullet points, merged."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(tiny_policy, dtype=torch.float32)
    lora = LoraConfig(
        r=16, lora_alpha=64, target_modules="all-linear", modules_to_save=["lm_head"], task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, lora)
    prompts = ["How?", "Why is the sky blue?", "Name three fruits.", "What is a good plan for a weekend in spring?"]
    systems = ["You are a helpful assistant.", "You are a helpful assistant. About this user: Use bullet points."]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = []
    for prompt in prompts:
        for system in systems:
            rows = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
            head = tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True)
            ids = tokenizer.encode(head, add_special_tokens=False)
            answer = tokenizer.encode(ANSWER, add_special_tokens=False) + [tokenizer.eos_token_id]
            batches.append((torch.tensor([ids + answer]), len(ids)))
    for _ in range(50):
        for ids, start in batches:
            logits = model(ids).logits[0, start - 1 : -1]
            loss = torch.nn.functional.cross_entropy(logits, ids[0, start:])
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
            optimizer.step()
            optimizer.zero_grad()
    assert float(loss.detach()) < 0.1
    folder = tmp_path_factory.mktemp("better")
    model.merge_and_unload().to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_better_adapter_is_promoted_and_the_next_cycle_starts_from_it(
    tmp_path: Path, tiny_policy: Path, better: Path
) -> None:
    short = {"max_new_tokens": 24, "context_tokens": 256}
    sizes = {"users": 14, "requests": 2, "samples": 1, "instruction_samples": 3, "pairs": 0, "sampling": short}
    space = make_space(tmp_path / "w", tiny_policy, evaluate=sizes)
    only_bullets = tuple((kind, int(kind == "bullets")) for kind in _kinds())
    land_talk(space, users=40, weights=only_bullets)
    for name in COLLECT:
        stages.run(name, space.root)
    ledger.begin(space.root)
    for name in ("rewrites", "candidates", "reward", "pairs", "dpo"):
        stages.run(name, space.root)
    challenger = space.path("models/challenger")
    for file in better.iterdir():
        shutil.copy(file, challenger / file.name)
    (challenger / TRAINING).write_text(json.dumps({"lessons": [], "history": []}), encoding="utf-8")
    stages.run("evaluate", space.root)
    asked = Counter((row.suite, row.model) for row in read_table(space.path("data/evaluation"), EvalResult))
    users = {"satisfaction", "wishes", "answered", "kept", "beyond_two_sentences", "beyond_best_style"}
    anybody = {"nearness", "answers", "knowledge", "instructions", "fluency", "preference"}
    assert {suite for suite, _ in asked} >= users | anybody
    assert all(asked[suite, "champion"] == asked[suite, "challenger"] for suite in users | anybody)
    assert asked["instructions", "champion"] == asked["instructions", "challenger"] == 3 * len(INSTRUCTIONS)
    configure(space, "evaluate", sizes, instruction_samples=2, recognised=0, lift_samples=0)
    stages.run("evaluate", space.root)
    again = Counter((row.suite, row.model) for row in read_table(space.path("data/evaluation"), EvalResult))
    assert again["instructions", "challenger"] == 2 * len(INSTRUCTIONS), "samples of another number are not taken"
    assert again["satisfaction", "champion"] == asked["satisfaction", "champion"] > 0
    assert asked["answers", "champion"] and not again["answers", "champion"], "nobody reads whose request it was"
    for name in ("confirm", "judges", "drift", "gate"):
        stages.run(name, space.root)
    # Twelve users' comparisons do not show that the judge is right: preference does not count, unless one says so.
    assert any("so preference does not count" in reason for reason in read_decision(space).reasons)
    assert read_decision(space).verdict != "promote"
    # Nor do they show what guards ask for, and this adapter has one answer for all: a gate for form alone lets it by.
    form: dict[str, object] = {"satisfaction": False, "wishes": {"margin": 0.0}}
    configure(space, "gate", {}, judge=0, gains=form, guards={name: False for name in GateConfig().guards})
    stages.run("gate", space.root)
    summary = conclude(space.root)
    assert (summary.verdict, summary.version) == ("promote", "v0.2.0"), summary.reasons
    assert ledger.champion(space.root) == "v0.2.0"
    assert _says(ledger.policy_path(space.root, "v0.2.0")) == ANSWER
    assert _says(space.path("models/policy")) == ANSWER
    card = space.path("models/policy/README.md").read_text(encoding="utf-8")
    assert "# policy@v0.2.0" in card and "| verdict | promote, cycle 1 |" in card and "not yet given" not in card
    assert "| instructions |" in card and all(f"- {reason}" in card for reason in summary.reasons)
    assert "not yet given" in (challenger / "README.md").read_text(encoding="utf-8"), "a challenger's is as it was made"
    assert conclude(space.root).revision == summary.revision, "concluding twice must not promote twice"

    land_talk(space, cycle=2, users=40, weights=only_bullets)
    after = run_cycle(space.root)
    assert after is not None and after.cycle == 2
    pin = ledger.pinned(space.root)
    assert (pin.cycle, pin.champion) == (2, "v0.2.0")
    drift = json.loads(space.path("data/drift/drift.json").read_text(encoding="utf-8"))
    assert drift["status"] in ("stable", "drifted") and drift["reference"] > 0

    assert ledger.rollback(space.root, "v0.1.0") == "v0.1.0" == ledger.champion(space.root)
    got = tmp_path / "got"
    subprocess.run(
        [
            sys.executable, "-m", "dvc", "artifacts", "get", str(space.root), "policy", "--rev", "v0.2.0",
            "--out", str(got),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    assert _says(got) == ANSWER


def _says(folder: Path) -> str:
    prompt = [Message("system", "You are a helpful assistant."), Message("user", "How?")]
    return LocalChatModel(folder).chat([prompt], Sampling(temperature=0, max_new_tokens=32))[0][0]


def _kinds() -> list[str]:
    from rlhi.simulate.wishes import WISHES

    return list(WISHES)
