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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rlhi.config import DpoConfig, RewardConfig
from rlhi.contracts import to_record
from rlhi.file_lock import locked
from rlhi.learn.pairs.lessons import Row, weight
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.training.build_locks import builds, free_dead_locks
from rlhi.learn.training.rows import trl_row
from rlhi.learn.training.run import POLICY, RESULT, Machines, Resolved, ResolvedReward, Run, TrainingError, weights_hash
from rlhi.learn.training.trl.weights import WEIGHT

ROWS = "pairs.jsonl"
OPEN = "open"
"""A file in a run's folder while its first node waits for, or trains with, the others."""


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


def reward_row(one: Comparison) -> dict[str, object]:
    """A comparison as the training of a reward model reads it."""
    return {"better": to_record(one.better), "worse": to_record(one.worse), WEIGHT: one.weight}


def train(
    made: Sequence[Row],
    base: Path,
    output: Path,
    dpo: DpoConfig,
    deepspeed: dict[str, object] | None,
    seed: int,
    on_step: Callable[[int, int, float], None],
    reference: str = "",
    start: Path | None = None,
    embedder: Path | None = None,
    module: str = POLICY,
) -> Trained:
    """Train a challenger in a subprocess; ``output`` gets the resolved config, the log, checkpoints and the model.

    A run that was killed goes on from its last checkpoint in ``output``, so another run needs another folder.
    ``base`` is the champion, the reference, and where training begins unless ``start`` names the ``unmerged`` weights
    of another round. ``reference`` is :func:`weights_hash` of the champion as its version says; without it, of
    ``base`` as it is now. ``module`` is what the process runs: one that can build the ``embedder`` stops a training
    whose replies no longer answer.

    Raises:
        TrainingError: the process ended with an error; the message holds its last line.
    """
    resolved = Resolved(
        base=str(base), pairs=str(output / ROWS), output=str(output), seed=seed, dpo=dpo, deepspeed=deepspeed,
        reference=reference or weights_hash(base), start=str(start or ""), embedder=str(embedder or ""), module=module,
    )  # fmt: skip
    return _start(resolved, [trl_row(row) | {"user_id": row.user_id, WEIGHT: weight(row)} for row in made], on_step)


def train_reward(
    comparisons: Sequence[Comparison],
    base: Path,
    output: Path,
    reward: RewardConfig,
    deepspeed: dict[str, object] | None,
    seed: int,
    on_step: Callable[[int, int, float], None],
) -> Trained:
    """As :func:`train`, a reward model of comparisons: from a chat model, or on from an earlier reward model.

    Raises:
        TrainingError: the process ended with an error; the message holds its last line.
    """
    resolved = ResolvedReward(
        base=str(base), pairs=str(output / ROWS), output=str(output), seed=seed, reward=reward, deepspeed=deepspeed
    )
    return _start(resolved, [reward_row(one) for one in comparisons], on_step)


def _start(run: Run, rows: Sequence[dict[str, object]], on_step: Callable[[int, int, float], None]) -> Trained:
    output = Path(run.output)
    output.mkdir(parents=True, exist_ok=True)
    # The process inherits the lock: an orphan has it until it ends, and only then do we begin.
    with locked(output / "lock") as held:
        if ended := finished(output):
            return ended  # by a process that we waited for
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        Path(run.pairs).write_text(text, encoding="utf-8", errors="backslashreplace")
        config = output / "resolved.json"
        config.write_text(run.model_dump_json(indent=1) + "\n", encoding="utf-8")
        with (output / "metrics.jsonl").open("w", encoding="utf-8") as metrics:

            def tell(line: str) -> None:
                metrics.write(line)
                metrics.flush()
                step = json.loads(line)
                if "loss" in step:  # step 0 has none
                    on_step(int(step["step"]), int(step["of"]), float(step["loss"]))

            (output / OPEN).touch()
            try:
                _run(run.machines, run.module, config, 0, tell, held)
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


def join(config: Path, rank: int) -> None:
    """Be node ``rank`` (from 1 on) of the run that a ``resolved.json`` describes; return when it ends.

    Raises:
        TrainingError: the run has no such node, or it ended with an error.
    """
    resolved = Resolved.model_validate_json(config.read_text(encoding="utf-8"))
    dpo = resolved.dpo
    if not 0 < rank < dpo.nodes:
        raise TrainingError(f"no node {rank} in this training: dpo.nodes is {dpo.nodes}, the first is the stage's own")
    with (config.parent / f"node-{rank}.lock").open("w") as held:
        _run(dpo, resolved.module, config, rank, lambda line: None, held)


def command(machines: Machines, config: Path, rank: int = 0, module: str = POLICY) -> list[str]:
    """The command line of one node."""
    program = ["-m", module, "--config", str(config)]
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


def _run(machines: Machines, module: str, config: Path, rank: int, tell: Callable[[str], None], held: IO[str]) -> None:
    log = config.parent / ("training.log" if rank == 0 else f"training-{rank}.log")
    _give_back()
    if machines.deepspeed:
        free_dead_locks(builds())
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command(machines, config, rank, module), env=_environment(machines), stdout=subprocess.PIPE, stderr=errors,
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


def _environment(machines: Machines) -> dict[str, str]:
    environment = dict(os.environ)
    # Keep freed tensors instead of giving them back to the system: a tenth of the system time on a CPU.
    environment.setdefault("MALLOC_MMAP_MAX_", "0")
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(10**12))
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    environment["RLHI_PARENT"] = str(os.getpid())
    if machines.processes > 1:
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
