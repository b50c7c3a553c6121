"""How every suite of :data:`rlhi.config.suites.SUITES` is measured: a module a family, which lists its ``MEASURES``.

A suite gives one :class:`EvalResult` for each item and model, with a value in 0 to 1, higher is better, so that suites
share a scale, bounds and plots. ``item`` and ``user_id`` pair a row with the other model's; the user is also the
cluster (:mod:`rlhi.evaluate.statistics`). Pure functions over what was said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules

from rlhi.config.suites import SUITES
from rlhi.contracts import EvalResult
from rlhi.contracts.judges import JudgeVerdict
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import Said


def _measures() -> dict[str, Measure]:
    """By suite, in the order of ``SUITES``; every module here lists some.

    Raises:
        LookupError: a suite is measured and not listed, or the contrary, or measured twice.
    """
    families = [import_module(f"{__name__}.{family.name}") for family in iter_modules(__path__)]
    measures: list[Measure] = [one for family in families for one in family.MEASURES]
    listed = [name for name, suite in SUITES.items() if not suite.by_people]
    if sorted(one.name for one in measures) != sorted(listed):
        strange = {one.name for one in measures} ^ set(listed) or "one that is measured twice"
        raise LookupError(f"rlhi/config/suites.py and rlhi/evaluate/suites should have the same suites, not {strange}")
    found = {one.name: one for one in measures}
    return {name: found[name] for name in listed}


MEASURES: Mapping[str, Measure] = _measures()


def results(said: Said, only: Collection[str] | None = None) -> list[EvalResult]:
    """The rows of every suite whose needs are there; of some suites alone, where they are named."""
    return [row for name, measure in MEASURES.items() if only is None or name in only for row in measure.of(said)]


def of_verdicts(verdicts: Sequence[JudgeVerdict]) -> list[EvalResult]:
    """The rows of the suites that judges' verdicts alone tell."""
    told = (measure for measure in MEASURES.values() if measure.needs == ("verdicts",))
    return [row for measure in told for row in measure.rows(verdicts=verdicts)]
