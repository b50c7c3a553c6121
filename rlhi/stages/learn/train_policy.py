"""The training process of the stage ``dpo``: that of the wing, with the models that it may not build.

``python -m rlhi.stages.learn.train_policy --config resolved.json``: a copy of the model in training, which answers now
and then, and the sentence embedder that tells whether it does (:mod:`rlhi.learn.training.answering`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlhi.learn.training import policy

if TYPE_CHECKING:
    from rlhi.learn.training.answering import Copy
    from rlhi.learn.training.plan import PolicyPlan
    from rlhi.models.base import Embedder


def yardstick(plan: PolicyPlan) -> tuple[Copy, Embedder]:
    """A chat model that begins as the plan's base, and the plan's embedder."""
    from rlhi.models.embedder import LocalEmbedder
    from rlhi.models.local import LocalChatModel

    assert plan.embedder is not None, "else nobody asks for a yardstick"
    model = LocalChatModel(plan.base, context_tokens=plan.dpo.max_length, precision=plan.dpo.precision)
    return model, LocalEmbedder(plan.embedder)


if __name__ == "__main__":
    policy.main(yardstick)
