"""Start a training process and wait for it: a worker never holds the GPU, and a rank's exit code is seen."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi.config import DpoConfig
from rlhi.contracts import PreferencePair, to_record
from rlhi.learn.dpo import Resolved, TrainingError


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training run left: the model's folder, who trained it, and the loss of every step."""

    model: Path
    engine: str
    trainer: str
    world_size: int
    pairs: int
    too_long: int
    history: tuple[dict[str, float], ...]


def trl_row(pair: PreferencePair) -> dict[str, object]:
    """TRL's conversational preference row: ``prompt``, ``chosen``, ``rejected`` as lists of messages."""
    return {
        "prompt": [to_record(message) for message in pair.prompt],
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
    }


def train(
    pairs: Sequence[PreferencePair],
    base: Path,
    output: Path,
    dpo: DpoConfig,
    deepspeed: dict[str, object] | None,
    seed: int,
    on_step: Callable[[int, int, float], None],
) -> Trained:
    """Train a challenger in a subprocess; ``output`` gets the resolved config, the log and the model.

    Raises:
        TrainingError: the process ended with an error; the message holds its last line.
    """
    output.mkdir(parents=True, exist_ok=True)
    rows = output / "pairs.jsonl"
    rows.write_text("".join(json.dumps(trl_row(pair), ensure_ascii=False) + "\n" for pair in pairs), encoding="utf-8")
    resolved = Resolved(base=str(base), pairs=str(rows), output=str(output), seed=seed, dpo=dpo, deepspeed=deepspeed)
    config = output / "resolved.json"
    config.write_text(resolved.model_dump_json(indent=1) + "\n", encoding="utf-8")
    log = output / "training.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            _command(dpo, config), env=_environment(dpo), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        try:
            with (output / "metrics.jsonl").open("w", encoding="utf-8") as metrics:
                for line in process.stdout:
                    if line.startswith('{"step"'):
                        metrics.write(line)
                        metrics.flush()
                        step = json.loads(line)
                        on_step(int(step["step"]), int(step["of"]), float(step["loss"]))
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code != 0:
        raise TrainingError(f"training ended with code {code}: {_last_line(log)} (whole log: {log})")
    result = json.loads((output / "result.json").read_text(encoding="utf-8"))
    return Trained(
        output / "model", result["engine"], result["trainer"], result["world_size"], result["pairs"],
        result["too_long"], tuple(result["history"]),
    )  # fmt: skip


def _command(dpo: DpoConfig, config: Path) -> list[str]:
    module = ["-m", "rlhi.learn.dpo", "--config", str(config)]
    if dpo.processes == 1 and dpo.deepspeed == 0:
        return [sys.executable, *module]
    # torchrun, not the deepspeed or accelerate launchers: these aborted at exit, or silently ran one process.
    return [
        sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={dpo.processes}",
        f"--master_port={_free_port()}", *module,
    ]  # fmt: skip


def _environment(dpo: DpoConfig) -> dict[str, str]:
    environment = dict(os.environ)
    # Keep freed tensors instead of giving them back to the system: a tenth of the system time on a CPU.
    environment.setdefault("MALLOC_MMAP_MAX_", "0")
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(10**12))
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    environment["RLHI_PARENT"] = str(os.getpid())
    if dpo.processes > 1:
        environment.setdefault("OMP_NUM_THREADS", "1")
    return environment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("rlhi:")]
    errors = [line for line in lines if "Error" in line]
    return ([*ours[:1]] or errors[-1:] or lines[-1:] or ["no word of why"])[0][:500]
