"""The picture: Evidently's report of the same users' rows, and what its own tests say beside ours.

It decides nothing: its verdict said SUCCESS with a third of the columns drifted, and its tests switch from p-values to
distances at 1,000 rows (evidentlyai/evidently #50).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

from rlhi.contracts import DriftReport
from rlhi.evaluate.drift.rows import CATEGORICAL, COLUMNS, NUMERICAL, DriftRow, by_user, sort_key

if TYPE_CHECKING:
    import pandas as pd
    from evidently.core.report import Snapshot

_DATA = re.compile(r"(?<=<script>\n)    var .*?;(?=\n</script>)", re.DOTALL)
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class DriftFiles:
    """Evidently's own report: a self-contained page of about 4 MB, and its JSON. Equal inputs give equal bytes.

    ``failed`` says of each column that it was given whether its own test calls it drifted.
    """

    html: str
    json: str
    failed: Mapping[str, bool]


def picture(
    current: Sequence[tuple[str, DriftRow]], reference: Sequence[tuple[str, DriftRow]], columns: Sequence[str]
) -> DriftFiles | None:
    """Evidently's report on these columns, by user; None without any."""
    if not columns:
        return None
    now, then = (_frame(list(by_user(side).values()))[list(columns)] for side in (current, reference))
    snapshot = _run(now, then)
    return DriftFiles(html=_html(snapshot), json=snapshot.json(), failed=_failed(snapshot, columns))


def with_evidently(report: DriftReport, files: DriftFiles | None) -> DriftReport:
    """The report with what Evidently's tests say of its columns."""
    said = files.failed if files else {}
    return replace(report, found=tuple(replace(one, evidently=said.get(one.name)) for one in report.found))


def _frame(rows: Sequence[DriftRow]) -> pd.DataFrame:
    """The rows sorted, so that their order in the store changes no byte of the report."""
    import pandas as pd

    made = pd.DataFrame([astuple(row) for row in sorted(rows, key=sort_key)], columns=list(COLUMNS))
    return made.astype(dict.fromkeys(NUMERICAL, float)).fillna(dict.fromkeys(CATEGORICAL, "none"))


def _run(current: pd.DataFrame, reference: pd.DataFrame) -> Snapshot:
    with warnings.catch_warnings():
        # A column that is constant on one side divides by a zero deviation in a correlation nobody reads.
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(
            numerical_columns=[name for name in current.columns if name in NUMERICAL],
            categorical_columns=[name for name in current.columns if name in CATEGORICAL],
        )
        return Report([DataDriftPreset()], include_tests=True).run(
            Dataset.from_pandas(current, data_definition=definition),
            Dataset.from_pandas(reference, data_definition=definition),
        )


def _failed(snapshot: Snapshot, columns: Sequence[str]) -> dict[str, bool]:
    """Whether each column's own drift test failed.

    Raises:
        RuntimeError: a column has no test: Evidently's output is not what this was written for.
    """
    status: dict[str, str] = {}
    for test in snapshot.dict()["tests"]:
        name = test["metric_config"]["params"].get("column")
        if name is not None:
            status[name] = test["status"].value
    missing = [name for name in columns if name not in status]
    if missing:
        raise RuntimeError(f"Evidently reported no drift test for {', '.join(missing)}")
    return {name: status[name] != "SUCCESS" for name in columns}


def _html(snapshot: Snapshot) -> str:
    """The page with its random ids replaced by running numbers, so that equal inputs give equal bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        page = _inert(snapshot.get_html_str(as_iframe=False))
    seen: dict[str, str] = {}
    return _ID.sub(lambda found: seen.setdefault(found[0], f"{len(seen) + 1:032x}"), page)


def _inert(page: str) -> str:
    """The page with the data in its first script escaped: Evidently writes it as plain JSON, where a value can end it.

    The data has no line break of its own, so a line that ends the script is Evidently's.

    Raises:
        RuntimeError: there is no such script: Evidently's page is not what this was written for.
    """
    data = _DATA.search(page)
    if data is None:
        raise RuntimeError("Evidently's page holds its data in another way")
    escaped = data[0].replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    return page[: data.start()] + escaped + page[data.end() :]
