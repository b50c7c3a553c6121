"""What a method's trainer reads: TRL's rows of pairs and judged answers, each with its weight, in an order that fits.

KTO's trainer takes rows in their order and estimates how far the policy has moved from answers put to other prompts:
in each batch, every prompt with the answer of the row before it, the first with the last one's. So no two answers to
one prompt may be neighbours there, no batch may have one row only, and wanted and unwanted answers should alternate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhi.config import DpoConfig, Method
from rlhi.contracts import Message, PreferencePair, to_record
from rlhi.learn.pairs import lessons
from rlhi.learn.training.guards import check_answers, check_judged, check_left_out
from rlhi.learn.training.run import Resolved
from rlhi.learn.training.trl.truncated import CUT
from rlhi.learn.training.trl.weights import WEIGHT, user_weights
from rlhi.models.prompts import fit_context, plain

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

# How much more the wanted answers may count than the unwanted ones.
MOST_WANTED = 4 / 3
# The chat template's own tokens around an answer.
MARGIN_TOKENS = 8
LABEL = "label"
"""The column that tells a wanted answer from an unwanted one; a row without it is a pair."""

Row = Mapping[str, object]
TrlRow = dict[str, object]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a run learns from: rows of each kind, answers of each side, and the places of the rows left out."""

    pairs: int
    judged: int
    wanted: int
    unwanted: int
    too_long: tuple[int, ...]


def trl_row(row: lessons.Row) -> dict[str, object]:
    """TRL's conversational row: ``prompt``, and ``chosen`` and ``rejected`` or ``completion``, as lists of messages.

    And ``cut``, which of these answers had not ended.
    """
    prompt = [to_record(message) for message in row.prompt]
    if isinstance(row, PreferencePair):
        answers = {"chosen": _answer(row.chosen), "rejected": _answer(row.rejected)}
        return {"prompt": prompt, **answers, CUT: list(row.cut)}
    return {"prompt": prompt, "completion": _answer(row.response), LABEL: row.wanted, CUT: []}


def _answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def provenance(row: lessons.Row) -> dict[str, object]:
    """Where a row comes from; beside TRL's columns, which its trainers leave alone. A judged answer has no rewards."""
    rewards = (row.reward_chosen, row.reward_rejected) if isinstance(row, PreferencePair) else (None, None)
    return {
        "key": row.key, "user_id": row.user_id, "conversation_id": row.conversation_id, "turn_index": row.turn_index,
        "source": row.source, "persona_version": row.persona_version,
        "reward_chosen": rewards[0], "reward_rejected": rewards[1],
    }  # fmt: skip


def answers_in_batch(dpo: DpoConfig) -> int:
    """Rows of a KTO batch: a pair is two of them, so it holds as many sequences as DPO's."""
    return 2 * dpo.batch


def rows_for(method: Method, rows: Sequence[Row], batch: int) -> list[TrlRow]:
    """TRL's rows for a method from rows with ``prompt`` and either ``chosen`` and ``rejected``, or ``completion`` and
    ``label``; other columns are carried along. Only KTO takes the second kind; its order fits batches of ``batch``.
    """
    if method == "kto":
        return arranged(_singles(rows), batch)
    pairs = [row for row in rows if LABEL not in row]
    return [dict(row) for row in pairs] if method == "dpo" else [_side(row, "chosen") for row in pairs]


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


def _singles(rows: Sequence[Row]) -> list[TrlRow]:
    """Every answer by itself: both of a pair, and the judged ones."""
    found: list[TrlRow] = []
    for row in rows:
        if LABEL in row:
            found.append(dict(row))
        else:
            found += [_side(row, side) | {LABEL: side == "chosen"} for side in ("chosen", "rejected")]
    return found


def _side(row: Row, side: str) -> TrlRow:
    rest = {name: value for name, value in row.items() if name not in ("chosen", "rejected")}
    cut = row.get(CUT, ())
    return rest | {"completion": row[side], CUT: ["completion"] if isinstance(cut, list) and side in cut else []}


def read_rows(file: str) -> list[dict[str, Any]]:
    """The rows that the launcher wrote, one a line.

    Lines end where the file's do: ``str.splitlines()`` also cuts where users' text has U+2028 and its like.
    """
    with Path(file).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def dataset(run: Resolved, tokenizer: PreTrainedTokenizerBase) -> tuple[Dataset, Contents]:
    """The rows cut to ``max_length`` as :func:`fitted` does; those that do not fit are left out.

    Raises:
        TrainingError: the rows teach nothing, or do not fit.
    """
    from datasets import Dataset

    rows = [plain_row(row, tokenizer) for row in read_rows(run.pairs)]
    pairs = [row for row in rows if LABEL not in row]
    if pairs or not rows:
        check_answers([(_text(row, "chosen"), _text(row, "rejected")) for row in pairs], run.dpo.limits)

    kept: list[TrlRow] = []
    too_long = []
    for at, row in enumerate(rows):
        prompt = fitted(row, tokenizer, run.dpo.max_length)
        if prompt is None:
            too_long.append(at)
        else:
            kept.append({"user_id": str(at), **row, "prompt": [to_record(one) for one in prompt]})
    what = "pairs" if len(pairs) == len(rows) else "pairs and judged answers"
    check_left_out(len(too_long), len(rows), run.dpo.max_length, run.dpo.limits, what)
    judged = sum(LABEL in row for row in kept)
    found = _weighed(kept, run.dpo)
    wanted = sum(bool(row.get(LABEL, True)) for row in found)
    unwanted = len(found) - wanted if run.dpo.method != "dpo" else len(found)
    if judged:
        liked, disliked = ([_text(row, "completion") for row in found if row[LABEL] == side] for side in (True, False))
        check_judged(liked, disliked, run.dpo.limits)
    if run.dpo.method == "kto":
        found = arranged(_no_row_alone(found, answers_in_batch(run.dpo)), answers_in_batch(run.dpo))
    return Dataset.from_list(found), Contents(len(kept) - judged, judged, wanted, unwanted, tuple(too_long))


def plain_row(row: Row, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """TRL's row with every text :func:`rlhi.models.prompts.plain`: no user's words are control tokens."""
    found: dict[str, Any] = dict(row)
    for side in ("prompt", *_sides(row)):
        found[side] = [{**message, "content": plain(message["content"], tokenizer)} for message in found[side]]
    return found


def fitted(row: Row, tokenizer: PreTrainedTokenizerBase, max_length: int) -> tuple[Message, ...] | None:
    """The prompt of a plain row, without its oldest exchanges where these do not fit beside the longer answer.

    Answers are never cut, for a truncated one would teach its truncation: None where request and answer alone are too
    long.
    """

    def size(messages: Sequence[Message]) -> int:
        return len(tokenizer.apply_chat_template([to_record(one) for one in messages])["input_ids"])

    answer = max(len(tokenizer.encode(_text(row, side))) for side in _sides(row)) + MARGIN_TOKENS
    prompt: Any = row["prompt"]
    return fit_context([Message(**one) for one in prompt], max_length - answer, size)


def _sides(row: Row) -> tuple[str, ...]:
    return ("completion",) if "completion" in row else ("chosen", "rejected")


def _weighed(rows: Sequence[Row], dpo: DpoConfig) -> list[TrlRow]:
    """TRL's rows, each with its own weight and its user's share of ``dpo.user_cap`` pairs."""
    single = dpo.method == "kto"
    found = _singles(rows) if single else rows_for(dpo.method, rows, 0)
    cap = dpo.user_cap * (2 if single else 1)
    own = [float(str(row.get(WEIGHT, 1.0))) for row in found]
    weights = user_weights([str(row["user_id"]) for row in found], cap, own)
    return [row | {WEIGHT: weight} for row, weight in zip(found, weights, strict=True)]


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


def _text(row: Row, side: str) -> str:
    content: str = row[side][0]["content"]  # type: ignore[index]
    return content
