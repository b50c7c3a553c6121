"""The checks that end a training: which figures they refuse, and that they say what to do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import DpoConfig, TrainingLimits
from rlhi.learn.training.guards import (
    StepGuard,
    check_answers,
    check_left_out,
    check_reference,
    check_tokens,
    model_hash,
)
from rlhi.learn.training.run import TrainingError, TrainingStopped, weights_hash

LIMITS = TrainingLimits()
GOOD = {"loss": 0.6, "grad_norm": 1.0, "rewards/chosen": 0.1}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([], "there are no pairs to train on"),
        ([("a", "b"), (" ", "c")], "1 of 2 pairs have an empty answer"),
        ([("a", "b"), ("c", "c")], "1 of 2 pairs have equal answers"),
        ([("a", "b"), ("a", "c"), ("a", "d")], "3 of 3 pairs have the same chosen answer (1 words long)"),
        ([("b", "a"), ("c", "a"), ("d", "a")], "3 of 3 pairs have the same rejected answer (1 words long)"),
    ],
)
def test_one_sided_pairs_are_refused(answers: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(TrainingError) as error:
        check_answers(answers, LIMITS)
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


def test_pairs_that_differ_pass_also_when_some_share_an_answer() -> None:
    check_answers([("a", "b")], LIMITS)
    check_answers([("a", "x"), ("a", "y"), ("b", "x")], LIMITS)


def test_a_set_of_which_most_does_not_fit_is_refused() -> None:
    config = DpoConfig(max_length=64)
    check_left_out(8, 16, config)
    with pytest.raises(TrainingError, match=r"9 of 16 pairs do not fit dpo.max_length=64 .* raise dpo.max_length"):
        check_left_out(9, 16, config)
    with pytest.raises(TrainingError, match="none of 16 pairs fits"):
        check_left_out(16, 16, config.model_copy(update={"limits": TrainingLimits(too_long=1)}))


def test_tokens_that_truncation_would_cut_are_refused() -> None:
    check_tokens({"prompt_ids": [[1, 2]], "chosen_ids": [[3]], "rejected_ids": [[4]]}, 3)
    with pytest.raises(TrainingError, match=r"cut 1 of 2 answers \(chosen_ids\), the longest row has 4 tokens"):
        check_tokens({"prompt_ids": [[1, 2], [1]], "chosen_ids": [[3, 4], [3]], "rejected_ids": [[5], [5]]}, 3)
    with pytest.raises(TrainingError, match="1 of 1 answers"):
        check_tokens({"prompt_ids": [[1]], "completion_ids": [[]]}, 3)


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ({"loss": math.nan}, "loss is nan at step 7: lower dpo.learning_rate"),
        ({"loss": math.inf}, "loss is inf"),
        ({"grad_norm": math.nan}, "grad_norm is nan"),
        ({"loss": 20.5}, "the loss is 20.5 at step 7, above dpo.limits.loss=20"),
    ],
)
def test_a_loss_that_is_no_number_or_explodes_stops_at_once(logs: dict[str, float], said: str) -> None:
    with pytest.raises(TrainingStopped) as error:
        StepGuard(DpoConfig()).look(7, GOOD | logs)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("bad", "said"),
    [({"rewards/chosen": -11.0}, "the chosen answers collapse"), ({"grad_norm": 0.0}, "the gradient is 0")],
)
def test_a_bound_may_be_broken_for_less_than_the_patience(bad: dict[str, float], said: str) -> None:
    steps = StepGuard(DpoConfig())
    for at, logs in enumerate([bad, bad, {}, bad, bad]):
        steps.look(at, GOOD | logs)
    with pytest.raises(TrainingStopped, match=said):
        steps.look(6, GOOD | bad)


@given(st.lists(st.floats(-9.9, 9.9), max_size=20), st.floats(0, 20))
def test_figures_within_the_bounds_never_stop(chosen: list[float], loss: float) -> None:
    steps = StepGuard(DpoConfig())
    for at, reward in enumerate(chosen):  # and at the end all is learned
        steps.look(at, {"loss": loss, "rewards/chosen": reward})
    for at in range(5):
        steps.look(100 + at, {"loss": 0.0, "grad_norm": 0.0})


def test_a_changed_weight_is_another_reference(tiny_policy: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_policy, dtype=torch.float32)
    champion = model_hash(model)
    assert model_hash(AutoModelForCausalLM.from_pretrained(tiny_policy, dtype=torch.bfloat16)) == champion
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    check_reference(model_hash(adapted), champion, "its weights")
    with torch.no_grad():
        next(iter(model.parameters()))[0, 0] += 0.5
    with pytest.raises(TrainingError, match="the reference is not the champion: its weights hash to"):
        check_reference(model_hash(adapted), champion, "its weights")
    with pytest.raises(TrainingError, match="holds no safetensors"):
        weights_hash(tmp_path)
