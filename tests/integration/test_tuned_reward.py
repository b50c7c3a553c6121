"""The fine-tuned reward model: it learns what a persona asks for, in a process of its own, and scores as it learned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rlhi.bench.reward import measure
from rlhi.contracts import Message, Profile
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.reward.head import accuracy, margins
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.plan import RewardPlan
from rlhi.learn.training.reward_model import length_slope, make_trainer
from rlhi.learn.training.run import TrainingError
from rlhi.learn.training.trl.weights import WeighedComparisons
from rlhi.models.base import ModelError, Scored
from rlhi.models.prompts import DEFAULT, judged
from rlhi.models.tuned_reward import RECORD, TunedReward
from tests.support.choices import WordEmbedder, write_choices
from tests.support.rewards import BULLETS, PROSE, as_rows, compared, config, opposed, trained, trained_here
from tests.support.training import WORDS, run_and_kill

if TYPE_CHECKING:
    import torch
UNSEEN = opposed(100, 10)
TAIL = " and so on, now and then"


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Trained:
    return trained(tiny_policy, tmp_path_factory.mktemp("reward") / "lora", config("lora"), opposed(0, 24))


def losses(done: Trained) -> list[float]:
    """The loss of every step."""
    return [step["loss"] for step in done.history]


def told_the_other(rows: list[Comparison]) -> list[Comparison]:
    """The same answers, judged for a user of the other persona."""
    other = {BULLETS: Profile(PROSE), PROSE: Profile(BULLETS)}
    return [
        replace(
            one,
            better=replace(one.better, persona=other[one.better.persona.text]),
            worse=replace(one.worse, persona=other[one.worse.persona.text]),
        )
        for one in rows
    ]


def assert_learned(done: Trained, **tuned: Any) -> None:
    """Unseen requests are ranked as each persona asks, and the other way round for the other one."""
    model = TunedReward(done.model, config(**tuned).tuned)
    assert losses(done)[0] == pytest.approx(0.693, abs=0.01), "a new model finds all answers alike"
    assert accuracy(model, UNSEEN).accuracy == 1.0 and accuracy(model, UNSEEN).longer_wins == 0.5
    assert accuracy(model, told_the_other(UNSEEN)).accuracy == 0.0


def test_it_ranks_unseen_answers_as_the_persona_asks(lora: Trained) -> None:
    assert (lora.trainer, lora.pairs, lora.too_long) == ("RewardTrainer", 48, ())
    assert_learned(lora)
    assert all(1 < one < 20 for one in margins(TunedReward(lora.model, config().tuned), UNSEEN)), "log-odds"


def test_all_weights_learn_too(tmp_path: Path, tiny_policy: Path) -> None:
    assert_learned(trained_here(tiny_policy, tmp_path, config("full", epochs=10), opposed(0, 24)))


@pytest.mark.long
def test_zero_2_over_two_processes_learns_in_bf16(tmp_path: Path, tiny_policy: Path) -> None:
    tuned: dict[str, object] = {"processes": 2, "deepspeed": 2, "precision": "bf16"}
    done = trained(tiny_policy, tmp_path, config("lora", **tuned), opposed(0, 24))
    assert (done.engine, done.zero_stage, done.world_size) == ("DeepSpeedEngine", 2, 2)
    assert done.master_weights == "float32"
    assert_learned(done, **tuned)


def test_what_is_saved_scores_the_same_alone_in_a_batch_and_in_the_trainer_s_own_pass(lora: Trained) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    tuned = config().tuned
    asked = [getattr(one, side) for one in UNSEEN for side in ("better", "worse")]
    asked.append(replace(asked[0], response="It needs light. " * 40))
    first = TunedReward(lora.model, tuned)
    scores = first.score(asked)
    assert TunedReward(lora.model, tuned).score(asked) == scores, "the same batch, the same bits"
    assert [first.score([one])[0] for one in asked] == pytest.approx(scores, abs=1e-4)
    whole = AutoModelForSequenceClassification.from_pretrained(lora.model, dtype=torch.float32)
    for one, score in zip(asked, scores, strict=True):
        ids = torch.tensor(
            [judged(one.persona.text, one.prompt, one.response, tuned.max_length, first.tokenizer, DEFAULT)]
        )
        assert whole(ids).logits.item() == pytest.approx(score, abs=1e-4)
    names = {file.name for file in lora.model.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not [name for name in names if name.startswith("adapter") or name.endswith((".bin", ".pt"))]
    assert first.score([]) == []


def test_it_is_read_from_its_folder_with_the_parameters_that_it_was_trained_with(lora: Trained, tmp_path: Path) -> None:
    asked = [getattr(one, side) for one in UNSEEN[:4] for side in ("better", "worse")]
    tuned, folder = config().tuned, tmp_path / "model"
    shutil.copytree(lora.model, folder)
    told = {"kind": "lora", "base": "champion", "warm_start": "", "too_long": 0, "engine": "X", "history": lora.history}
    record = folder / RECORD
    record.write_text(json.dumps({**told, "tuned": tuned.model_dump(mode="json")}), encoding="utf-8")
    TunedReward.load(folder).save(tmp_path / "copy")
    copy = TunedReward.load(tmp_path / "copy")
    assert copy.score(asked) == TunedReward(lora.model, tuned).score(asked) and copy.config == tuned
    assert (copy.kind, copy.is_neutral, copy.metrics["engine"]) == ("lora", False, "X") and "tuned" not in copy.metrics
    assert copy.counts["last loss"] == losses(lora)[-1] and copy.counts["warm start from cycle"] == "none"
    assert (copy.warm_start("champion"), copy.warm_start("local:other")) == (copy.path, None)
    for damaged in ("{}", json.dumps(told), "no JSON"):
        record.write_text(damaged, encoding="utf-8")
        with pytest.raises(ModelError, match="model cannot be read: `rlhi run reward`"):
            TunedReward.load(folder)


def test_a_second_training_goes_on_from_the_first(lora: Trained, tmp_path: Path) -> None:
    again = trained_here(lora.model, tmp_path, config("full", epochs=1, learning_rate=1e-4), opposed(50, 8))
    assert losses(again)[0] < 0.1, "what was learned is still known"
    assert accuracy(TunedReward(again.model, config().tuned), UNSEEN).accuracy == 1.0


@pytest.mark.long
def test_a_killed_training_goes_on_to_the_same_weights(lora: Trained, tmp_path: Path, tiny_policy: Path) -> None:
    run_and_kill(tiny_policy, tmp_path, config("lora"), step=22, trains="tests.support.rewards")
    assert not (tmp_path / "model").exists()
    again = trained(tiny_policy, tmp_path, config("lora"), opposed(0, 24))
    assert (again.resumed_from, losses(again)) == (20, losses(lora))
    weights = [(folder / "model.safetensors").read_bytes() for folder in (lora.model, again.model)]
    assert weights[0] == weights[1]


def test_what_a_comparison_weighs_is_what_its_gradient_weighs(tmp_path: Path, tiny_policy: Path) -> None:
    weights = [1.0, 0.3, 0.3, 0.8]
    rows = [compared(at, BULLETS, weight) for at, weight in enumerate(weights)]
    weighed, even = (
        gradients(tiny_policy, tmp_path / name, some)
        for name, some in (("weighed", rows), ("even", [replace(one, weight=1.0) for one in rows]))
    )
    found = weighed(range(4))
    mean = sum(weights) / 4
    assert float(found["score.weight"].abs().max()) > 1e-4
    alone = [even([at]) for at in range(4)]
    for name, grad in found.items():
        expected = sum(weight / mean * one[name] for weight, one in zip(weights, alone, strict=True)) / 4
        assert float((grad - expected).abs().max()) < 1e-5, name


def gradients(
    base: Path, folder: Path, rows: list[Comparison]
) -> Callable[[range | list[int]], dict[str, torch.Tensor]]:
    """Of the loss of some rows as one batch, by the platform's own trainer."""
    as_rows(folder, rows)
    one = make_trainer(RewardPlan(base=base, output=folder, seed=0, reward=config("full"))).trainer
    assert isinstance(one, WeighedComparisons) == (len({row.weight for row in rows}) > 1)
    data = one._remove_unused_columns(one.train_dataset)

    def of(places: range | list[int]) -> dict[str, torch.Tensor]:
        import torch

        with torch.no_grad():
            one.model.score.weight.fill_(0.1)  # a new output passes no gradient on
        one.model.zero_grad()
        one.model.train()
        one.compute_loss(one.model, one.data_collator([data[at] for at in places])).backward()
        return {name: weight.grad.clone() for name, weight in one.model.named_parameters() if weight.grad is not None}

    return of


def of_one_length(at: int) -> tuple[str, str]:
    """A list and a sentence of as many characters."""
    one, other = WORDS[at % 8], WORDS[(3 * at + 1) % 8]
    return f"- {one}, yes\n- {other}, yes {at}", f"It needs {one} and {other} {at}."


def preferring(at: int, better: str, worse: str) -> Comparison:
    """One comparison of a user of whom nothing is known."""
    prompt = (Message("user", f"How do I keep plant {at} alive?"),)
    return Comparison(f"u{at}", Scored(Profile(), prompt, better), Scored(Profile(), prompt, worse))


def longer_wins(start: int, count: int) -> list[Comparison]:
    """Lists are preferred to sentences of as many characters; of two alike three users of four prefer the longer."""
    found = []
    for at in range(start, start + count):
        lines, sentence = of_one_length(at)
        short = (lines, sentence)[at % 2]
        both = short + TAIL * (1 + at % 3), short
        found += [preferring(at, lines, sentence), *(preferring(at, *both) for _ in range(3))]
        found.append(preferring(at, *both[::-1]))
    return found


def test_length_debiasing_leaves_out_what_length_alone_explains(tmp_path: Path, tiny_policy: Path) -> None:
    plain, debiased = (
        TunedReward(
            trained_here(tiny_policy, tmp_path / str(on), config("lora", length_debias=on), longer_wins(0, 16)).model,
            config().tuned,
        )
        for on in (False, True)
    )
    style = [preferring(at, *of_one_length(at)) for at in range(100, 112)]
    length = [preferring(at, of_one_length(at)[at % 2] + TAIL * 2, of_one_length(at)[at % 2]) for at in range(100, 112)]
    mean = {
        (name, what): sum(margins(model, rows)) / len(rows)
        for name, model in (("plain", plain), ("debiased", debiased))
        for what, rows in (("style", style), ("length", length))
    }
    assert mean["plain", "length"] > 0.5, "without it the longer is better"
    assert abs(mean["debiased", "length"]) < 0.3 * mean["plain", "length"]
    assert accuracy(debiased, style).accuracy == 1.0, "what length does not explain is still learned"
    assert mean["debiased", "style"] > 0.5 * mean["plain", "style"]


def test_the_slope_of_length_is_that_of_its_log_odds() -> None:
    import numpy as np

    generator = np.random.default_rng(0)
    size = generator.normal(size=4000)
    wins = generator.random(4000) < 1 / (1 + np.exp(-1.5 * size))
    slope = length_slope(list(np.where(wins, size, -size)), [1.0] * 4000)
    assert slope == pytest.approx(1.5, abs=0.1)
    assert length_slope([0.0, 0.0], [1.0, 1.0]) == 0.0, "answers of equal lengths"
    assert 0 < length_slope([1.0, 2.0, 1.5], [1.0, 1.0, 1.0]) < 5, "finite where the longer always wins"
    assert length_slope([1.0, -1.0], [1.0, 0.2]) > 0 > length_slope([1.0, -1.0], [0.2, 1.0])


def test_the_prompt_loses_its_oldest_turns_and_the_answer_nothing(tiny_policy: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    talk = tuple(Message("assistant" if at % 2 else "user", f"turn number {at}") for at in range(11))

    def read(limit: int, prompt: tuple[Message, ...] = talk, answer: str = "The answer, whole.") -> str:
        ids = judged(BULLETS, prompt, answer, limit, tokenizer, DEFAULT)
        assert len(ids) <= limit or len(prompt) == 1
        return str(tokenizer.decode(ids))

    assert all(f"number {at}" in read(400) for at in range(11))
    cut = read(120)
    assert "number 0" not in cut and "number 10" in cut and BULLETS in cut and "The answer, whole." in cut
    question = (Message("user", "word " * 200 + "the end asks"),)
    long = read(120, question)
    assert "the end asks" in long and BULLETS in long and "The answer, whole." in long and long.count("word") < 100
    assert "x y " * 300 in read(64, question, "x y " * 300), "an answer is longer than the limit rather than cut"
    assert "About this user" in read(64, (), "Alone.")


@pytest.mark.parametrize(
    ("tuned", "said"),
    [
        ({"learning_rate": 1e30}, "lower reward.tuned.learning_rate"),
        ({"learning_rate": 5.0, "limits": {"loss": 0.7}}, "above reward.tuned.limits.loss=0.7: it explodes"),
        ({"max_length": 32}, "none of 16 pairs fits reward.tuned.max_length=32 tokens: raise it"),
    ],
    ids=["NaN", "explosion", "too long"],
)
def test_training_stops_with_a_named_reason(
    tmp_path: Path, tiny_policy: Path, tuned: dict[str, object], said: str
) -> None:
    with pytest.raises(TrainingError) as error:
        trained_here(tiny_policy, tmp_path, config("full", **tuned), opposed(0, 8))
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "model").exists()


def test_answers_that_are_too_long_are_left_out_and_told(tmp_path: Path, tiny_policy: Path) -> None:
    rows = opposed(0, 4)
    separated = "soil\u2028and\x85sun"  # ends of lines for str.splitlines(), and not for JSON lines
    rows[2] = replace(rows[2], worse=replace(rows[2].worse, response=separated))
    rows[3] = replace(rows[3], worse=replace(rows[3].worse, response="sun " * 400))
    done = trained_here(tiny_policy, tmp_path, config("lora", epochs=1), rows)
    assert (done.pairs, done.too_long) == (7, (3,))


def test_a_folder_without_a_reward_model_is_named(tmp_path: Path, tiny_policy: Path) -> None:
    with pytest.raises(ModelError, match="no reward model at"):
        TunedReward(tmp_path, config().tuned)
    with pytest.raises(ModelError, match=r"lacks score.weight: delete it, then `rlhi run reward`"):
        TunedReward(tiny_policy, config().tuned).score([Scored(Profile(), (), "x")])


def test_a_fine_tuned_model_stands_beside_a_head_of_the_same_comparisons(tmp_path: Path, tiny_policy: Path) -> None:
    data = write_choices(tmp_path)
    found = measure(data, WordEmbedder(), quick=True, kind="lora", base=tiny_policy)
    head = measure(data, WordEmbedder(), quick=True)
    assert found.kind == "lora" and [one.source for one in found.head] == [one.source for one in found.sources]
    # One of five folds: ten of the fifty users and requests.
    for table in (found.sources, found.head):
        assert sum(one.ours.items for one in table) == 10
        assert all(0 <= one.ours.mean <= 1 and one.longer.mean == 0.0 for one in table)
    assert sum(one.count for one in found.calibration) == 10 and head.head == ()
