"""The guard of answers: which requests are asked, what counts as an answer, and which falls stop a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
import torch

from rlhi.config import TrainingLimits
from rlhi.contracts import Message
from rlhi.learn.training.answering import (
    FEWEST,
    REQUESTS,
    TOKENS,
    AnswersGuard,
    drawn_requests,
    hindrance,
    merged,
    random_numbers_kept,
    share_that_answers,
)
from rlhi.learn.training.run import TrainingStopped
from rlhi.models.base import Sampled, Sampling

if TYPE_CHECKING:
    from rlhi.models.base import Vectors

LIMITS = TrainingLimits()


def row(request: str, before: Sequence[str] = (), persona: str = "") -> dict[str, object]:
    """A run's row; ``before`` are exchanges before the request."""
    said = [("system", f"Be kind. {persona}"), *((who, text) for text in before for who in ("user", "assistant")),
            ("user", request)]  # fmt: skip
    return {"prompt": [{"role": who, "content": text} for who, text in said]}


class Echo:
    """A model that repeats requests with an even number and says nothing else to the others."""

    name = "echo"

    def fits(self, messages: Sequence[Message]) -> bool:
        """Always."""
        return True

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        """One reply each."""
        assert (sampling.n, sampling.temperature, sampling.max_new_tokens) == (1, 0.0, TOKENS)
        asked = [prompt[-1].content for prompt in batch]
        return [[Sampled(text if int(text) % 2 == 0 else "-1")] for text in asked]


class Numbers:
    """Numbers that differ by less than one are near."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, turned by the number."""
        import numpy as np

        turned = np.array([float(text) for text in texts]) * 1.2
        return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def test_requests_are_different_first_requests_drawn_by_seed() -> None:
    rows = [row(f"request {at}") for at in range(30)] + [row(f"and {at}?", ["hello"]) for at in range(30)]
    drawn = drawn_requests(rows, 0)
    assert len(drawn) == REQUESTS and {len(prompt) for prompt in drawn} == {2}
    assert drawn == drawn_requests(rows[::-1], 0) != drawn_requests(rows, 1)
    # One request of users with many personas is one, and what continues a conversation fills up.
    same = [row("request", persona=str(at)) for at in range(9)] + [row(f"and {at}?", ["hello"]) for at in range(3)]
    assert [prompt[-1].content.split()[0] for prompt in drawn_requests(same, 0)] == ["request", "and", "and", "and"]


def test_a_reply_answers_when_it_is_near_its_request() -> None:
    prompts = [(Message("user", str(at)),) for at in (2, 4, 6, 7)]
    assert share_that_answers(Echo(), Numbers(), prompts) == 0.75
    assert share_that_answers(Echo(), Numbers(), prompts[:2]) == 1.0


def test_a_fall_beyond_the_limit_stops_at_once_and_names_figure_bound_and_remedy() -> None:
    guard = AnswersGuard(LIMITS, REQUESTS)
    guard.begin(11 / 12)
    guard.look(5, 8 / 12)
    with pytest.raises(TrainingStopped) as error:
        guard.look(10, 7 / 12)
    assert str(error.value) == (
        "the model stops answering: 58% of its replies are near their request at step 10, 92% were before the first, "
        "a fall of more than dpo.limits.answers_drop=0.3: lower dpo.learning_rate or raise dpo.beta"
    )


def test_it_looks_as_often_as_the_limits_say() -> None:
    guard = AnswersGuard(TrainingLimits(answers_every=3), REQUESTS)
    assert [step for step in range(1, 10) if guard.due(step)] == [3, 6, 9]


def test_it_compares_nothing_where_too_little_answered_before() -> None:
    guard = AnswersGuard(LIMITS, REQUESTS)
    guard.begin(5 / 12)
    assert guard.off == "42% of the replies answered before the first step, fewer than 50%" and not guard.due(5)
    guard.look(5, 0.0)
    half = AnswersGuard(LIMITS, REQUESTS)
    half.begin(0.5)
    assert half.off == "" and half.due(5)


@pytest.mark.parametrize(
    ("limits", "requests", "off", "said"),
    [
        (TrainingLimits(answers_every=0), REQUESTS, "", "dpo.limits.answers_every is 0"),
        (LIMITS, FEWEST - 1, "", "7 different requests are learned from, fewer than 8"),
        (LIMITS, REQUESTS, "of a reason", "of a reason"),
    ],
)
def test_it_says_why_it_does_not_look(limits: TrainingLimits, requests: int, off: str, said: str) -> None:
    guard = AnswersGuard(limits, requests, off)
    assert guard.off == said and not guard.due(5)


def test_sharded_weights_and_a_process_without_embedder_are_not_watched() -> None:
    assert hindrance(3, True) == "ZeRO-3 holds no whole weights to answer with"
    assert hindrance(0, False) == "no sentence embedder was given"
    assert hindrance(0, True) == hindrance(2, True) == ""


def test_random_numbers_are_given_back() -> None:
    torch.manual_seed(0)
    undisturbed = torch.rand(3)
    torch.manual_seed(0)
    with random_numbers_kept():
        torch.rand(7)
    assert torch.equal(torch.rand(3), undisturbed)


def test_an_adapter_is_merged_into_what_answers_and_the_model_stays() -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    plain = LlamaForCausalLM(config)
    names = {name for name, _ in plain.named_parameters()}
    model = get_peft_model(plain, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    kept = {name: weight.clone() for name, weight in model.named_parameters()}
    found = dict(merged(model))
    assert set(found) == names
    assert all(torch.equal(weight, kept[name]) for name, weight in model.named_parameters())
    whole = model.merge_and_unload()
    for name, weight in whole.named_parameters():
        assert torch.allclose(weight, found[name], atol=1e-6), name
