"""What the evidence page is made from: plain rows that a stage fills in, one :class:`CycleEvidence` a cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import cast

from rlhi.config import GateConfig
from rlhi.contracts import Account, GateDecision, Interval, Measurement, from_record, to_record
from rlhi.contracts.foreseen import Forecast, ForecastScore, Track
from rlhi.contracts.judges import JudgesReport

Counts = tuple[tuple[str, int], ...]
"""Names with their counts, in the order to show."""


@dataclass(frozen=True, slots=True)
class Example:
    """A preference pair to show. All of it may be users' words: it is escaped and cut."""

    persona: str
    prompt: str
    chosen: str
    rejected: str
    source: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What one measure says of the two replies; NaN where it could not tell."""

    name: str
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Both models' replies to one request of a held-out user, to read. All of it is escaped and cut."""

    persona: str
    request: str
    champion: str
    challenger: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Drifted:
    """A new user's message that carries a column's drift. It is escaped and cut."""

    column: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownTest:
    """A test of the workspace that the challenger ``fixed`` or has ``broken``: what was asked for, of which request,
    and both models' replies. It is escaped and cut."""

    what: str
    wish: str
    request: str
    champion: str
    challenger: str


@dataclass(frozen=True, slots=True)
class CycleTests:
    """Tests of the workspace: how many are ``kept``, of them those of held-out users, those ``asked`` in the cycle, how
    many of these each model holds, and how many the challenger fixed and broke."""

    kept: int
    held_out: int
    asked: int
    champion: int
    challenger: int
    fixed: int
    broken: int
    shown: tuple[ShownTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """The model that told ``preference``: the share of held-out users' comparisons that it ranks right.

    Beside it the share that the rule "the longer wins" gets right; ``independent`` of one that chose no pairs.
    """

    accuracy: Interval
    longer_wins: float
    independent: bool


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One logged step of the training run."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class CycleEvidence:
    """One pass of the loop. ``date`` is shown as it is; ``note`` says why nothing was trained, where nothing was.
    ``judged`` are answers that users judged singly, where the method learns from them; ``wanting`` is what was said of
    models that may not teach. ``drawn``, ``won`` and ``lost`` are some of ``compared`` pairs of replies: drawn by seed,
    and those whose figures rose and fell most. ``drifted`` are messages that carry what drifted;
    ``account`` is the error budget after the cycle, ``forecast`` what it foresaw, None in older records;
    ``scored`` is what came of a former forecast, ``track`` how all fared until then; ``judges`` are language models
    that compared replies, None where none did; ``tests`` is None where none was asked;
    ``people`` is what people say of its replies.

    ``reward_accuracy`` and ``longer_wins`` are shares of held-out comparisons (``reward_pairs`` of them) that the
    reward model, and the rule that the longer answer wins, get right. ``judge`` is None where no held-out user compared
    anything, ``decision`` when nothing was judged.
    """

    number: int
    date: str
    champion: str
    challenger: str | None
    new_conversations: int
    conversations: int
    users: int
    held_out_users: int
    feedback: Counts = ()
    pairs: Counts = ()
    judged: Counts = ()
    reward_accuracy: float | None = None
    longer_wins: float | None = None
    reward_pairs: int = 0
    judge: Judge | None = None
    loss: tuple[LossPoint, ...] = ()
    examples: tuple[Example, ...] = ()
    compared: int = 0
    drawn: tuple[Compared, ...] = ()
    won: tuple[Compared, ...] = ()
    lost: tuple[Compared, ...] = ()
    decision: GateDecision | None = None
    gate: GateConfig = field(default_factory=GateConfig)
    note: str = ""
    wanting: tuple[str, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    account: Account | None = None
    people: str = ""
    forecast: Forecast | None = None
    scored: ForecastScore | None = None
    track: Track | None = None
    judges: JudgesReport | None = None
    tests: CycleTests | None = None

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The gate's measurements of all users against the champion, none without a decision."""
        return self.decision.overall if self.decision else ()

    def measured(self, suite: str) -> Measurement | None:
        """The measurement of one suite, if it was made."""
        return next((measured for measured in self.measurements if measured.suite == suite), None)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All cycles of a workspace so far, oldest first; ``confidence`` is that of every interval."""

    title: str
    cycles: tuple[CycleEvidence, ...]
    confidence: float = 0.95


def write_evidence(cycle: CycleEvidence) -> dict[str, object]:
    """A cycle's evidence as JSON, without the gate's rules: these stand in params.yaml."""
    kept = [each.name for each in fields(cycle) if each.name != "gate"]
    return {name: _plain(getattr(cycle, name)) for name in kept}


def read_evidence(record: Mapping[str, object], gate: GateConfig) -> CycleEvidence:
    """The inverse of :func:`write_evidence`.

    Raises:
        ValueError, TypeError: the record is not one of ours.
    """
    given = dict(record)
    for name in ("feedback", "pairs", "judged"):
        given[name] = tuple((str(label), int(str(count))) for label, count in _rows(given.get(name, ())))
    kinds = {"loss": LossPoint, "examples": Example, "drifted": Drifted}
    kinds |= dict.fromkeys(("drawn", "won", "lost"), Compared)
    for name, kind in kinds.items():
        rows = _rows(given.get(name, ()))
        given[name] = tuple(from_record(kind, cast(Mapping[str, object], row)) for row in rows)
    given["wanting"] = tuple(map(str, _rows(given.get("wanting", ()))))
    for name, one in _KEPT.items():
        if given.get(name) is not None:
            given[name] = from_record(one, cast(Mapping[str, object], given[name]))
    return CycleEvidence(**given, gate=gate)  # type: ignore[arg-type]


_KEPT: Mapping[str, type] = {
    "decision": GateDecision, "account": Account, "judge": Judge, "judges": JudgesReport, "tests": CycleTests,
    "forecast": Forecast, "scored": ForecastScore, "track": Track,
}  # fmt: skip


def _rows(value: object) -> Sequence[Sequence[object]]:
    return cast(Sequence[Sequence[object]], value)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else to_record(value)
