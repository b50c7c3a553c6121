"""What a parameter and a command may say alike; here so that `rlhi --help` need not build every section's model."""

from typing import Literal

Method = Literal["dpo", "sft", "kto"]
"""``dpo.method``: how a challenger learns. A name is the registration of the module of that name in
``rlhi/learn/training/methods``."""
RewardKind = Literal["head", "lora", "full"]
"""``reward.kind``: what a reward model is. A name has its row in ``rlhi.stages.learn.reward_models.KINDS``."""

DriftDoes = Literal["block", "ask", "note"]
"""What a drifted column does to a promotion: it refuses, a person has to look first, or it is told."""
