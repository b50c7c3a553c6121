"""Persona-conditioned DPO, the part that runs in a process of its own.

``python -m rlhi.learn.dpo --config resolved.json`` (through torchrun for DeepSpeed or several processes) trains a
challenger from its champion with a trainer of TRL's (:mod:`rlhi.learn.methods`) and writes a folder that
``from_pretrained`` and vLLM read. The champion is the reference and, in the first round, where training starts (paper,
section 3.3). Lines of JSON on standard output tell the loss of every step; :mod:`rlhi.learn.launch` is the other end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.learn.compiling import free_dead_locks
from rlhi.learn.guards import check_reference, guard
from rlhi.learn.methods import make_trainer, trl_arguments
from rlhi.learn.resolved import RESULT, Resolved, TrainingError, TrainingStopped, weights_hash
from rlhi.learn.resume import drop_unfinished, last_checkpoint, marker, step_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback

    from rlhi.learn.rows import Contents

TOLD = ("step", "loss", "rewards/accuracies", "rewards/margins", "rewards/chosen")


def main() -> None:
    """Entry point of the subprocess; a rank that fails says why on its last line and exits with 1."""
    parser = argparse.ArgumentParser(prog="python -m rlhi.learn.dpo")
    parser.add_argument("--config", type=Path, required=True)
    _end_with(int(os.environ.get("RLHI_PARENT", "0")))
    resolved = Resolved.model_validate_json(parser.parse_args().config.read_text(encoding="utf-8"))
    try:
        _train(resolved)
    except TrainingError as error:
        print(f"rlhi: training stopped: {error}", file=sys.stderr, flush=True)
        if isinstance(error, TrainingStopped):
            shutil.rmtree(resolved.checkpoints, ignore_errors=True)
        sys.exit(1)


def _end_with(parent: int) -> None:
    """End when the process that asked for this training is gone, so that no orphan writes into the next run."""

    def watch() -> None:
        while True:
            time.sleep(1)
            try:
                os.kill(parent, 0)
            except ProcessLookupError:
                os._exit(1)

    if parent:
        threading.Thread(target=watch, daemon=True).start()


def _train(run: Resolved) -> None:
    _start_processes(run)
    if run.reference:
        check_reference(weights_hash(Path(run.base)), run.reference, f"the weights in {run.base}")
    checkpoint = last_checkpoint(run.checkpoints)
    trainer, tokenizer, contents = make_trainer(run, trl_arguments(run))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        drop_unfinished(run.checkpoints)
    for callback in (guard(run, trainer), marker(trainer), _teller()):
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _save(run, trainer, tokenizer, contents, step_of(checkpoint))


def _start_processes(run: Resolved) -> None:
    """Join the process group and check that it is the one that was asked for."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != run.dpo.world_size:
        asked = "dpo.processes asks for" if run.dpo.nodes == 1 else "dpo.processes and dpo.nodes ask for"
        raise TrainingError(f"{world} processes joined, {asked} {run.dpo.world_size}: look at the launcher")
    import torch

    if run.deepspeed is not None and not torch.cuda.is_available():
        import deepspeed
        from torch.utils.cpp_extension import get_default_build_root

        free_dead_locks(Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root()))
        # Before from_pretrained: ZeRO-3 over two processes fails to load otherwise.
        deepspeed.init_distributed(dist_backend="gloo")


def _teller() -> TrainerCallback:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Teller(TrainerCallback):  # type: ignore[misc]
        """One JSON line a step, for whoever started this process; those before a resumption are told again."""

        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
        ) -> None:
            for row in state.log_history:
                self.tell(state, row)

        def on_log(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float],
            **_: object,
        ) -> None:  # fmt: skip
            self.tell(state, {"step": state.global_step, **logs})

        def tell(self, state: TrainerState, row: dict[str, float]) -> None:
            if "loss" in row and state.is_world_process_zero:
                print(json.dumps({"step": row["step"], "of": state.max_steps, **row}), flush=True)

    return Teller()


def _save(
    run: Resolved, trainer: Trainer, tokenizer: PreTrainedTokenizerBase, contents: Contents, resumed: int
) -> None:
    output = Path(run.output)
    trained = output / "trained"
    trainer.save_model(str(trained))
    if not trainer.is_world_process_zero():
        return
    engine = trainer.model_wrapped
    _export(run, trained, tokenizer, output / "model")
    result = {
        "engine": type(engine).__name__,
        "zero_stage": int(engine.zero_optimization_stage()) if run.deepspeed is not None else 0,
        "master_weights": _master_weights(trainer),
        "trainer": type(trainer).__name__,
        "world_size": int(trainer.accelerator.num_processes),
        **asdict(contents),
        "class_weights": [getattr(trainer, f"{side}_weight", 1.0) for side in ("desirable", "undesirable")],
        "resumed_from": resumed,
        "history": [
            {key: row[key] for key in TOLD if key in row} for row in trainer.state.log_history if "loss" in row
        ],
    }
    # In one move: a run that was killed has a result or none.
    partial = output / f"{RESULT}.partial"
    partial.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(output / RESULT)


def _master_weights(trainer: Trainer) -> str:
    """The type of the numbers that the optimizer changes, ``float32`` also when the model computes in bf16."""
    optimizer = getattr(trainer.model_wrapped, "optimizer", None) or trainer.optimizer
    flat = [
        getattr(optimizer, name, []) for name in ("single_partition_of_fp32_groups", "fp32_partitioned_groups_flat")
    ]
    inner = getattr(optimizer, "optimizer", optimizer)
    weights = [*flat[0], *flat[1]] or [one for group in inner.param_groups for one in group["params"]]
    return ", ".join(sorted({str(one.dtype).removeprefix("torch.") for one in weights}))


def _export(run: Resolved, trained: Path, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    """The whole model in bf16 safetensors; a LoRA, of whichever round, is merged into the champion."""
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
    broken = [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]
    if broken:
        # The last step's loss is told before its weights are changed.
        raise TrainingStopped(f"{len(broken)} weights hold no numbers, {broken[0]} among them: lower dpo.learning_rate")
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def _whole(folder: Path) -> PreTrainedModel:
    """A model in fp32; transformers would fill weights that are not there with random numbers."""
    import torch
    from transformers import AutoModelForCausalLM

    model, told = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = sorted(map(str, (*told["missing_keys"], *told["mismatched_keys"])))
    if wrong:
        raise TrainingError(f"{len(wrong)} weights are missing in {folder}, {wrong[0]} among them: train again")
    return model


if __name__ == "__main__":
    main()
