"""Persona-conditioned DPO, the part that runs in a process of its own.

``python -m rlhi.learn.dpo --config resolved.json`` (through torchrun for DeepSpeed or several processes) trains a
challenger from its champion with TRL's ``DPOTrainer`` and writes a folder that ``from_pretrained`` and vLLM read.
The champion is where training starts and the reference at once (paper, section 3.3). Lines of JSON on standard
output tell the loss of every step; :mod:`rlhi.learn.launch` is the other end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from rlhi.config import DpoConfig
from rlhi.contracts import Message, to_record
from rlhi.prompts import fit_context

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import DPOConfig as TrlConfig
    from trl import DPOTrainer

# The chat template's own tokens around an answer.
MARGIN_TOKENS = 8


class Resolved(BaseModel):
    """One training run, fully said: what the launcher writes beside the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    pairs: str
    output: str
    seed: int
    dpo: DpoConfig
    deepspeed: dict[str, object] | None = None


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the cause."""


def main() -> None:
    """Entry point of the subprocess; a rank that fails says why on its last line and exits with 1."""
    parser = argparse.ArgumentParser(prog="python -m rlhi.learn.dpo")
    parser.add_argument("--config", type=Path, required=True)
    _end_with(int(os.environ.get("RLHI_PARENT", "0")))
    resolved = Resolved.model_validate_json(parser.parse_args().config.read_text(encoding="utf-8"))
    try:
        _train(resolved)
    except TrainingError as error:
        print(f"rlhi: training stopped: {error}", file=sys.stderr)
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
    trainer, tokenizer, too_long = make_trainer(run, trl_arguments(run))
    trainer.add_callback(_teller())
    trainer.train()
    _save(run, trainer, tokenizer, too_long)


def make_trainer(run: Resolved, arguments: TrlConfig) -> tuple[DPOTrainer, PreTrainedTokenizerBase, int]:
    """TRL's trainer for this run, its tokenizer, and the number of pairs that were too long."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOTrainer

    from rlhi.learn.shared_prompt import SharedPromptDPOTrainer, can_share

    tokenizer = AutoTokenizer.from_pretrained(run.base)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    dataset, too_long = _dataset(run, tokenizer)
    # fp32 master weights: in pure bf16 the steps are rounded away (docs/architecture.md, "Training").
    model = AutoModelForCausalLM.from_pretrained(run.base, dtype=torch.float32)
    reference = None if run.dpo.lora_rank else AutoModelForCausalLM.from_pretrained(run.base, dtype=torch.float32)
    kind = SharedPromptDPOTrainer if run.dpo.share_prompt and can_share(model.config) else DPOTrainer
    trainer = kind(
        model=model,
        ref_model=reference,
        args=arguments,
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=_lora(run.dpo),
    )
    return trainer, tokenizer, too_long


def _start_processes(run: Resolved) -> None:
    """Join the process group and check that it is the one that was asked for."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != run.dpo.processes:
        raise TrainingError(f"{world} processes joined, dpo.processes asks for {run.dpo.processes}")
    import torch

    if run.deepspeed is not None and not torch.cuda.is_available():
        import deepspeed

        # Before from_pretrained: ZeRO-3 over two processes fails to load otherwise.
        deepspeed.init_distributed(dist_backend="gloo")


def trl_arguments(run: Resolved) -> TrlConfig:
    import torch
    from trl import DPOConfig as TrlConfig

    dpo = run.dpo
    return TrlConfig(
        output_dir=str(Path(run.output) / "trainer"),
        per_device_train_batch_size=dpo.batch,
        gradient_accumulation_steps=dpo.accumulation,
        num_train_epochs=dpo.epochs,
        learning_rate=dpo.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=2,
        beta=dpo.beta,
        max_length=dpo.max_length,
        # Few different shapes: freed memory fits the next batch.
        pad_to_multiple_of=64,
        bf16=dpo.precision == "bf16",
        gradient_checkpointing=dpo.gradient_checkpointing,
        use_cpu=not torch.cuda.is_available(),
        precompute_ref_log_probs=run.deepspeed is None,
        precompute_ref_batch_size=dpo.batch,
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
        report_to=list(dpo.report_to) or "none",
        seed=run.seed,
        data_seed=run.seed,
        deepspeed=run.deepspeed,
    )


def _dataset(run: Resolved, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, int]:
    """The pairs cut to ``max_length``: prompts lose their oldest exchanges, answers are never cut.

    A truncated answer would teach its truncation: a pair whose request and answer alone are too long is left out.
    """
    from datasets import Dataset

    rows = [json.loads(line) for line in Path(run.pairs).read_text(encoding="utf-8").splitlines()]

    def size(messages: Sequence[Message]) -> int:
        return len(tokenizer.apply_chat_template([to_record(one) for one in messages])["input_ids"])

    kept = []
    for row in rows:
        prompt = [Message(**one) for one in row["prompt"]]
        answers = [len(tokenizer.encode(row[side][0]["content"])) + MARGIN_TOKENS for side in ("chosen", "rejected")]
        fitted = fit_context(prompt, run.dpo.max_length - max(answers), size)
        if fitted is not None:
            kept.append({**row, "prompt": [to_record(one) for one in fitted]})
    if not kept:
        raise TrainingError(f"none of {len(rows)} pairs fits dpo.max_length={run.dpo.max_length} tokens")
    return Dataset.from_list(kept), len(rows) - len(kept)


def _lora(dpo: DpoConfig) -> LoraConfig | None:
    if not dpo.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(r=dpo.lora_rank, lora_alpha=2 * dpo.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM")


def _teller() -> object:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Teller(TrainerCallback):  # type: ignore[misc]
        """One JSON line a step, for whoever started this process; stops at a loss that is no number."""

        def on_log(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float],
            **_: object,
        ) -> None:  # fmt: skip
            if "loss" not in logs or not state.is_world_process_zero:
                return
            print(json.dumps({"step": state.global_step, "of": state.max_steps, **logs}), flush=True)
            if not logs["loss"] < 1e4:
                raise TrainingError(f"the loss is {logs['loss']} at step {state.global_step}: lower dpo.learning_rate")

    return Teller()


def _save(run: Resolved, trainer: DPOTrainer, tokenizer: PreTrainedTokenizerBase, too_long: int) -> None:
    output = Path(run.output)
    trained = output / "trained"
    trainer.save_model(str(trained))
    history = [{key: row[key] for key in ("step", "loss", "rewards/accuracies", "rewards/margins") if key in row}
               for row in trainer.state.log_history if "loss" in row]  # fmt: skip
    engine = type(trainer.model_wrapped).__name__
    if run.deepspeed is not None and engine != "DeepSpeedEngine":
        raise TrainingError(f"DeepSpeed was asked for, but {engine} trained")
    if not trainer.is_world_process_zero():
        return
    _export(run, trained, tokenizer, output / "model")
    result = {
        "engine": engine,
        "trainer": type(trainer).__name__,
        "world_size": int(trainer.accelerator.num_processes),
        "pairs": len(trainer.train_dataset),
        "too_long": too_long,
        "history": history,
    }
    (output / "result.json").write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _export(run: Resolved, trained: Path, tokenizer: PreTrainedTokenizerBase, target: Path) -> None:
    """The whole model in bf16 safetensors; a LoRA is merged into the champion it started from."""
    import torch
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel
    if run.dpo.lora_rank:
        from peft import PeftModel

        base = AutoModelForCausalLM.from_pretrained(run.base, dtype=torch.float32)
        model = PeftModel.from_pretrained(base, str(trained)).merge_and_unload()
    else:
        model = AutoModelForCausalLM.from_pretrained(str(trained), dtype=torch.float32)
    model.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    main()
