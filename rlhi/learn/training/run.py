"""How a training run ends, on both sides of the process: its result, or an error that says why there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

RESULT = "result.json"
"""What a run came to; it is written last, when the model is there."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message is one line: what, which figure, the remedy."""


class TrainingStopped(TrainingError):
    """A guard stopped training while it ran: what was trained so far is of no use, and so are its checkpoints."""


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
