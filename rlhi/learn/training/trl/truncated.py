"""A text that had not ended teaches no end.

A sample that ran into ``sampling.max_new_tokens`` stops anywhere. The chat template puts the end of a turn behind every
answer, so a model that learned from such a text would learn to stop anywhere too. What TRL makes of such an answer
loses these last tokens again: its words count, and nobody learns when to be silent from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, Trainer

CUT = "cut"
"""The column that names a row's answers that had not ended: ``chosen``, ``rejected`` or ``completion``."""
KL = "KL_completion_ids"
"""KTO's second answer to a prompt: that of the row before."""
SFT = ("input_ids", "labels", "completion_mask")
"""Its columns, a value a token of prompt and answer."""

Row = dict[str, list[int]]


def ends(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that the chat template puts behind an answer, from its first control token on.

    None where its turns end in plain text: there nothing is taken off.
    """
    said = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Therefore"}]
    text: str = tokenizer.apply_chat_template(said, tokenize=False)
    behind: list[int] = tokenizer.encode(text.rpartition("Therefore")[2], add_special_tokens=False)
    control = {at for at, token in tokenizer.added_tokens_decoder.items() if token.special}
    first = next((place for place, token in enumerate(behind) if token in control), len(behind))
    return behind[first:]


def without_end(ids: Sequence[int], end: Sequence[int]) -> list[int]:
    """Tokens without ``end`` behind them; all of them where nothing else is there.

    >>> without_end([5, 6, 2, 9], [2, 9]), without_end([5, 6], [2, 9]), without_end([2, 9], [2, 9])
    ([5, 6], [5, 6], [2, 9])
    """
    found, behind = list(ids), list(end)
    return found[: -len(behind)] or found if found[-len(behind) :] == behind else found


class TruncatedRows:
    """Goes before TRL's DPO, SFT and KTO trainers: the answers that the column ``cut`` names lose their end."""

    def _prepare_dataset(
        self, dataset: Dataset, processing_class: PreTrainedTokenizerBase, *args: object, **kwargs: object
    ) -> Dataset:
        made = super()._prepare_dataset(dataset, processing_class, *args, **kwargs)  # type: ignore[misc]
        end = ends(processing_class)
        if not end or CUT not in made.column_names or not any(made[CUT]):
            return made
        # KTO's neighbours are told by their tokens: the column names a row's own answers.
        unended = {tuple(ids) for cut, ids in zip(made[CUT], _answers(made), strict=True) if cut}

        def shorter(row: Row) -> Row:
            found: Row = {}
            for column in (f"{side}_ids" for side in row[CUT]):
                if column in row:
                    found[column] = without_end(row[column], end)
                else:
                    size = len(without_end(row["input_ids"], end))
                    found |= {name: row[name][:size] for name in SFT if name in row}
            if KL in row and tuple(row[KL]) in unended:
                found[KL] = without_end(row[KL], end)
            return found

        return made.map(shorter)


def _answers(made: Dataset) -> list[list[int]]:
    return made["completion_ids"][:] if KL in made.column_names else [[]] * len(made)


def teaching_no_end(kind: type[Trainer]) -> type[Trainer]:
    """A trainer's class with :class:`TruncatedRows` before it, under its own name."""
    return type(kind.__name__, (TruncatedRows, kind), {})
