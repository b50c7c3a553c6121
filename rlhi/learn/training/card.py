"""The card that travels with a challenger: what it came from and how it was trained."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlhi.contracts import GateDecision, Interval
from rlhi.learn.training.plan import PolicyPlan


@dataclass(frozen=True, slots=True)
class Learned:
    """What a challenger learned from: pairs and judged answers, with the hash of the keys of all that was there.

    ``fresh_pairs`` are of answers that the model gave between its ``rounds`` of training.
    """

    keys: str
    new_pairs: int
    replayed_pairs: int
    fresh_pairs: int = 0
    rounds: int = 1
    new_judged: int = 0
    replayed_judged: int = 0


def model_card(plan: PolicyPlan, learned: Learned) -> str:
    """A model card in the hub's form; :func:`promoted_card` adds the verdict."""
    dpo, method = plan.dpo, plan.method
    trained = f"LoRA of rank {dpo.lora_rank}, merged" if dpo.lora_rank else "every weight"
    pulled = f", beta {dpo.beta:g}" if method.reference else ""
    reference = ", which was also the reference" if method.reference else ""
    fresh = f", {learned.fresh_pairs} of its own answers in training" if learned.rounds > 1 else ""
    rounds = f"{learned.rounds} rounds, " if learned.rounds > 1 else ""
    data = "`data/pairs` and `data/judged`" if method.singly and dpo.unpaired else "`data/pairs`"
    judged = ""
    if learned.new_judged or learned.replayed_judged:
        judged = f"\n| judged answers | {learned.new_judged} new, {learned.replayed_judged} replayed |"
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [rlhi, {dpo.method}, persona]
---

# Challenger of policy@{plan.champion}

Trained by RLHI with {method.told} from `policy@{plan.champion}`{reference}.

| what | value |
|---|---|
| champion | `policy@{plan.champion}`, SHA-256 of its weights `{plan.reference}` |
| data | {data}, hash of its rows' keys `{learned.keys}` |
| pairs | {learned.new_pairs} new, {learned.replayed_pairs} replayed{fresh} |{judged}
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
