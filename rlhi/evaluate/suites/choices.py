"""What held-out users chose in the log: do the models find it likelier than what they rejected?"""

from __future__ import annotations

import math

from rlhi.contracts import EvalResult
from rlhi.evaluate.likelihood import per_byte
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import MODELS, Choice, Chosen


def choices(*, chosen: Chosen) -> list[EvalResult]:
    """Whether each model finds what users chose more likely, per byte, than what they rejected: 1, 0 or 0.5.

    Log-likelihoods are divided by the answer's UTF-8 bytes (as lm-evaluation-harness's ``acc_norm`` does), which does
    not depend on the tokenizer. An empty answer counts as one byte.

    Raises:
        ValueError: the lengths differ.
    """
    return [
        EvalResult("choices", choice.item, choice.user_id, model, _prefers(choice, pair))
        for model in MODELS
        for choice, pair in zip(chosen.choices, chosen.likely[model], strict=True)
    ]


def _prefers(choice: Choice, pair: tuple[float, float]) -> float:
    chosen, rejected = per_byte(choice.chosen, pair[0]), per_byte(choice.rejected, pair[1])
    if math.isnan(chosen) or math.isnan(rejected):
        return math.nan
    return 0.5 if chosen == rejected else float(chosen > rejected)


MEASURES = (Measure(choices),)
