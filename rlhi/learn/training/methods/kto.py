"""KTO: every answer by itself, wanted or unwanted (Kahneman-Tversky optimisation, arXiv 2402.01306).

Both answers of a pair, and those that users judged singly. KTO's trainer takes rows in their order and estimates how
far the policy has moved from answers put to other prompts: in each batch, every prompt with the answer of the row
before it, the first with the last one's. So no two answers to one prompt may be neighbours there, no batch may have one
row only, and wanted and unwanted answers should alternate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlhi.config import DpoConfig
from rlhi.learn.training.methods.method import TrainingMethod
from rlhi.learn.training.rows import LABEL, Row, TrlRow, one_side
from rlhi.learn.training.trl.weights import WEIGHT

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedConfig, Trainer, TrainingArguments

# How much more the wanted answers may count than the unwanted ones.
MOST_WANTED = 4 / 3


class Kto(TrainingMethod):
    """TRL's ``KTOTrainer``. A pair is two of its rows, so its batch holds twice as many, as many sequences as DPO's."""

    told = "KTO (arXiv 2402.01306) on the pairs' answers and on those that users judged, one by one"
    singly = True

    def arguments(self, dpo: DpoConfig, common: Mapping[str, object]) -> TrainingArguments:
        from trl import KTOConfig

        batch = 2 * dpo.batch
        return KTOConfig(**{**common, "per_device_train_batch_size": batch}, precompute_ref_batch_size=batch)

    def trainer(self, dpo: DpoConfig, policy: PreTrainedConfig) -> type[Trainer]:
        from trl import KTOTrainer

        kind: type[Trainer] = KTOTrainer
        return kind

    def rows(self, rows: Sequence[Row]) -> list[TrlRow]:
        return singles(rows)

    def ordered(self, rows: Sequence[TrlRow], dpo: DpoConfig) -> list[TrlRow]:
        return arranged(rows, 2 * dpo.batch)

    def batched(self, rows: Sequence[TrlRow], dpo: DpoConfig) -> list[TrlRow]:
        return self.ordered(_no_row_alone(rows, 2 * dpo.batch), dpo)

    def unwanted(self, rows: Sequence[TrlRow]) -> int:
        return sum(not row[LABEL] for row in rows)

    def weigh_sides(self, arguments: TrainingArguments, rows: Dataset) -> None:
        arguments.desirable_weight, arguments.undesirable_weight = balance(rows)


def arranged(rows: Sequence[Row], batch: int) -> list[TrlRow]:
    """Rows with a ``label`` in the order that KTO wants; see this module's docstring.

    Both kinds are spread evenly, the unwanted answers of pairs far from the wanted ones. What still clashes changes
    places with another row, with one of its own kind where that helps.
    """
    wanted, unwanted = ([dict(row) for row in rows if bool(row[LABEL]) == side] for side in (True, False))
    half = len(unwanted) // 2
    unwanted = unwanted[half:] + unwanted[:half]
    spread = [((at + 0.5) / len(side), row) for side in (wanted, unwanted) for at, row in enumerate(side)]
    found = [row for _, row in sorted(spread, key=lambda placed: placed[0])]
    prompts = [json.dumps(row["prompt"], sort_keys=True) for row in found]
    labels = [bool(row[LABEL]) for row in found]
    return [found[at] for at in _apart(prompts, labels, batch)]


def _apart(prompts: Sequence[str], labels: Sequence[bool], batch: int) -> list[int]:
    """An order of these rows in which no swap of two would leave fewer neighbours with one prompt."""
    order = list(range(len(prompts)))

    def clashes(at: int) -> bool:
        """Whether the row at this place has the prompt of the one before it; a batch's first follows its last."""
        first = at - at % batch
        before = at - 1 if at > first else min(first + batch, len(order)) - 1
        return before != at and prompts[order[at]] == prompts[order[before]]

    def around(*places: int) -> int:
        """How many rows clash at these places and behind them."""
        behind = [at + 1 if (at + 1) % batch and at + 1 < len(order) else at - at % batch for at in places]
        return sum(map(clashes, {*places, *behind}))

    def mend(one: int) -> bool:
        for other in sorted(range(len(order)), key=lambda at: (labels[order[at]] != labels[order[one]], abs(at - one))):
            had = around(one, other)
            order[one], order[other] = order[other], order[one]
            if around(one, other) < had:
                return True
            order[one], order[other] = order[other], order[one]
        return False

    while any(clashes(one) and mend(one) for one in range(len(order))):
        pass
    return order


def singles(rows: Sequence[Row]) -> list[TrlRow]:
    """Every answer by itself: both of a pair, and the judged ones."""
    found: list[TrlRow] = []
    for row in rows:
        if LABEL in row:
            found.append(dict(row))
        else:
            found += [one_side(row, side) | {LABEL: side == "chosen"} for side in ("chosen", "rejected")]
    return found


def _no_row_alone(rows: Sequence[TrlRow], batch: int) -> list[TrlRow]:
    """A last batch of one row would take its own answer for another's: that row comes twice, at half its weight."""
    if len(rows) % batch != 1:
        return list(rows)
    halved = rows[-1] | {WEIGHT: float(str(rows[-1][WEIGHT])) / 2}
    return [*rows[:-1], halved, dict(halved)]


def balance(data: Dataset) -> tuple[float, float]:
    """KTO's weights of wanted and of unwanted answers, from what the rows weigh together.

    The wanted ones shall count as much as the unwanted ones, or up to a third more (arXiv 2402.01306, as TRL's
    ``KTOConfig`` asks for): the weight of the kind that falls short is raised to the nearer end of that range.

    >>> from datasets import Dataset
    >>> balance(Dataset.from_dict({"label": [True] * 4 + [False], "weight": [1.0] * 5}))
    (1.0, 3.0)
    """
    sums = {True: 0.0, False: 0.0}
    for label, weight in zip(data[LABEL], data[WEIGHT], strict=True):
        sums[label] += weight
    ratio = sums[True] / sums[False]
    return max(1.0, 1 / ratio), max(1.0, ratio / MOST_WANTED)
