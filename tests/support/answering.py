"""A training whose answers are watched: the process, with an embedder that tells what a tiny model can say apart.

``python -m tests.support.answering`` is the training process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.config import DpoConfig
from rlhi.learn.training import policy
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.plan import PolicyPlan
from rlhi.models.base import Copy, Embedder
from tests.support.training import plan_of, trained

if TYPE_CHECKING:
    from rlhi.models.base import Vectors


class ListEmbedder:
    """Puts lists far from everything else, so that whoever learns to answer with lists leaves the request."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(1, 0), or (0, 1) for a list."""
        import numpy as np

        return np.array([(0, 1) if text.startswith("-") else (1, 0) for text in texts], dtype=np.float32)


def yardstick(plan: PolicyPlan) -> tuple[Copy, Embedder]:
    """The plan's base as the chat model."""
    from rlhi.models.local import LocalChatModel

    model = LocalChatModel(plan.base, context_tokens=plan.dpo.max_length, precision=plan.dpo.precision)
    return model, ListEmbedder()


def run(base: Path, output: Path, config: DpoConfig) -> Trained:
    """Train here and wait."""
    return trained(plan_of(base, output, config, embedder=base, module="tests.support.answering"))


def main(base: str, output: str, config: str) -> None:
    """What ``run_and_kill`` starts."""
    run(Path(base), Path(output), DpoConfig.model_validate_json(config))


if __name__ == "__main__":
    policy.main(yardstick)
