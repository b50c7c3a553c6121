"""UserEval (arXiv 2509.25137): which model's reply language models prefer, by three criteria."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rlhi.contracts import EvalResult
from rlhi.contracts.judges import Criterion, JudgeVerdict
from rlhi.evaluate.measure import Measure


def usereval(*, verdicts: Sequence[JudgeVerdict]) -> list[EvalResult]:
    """All in all: the share of judges that prefer the challenger's reply, ties counting half."""
    return _rows("usereval", "overall", verdicts)


def usereval_personalisation(*, verdicts: Sequence[JudgeVerdict]) -> list[EvalResult]:
    """The same by how well a reply fits its user."""
    return _rows("usereval_personalisation", "personalisation", verdicts)


def usereval_instructions(*, verdicts: Sequence[JudgeVerdict]) -> list[EvalResult]:
    """The same by whether a reply does what was asked."""
    return _rows("usereval_instructions", "instructions", verdicts)


def _rows(suite: str, criterion: Criterion, verdicts: Sequence[JudgeVerdict]) -> list[EvalResult]:
    """The champion's value is 1 less the challenger's; judges who said nothing of a request have no part in it."""
    said: dict[tuple[str, str], list[float]] = {}
    for one in verdicts:
        if one.criterion == criterion:
            said.setdefault((one.item, one.user_id), []).append(one.value)
    rows = []
    for (item, user), values in sorted(said.items()):
        mean = math.fsum(values) / len(values)
        rows += [
            EvalResult(suite, item, user, "champion", 1 - mean),
            EvalResult(suite, item, user, "challenger", mean),
        ]
    return rows


MEASURES = (Measure(usereval), Measure(usereval_personalisation), Measure(usereval_instructions))
