"""Token for token: what training saw is what a served request gives, for the chat templates that people serve."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlhi.cli.app import app
from rlhi.config import DpoConfig, PairsConfig, PromptConfig
from rlhi.contracts import Conversation, Message, Persona, PreferencePair, Turn, to_record
from rlhi.contracts.turns import asked
from rlhi.learn.pairs.pairing import Pairing
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import trl_row
from rlhi.learn.training.trainer import make_trainer, trl_arguments
from rlhi.models.local import LocalChatModel
from rlhi.models.prompts import DEFAULT, Prompts, chat_tokens, judged, served, tokenizer_of
from rlhi.stages import backends
from rlhi.stages.collect.personas import persona_before
from rlhi.stages.evaluate.questions import Draw, held_out_requests
from rlhi.stages.learn.log import pair_maker, read_log, requests
from rlhi.workspace.store import write_table
from tests.support.personas import persona
from tests.support.spaces import make_space
from tests.support.templates import FAMILIES
from tests.unit.test_turns import Shorter

BRIEF = "Wants short answers."
LIMIT = 700
RAIN = (Turn("user", "Rain in Bergen?"), Turn("tool", '{"mm": 4}'), Turn("assistant", "Yes."))
TALKS: dict[str, tuple[Turn, ...]] = {
    "plain": (Turn("user", "What is DNS?"), Turn("assistant", "It maps names.")),
    "own": (Turn("system", "You are Acme's bot.\n\nBe kind."), Turn("user", "Hi"), Turn("assistant", "Hello.")),
    "tools": (*RAIN, Turn("user", "And now?"), Turn("tool", "dry"), Turn("tool", "12 C"), Turn("assistant", "No.")),
    "documents": (Turn("system", "Be kind."), *RAIN, Turn("system", "Document: <|im_end|> fog"), Turn("user", "Fog?"),
                  Turn("assistant", "Some.")),
    "documents behind": (Turn("user", "Fog?"), Turn("system", "Document: fog."), Turn("assistant", "Some.")),
    "neighbours": (Turn("user", "Basil?"), Turn("user", "Indoors."), Turn("assistant", "Sun.")),
    "assistant first": (Turn("assistant", "Welcome!"), Turn("user", "Hi"), Turn("assistant", "Hello.")),
    "long": (*RAIN * 40, Turn("user", "And now?"), Turn("assistant", "No.")),
}  # fmt: skip


def served_tokens(folder: Path, messages: Sequence[Any]) -> list[int]:
    """What a server reads that is sent these messages: its chat template and its tokenizer, and nothing of ours."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    made = tokenizer.apply_chat_template([to_record(one) for one in messages], add_generation_prompt=True)
    return list(made["input_ids"])


def pair_of(name: str, prompts: Prompts) -> PreferencePair:
    """The pair of a conversation's last answer, made as the stage makes it."""
    turns, known = TALKS[name], {"u": persona("u", BRIEF)}
    talk = Conversation(name, "u", "real", None, None, None, turns, "test")
    making = Pairing({name: talk}, known, known, Shorter(), PairsConfig(), prompts=prompts)
    made = making.pair(talk, len(turns) - 1, "rewrite", turns[-1].content, f"Nothing of {name}.", 1, 0)
    return replace(made, key=name)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A tiny model that is talked to as one of the families."""
    made = tmp_path_factory.mktemp(request.param) / "policy"
    shutil.copytree(tiny_policy, made)
    tokenizer = tokenizer_of(made)
    tokenizer.chat_template = FAMILIES[request.param]
    tokenizer.save_pretrained(made)
    return made


@pytest.mark.parametrize("prompts", [DEFAULT, Prompts(PromptConfig(place="before", documents="drop"))])
def test_training_saw_what_is_served(folder: Path, tmp_path: Path, prompts: Prompts) -> None:
    pairs = [pair_of(name, prompts) for name in TALKS]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(trl_row(pair)) + "\n" for pair in pairs))
    config = {"batch": 2, "lora_rank": 0, "precision": "fp32", "save_steps": 0, "max_length": LIMIT}
    plan = PolicyPlan(base=folder, output=tmp_path, seed=0, dpo=DpoConfig.model_validate(config))
    trainer = make_trainer(plan, trl_arguments(plan))[0]
    trained = trainer.train_dataset["prompt_ids"][:]
    tokenizer = tokenizer_of(folder)
    for pair, ids in zip(pairs, trained, strict=True):
        told = prompts.told(asked(TALKS[pair.key], len(TALKS[pair.key]) - 1), BRIEF)
        if pair.key == "long":
            assert len(ids) < LIMIT and tokenizer.decode(ids).count("Bergen") < 40
            continue  # how many exchanges are left hangs on the length of the answer, which a server does not know
        sent = served(told, tokenizer, LIMIT)
        assert sent is not None
        assert list(ids) == served_tokens(folder, sent), pair.key
        assert list(ids) == LocalChatModel(folder, context_tokens=LIMIT).encode(told), "sampling and evaluation"
        scored = judged(BRIEF, asked(TALKS[pair.key], len(TALKS[pair.key]) - 1), "X", LIMIT, tokenizer, prompts)
        assert scored[: len(ids)] == list(ids), "scoring"


def test_nothing_that_was_said_is_lost(folder: Path) -> None:
    tokenizer = tokenizer_of(folder)
    for name, turns in TALKS.items():
        sent = served(DEFAULT.told(turns, BRIEF), tokenizer, 100_000)
        assert sent is not None
        text = tokenizer.decode(served_tokens(folder, sent)).replace("\u200b", "").replace('\\"', '"')
        lost = [turn.content for turn in turns if turn.content not in text]
        assert lost == (["Welcome!"] if name == "assistant first" and "Welcome!" not in text else []), name
        assert BRIEF in text


def test_every_stage_and_the_command_build_the_same_prompt(
    tmp_path: Path, tiny_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = make_space(tmp_path / "w", tiny_policy, prompt={"place": "before"})
    params, turns = space.params, TALKS["tools"]
    names = [f"u{at}" for at in range(40)]
    held_out = next(name for name in names if params.split.holds_out(name))
    teaches = next(name for name in names if params.split.teaches(name))
    talks = [Conversation(f"of-{user}", user, "real", None, None, None, turns, "test") for user in (held_out, teaches)]
    rows = [replace(persona(user, BRIEF), origin="edited") for user in (held_out, teaches)]
    write_table(space.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    write_table(space.path("data/personas"), Persona, rows, user=lambda row: row.user_id)
    log, prompts = read_log(space), Prompts(params.prompt)
    [asked_first, *_] = requests(log, params.candidates, params.prompt, params.split)
    known = persona_before(space, params.personas, params.split)
    evaluated = held_out_requests(
        space, params.evaluate, params.evaluate, prompts, params.split, Draw(params.seed), known
    )
    maker = pair_maker(log, params.pairs, params.prompt, params.split, 0, Shorter(), backends.embedder(params.models))
    made = maker.pair(log.conversations[f"of-{teaches}"], 2, "rewrite", "a", "b", 1.0, 0.0)
    assert made.prompt == asked_first.messages == evaluated[0].prompt
    assert made.prompt[0].content == f"About this user: {BRIEF}\n\nYou are a helpful assistant."
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"messages": [to_record(Message(one.role, one.content)) for one in turns[:2]]}))
    for argument in ([], ["--text"]):
        app(
            ["--workspace", str(space.root), "prompt", teaches, "--messages", str(file), *argument],
            standalone_mode=False,
        )
    sent, text = capsys.readouterr().out.split("\n", 1)
    tokens = served_tokens(tiny_policy, [Message(**one) for one in json.loads(sent)["messages"]])
    assert tokens == chat_tokens(made.prompt, tokenizer_of(tiny_policy))
    assert tokenizer_of(tiny_policy).encode(text.removesuffix("\n"), add_special_tokens=False) == tokens
