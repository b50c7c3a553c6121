"""TRL's rows of pairs and judged answers, and what of them fits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhi.contracts import Message, PreferencePair, to_record
from rlhi.learn.pairs import lessons
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.training.trl.truncated import CUT
from rlhi.learn.training.trl.weights import WEIGHT
from rlhi.models.prompts import as_taken, fit_context, plain

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The chat template's own tokens around an answer.
MARGIN_TOKENS = 8
LABEL = "label"
"""The column that tells a wanted answer from an unwanted one; a row without it is a pair."""

Row = Mapping[str, object]
TrlRow = dict[str, object]


def trl_row(row: lessons.Row) -> dict[str, object]:
    """TRL's conversational row: ``prompt``, and ``chosen`` and ``rejected`` or ``completion``, as lists of messages.

    And ``cut``, which of these answers had not ended.
    """
    prompt = [to_record(message) for message in row.prompt]
    if isinstance(row, PreferencePair):
        answers = {"chosen": _answer(row.chosen), "rejected": _answer(row.rejected)}
        return {"prompt": prompt, **answers, CUT: list(row.cut)}
    return {"prompt": prompt, "completion": _answer(row.response), LABEL: row.wanted, CUT: []}


def policy_row(row: lessons.Row) -> dict[str, object]:
    """The same as the training of a policy reads it, with whose it is and what it weighs."""
    return trl_row(row) | {"user_id": row.user_id, WEIGHT: lessons.weight(row)}


def reward_row(one: Comparison) -> dict[str, object]:
    """A comparison as the training of a reward model reads it."""
    return {"better": to_record(one.better), "worse": to_record(one.worse), WEIGHT: one.weight}


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


def one_side(row: Row, side: str) -> TrlRow:
    """A pair's row with one of its answers alone, as ``completion``."""
    rest = {name: value for name, value in row.items() if name not in ("chosen", "rejected")}
    cut = row.get(CUT, ())
    return rest | {"completion": row[side], CUT: ["completion"] if isinstance(cut, list) and side in cut else []}


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows that the launcher wrote, one a line.

    Lines end where the file's do: ``str.splitlines()`` also cuts where users' text has U+2028 and its like.
    """
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def plain_row(row: Row, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """TRL's row with every text :func:`rlhi.models.prompts.plain`: no user's words are control tokens."""
    found: dict[str, Any] = dict(row)
    for side in ("prompt", *_sides(row)):
        found[side] = [{**message, "content": plain(message["content"], tokenizer)} for message in found[side]]
    return found


def fitted(row: Row, tokenizer: PreTrainedTokenizerBase, max_length: int) -> tuple[Message, ...] | None:
    """The prompt of a plain row, without its oldest exchanges where these do not fit beside the longer answer, and as
    the chat template takes it.

    Answers are never cut, for a truncated one would teach its truncation: None where request and answer alone are too
    long.
    """

    def size(messages: Sequence[Message]) -> int:
        rows = [to_record(one) for one in as_taken(messages, tokenizer)]
        return len(tokenizer.apply_chat_template(rows)["input_ids"])

    answer = max(len(tokenizer.encode(text_of(row, side))) for side in _sides(row)) + MARGIN_TOKENS
    prompt: Any = row["prompt"]
    found = fit_context([Message(**one) for one in prompt], max_length - answer, size)
    return None if found is None else as_taken(found, tokenizer)


def _sides(row: Row) -> tuple[str, ...]:
    return ("completion",) if "completion" in row else ("chosen", "rejected")


def text_of(row: Row, side: str) -> str:
    """The text of one of a row's answers."""
    content: str = row[side][0]["content"]  # type: ignore[index]
    return content
