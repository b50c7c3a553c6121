"""How well personal data is found: precision and recall on this project's labelled texts, and the speed.

The texts (``rlhi/collect/pii/pii_cases.jsonl``) were written for this: numbers that authorities reserve for fiction,
card numbers and IBANs that are published as examples, made-up domains and keys, and for each kind what only looks like
it. The rules were tuned on the first half of the rows; the second half was written at the same time and only
measured. It is no sample of real conversations: a half of its rows hold a finding, so that real precision differs.

A finding counts when kind, start and end are those of the label. Beside ours stand Presidio's recognisers by pattern,
where `presidio-analyzer` is installed; they know no keys, so the ratio is over the other kinds.

    rlhi bench pii [--json]
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.resources import files

from rlhi.collect.pii.redact import KINDS, Finding, find, redact

SECONDS = 1.0  # how long the speed is measured, at least
PRESIDIO = {
    "EmailRecognizer": "email", "PhoneRecognizer": "phone", "CreditCardRecognizer": "card", "IbanRecognizer": "iban",
    "IpRecognizer": "ip",
}  # fmt: skip
TABLES = {
    "tuned_on": "first half (tuned on)", "held_out": "second half (only measured)", "presidio": "Presidio, second half",
}  # fmt: skip
Finder = Callable[[str], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Case:
    """A text with all findings in it; most of those without any hold something that looks like one."""

    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of one kind: findings that are right, all that were made, all that are labelled."""

    right: int
    found: int
    labelled: int

    @property
    def precision(self) -> float:
        """The share of the findings that is right; 1 for none."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of the labels that is found; 1 for none."""
        return self.right / self.labelled if self.labelled else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        return 2 * self.right / max(1, self.found + self.labelled)

    def __str__(self) -> str:
        shares = f"precision {self.precision:.2f} recall {self.recall:.2f}"
        return f"{shares}  ({self.right} right of {self.found} found, {self.labelled} labelled)"


@dataclass(frozen=True, slots=True)
class PiiBench:
    """The benchmark's result. ``ours`` is F1 over all kinds on the second half, ``runs`` on both halves.

    ``baseline`` and ``ratio`` are Presidio's on its own kinds, None where it is not installed.
    """

    name: str
    unit: str
    ours: float
    baseline: float | None
    ratio: float | None
    runs: tuple[float, ...]
    tuned_on: dict[str, Quality]
    held_out: dict[str, Quality]
    presidio: dict[str, Quality]
    rows_per_second: float
    presidio_rows_per_second: float | None


def cases() -> list[Case]:
    """The labelled texts, as they stand in the file: the first half may be tuned on.

    A letter of each key is escaped in the file, so that scanners for leaked keys leave it alone.
    """
    lines = (files("rlhi.collect.pii") / "pii_cases.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return [Case(row["text"], tuple((kind, start, end) for kind, start, end in row["spans"])) for row in rows]


def halves() -> tuple[list[Case], list[Case]]:
    """The rows to tune on and the rows to measure on."""
    rows = cases()
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def quality(rows: Sequence[Case], finder: Finder = find) -> dict[str, Quality]:
    """Counts by kind over these rows, and over all kinds (``all``)."""
    right, found, labelled = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        given, truth = set(finder(row.text)), set(row.findings)
        for counts, findings in ((right, given & truth), (found, given), (labelled, truth)):
            counts.update(kind for kind, _, _ in findings)
            counts["all"] += len(findings)
    kinds = [kind for kind in (*KINDS, "all") if found[kind] or labelled[kind]]
    return {kind: Quality(right[kind], found[kind], labelled[kind]) for kind in kinds}


def measure() -> PiiBench:
    """Both halves, the speed, and Presidio beside them where it is installed."""
    first, second = halves()
    tuned, held = quality(first), quality(second)
    other = _presidio()
    theirs, ratio, their_speed = {}, None, None
    if other is not None:
        theirs = quality([_only(row) for row in second], other)
        ours_there = quality([_only(row) for row in second], lambda text: filter(_known, find(text)))
        ratio = ours_there["all"].f1 / max(theirs["all"].f1, 1e-9)
        their_speed = _speed(second, other)
    baseline = theirs["all"].f1 if theirs else None
    return PiiBench(
        "pii", "F1, second half", held["all"].f1, baseline, ratio, (tuned["all"].f1, held["all"].f1),
        tuned, held, theirs, _speed([*first, *second], redact), their_speed,
    )  # fmt: skip


def _known(finding: Finding) -> bool:
    return finding[0] in PRESIDIO.values()


def _only(row: Case) -> Case:
    return Case(row.text, tuple(filter(_known, row.findings)))


def _speed(rows: Sequence[Case], work: Callable[[str], object]) -> float:
    """Rows a second, one thread."""
    done, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < SECONDS or not done:
        for row in rows:
            work(row.text)
        done += len(rows)
    return done / passed


def _presidio() -> Finder | None:
    """Presidio's recognisers by pattern, without a language pipeline; None where it is not installed."""
    try:
        library = import_module("presidio_analyzer.predefined_recognizers")
    except ImportError:
        return None
    recognisers = [(kind, getattr(library, name)()) for name, kind in PRESIDIO.items()]

    def finder(text: str) -> list[Finding]:
        return [
            (kind, result.start, result.end)
            for kind, recogniser in recognisers
            for result in recogniser.analyze(text, recogniser.supported_entities, None)
        ]

    return finder


def _shares(table: dict[str, Quality]) -> dict[str, dict[str, float]]:
    return {kind: asdict(row) | {"precision": row.precision, "recall": row.recall} for kind, row in table.items()}


def run(as_json: bool = False) -> str:
    """Measure and render: JSON, or a text to read."""
    result = measure()
    if as_json:
        return json.dumps(asdict(result) | {name: _shares(getattr(result, name)) for name in TABLES}, indent=2)
    lines: list[str] = []
    for name, title in TABLES.items():
        table: dict[str, Quality] = getattr(result, name)
        lines += [title, *(f"  {kind:6} {row}" for kind, row in table.items())] if table else []
    speeds = f"{result.rows_per_second:.0f} rows/s"
    if result.ratio is not None:
        speeds += f", Presidio {result.presidio_rows_per_second:.0f}; F1 on its kinds: ratio {result.ratio:.2f}"
    return "\n".join([*lines, speeds])
