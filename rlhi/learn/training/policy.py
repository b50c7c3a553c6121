"""Persona-conditioned DPO, the part that runs in a process of its own (:mod:`rlhi.learn.training.process`).

``python -m rlhi.learn.training.policy --config resolved.json`` (through torchrun for DeepSpeed or several processes)
trains a challenger from its champion with a trainer of TRL's (:mod:`rlhi.learn.training.trainer`) and writes a folder
that ``from_pretrained`` and vLLM read. The champion is the reference and, in the first round, where training starts
(paper, section 3.3). ``rlhi.stages.learn.train_policy`` is the same with the models that tell whether replies answer
(:mod:`rlhi.learn.training.answering`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.learn.training import process
from rlhi.learn.training.answering import ANSWERS, Watch, Yardstick
from rlhi.learn.training.guards import check_reference
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.run import weights_hash
from rlhi.learn.training.trainer import make_trainer, trl_arguments

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def main(yardstick: Yardstick | None = None) -> None:
    """Entry point of a training process; ``yardstick`` makes what tells whether replies answer."""
    process.main(PolicyPlan, training(yardstick))


def training(yardstick: Yardstick | None = None) -> process.Training[PolicyPlan]:
    """How a policy is trained; ``yardstick`` as of :func:`main`."""
    return process.Training(lambda plan: _make(plan, yardstick), _export)


def _make(plan: PolicyPlan, yardstick: Yardstick | None) -> process.Job:
    if plan.reference:
        check_reference(weights_hash(plan.base), plan.reference, f"the weights in {plan.base}")
    trainer, tokenizer, contents = make_trainer(plan, trl_arguments(plan))
    watch = Watch(plan, trainer, yardstick if plan.embedder else None)
    return process.Job(trainer, tokenizer, contents, [watch.callback()], lambda: {ANSWERS: watch.told()})


def _export(plan: PolicyPlan, trained: Path, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    """The whole model in bf16 safetensors: the champion and ``dpo.merge`` of what was learned beyond it."""
    import torch
    from transformers.integrations import unset_hf_deepspeed_config

    # Under ZeRO-3 from_pretrained would give this rank its shard of the model, and wait for the others.
    unset_hf_deepspeed_config()
    if plan.dpo.lora_rank:
        from peft import PeftModel
        from peft.tuners.lora import LoraLayer

        adapted = PeftModel.from_pretrained(_whole(plan.base), str(trained))
        # The same as `blend`, without a second copy of the champion.
        for part in adapted.modules():
            if isinstance(part, LoraLayer):
                part.scale_layer(plan.dpo.merge)
        model = adapted.merge_and_unload()
    else:
        model = _whole(trained)
        if plan.dpo.merge < 1:
            blend(model, _whole(plan.base), plan.dpo.merge)
    model.to(torch.bfloat16)
    process.check_numbers(model, plan)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def blend(model: PreTrainedModel, champion: PreTrainedModel, share: float) -> None:
    """Leave ``share`` of what ``model`` has learned beyond the champion, by weight (WiSE-FT, arXiv 2109.01903).

    Half of it kept most of what was asked for and a third of the forgetting (docs/log.md, 2026-11-30).
    """
    import torch

    before = dict(champion.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.lerp(before[name].to(weight), weight, share))


def _whole(folder: Path) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    model, told = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    process.check_whole(told, folder)
    return model


if __name__ == "__main__":
    main()
