"""Training fails loudly: every check ends it with one line that says what, which figure, and the remedy.

Rows are checked before anything is computed, tokens when TRL has made them, the reference before the first step, and
losses after every step. The bounds are ``limits`` in a training's section of params.yaml, which remedies name.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rlhi.config import DpoConfig, TrainingLimits, TunedRewardConfig
from rlhi.learn.training.plan import TrainingPlan
from rlhi.learn.training.run import TrainingError, TrainingStopped

if TYPE_CHECKING:
    from torch import nn
    from transformers import Trainer, TrainerCallback

# Columns that TRL makes of the answers: DPO, KTO, and SFT's whole sequence.
ANSWER_IDS = ("chosen_ids", "rejected_ids", "completion_ids")
SHOWN = 12
LEARNED = 1e-3


def check_answers(answers: Sequence[tuple[str, str]], limits: TrainingLimits) -> None:
    """Refuse (chosen, rejected) texts that nothing, or only one sentence, can be learned from.

    Raises:
        TrainingError: no pairs, empty or equal answers, or one answer for nearly all of the pairs.
    """
    if not answers:
        raise TrainingError("there are no pairs to train on: look at what `rlhi run pairs` dropped")
    empty = sum(not chosen.strip() or not rejected.strip() for chosen, rejected in answers)
    if empty:
        raise TrainingError(f"{empty} of {len(answers)} pairs have an empty answer: make data/pairs anew")
    equal = sum(chosen == rejected for chosen, rejected in answers)
    if equal:
        raise TrainingError(
            f"{equal} of {len(answers)} pairs have equal answers, chosen and rejected: nothing can be learned from "
            "them, make data/pairs anew"
        )
    for side, texts in zip(("chosen", "rejected"), zip(*answers, strict=True), strict=True):
        _check_same(texts, f"pairs have the same {side} answer", limits)


def check_judged(wanted: Sequence[str], unwanted: Sequence[str], limits: TrainingLimits) -> None:
    """Refuse single answers (those of pairs among them) that KTO can learn nothing from.

    Raises:
        TrainingError: answers of one kind only, empty ones, or one answer for nearly all of a kind.
    """
    if not wanted or not unwanted:
        raise TrainingError(
            f"all {len(wanted) + len(unwanted)} judged answers are {'wanted' if wanted else 'unwanted'}: KTO compares "
            "wanted answers with unwanted ones; wait for feedback of the other kind, or set dpo.unpaired to false"
        )
    for name, texts in (("wanted", wanted), ("unwanted", unwanted)):
        if empty := sum(not text.strip() for text in texts):
            raise TrainingError(f"{empty} of {len(texts)} {name} answers are empty: make data/judged anew")
        _check_same(texts, f"{name} answers are the same", limits)


def _check_same(texts: Sequence[str], what: str, limits: TrainingLimits) -> None:
    text, times = Counter(texts).most_common(1)[0]
    if len(texts) > 1 and times > limits.same_answer * len(texts):
        raise TrainingError(
            f"{times} of {len(texts)} {what} ({len(text.split())} words long), more than "
            f"dpo.limits.same_answer={limits.same_answer:g} of them: find out why the answers do not differ"
        )


def check_left_out(left_out: int, rows: int, settings: DpoConfig | TunedRewardConfig, what: str = "pairs") -> None:
    """Refuse to train on the few short rows of a set of long ones.

    Raises:
        TrainingError: no row fits, or more were left out than ``limits.too_long`` of them.
    """
    section, max_length, limits = settings.section, settings.max_length, settings.limits
    if left_out == rows:
        raise TrainingError(f"none of {rows} {what} fits {section}.max_length={max_length} tokens: raise it")
    if left_out > limits.too_long * rows:
        raise TrainingError(
            f"{left_out} of {rows} {what} do not fit {section}.max_length={max_length} tokens, more than "
            f"{section}.limits.too_long={limits.too_long:g} of them: raise {section}.max_length"
        )


def check_tokens(columns: Mapping[str, Sequence[Sequence[int]]], max_length: int) -> None:
    """Refuse token rows (TRL's ``prompt_ids`` and the answers' columns) that the collator would cut.

    Raises:
        TrainingError: an answer has no token, or ends behind ``max_length``.
    """
    prompts = columns.get("prompt_ids")
    for name in ANSWER_IDS:
        answers = columns.get(name)
        if prompts is None or answers is None:
            continue
        if none := sum(not answer for answer in answers):
            raise TrainingError(f"{none} of {len(answers)} answers ({name}) have no token: look at the chat template")
        sizes = [len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True)]
        if cut := sum(size > max_length for size in sizes):
            raise TrainingError(
                f"truncation would cut {cut} of {len(sizes)} answers ({name}), the longest row has {max(sizes)} "
                f"tokens: raise dpo.max_length={max_length}"
            )


class StepGuard:
    """Looks at the figures of every step, in order; keeps how long a bound has been broken.

    ``heaviest`` is KTO's greater weight of wanted or unwanted answers: the loss that it tells is a multiple of it.
    """

    def __init__(self, settings: DpoConfig | TunedRewardConfig, heaviest: float = 1.0) -> None:
        self.limits, self.section, self.heaviest = settings.limits, settings.section, heaviest
        self._low = 0
        self._still = 0

    def look(self, step: int, logs: Mapping[str, float]) -> None:
        """Check one step's ``loss``, ``grad_norm`` and ``rewards/chosen``, where they are told.

        Raises:
            TrainingStopped: no number, an explosion, no gradient, or a collapse of the chosen answers.
        """
        limits, section = self.limits, self.section
        for name in ("loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise TrainingStopped(f"{name} is {logs[name]} at step {step}: lower {section}.learning_rate")
        if logs["loss"] > limits.loss * self.heaviest:
            raise TrainingStopped(
                f"the loss is {logs['loss']:.4g} at step {step}, above {section}.limits.loss={limits.loss:g}: "
                + (f"it explodes, lower {section}.learning_rate" if step > 1 else "it begins there, raise the limit")
            )
        # Where all is learned the gradient vanishes with the loss.
        still = logs.get("grad_norm", 1.0) == 0 and logs["loss"] > LEARNED
        self._still = self._still + 1 if still else 0
        if self._still >= limits.patience:
            raise TrainingStopped(
                f"the gradient is 0 at {self._still} steps in a row, the last is {step}: nothing is learned, look at "
                f"{section}.precision and at the pairs"
            )
        if isinstance(limits, TrainingLimits):
            self._chosen(step, logs, limits)

    def _chosen(self, step: int, logs: Mapping[str, float], limits: TrainingLimits) -> None:
        # KTO tells of no chosen answer in a step without one.
        chosen = logs.get("rewards/chosen", math.nan)
        if math.isnan(chosen):
            return
        self._low = self._low + 1 if chosen < limits.chosen_reward else 0
        if self._low >= limits.patience:
            raise TrainingStopped(
                f"the chosen answers collapse: rewards/chosen is {chosen:.4g} at step {step}, below "
                f"dpo.limits.chosen_reward={limits.chosen_reward:g} for {self._low} steps: lower dpo.learning_rate or "
                "raise dpo.beta"
            )


def guard(plan: TrainingPlan, trainer: Trainer) -> TrainerCallback:
    """A callback that checks the process group and engine at the start, and every step's figures."""
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Guard(TrainerCallback):  # type: ignore[misc]
        """Runs on every rank: figures are gathered, so all of them stop together instead of waiting for one."""

        def __init__(self) -> None:
            sides = (getattr(trainer, f"{side}_weight", 1.0) for side in ("desirable", "undesirable"))
            self.steps = StepGuard(plan.settings, max(sides))

        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            check_engine(plan, trainer)

        def on_log(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float],
            **_: object,
        ) -> None:  # fmt: skip
            if "loss" in logs:
                self.steps.look(state.global_step, logs)

    return Guard()


def check_engine(plan: TrainingPlan, trainer: Trainer) -> None:
    """Launchers were seen to run one process without DeepSpeed, and to succeed.

    Raises:
        TrainingError: another number of processes, no DeepSpeed, or another ZeRO stage than asked for.
    """
    world = int(trainer.accelerator.num_processes)
    if world != plan.settings.world_size:
        raise TrainingError(f"{world} processes train, {plan.section}.processes asks for {plan.settings.world_size}")
    engine = type(trainer.model_wrapped).__name__
    if plan.preset is None:
        return
    if engine != "DeepSpeedEngine":
        raise TrainingError(f"DeepSpeed was asked for, but {engine} trains: look at {plan.section}.deepspeed")
    stage = int(trainer.model_wrapped.zero_optimization_stage())
    if stage != plan.settings.deepspeed:
        raise TrainingError(f"ZeRO stage {stage} trains, {plan.section}.deepspeed asks for {plan.settings.deepspeed}")


def check_reference(found: str, expected: str, what: str) -> None:
    """The reference has to be the champion: compare two hashes of its weights.

    Raises:
        TrainingError: they differ.
    """
    if expected and found != expected:
        raise TrainingError(
            f"the reference is not the champion: {what} hash to {found[:SHOWN]}, the champion's to "
            f"{expected[:SHOWN]}: restore its version with `rlhi rollback`, or take `weights` out of its training.json "
            "if it was changed on purpose"
        )


def check_changed(weights: str, start: str, steps: int, dpo: DpoConfig) -> None:
    """Refuse a model that training gave back as it was: it would be measured against itself.

    Args:
        weights: :func:`rlhi.learn.training.run.weights_hash` of what was trained.
        start: the same of what training began with.

    Raises:
        TrainingStopped: the two are equal.
    """
    if weights == start:
        raise TrainingStopped(
            f"{steps} steps changed no weight, as saved in bf16: raise dpo.learning_rate={dpo.learning_rate:g}, or "
            "dpo.epochs, or lower dpo.accumulation"
        )


def model_hash(model: nn.Module) -> str:
    """SHA-256 of a model's own weights, adapters left out; equal whichever way the model is held.

    Weights are hashed as bf16, for DeepSpeed rounds a frozen model to it; ZeRO-3's shards are gathered one by one, by
    all ranks together.
    """
    import torch

    digest = hashlib.sha256()
    for _, name, weight in sorted(own_weights(model), key=lambda one: one[1]):
        with gathered(weight):
            digest.update(f"{name}\0{tuple(weight.shape)}\0".encode())
            held = weight.detach().to("cpu", torch.bfloat16).contiguous()
        digest.update(held.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def own_weights(model: nn.Module) -> Iterable[tuple[str, str, nn.Parameter]]:
    """A model's weights without its adapters': the name that each has there, its name in the model alone, itself."""
    for name, weight in model.named_parameters():
        if ".lora_" not in name:
            own = name.removeprefix("module.").removeprefix("base_model.model.").replace(".base_layer.", ".")
            yield name, own, weight


def gathered(weight: nn.Parameter, writer: int | None = None) -> AbstractContextManager[None]:
    """The whole of a weight that ZeRO-3 may have cut; what the rank ``writer`` does to it stays."""
    if not hasattr(weight, "ds_id"):
        return nullcontext()
    import deepspeed

    whole: AbstractContextManager[None] = deepspeed.zero.GatheredParameters([weight], modifier_rank=writer)
    return whole
