"""The card that travels with a challenger: what it came from and how it was trained."""

from __future__ import annotations

from rlhi.config import DpoConfig


def model_card(champion: str, new_pairs: int, replayed_pairs: int, dpo: DpoConfig) -> str:
    """A model card in the hub's form. The verdict stands in the cycle's commit, not here: it comes later."""
    method = f"LoRA of rank {dpo.lora_rank}, merged" if dpo.lora_rank else "every weight"
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [rlhi, dpo, persona]
---

# Challenger of policy@{champion}

Trained by RLHI with persona-conditioned DPO (arXiv 2509.25137) from `policy@{champion}`, which was also the reference.

| what | value |
|---|---|
| pairs | {new_pairs} new, {replayed_pairs} replayed |
| trained | {method}, {dpo.epochs:g} epochs, learning rate {dpo.learning_rate:g}, beta {dpo.beta:g} |
| weights | bfloat16 safetensors, `from_pretrained` and `vllm serve` read them as they are |

The persona goes into the system message: "You are a helpful assistant. About this user: ...". The lessons that it
learned from are listed in `training.json`; the gate's verdict is in the workspace's git log.
"""
