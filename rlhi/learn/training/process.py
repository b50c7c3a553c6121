"""The training process, whatever it trains: it joins the others, trains under guards, and writes a model.

Lines of JSON on standard output tell the loss of every step; :mod:`rlhi.learn.training.launch` is the other end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from rlhi.learn.training.guards import guard
from rlhi.learn.training.plan import TrainingPlan
from rlhi.learn.training.resume import drop_unfinished, last_checkpoint, marker, step_of
from rlhi.learn.training.run import RESULT, TrainingError, TrainingStopped

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback

    from rlhi.learn.training.dataset import Contents

TOLD = ("step", "loss", "answers", "rewards/accuracies", "rewards/margins", "rewards/chosen", "accuracy", "margin")

AnyPlan = TypeVar("AnyPlan", bound=TrainingPlan)


@dataclass(frozen=True, slots=True)
class Job:
    """A trainer that is ready, its tokenizer, what it learns from, and what else looks on.

    ``told`` gives more for the result, when training has ended.
    """

    trainer: Trainer
    tokenizer: PreTrainedTokenizerBase
    contents: Contents
    callbacks: Sequence[TrainerCallback] = ()
    told: Callable[[], dict[str, object]] = field(default=dict)


@dataclass(frozen=True, slots=True)
class Training(Generic[AnyPlan]):
    """One kind of training: what trains by a plan, and what turns that which the trainer saved into a model.

    ``export`` is given the plan, the folder that the trainer saved, the tokenizer, and the model's folder to write.
    """

    make: Callable[[AnyPlan], Job]
    export: Callable[[AnyPlan, Path, PreTrainedTokenizerBase, Path], None]


def main(kind: type[AnyPlan], training: Training[AnyPlan]) -> None:
    """Entry point of a subprocess; a rank that fails says why on its last line and exits with 1."""
    parser = argparse.ArgumentParser(prog=f"python -m {kind.model_fields['module'].default}")
    parser.add_argument("--config", type=Path, required=True)
    _end_with(int(os.environ.get("RLHI_PARENT", "0")))
    plan = kind.model_validate_json(parser.parse_args().config.read_text(encoding="utf-8"))
    try:
        train(plan, training)
    except TrainingError as error:
        print(f"rlhi: training stopped: {error}", file=sys.stderr, flush=True)
        if isinstance(error, TrainingStopped):
            shutil.rmtree(plan.checkpoints, ignore_errors=True)
        sys.exit(1)
    if plan.settings.world_size > 1:
        # All is on disk. Threads of gloo's that still live abort, now and then, an interpreter that ends by itself.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


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


def train(plan: AnyPlan, training: Training[AnyPlan]) -> None:
    """Train in this process, from the last checkpoint where there is one; model and result are in ``plan.output``.

    Raises:
        TrainingError: the plan cannot be trained, or a guard stopped it.
    """
    _start_processes(plan)
    checkpoint = last_checkpoint(plan.checkpoints)
    job = training.make(plan)
    trainer = job.trainer
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        drop_unfinished(plan.checkpoints)
    for callback in (guard(plan, trainer), *job.callbacks, marker(trainer), _teller()):
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    output = plan.output
    trainer.save_model(str(output / "trained"))
    if trainer.is_world_process_zero():
        # Before the export: it leaves ZeRO.
        result = _result(plan, job, step_of(checkpoint))
        training.export(plan, output / "trained", job.tokenizer, output / "model")
        # In one move: a run that was killed has a result or none.
        partial = output / f"{RESULT}.partial"
        partial.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(output / RESULT)


def _start_processes(plan: TrainingPlan) -> None:
    """Join the process group and check that it is the one that was asked for."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    machines, section = plan.settings, plan.section
    if world != machines.world_size:
        asked = f"{section}.processes asks" if machines.nodes == 1 else f"{section}.processes and {section}.nodes ask"
        raise TrainingError(f"{world} processes joined, {asked} for {machines.world_size}: look at the launcher")
    import torch

    if plan.preset is not None and not torch.cuda.is_available():
        import deepspeed

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
            if ("loss" in row or row["step"] == 0) and state.is_world_process_zero:
                print(json.dumps({"step": row["step"], "of": state.max_steps, **row}), flush=True)

    return Teller()


def _result(plan: TrainingPlan, job: Job, resumed: int) -> dict[str, object]:
    trainer = job.trainer
    engine = trainer.model_wrapped
    return {
        "engine": type(engine).__name__,
        "zero_stage": int(engine.zero_optimization_stage()) if plan.preset is not None else 0,
        "master_weights": _master_weights(trainer),
        "precision": "bf16" if trainer.args.bf16 else "fp32",
        "trainer": type(trainer).__name__,
        "world_size": int(trainer.accelerator.num_processes),
        **asdict(job.contents),
        "class_weights": [getattr(trainer, f"{side}_weight", 1.0) for side in ("desirable", "undesirable")],
        "resumed_from": resumed,
        **job.told(),
        "history": [
            {key: row[key] for key in TOLD if key in row} for row in trainer.state.log_history if "loss" in row
        ],
    }


def _master_weights(trainer: Trainer) -> str:
    """The type of the numbers that the optimizer changes, ``float32`` also when the model computes in bf16."""
    optimizer = getattr(trainer.model_wrapped, "optimizer", None) or trainer.optimizer
    flat = [
        getattr(optimizer, name, []) for name in ("single_partition_of_fp32_groups", "fp32_partitioned_groups_flat")
    ]
    inner = getattr(optimizer, "optimizer", optimizer)
    weights = [*flat[0], *flat[1]] or [one for group in inner.param_groups for one in group["params"]]
    return ", ".join(sorted({str(one.dtype).removeprefix("torch.") for one in weights}))


def check_numbers(model: nn.Module, plan: TrainingPlan) -> None:
    """Refuse weights that are no numbers: the last step's loss is told before its weights are changed.

    Raises:
        TrainingStopped: some are not.
    """
    import torch

    broken = [name for name, weight in model.named_parameters() if not bool(torch.isfinite(weight).all())]
    if broken:
        raise TrainingStopped(
            f"{len(broken)} weights hold no numbers, {broken[0]} among them: lower {plan.section}.learning_rate"
        )


def check_whole(told: dict[str, list[str]], folder: Path, made: tuple[str, ...] = ()) -> None:
    """Refuse a model that was loaded (``output_loading_info``) without all of its weights, but for ``made``.

    transformers fills weights that are not there with random numbers.

    Raises:
        TrainingError: some are missing, or have another shape.
    """
    wrong = sorted({*map(str, (*told["missing_keys"], *told["mismatched_keys"]))} - {*made})
    if wrong:
        raise TrainingError(f"{len(wrong)} weights are missing in {folder}, {wrong[0]} among them: train again")
