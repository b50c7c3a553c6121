"""What one run learns from: the rows that fit, as the method wants them, each with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlhi.contracts import to_record
from rlhi.learn.training.guards import check_answers, check_judged, check_left_out
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import LABEL, Row, TrlRow, fitted, plain_row, read_rows, text_of
from rlhi.learn.training.trl.weights import WEIGHT, user_weights

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Contents:
    """What a run learns from: rows of each kind, answers of each side, and the places of the rows left out."""

    pairs: int
    judged: int
    wanted: int
    unwanted: int
    too_long: tuple[int, ...]


def dataset(plan: PolicyPlan, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, Contents]:
    """The rows cut to ``max_length`` as :func:`fitted` does; those that do not fit are left out.

    Raises:
        TrainingError: the rows teach nothing, or do not fit.
    """
    from datasets import Dataset

    dpo, method = plan.dpo, plan.method
    rows = [plain_row(row, tokenizer) for row in read_rows(plan.rows)]
    pairs = [row for row in rows if LABEL not in row]
    if pairs or not rows:
        check_answers([(text_of(row, "chosen"), text_of(row, "rejected")) for row in pairs], dpo.limits)

    kept: list[TrlRow] = []
    too_long = []
    for at, row in enumerate(rows):
        prompt = fitted(row, tokenizer, dpo.max_length)
        if prompt is None:
            too_long.append(at)
        else:
            kept.append({"user_id": str(at), **row, "prompt": [to_record(one) for one in prompt]})
    what = "pairs" if len(pairs) == len(rows) else "pairs and judged answers"
    check_left_out(len(too_long), len(rows), dpo, what)
    judged = sum(LABEL in row for row in kept)
    found = _weighed(kept, plan)
    wanted = sum(bool(row.get(LABEL, True)) for row in found)
    if judged:
        liked, disliked = (
            [text_of(row, "completion") for row in found if row[LABEL] == side] for side in (True, False)
        )
        check_judged(liked, disliked, dpo.limits)
    counted = Contents(len(kept) - judged, judged, wanted, method.unwanted(found), tuple(too_long))
    return Dataset.from_list(method.batched(found, dpo)), counted


def _weighed(rows: Sequence[Row], plan: PolicyPlan) -> list[TrlRow]:
    """TRL's rows, each with its own weight and its user's share of ``dpo.user_cap`` pairs."""
    found = plan.method.rows(rows)
    cap = plan.dpo.user_cap * (2 if plan.method.singly else 1)
    own = [float(str(row.get(WEIGHT, 1.0))) for row in found]
    weights = user_weights([str(row["user_id"]) for row in found], cap, own)
    return [row | {WEIGHT: weight} for row, weight in zip(found, weights, strict=True)]
