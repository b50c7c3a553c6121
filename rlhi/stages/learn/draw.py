"""What the stage ``dpo`` learns from: rows that fit, drawn from those that its champion was not taught and a share of
those that it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi.config import DpoConfig
from rlhi.learn.pairs.lessons import Row, lesson, size, training_set
from rlhi.learn.training.guards import check_left_out
from rlhi.learn.training.lengths import Lengths
from rlhi.learn.training.run import weights_hash
from rlhi.stages.learn.log import lessons_of


@dataclass(frozen=True, slots=True)
class Champion:
    """Who is taught: its version, its folder, and what training.json says that it was taught before."""

    version: str
    folder: Path
    record: Mapping[str, object]

    @property
    def weights(self) -> str:
        """The hash of the weights that were measured, as a promoted challenger brings it; of the first, as they are."""
        return str(self.record.get("weights") or weights_hash(self.folder))


class Draw:
    """Draws from ``rows`` what this champion is taught.

    ``replay`` is the share of what is trained that the champion was taught before.

    What the champion's training left out for its length is not asked about again until ``dpo.max_length`` is raised, or
    the row is another: nights of such rows would come to outnumber what is new.
    """

    def __init__(self, rows: Sequence[Row], champion: Champion, dpo: DpoConfig, replay: float, seed: int) -> None:
        self._dpo, self._replay, self._seed = dpo, replay, seed
        limit = dpo.max_length
        self.learned, not_learned = lessons_of(champion.record), champion.record.get("not_learned")
        told = not_learned if isinstance(not_learned, dict) else {}
        keys = {row.key for row in rows}
        self._known = {str(key): int(most) for key, most in told.items() if key in keys and int(most) >= limit}
        self.made = [row for row in rows if row.key not in self._known]
        self._lengths = Lengths(champion.folder, limit)

    def rows(self, most: int) -> tuple[list[Row], list[Row]]:
        """New rows and replayed ones, together worth at most ``most`` pairs."""
        return training_set(self.made, self.learned, self._replay, most, self._seed, self._lengths.fits)

    def check(self, new: Sequence[Row]) -> None:
        """Refuse a draw that left out more than may be; ``new`` is what it found to fit.

        Raises:
            TrainingError: there would be enough that is new, and too much of it does not fit.
        """
        dpo, looked_at = self._dpo, [*new, *self.too_long]
        if size(looked_at) >= dpo.min_new_pairs:
            check_left_out(len(self.too_long), len(looked_at), dpo, "new pairs")

    @property
    def too_long(self) -> list[Row]:
        """New rows that were found not to fit. One that was learned before and fits no more is just not replayed."""
        return [row for row in self._lengths.too_long if lesson(row) not in self.learned]

    @property
    def left_out(self) -> int:
        """How many rows were left out for their length, now or before."""
        return len(self._known) + len(self.too_long)

    @property
    def not_learned(self) -> dict[str, int]:
        """The keys of rows left out for their length, and the ``dpo.max_length`` that they did not fit."""
        return self._known | {row.key: self._dpo.max_length for row in self.too_long}
