"""TRL's trainer for a plan: its configuration, its model, the champion as its reference.

What differs by ``dpo.method`` is said in :mod:`rlhi.learn.training.methods`; launcher, guards, resume and the layout of
what is saved are the same for all.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rlhi.learn.training.dataset import Contents, dataset
from rlhi.learn.training.guards import check_reference, check_tokens, model_hash
from rlhi.learn.training.plan import PolicyPlan, TrainingPlan
from rlhi.learn.training.resume import KEPT_CHECKPOINTS, keeping_reference
from rlhi.learn.training.run import TrainingError
from rlhi.learn.training.trl.truncated import teaching_no_end
from rlhi.learn.training.trl.weights import WEIGHT, weigh, weighing
from rlhi.models.precision import computed
from rlhi.models.prompts import tokenizer_of

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedTokenizerBase, Trainer, TrainingArguments

WARMUP_STEPS = 2


def common_arguments(plan: TrainingPlan) -> dict[str, object]:
    """What every trainer of ours is told, whatever it learns."""
    import torch

    config = plan.settings
    return {
        "output_dir": str(plan.checkpoints),
        "per_device_train_batch_size": config.batch,
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0,  # :func:`warm_up` knows how many steps there are
        "max_length": config.max_length,
        # Few different shapes: freed memory fits the next batch.
        "pad_to_multiple_of": 64,
        "bf16": computed(config.precision) == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        "logging_steps": 1,
        # Else a loss that is no number is told as the average of the others.
        "logging_nan_inf_filter": False,
        "save_total_limit": KEPT_CHECKPOINTS,
        "disable_tqdm": True,
        "seed": plan.seed,
        "data_seed": plan.seed,
        "deepspeed": plan.preset,
    }


def warm_up(arguments: TrainingArguments, rows: int) -> None:
    """Let the learning rate rise from 0 over the first two steps, where a training on ``rows`` has ten or more.

    A short training would spend its steps on the way up: one of a single step would change nothing.
    """
    batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    steps = ceil(rows / batch) * arguments.num_train_epochs
    arguments.warmup_steps = WARMUP_STEPS if steps >= 5 * WARMUP_STEPS else 0


def trl_arguments(plan: PolicyPlan) -> TrainingArguments:
    """The configuration of the method's trainer."""
    dpo, method = plan.dpo, plan.method
    common: dict[str, object] = common_arguments(plan) | {
        "gradient_accumulation_steps": dpo.accumulation,
        "gradient_checkpointing": dpo.gradient_checkpointing,
        "save_strategy": "steps" if dpo.save_steps else "no",
        "save_steps": dpo.save_steps or 1,
        "report_to": list(dpo.report_to) or "none",
    }
    if method.reference:
        common |= {"beta": dpo.beta, "precompute_ref_log_probs": plan.preset is None}
    return method.arguments(dpo, common)


def make_trainer(plan: PolicyPlan, arguments: TrainingArguments) -> tuple[Trainer, PreTrainedTokenizerBase, Contents]:
    """TRL's trainer for this plan, its tokenizer, and what it learns from.

    Raises:
        TrainingError: the rows teach nothing, do not fit, or the reference is not the champion.
    """
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = tokenizer_of(plan.base)
    rows, contents = dataset(plan, tokenizer)
    warm_up(arguments, len(rows))
    method = plan.method
    method.weigh_sides(arguments, rows)
    # fp32 master weights: in pure bf16 the steps are rounded away (docs/internals.md, "Training").
    model = AutoModelForCausalLM.from_pretrained(str(plan.base), dtype=torch.float32)
    champion = model_hash(model)
    reference: dict[str, object] = {}
    if not plan.dpo.lora_rank and (plan.start or method.reference):
        # What trains is another copy of the champion, or where the round before ended.
        reference = {"ref_model": model} if method.reference else {}
        model = AutoModelForCausalLM.from_pretrained(str(plan.start or plan.base), dtype=torch.float32)
    kind = method.trainer(plan.dpo, model.config)
    kind = teaching_no_end(keeping_reference(kind) if method.reference else kind)
    uneven = len(set(rows[WEIGHT])) > 1
    trainer = (weighing(kind) if uneven else kind)(
        model=model,
        **reference,
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        peft_config=lora(plan.dpo.lora_rank, "CAUSAL_LM"),
    )
    if uneven:
        weigh(trainer)
    if plan.dpo.lora_rank and plan.start:
        _take_adapter(trainer.model, plan.start)
    check_tokens({name: trainer.train_dataset[name][:] for name in trainer.train_dataset.column_names
                  if name.endswith("_ids")}, plan.dpo.max_length)  # fmt: skip
    if method.reference:
        check_reference(model_hash(trainer.ref_model or trainer.model), champion, "the weights that it computes with")
    return trainer, tokenizer, contents


def _take_adapter(model: PeftModel, folder: Path) -> None:
    """Go on from another round's adapter, over the champion: without it the model is the reference as before.

    TRL would take a model that comes with an adapter for the reference, adapter and all.
    """
    from peft import load_peft_weights, set_peft_model_state_dict

    told = set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
    lacking = [name for name in told.missing_keys if ".lora_" in name]
    if lacking or told.unexpected_keys:
        raise TrainingError(
            f"the adapter in {folder} does not fit the champion ({[*lacking, *told.unexpected_keys][0]}): delete "
            ".rlhi/training and run again"
        )


def lora(rank: int, task: Literal["CAUSAL_LM", "SEQ_CLS"]) -> LoraConfig | None:
    """Adapters of this rank for every linear layer; None for 0."""
    if not rank:
        return None
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
