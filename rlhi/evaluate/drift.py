"""Drift: whether this cycle's users still talk as the former cycles' did (Evidently, on numbers, never on text).

The decision rests on the named test of each column, not on Evidently's overall verdict, which says SUCCESS with a
third of the columns drifted. Its per-column tests switch from p-values to distances at 1,000 rows, so that neither
a small nor a large sample is called drifted for its size alone (evidentlyai/evidently #50).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

from rlhi.config import DriftConfig
from rlhi.contracts import REATTEMPTS, Conversation, DriftReport, FeedbackTurn

if TYPE_CHECKING:
    import pandas as pd
    from evidently.core.report import Snapshot

_CODE = re.compile(r"```|^[ \t]*(def |class |import |#include|SELECT |function )|[;{}]\s*$", re.MULTILINE)
_TAG = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8}){0,3}")
_DATA = re.compile(r"(?<=<script>\n)    var .*?;(?=\n</script>)", re.DOTALL)
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class DriftRow:
    """The user's side of one conversation in numbers; shares are of the user's turns or of the labelled follow-ups."""

    turns: float
    request_words: float
    mean_words: float
    question_share: float
    non_ascii_share: float
    reattempt_share: float
    positive_share: float
    language: str
    code: str


NUMERICAL = tuple(field.name for field in fields(DriftRow) if field.type == "float")
CATEGORICAL = tuple(field.name for field in fields(DriftRow) if field.type == "str")


@dataclass(frozen=True, slots=True)
class DriftFiles:
    """Evidently's own report: a self-contained page of about 4 MB, and its JSON. Equal inputs give equal bytes."""

    html: str
    json: str


def drift_row(conversation: Conversation, labels: Sequence[FeedbackTurn]) -> DriftRow:
    """One conversation as a row. ``labels`` may be those of many conversations; the others' are passed over."""
    texts = [turn.content for turn in conversation.turns if turn.role == "user" and turn.has_text]
    words = [len(text.split()) for text in texts]
    joined = "\n".join(texts)
    own = [label.label for label in labels if label.conversation_id == conversation.conversation_id]
    return DriftRow(
        turns=float(len(texts)),
        request_words=float(words[0]) if words else 0.0,
        mean_words=_share(sum(words), len(texts)),
        question_share=_share(sum("?" in text or "？" in text for text in texts), len(texts)),
        non_ascii_share=_share(sum(ord(character) > 127 for character in joined), len(joined)),
        reattempt_share=_share(sum(label in REATTEMPTS for label in own), len(own)),
        positive_share=_share(own.count("positive_feedback"), len(own)),
        language=_language(conversation.language),
        code="yes" if _CODE.search(joined) else "no",
    )


def drift(
    current: Sequence[DriftRow], reference: Sequence[DriftRow], config: DriftConfig
) -> tuple[DriftReport, DriftFiles | None]:
    """Compare this cycle's conversations with the former cycles'.

    ``drifted`` when more than ``config.max_share`` of the columns fail their test. Columns with one value throughout
    cannot drift: they count as passed. With fewer than ``config.min_rows`` rows on either side nothing can be said:
    ``no_reference``, and no files.
    """
    columns = (*NUMERICAL, *CATEGORICAL)
    if min(len(current), len(reference)) < config.min_rows:
        return DriftReport("no_reference", 0.0, (), (), len(current), len(reference)), None
    now, then = _frame(current), _frame(reference)
    varying = [name for name in columns if len(set(now[name]) | set(then[name])) > 1]
    if not varying:
        return DriftReport("stable", 0.0, columns, (), len(current), len(reference)), None
    snapshot = _run(now[varying], then[varying])
    failed = _failed(snapshot, varying)
    share = len(failed) / len(columns)
    report = DriftReport(
        "drifted" if share > config.max_share else "stable", share, columns, failed, len(current), len(reference)
    )
    return report, DriftFiles(html=_html(snapshot), json=snapshot.json())


def _language(told: str | None) -> str:
    """A language's code, else ``other``: a log may call its language anything, and the page shows it."""
    code = (told or "unknown").strip().lower()
    return code if code == "unknown" or _TAG.fullmatch(code) else "other"


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0


def _frame(rows: Sequence[DriftRow]) -> pd.DataFrame:
    """The rows sorted, so that their order in the store changes no byte of the report."""
    import pandas as pd

    return pd.DataFrame(sorted(map(astuple, rows)), columns=[field.name for field in fields(DriftRow)])


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


def _failed(snapshot: Snapshot, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns whose own drift test failed, in their order.

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
    return tuple(name for name in columns if status[name] != "SUCCESS")


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
