"""The training process of the stage ``dpo``: that of the wing, with the models that it may not build.

``python -m rlhi.stages.learn.train_policy --config resolved.json``: a copy of the model in training, which answers now
and then, and the sentence embedder that tells whether it does (:mod:`rlhi.learn.training.answering`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.learn.training import policy

if TYPE_CHECKING:
    from rlhi.learn.training.answering import Copy
    from rlhi.learn.training.run import Resolved
    from rlhi.models.base import Embedder


def yardstick(run: Resolved) -> tuple[Copy, Embedder]:
    """A chat model that begins as the run's base, and the run's embedder."""
    from rlhi.models.embedder import LocalEmbedder
    from rlhi.models.local import LocalChatModel

    model = LocalChatModel(Path(run.base), context_tokens=run.dpo.max_length, precision=run.dpo.precision)
    return model, LocalEmbedder(Path(run.embedder))


if __name__ == "__main__":
    policy.main(yardstick)
