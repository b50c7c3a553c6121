"""How a suite is measured: what it asks of its own, what it needs, and the function that makes its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature

from rlhi.contracts import EvalResult
from rlhi.evaluate.said import Prompt, Question, Said


@dataclass(frozen=True, slots=True)
class Measure:
    """One suite's.

    Attributes:
        rows: a function of the suite's name that gives its rows. It takes by keyword, under their names in
            :class:`Said`, what it needs; what it can do without has None as default. Of ``prompted`` and ``likely`` it
            is given its own suite's.
        prompts: what both models are asked for this suite alone, to be answered in words.
        questions: the same, with answers of which both models tell how likely each is.
    """

    rows: Callable[..., Iterable[EvalResult]]
    prompts: Callable[[], Sequence[Prompt]] = tuple
    questions: Callable[[], Sequence[Question]] = tuple

    @property
    def name(self) -> str:
        """The suite's."""
        return self.rows.__name__

    @property
    def needs(self) -> tuple[str, ...]:
        """What has to be there for it to be measured."""
        return tuple(name for name, one in signature(self.rows).parameters.items() if one.default is Parameter.empty)

    def of(self, said: Said) -> list[EvalResult]:
        """Its rows; none where something that it needs is not there.

        Raises:
            ValueError: a row is another suite's.
        """
        own = {"prompted": said.prompted.get(self.name), "likely": said.likely.get(self.name)}
        given = {name: own[name] if name in own else getattr(said, name) for name in signature(self.rows).parameters}
        if any(given[name] is None for name in self.needs):
            return []
        rows = list(self.rows(**given))
        if strange := {row.suite for row in rows} - {self.name}:
            raise ValueError(f"the suite {self.name} gave a row of {min(strange)}")
        return rows
