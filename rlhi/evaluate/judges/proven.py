"""Which judges' word is evidence: those who are shown to judge as people do, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rlhi.config import GateConfig
from rlhi.contracts import Interval
from rlhi.contracts.judges import JudgeRecord


def proven(judges: Sequence[JudgeRecord], config: GateConfig) -> frozenset[str]:
    """The names of the judges whose word counts."""
    return frozenset(one.name for one in judges if one.is_proven(config.judges.min_accuracy))


def proofs(judges: Sequence[JudgeRecord], config: GateConfig, told: Sequence[str]) -> Iterator[str]:
    """A reason for each judge, and one where none is proven, so that the suites ``told`` by them do not count."""
    counted, least = proven(judges, config), f"{config.judges.min_accuracy:.0%}"
    for one in judges:
        said = f"The judge {one.name} finds {_share(one.accuracy)} of held-out users' choices right"
        if not one.accuracy.clusters:
            said = f"No choice of a held-out user tells how well {one.name} judges"
        yield f"{said}, above {least}." if one.name in counted else f"{said}: not shown to be above {least}."
    if not counted:
        yield f"No judge is proven, so {' and '.join(told)} {'do' if len(told) > 1 else 'does'} not count."


def _share(one: Interval) -> str:
    return f"{one.mean:.1%} (interval {100 * one.low:.1f} to {100 * one.high:.1f}, n = {one.clusters})"
