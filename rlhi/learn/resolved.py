"""What a training run is told, and how it says that it cannot go on: shared by both sides of the process."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from rlhi.config import DpoConfig

RESULT = "result.json"
"""What a run came to; it is written last, when the model is there."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message is one line: what, which figure, the remedy."""


class TrainingStopped(TrainingError):
    """A guard stopped training while it ran: what was trained so far is of no use, and so are its checkpoints."""


class Resolved(BaseModel):
    """One training run, fully said: what the launcher writes beside the run.

    ``base`` is the champion, who is the reference; ``reference`` is its :func:`weights_hash`, empty checks nothing.
    ``start`` is what training begins with: the ``trained`` folder of the round before (a LoRA's adapter, or all
    weights); empty begins with the champion itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    pairs: str
    output: str
    seed: int
    dpo: DpoConfig
    deepspeed: dict[str, object] | None = None
    reference: str = ""
    start: str = ""

    @property
    def checkpoints(self) -> Path:
        """The trainer's own folder: checkpoints, and the reference's log-probabilities."""
        return Path(self.output) / "trainer"


def weights_hash(folder: Path) -> str:
    """SHA-256 of a model's safetensors, file by file in the order of their names.

    Raises:
        TrainingError: the folder holds none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TrainingError(f"{folder} holds no safetensors, the champion's weights are missing: roll back")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as handle:
            while block := handle.read(1 << 24):
                digest.update(block)
    return digest.hexdigest()
