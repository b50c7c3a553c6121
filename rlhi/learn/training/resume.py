"""A training run that was killed goes on from its last whole checkpoint, and repeats no work of the reference.

A checkpoint counts when every rank has written its part: a file ``complete`` in it says so. The reference's
log-probabilities lie beside the checkpoints under the hash of its weights and of the rows, so that a run that is
resumed, or that died before its first checkpoint, reads them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.contracts.codec import content_key

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import Trainer, TrainerCallback

COMPLETE = "complete"
# The one before stays until the new one is whole.
KEPT_CHECKPOINTS = 2


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint in a trainer's folder; what was being written when the run died is not one."""
    return max(filter(is_whole, folder.glob("checkpoint-*")), key=step_of, default=None)


def is_whole(checkpoint: Path) -> bool:
    """Whether all of it was written, and none of it removed since: transformers does without what is missing.

    Under DeepSpeed the optimizer's state lies in a folder of the step's.
    """

    def holds(*patterns: str) -> bool:
        return all(any(checkpoint.glob(pattern)) for pattern in patterns)

    optimizer = holds("global_step*") or holds("optimizer.pt", "scheduler.pt")
    return optimizer and holds(COMPLETE, "trainer_state.json", "rng_state*.pth")


def step_of(checkpoint: Path | None) -> int:
    """The step that a checkpoint was written after; 0 without one."""
    return int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else 0


def drop_unfinished(folder: Path) -> None:
    """Remove what is no whole checkpoint: the trainer would count it among those that it keeps."""
    for path in folder.glob("checkpoint-*"):
        if not is_whole(path):
            shutil.rmtree(path, ignore_errors=True)


def marker(trainer: Trainer) -> TrainerCallback:
    """A callback that calls a checkpoint complete when all ranks have written it."""
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Marker(TrainerCallback):  # type: ignore[misc]
        """Waits for all ranks, then the first one writes the mark."""

        def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
            trainer.accelerator.wait_for_everyone()
            if state.is_world_process_zero:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    return Marker()


class KeptReference:
    """Goes before TRL's DPO and KTO trainers: the reference's log-probabilities are computed once and kept on disk."""

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        # TRL caches them beside the rows' own file. Ours come from memory, and so its cache would lie in a temporary
        # folder of each rank: lost with the process, and not found by the other ranks.
        ids = [[column, dataset[column][:]] for column in sorted(dataset.column_names) if column.endswith("_ids")]
        how = [type(self).__name__, self.args.bf16, batch_size]  # type: ignore[attr-defined]
        key = content_key(self._precompute_model_hash, name, ids, how)  # type: ignore[attr-defined]
        file = Path(self.args.output_dir) / f"reference-{key}.arrow"  # type: ignore[attr-defined]
        file.parent.mkdir(parents=True, exist_ok=True)
        dataset._get_cache_file_path = lambda fingerprint: str(file)
        return super()._precompute_ref_logps(dataset, name, batch_size)  # type: ignore[misc]


def keeping_reference(kind: type[Trainer]) -> type[Trainer]:
    """A trainer's class with :class:`KeptReference` before it, under its own name."""
    return type(kind.__name__, (KeptReference, kind), {})
