"""The card that travels with a challenger: what it came from and how it was trained."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlhi.config import DpoConfig
from rlhi.contracts import GateDecision, Interval
from rlhi.learn.training.methods import method_of


@dataclass(frozen=True, slots=True)
class Provenance:
    """The champion with the hash of its weights, and the pairs and judged answers with the hash of their keys.

    ``fresh_pairs`` are of answers that the model gave between its ``rounds`` of training.
    """

    champion: str
    weights: str
    pairs: str
    new_pairs: int
    replayed_pairs: int
    fresh_pairs: int = 0
    rounds: int = 1
    new_judged: int = 0
    replayed_judged: int = 0


def model_card(origin: Provenance, dpo: DpoConfig) -> str:
    """A model card in the hub's form; :func:`promoted_card` adds the verdict."""
    trained = f"LoRA of rank {dpo.lora_rank}, merged" if dpo.lora_rank else "every weight"
    method = method_of(dpo.method)
    pulled = f", beta {dpo.beta:g}" if method.reference else ""
    reference = ", which was also the reference" if method.reference else ""
    fresh = f", {origin.fresh_pairs} of its own answers in training" if origin.rounds > 1 else ""
    rounds = f"{origin.rounds} rounds, " if origin.rounds > 1 else ""
    data = "`data/pairs` and `data/judged`" if method.singly and dpo.unpaired else "`data/pairs`"
    judged = ""
    if origin.new_judged or origin.replayed_judged:
        judged = f"\n| judged answers | {origin.new_judged} new, {origin.replayed_judged} replayed |"
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [rlhi, {dpo.method}, persona]
---

# Challenger of policy@{origin.champion}

Trained by RLHI with {method.told} from `policy@{origin.champion}`{reference}.

| what | value |
|---|---|
| champion | `policy@{origin.champion}`, SHA-256 of its weights `{origin.weights}` |
| data | {data}, hash of its rows' keys `{origin.pairs}` |
| pairs | {origin.new_pairs} new, {origin.replayed_pairs} replayed{fresh} |{judged}
| trained | {rounds}{trained}, {dpo.epochs:g} epochs, learning rate {dpo.learning_rate:g}{pulled} |
| merged | {dpo.merge:.0%} of what was learned |
| weights | bfloat16 safetensors, `from_pretrained` and `vllm serve` read them as they are |
| verdict | not yet given when this card was written |

The persona goes into the system message: "You are a helpful assistant. About this user: ...". The lessons that it
learned from are listed in `training.json`, with the loss of every step.
"""


def promoted_card(card: str, version: str, cycle: int, decision: GateDecision) -> str:
    """A challenger's card as it goes with the version that it became: its name, the verdict and what was measured."""
    rows = "".join(
        f"| {one.suite} | {one.champion.mean:.1%} | {one.challenger.mean:.1%} | {_points(one.gain)} | "
        f"{one.gain.clusters} |\n"
        for one in decision.measurements
    )
    reasons = "".join(f"- {reason}\n" for reason in decision.reasons)
    named = re.sub(r"^# .*$", f"# policy@{version}", card, count=1, flags=re.M)
    return (
        re.sub(r"^\| verdict \|.*$", f"| verdict | {decision.verdict}, cycle {cycle} |", named, count=1, flags=re.M)
        + f"""
## Evaluation

This model beside the champion before it, on users who are only measured on; `instructions` are built-in ones.
Brackets are intervals by user, or by instruction.

| suite | champion | this model | gain, points | users, or instructions |
|---|---|---|---|---|
{rows}
Why the gate let it pass:

{reasons}"""
    )


def _points(gain: Interval) -> str:
    return f"{100 * gain.mean:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
