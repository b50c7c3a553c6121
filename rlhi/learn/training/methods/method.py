"""What a way to learn has to say: ``dpo.method`` in params.yaml names a module of this folder and its class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from rlhi.config import DpoConfig
from rlhi.learn.training.rows import LABEL, Row, TrlRow

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedConfig, Trainer, TrainingArguments


class TrainingMethod(ABC):
    """One of TRL's trainers with its rows. Launcher, guards, resume and what is saved are the same for all.

    ``told`` stands in the model card. ``reference``: the champion holds what trains. ``singly``: answers are learned
    from one by one, those that users judged singly among them.
    """

    told: ClassVar[str]
    reference: ClassVar[bool] = True
    singly: ClassVar[bool] = False

    @abstractmethod
    def arguments(self, dpo: DpoConfig, common: Mapping[str, object]) -> TrainingArguments:
        """The trainer's configuration; ``common`` is what all are told, with beta where there is a reference."""

    @abstractmethod
    def trainer(self, dpo: DpoConfig, policy: PreTrainedConfig) -> type[Trainer]:
        """The trainer's class.

        What cuts, weighs and remembers is mixed in for all (:mod:`rlhi.learn.training.trainer`). It works through TRL's
        ``_prepare_dataset`` and the model's ``log_probs``: a trainer without these needs ways of its own.
        """

    @abstractmethod
    def rows(self, rows: Sequence[Row]) -> list[TrlRow]:
        """TRL's rows from rows with ``prompt`` and either ``chosen`` and ``rejected``, or ``completion`` and ``label``.

        Other columns are carried along.
        """

    def ordered(self, rows: Sequence[TrlRow], dpo: DpoConfig) -> list[TrlRow]:
        """The same rows in the order that the trainer wants."""
        return list(rows)

    def batched(self, rows: Sequence[TrlRow], dpo: DpoConfig) -> list[TrlRow]:
        """The same, as a training reads them: with what fills its last batch where one of that size teaches wrong."""
        return self.ordered(rows, dpo)

    def unwanted(self, rows: Sequence[TrlRow]) -> int:
        """How many answers these rows teach not to give."""
        return 0

    def weigh_sides(self, arguments: TrainingArguments, rows: Dataset) -> None:
        """Tell the trainer how much wanted and unwanted answers count; nothing where it does not ask."""
        return


def pairs_of(rows: Sequence[Row]) -> list[Row]:
    """The rows that are pairs."""
    return [row for row in rows if LABEL not in row]
