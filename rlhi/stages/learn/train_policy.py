"""The training process of the stage ``dpo``: that of the wing, with the models that it may not build.

``python -m rlhi.stages.learn.train_policy --config resolved.json``: a copy of the model in training, which answers now
and then, and the sentence embedder that tells whether it does (:mod:`rlhi.learn.training.answering`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.learn.training import dpo
from rlhi.stages import backends

if TYPE_CHECKING:
    from rlhi.learn.training.run import Resolved
    from rlhi.models.base import Copy, Embedder


def yardstick(run: Resolved) -> tuple[Copy, Embedder]:
    """A chat model that begins as the run's base, and the run's embedder."""
    from rlhi.models.embedder import LocalEmbedder

    model = backends.training_copy(Path(run.base), run.dpo.max_length, run.dpo.precision)
    return model, LocalEmbedder(Path(run.embedder))


if __name__ == "__main__":
    dpo.main(yardstick)
