"""The fine-tuned reward model, the part that runs in a process of its own (:mod:`rlhi.learn.training.process`).

``python -m rlhi.learn.training.reward_model --config resolved.json`` trains a language model with one output, the
reward, as a Bradley-Terry model (paper, section 3.2) with TRL's ``RewardTrainer``: from a chat model, whose new output
begins at 0, or on from the reward model of the cycle before. The persona stands in the system message. Comparisons
weigh as they say.

Length: with ``reward.tuned.length_debias`` a logistic regression first finds the log-odds that the difference of the
answers' lengths alone explains. They go into the loss as TRL's ``margin``, so that the model learns what length leaves
unexplained, and its rewards have no such term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.contracts import from_record
from rlhi.learn.training import process
from rlhi.learn.training.dataset import Contents
from rlhi.learn.training.guards import check_left_out, gathered
from rlhi.learn.training.plan import RewardPlan
from rlhi.learn.training.rows import read_rows
from rlhi.learn.training.run import TrainingError
from rlhi.learn.training.trainer import common_arguments, lora, warm_up
from rlhi.learn.training.trl.weights import WEIGHT, WeighedComparisons, weigh, weighing
from rlhi.models.base import Scored
from rlhi.models.prompts import Prompts, judged, tokenizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

OUTPUT = "score.weight"
"""The layer that a chat model has not got: its hidden state to the reward."""
SAVE_STEPS = 20
# L2 on the standardised slope of the logistic regression on lengths: one comparison's worth, so that it stays finite.
LENGTH_PENALTY = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison in tokens; ``length`` is the difference of its answers' lengths (:func:`length_difference`)."""

    chosen_ids: list[int]
    rejected_ids: list[int]
    weight: float
    length: float


def length_difference(better: str, worse: str) -> float:
    """By how much the better answer is longer: the difference of the logarithms of 1 + characters."""
    from math import log

    return log(1 + len(better)) - log(1 + len(worse))


def length_slope(differences: Sequence[float], weights: Sequence[float]) -> float:
    """The log-odds that a unit of length difference explains, by weighted logistic regression with a ridge.

    >>> length_slope([1.0, -1.0], [1.0, 1.0])
    0.0
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import expit

    apart, weight = np.array(differences), np.array(weights)
    scale = float(np.sqrt(np.average(apart**2, weights=weight)))
    if scale == 0:
        return 0.0
    standard = apart / scale

    def gradient(slope: float) -> float:
        return float((weight * expit(-slope * standard) * standard).sum() - LENGTH_PENALTY * slope)

    most = float(np.abs(weight * standard).sum()) / LENGTH_PENALTY
    return float(brentq(gradient, -most - 1, most + 1)) / scale


def rows_of(plan: RewardPlan, tokenizer: PreTrainedTokenizerBase) -> tuple[list[Row], list[int]]:
    """The plan's comparisons in tokens, and the places of those of which an answer alone is too long.

    Raises:
        TrainingError: too many are too long.
    """

    def side(record: dict[str, object]) -> tuple[Scored, list[int]]:
        one = from_record(Scored, record)
        most = plan.settings.max_length
        return one, judged(one.persona.text, one.prompt, one.response, most, tokenizer, Prompts(plan.prompt))

    rows, too_long = [], []
    for at, record in enumerate(read_rows(plan.rows)):
        (better, chosen), (worse, rejected) = side(record["better"]), side(record["worse"])
        if max(len(chosen), len(rejected)) > plan.settings.max_length:
            too_long.append(at)
        else:
            longer = length_difference(better.response, worse.response)
            rows.append(Row(chosen, rejected, float(record[WEIGHT]), longer))
    pairs = len(rows) + len(too_long)
    check_left_out(len(too_long), pairs, plan.settings)
    return rows, too_long


def make_trainer(plan: RewardPlan) -> process.Job:
    """TRL's trainer for this plan.

    Raises:
        TrainingError: the comparisons do not fit, or the base cannot become a reward model.
    """
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    tokenizer = tokenizer_of(plan.base)
    rows, too_long = rows_of(plan, tokenizer)
    columns: dict[str, object] = {
        "chosen_ids": [row.chosen_ids for row in rows],
        "rejected_ids": [row.rejected_ids for row in rows],
    }
    mean = sum(row.weight for row in rows) / len(rows)
    weights = [row.weight / mean for row in rows]
    if plan.settings.length_debias:
        slope = length_slope([row.length for row in rows], weights)
        columns["margin"] = [-slope * row.length for row in rows]
    uneven = len(set(weights)) > 1
    if uneven:
        columns[WEIGHT] = weights
    arguments = RewardConfig(
        **common_arguments(plan),
        gradient_checkpointing=False,
        save_strategy="steps",
        save_steps=SAVE_STEPS,
        report_to="none",
    )
    warm_up(arguments, len(rows))
    trainer: Trainer = (weighing(RewardTrainer, WeighedComparisons) if uneven else RewardTrainer)(
        model=reward_weights(plan, plan.base),
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        processing_class=tokenizer,
        peft_config=lora(plan.reward.lora_rank, "SEQ_CLS"),
    )
    if uneven:
        weigh(trainer)
    return process.Job(trainer, tokenizer, Contents(len(rows), 0, len(rows), len(rows), tuple(too_long)))


def reward_weights(plan: RewardPlan, folder: Path) -> PreTrainedModel:
    """A model with one output, in fp32; the output of a chat model begins at 0: it finds all answers alike.

    Raises:
        TrainingError: no such model can be made of the folder's, or weights are missing.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    try:
        model, told = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=1, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        why = str(error).splitlines()[0][:200]
        raise TrainingError(f"{folder} cannot become a reward model: {why}: name another {plan.section}.base") from None
    process.check_whole(told, folder, made=(OUTPUT,))
    if OUTPUT in told["missing_keys"]:
        with gathered(model.score.weight, writer=0):
            torch.nn.init.zeros_(model.score.weight)
    return model


def _export(plan: RewardPlan, trained: Path, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    """The whole model in bf16 safetensors, a LoRA merged: its base may be gone when the next cycle goes on from it."""
    import torch
    from transformers.integrations import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()
    if plan.reward.lora_rank:
        from peft import PeftModel

        model = PeftModel.from_pretrained(reward_weights(plan, plan.base), str(trained)).merge_and_unload()
    else:
        model = reward_weights(plan, trained)
    model.to(torch.bfloat16)
    model.config.pad_token_id = tokenizer.pad_token_id
    process.check_numbers(model, plan)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def training() -> process.Training[RewardPlan]:
    """How a reward model is trained."""
    return process.Training(make_trainer, _export)


if __name__ == "__main__":
    process.main(RewardPlan, training())
