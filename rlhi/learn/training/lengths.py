"""Which rows are short enough to be learned from, told before they are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.learn.pairs.lessons import Row
from rlhi.learn.training.rows import fitted, plain_row, trl_row
from rlhi.models.prompts import tokenizer_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Lengths:
    """Asks each row once whether it fits; the model's tokenizer is read when the first is asked."""

    def __init__(self, base: Path, max_length: int) -> None:
        self._base, self._max_length = base, max_length
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._asked: dict[str, tuple[Row, bool]] = {}

    def fits(self, row: Row) -> bool:
        """Whether the row's request and answers fit ``max_length`` tokens: :func:`rlhi.learn.training.rows.fitted`."""
        if row.key not in self._asked:
            if self._tokenizer is None:
                self._tokenizer = tokenizer_of(self._base)
            plain = plain_row(trl_row(row), self._tokenizer)
            self._asked[row.key] = row, fitted(plain, self._tokenizer, self._max_length) is not None
        return self._asked[row.key][1]

    @property
    def too_long(self) -> list[Row]:
        """The rows asked so far that do not fit."""
        return [row for row, fits in self._asked.values() if not fits]
