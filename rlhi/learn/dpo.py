"""Persona-conditioned DPO, the part that runs in a process of its own (:mod:`rlhi.learn.process`).

``python -m rlhi.learn.dpo --config resolved.json`` (through torchrun for DeepSpeed or several processes) trains a
challenger from its champion with a trainer of TRL's (:mod:`rlhi.learn.methods`) and writes a folder that
``from_pretrained`` and vLLM read. The champion is the reference and, in the first round, where training starts (paper,
section 3.3).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.learn import process
from rlhi.learn.guards import check_reference
from rlhi.learn.methods import make_trainer, trl_arguments
from rlhi.learn.resolved import Resolved, weights_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def _make(run: Resolved) -> process.Job:
    if run.reference:
        check_reference(weights_hash(Path(run.base)), run.reference, f"the weights in {run.base}")
    return process.Job(*make_trainer(run, trl_arguments(run)))


def _export(run: Resolved, trained: Path, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    """The whole model in bf16 safetensors; a LoRA is merged into the champion it started from."""
    import torch
    from transformers.integrations import unset_hf_deepspeed_config

    # Under ZeRO-3 from_pretrained would give this rank its shard of the model, and wait for the others.
    unset_hf_deepspeed_config()
    if run.dpo.lora_rank:
        from peft import PeftModel

        model = PeftModel.from_pretrained(_whole(Path(run.base)), str(trained)).merge_and_unload()
    else:
        model = _whole(trained)
    model.to(torch.bfloat16)
    process.check_numbers(model, run)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def _whole(folder: Path) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    model, told = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    process.check_whole(told, folder)
    return model


if __name__ == "__main__":
    process.main(Resolved, _make, _export)
