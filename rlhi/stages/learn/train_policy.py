"""The training process of the stage ``dpo``: that of the wing, with the models that it may not build.

``python -m rlhi.stages.learn.train_policy --config resolved.json``: a copy of the model in training, which answers now
and then, and the sentence embedder that tells whether it does (:mod:`rlhi.learn.training.answering`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlhi.learn.training import policy
from rlhi.stages import backends

if TYPE_CHECKING:
    from rlhi.learn.training.plan import PolicyPlan
    from rlhi.models.base import Copy, Embedder


def yardstick(plan: PolicyPlan) -> tuple[Copy, Embedder]:
    """A chat model that begins as the plan's base, and the plan's embedder."""
    from rlhi.models.embedder import LocalEmbedder

    assert plan.embedder is not None, "else nobody asks for a yardstick"
    model = backends.training_copy(plan.base, plan.dpo.max_length, plan.dpo.precision)
    return model, LocalEmbedder(plan.embedder)


if __name__ == "__main__":
    policy.main(yardstick)
