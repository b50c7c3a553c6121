"""A training whose answers are watched: the process, with an embedder that tells what a tiny model can say apart.

``python -m tests.support.answering`` is the training process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.config import DpoConfig
from rlhi.learn.training import policy
from rlhi.learn.training.answering import Copy
from rlhi.learn.training.launch import Trained, train
from rlhi.learn.training.run import Resolved
from rlhi.models.base import Embedder
from tests.support.training import made_rows, quiet, zero

if TYPE_CHECKING:
    from rlhi.models.base import Vectors


class ListEmbedder:
    """Puts lists far from everything else, so that whoever learns to answer with lists leaves the request."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(1, 0), or (0, 1) for a list."""
        import numpy as np

        return np.array([(0, 1) if text.startswith("-") else (1, 0) for text in texts], dtype=np.float32)


def yardstick(run: Resolved) -> tuple[Copy, Embedder]:
    """The run's base as the chat model."""
    from rlhi.models.local import LocalChatModel

    model = LocalChatModel(Path(run.base), context_tokens=run.dpo.max_length, precision=run.dpo.precision)
    return model, ListEmbedder()


def run(base: Path, output: Path, config: DpoConfig) -> Trained:
    """Train here and wait."""
    return train(made_rows(config), base, output, config, zero(config.deepspeed), 0, quiet,
                 embedder=base, module="tests.support.answering")  # fmt: skip


def main(base: str, output: str, config: str) -> None:
    """What ``run_and_kill`` starts."""
    run(Path(base), Path(output), DpoConfig.model_validate_json(config))


if __name__ == "__main__":
    policy.main(yardstick)
