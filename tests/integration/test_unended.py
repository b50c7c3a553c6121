"""What had not ended teaches no end: in each method's rows the end of a turn is taken off such answers alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rlhi.config import DpoConfig
from rlhi.contracts import Side
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import trl_row
from rlhi.learn.training.trainer import make_trainer, trl_arguments
from rlhi.learn.training.trl.truncated import ends
from rlhi.models.prompts import tokenizer_of
from tests.support.training import made_pairs

if TYPE_CHECKING:
    from transformers import Trainer

END = "<|im_end|>\n"


@pytest.fixture
def prepared(tmp_path: Path, tiny_policy: Path, request: pytest.FixtureRequest) -> Trainer:
    """A method's trainer of four pairs: nothing was cut off of the first, then each side, then both."""
    sides: Sequence[tuple[Side, ...]] = ((), ("chosen",), ("rejected",), ("chosen", "rejected"))
    pairs = [replace(pair, cut=cut) for pair, cut in zip(made_pairs(4), sides, strict=True)]
    rows = tmp_path / "pairs.jsonl"
    rows.write_text("".join(json.dumps(trl_row(pair)) + "\n" for pair in pairs), encoding="utf-8")
    config = DpoConfig.model_validate(
        {"batch": 2, "lora_rank": 0, "precision": "fp32", "save_steps": 0} | request.param
    )
    plan = PolicyPlan(base=tiny_policy, output=tmp_path, seed=0, dpo=config)
    return make_trainer(plan, trl_arguments(plan))[0]


def texts(trainer: Trainer, base: Path, column: str) -> list[str]:
    return tokenizer_of(base).batch_decode(trainer.train_dataset[column][:])  # type: ignore[no-any-return]


@pytest.mark.parametrize("prepared", [{"share_prompt": True}, {"share_prompt": False}], indirect=True)
def test_either_side_of_a_pair(prepared: Trainer, tiny_policy: Path) -> None:
    for side, ended in (("chosen", (True, False, True, False)), ("rejected", (True, True, False, False))):
        assert texts(prepared, tiny_policy, f"{side}_ids") == [
            getattr(pair, side) + END * whole for pair, whole in zip(made_pairs(4), ended, strict=True)
        ]


@pytest.mark.parametrize("prepared", [{"method": "sft"}], indirect=True)
def test_the_chosen_side_alone(prepared: Trainer, tiny_policy: Path) -> None:
    whole = texts(prepared, tiny_policy, "input_ids")
    assert [text.endswith(pair.chosen + END) for text, pair in zip(whole, made_pairs(4), strict=True)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert [text.endswith(pair.chosen) for text, pair in zip(whole, made_pairs(4), strict=True)][1::2] == [True, True]
    rows = prepared.train_dataset
    assert all(len(ids) == len(mask) for ids, mask in zip(rows["input_ids"], rows["labels"], strict=True))


@pytest.mark.parametrize("prepared", [{"method": "kto"}], indirect=True)
def test_every_answer_by_itself_and_its_neighbour_s(prepared: Trainer, tiny_policy: Path) -> None:
    pairs = made_pairs(4)
    unended = {pairs[1].chosen, pairs[3].chosen, pairs[2].rejected, pairs[3].rejected}
    wanted = {one + END * (one not in unended) for pair in pairs for one in (pair.chosen, pair.rejected)}
    assert set(texts(prepared, tiny_policy, "completion_ids")) == wanted
    assert set(texts(prepared, tiny_policy, "KL_completion_ids")) == wanted


def test_the_end_is_what_the_template_puts_behind_an_answer(tiny_policy: Path) -> None:
    tokenizer = tokenizer_of(tiny_policy)
    assert tokenizer.decode(ends(tokenizer)) == END
    turn = "{% for message in messages %}{{ message['content'] }}"
    tokenizer.chat_template = turn + " <|im_end|>\n<|im_start|>{% endfor %}"
    assert tokenizer.decode(ends(tokenizer)) == "<|im_end|>\n<|im_start|>", "whatever a template puts behind it"
    tokenizer.chat_template = turn + " // {% endfor %}"
    assert ends(tokenizer) == []
