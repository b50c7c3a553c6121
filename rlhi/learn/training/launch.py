"""Start a training process and wait for it: a worker never holds the GPU, and a rank's exit code is seen.

Several nodes: the stage's own is the first; :func:`join` is what every other runs, on the same files.
"""

from __future__ import annotations

import gc
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rlhi.file_lock import locked
from rlhi.learn.training.build_locks import builds, free_dead_locks
from rlhi.learn.training.plan import FILE, PolicyPlan, TrainingPlan
from rlhi.learn.training.run import RESULT, TrainingError

OPEN = "open"
"""A file in a run's folder while its first node waits for, or trains with, the others."""

OnStep = Callable[[int, int, float], None]
"""Told the step, how many there are, and the loss."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training run left: the model's folder, who trained it, and the loss of every step.

    It learned from ``pairs`` and ``judged`` answers, together ``wanted`` and ``unwanted`` ones, which KTO weighs by
    ``class_weights``. ``too_long`` are the places of the rows that were left out; ``resumed_from`` is the step of the
    checkpoint that it went on from, 0 for none. It computed in ``precision`` (empty: trained before that was told).
    ``answers`` tells the share of replies that answered before the first step, and why it was not watched, if so.
    """

    model: Path
    engine: str
    zero_stage: int
    master_weights: str
    trainer: str
    world_size: int
    pairs: int
    judged: int
    wanted: int
    unwanted: int
    class_weights: tuple[float, ...]
    too_long: tuple[int, ...]
    resumed_from: int
    history: tuple[dict[str, float], ...]
    precision: str = ""
    answers: dict[str, object] = field(default_factory=dict)

    @property
    def unmerged(self) -> Path:
        """What another round begins with: the adapter of a LoRA, or every weight as the optimizer left it."""
        return self.model.with_name("trained")


def train(plan: TrainingPlan, rows: Iterable[Mapping[str, object]], on_step: OnStep) -> Trained:
    """Train in a subprocess; ``plan.output`` gets the plan, the rows, the log, checkpoints and the model.

    A run that was killed goes on from its last checkpoint there. ``rows`` are those of
    :func:`rlhi.learn.training.rows.policy_row` or ``reward_row``.

    Raises:
        TrainingError: the process ended with an error; the message holds its last line.
    """
    output = plan.output
    output.mkdir(parents=True, exist_ok=True)
    # The process inherits the lock: an orphan has it until it ends, and only then do we begin.
    with locked(output / "lock") as held:
        if ended := finished(output):
            return ended  # by a process that we waited for
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        plan.rows.write_text(text, encoding="utf-8", errors="backslashreplace")
        plan.file.write_text(plan.model_dump_json(indent=1) + "\n", encoding="utf-8")
        with (output / "metrics.jsonl").open("w", encoding="utf-8") as metrics:

            def tell(line: str) -> None:
                metrics.write(line)
                metrics.flush()
                step = json.loads(line)
                if "loss" in step:  # step 0 has none
                    on_step(int(step["step"]), int(step["of"]), float(step["loss"]))

            (output / OPEN).touch()
            try:
                _run(plan, 0, tell, held)
            finally:
                (output / OPEN).unlink()
    done = finished(output)
    if done is None:
        raise TrainingError(f"training ended and left no result in {output}: look at its training.log")
    return done


def finished(output: Path) -> Trained | None:
    """What a training in this folder came to; None when it was never begun, or killed before its end."""
    file = output / RESULT
    if not file.is_file():
        return None
    result = json.loads(file.read_text(encoding="utf-8"))
    listed = {name: tuple(result[name]) for name in ("class_weights", "too_long", "history")}
    return Trained(model=output / "model", **{**result, **listed})


def join(output: Path, rank: int) -> None:
    """Be node ``rank`` (from 1 on) of the training whose plan lies in this folder; return when it ends.

    Raises:
        TrainingError: the run has no such node, or it ended with an error.
    """
    plan = PolicyPlan.model_validate_json((output / FILE).read_text(encoding="utf-8"))
    nodes = plan.dpo.nodes
    if not 0 < rank < nodes:
        raise TrainingError(f"no node {rank} in this training: dpo.nodes is {nodes}, the first is the stage's own")
    with (output / f"node-{rank}.lock").open("w") as held:
        _run(plan, rank, lambda line: None, held)


def command(plan: TrainingPlan, rank: int = 0) -> list[str]:
    """The command line of one node."""
    machines, program = plan.settings, ["-m", plan.module, "--config", str(plan.file)]
    if machines.world_size == 1 and machines.deepspeed == 0:
        return [sys.executable, *program]
    # torchrun, not the deepspeed or accelerate launchers: these aborted at exit, or silently ran one process.
    torchrun = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={machines.processes}"]
    if machines.nodes == 1:
        return [*torchrun, f"--master_port={_free_port()}", *program]
    # Static: ranks are told, so that the first process, which writes the model, is on the stage's own node.
    return [
        *torchrun, f"--nnodes={machines.nodes}", f"--node_rank={rank}", "--rdzv_backend=static",
        f"--rdzv_endpoint={machines.rendezvous}", "--rdzv_id=rlhi", *program,
    ]  # fmt: skip


def _run(plan: TrainingPlan, rank: int, tell: Callable[[str], None], held: IO[str]) -> None:
    log = plan.output / ("training.log" if rank == 0 else f"training-{rank}.log")
    _give_back()
    if plan.settings.deepspeed:
        free_dead_locks(builds())
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command(plan, rank), env=_environment(plan.settings.processes), stdout=subprocess.PIPE, stderr=errors,
            text=True, pass_fds=[held.fileno()],
        )  # fmt: skip
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith('{"step"'):
                    tell(line)
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code != 0:
        raise TrainingError(f"training ended with code {code}: {_last_line(log)} (whole log: {log})")


def is_running(run: Path) -> bool:
    """Whether somebody holds a run's folder: one that was killed has let go of it."""
    try:
        with locked(run / "lock", wait=False):
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:  # it was removed in this moment
        return False


def _environment(processes: int) -> dict[str, str]:
    environment = dict(os.environ)
    # Keep freed tensors instead of giving them back to the system: a tenth of the system time on a CPU.
    environment.setdefault("MALLOC_MMAP_MAX_", "0")
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(10**12))
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    # python -m looks in the folder that it is started in first: another checkout's package would train there.
    environment.setdefault("PYTHONSAFEPATH", "1")
    environment["RLHI_PARENT"] = str(os.getpid())
    if processes > 1:
        environment.setdefault("OMP_NUM_THREADS", "1")
    return environment


def _give_back() -> None:
    """What this process sampled or scored with before is no use to it now, and torch keeps its memory of a GPU."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("rlhi:")]
    # Not torchrun's own, which only says that a rank failed.
    errors = [line for line in lines if re.search(r"(Error|Exception): \S", line) and "ChildFailed" not in line]
    return ([*ours[:1]] or errors[-1:] or lines[-1:] or ["no word of why"])[0][:500]
