"""Every row that stages exchange: a frozen dataclass and, beside it, its pyarrow schema.

A row type is written once, as a dataclass; :func:`schema_of` derives the schema from its type hints,
and :func:`to_record` / :func:`from_record` go back and forth, so that a row read from parquet equals the
row that was written. ``key`` fields hold the hash of a row's inputs and of the configuration that made it:
a stage that finds the key on disk does not make the row again (docs/architecture.md, "Incremental").
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import pyarrow as pa

SCHEMA_VERSION = 1

Role = Literal["system", "user", "assistant"]
UserKind = Literal["real", "real_root_only", "conversation_only"]
FeedbackLabel = Literal[
    "reattempt_with_feedback",
    "reattempt_without_feedback",
    "positive_feedback",
    "continuation",
    "new_request",
    "other",
]
FEEDBACK_LABELS: tuple[FeedbackLabel, ...] = get_args(FeedbackLabel)
REATTEMPTS: tuple[FeedbackLabel, ...] = FEEDBACK_LABELS[:2]
PairSource = Literal["rewrite", "observed_revision", "reward", "explicit_choice"]
Verdict = Literal["promote", "refuse"]

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Message:
    """What a chat model reads and writes: OpenAI's ``{role, content}``."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a logged conversation. ``rating`` is the user's own mark of it, on the log's scale."""

    role: Role
    content: str
    created_at: str | None = None
    model: str | None = None
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A logged conversation; the last growth of it that was seen.

    ``user_id_kind`` is ``real`` when the same id means the same person elsewhere. Anything else gives the
    conversation an anonymous user of its own: the persona is off and it is never merged with another.
    ``batch`` is the hash of the log that brought it.
    """

    conversation_id: str
    user_id: str
    user_id_kind: UserKind
    created_at: str | None
    model: str | None
    language: str | None
    turns: tuple[Turn, ...]
    source: str
    toxic: bool = False
    redacted: bool = False
    batch: str = ""

    @property
    def has_user(self) -> bool:
        """True when the id names a person whose history may be put together."""
        return self.user_id_kind == "real"


@dataclass(frozen=True, slots=True)
class FeedbackTurn:
    """What the follow-up at ``turns[turn_index]`` says of the answer before it."""

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    label: FeedbackLabel
    probability: float


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing a persona says of its user, with the turns (``conversation_id#turn``) it rests on."""

    kind: Literal["topic", "expertise", "style", "format", "language", "constraint"]
    text: str
    confidence: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Persona:
    """A natural-language summary of a user's history (paper, section 3). ``version`` names its content."""

    key: str
    user_id: str
    version: str
    text: str
    claims: tuple[Claim, ...]
    conversations: int


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A better answer in place of ``turns[turn_index]``, guided by the user's own follow-up (paper, UGR).

    ``source`` tells a rewrite of ours from the revision that the assistant gave next in the log.
    """

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    source: Literal["rewrite", "observed_revision"]
    original: str
    text: str
    model: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of N sampled answers to the request at ``turns[turn_index]`` (paper, UBR)."""

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    index: int
    text: str
    model: str
    seed: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A cached reply of a model: ``request`` is the hash of what was asked, ``cycle`` the one that asked.

    Sampled text is versioned as data: a rebuilt table reads it from here and comes out byte for byte equal.
    """

    request: str
    texts: tuple[str, ...]
    model: str
    seed: int
    cycle: int


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """TRL's conversational row (``prompt``, ``chosen``, ``rejected``) with its provenance.

    ``prompt`` ends with the user's request and begins with the persona's system message where there is one.
    ``reward_chosen`` and ``reward_rejected`` are the reward model's; their difference is the margin.
    """

    key: str
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    user_id: str
    conversation_id: str
    turn_index: int
    source: PairSource
    persona: str
    persona_version: str
    reward_chosen: float
    reward_rejected: float

    @property
    def margin(self) -> float:
        """How much better the reward model finds the chosen answer."""
        return self.reward_chosen - self.reward_rejected


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One measured value of one model on one held-out user's item; higher is better."""

    suite: str
    item: str
    user_id: str
    model: Literal["champion", "challenger"]
    value: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that could not be accepted: where it stood, why, and what it said (cut at 2,000 characters)."""

    file: str
    line: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval; ``clusters`` users, ``items`` values."""

    mean: float
    low: float
    high: float
    clusters: int
    items: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One suite's figures in one evaluation: both models, and the gain, clustered by user."""

    suite: str
    champion: Interval
    challenger: Interval
    gain: Interval


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What Evidently said of this cycle's new conversations against the former ones'."""

    status: Literal["no_reference", "stable", "drifted"]
    share: float
    columns: tuple[str, ...]
    failed: tuple[str, ...]
    current: int
    reference: int


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The gate's verdict with every reason, and what it could not measure."""

    verdict: Verdict
    reasons: tuple[str, ...]
    not_measured: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    drift: DriftReport


Row = TypeVar("Row")


def content_key(*parts: object) -> str:
    """A stable 16-hex-digit hash of strings, numbers, dataclasses and nested sequences of them.

    >>> content_key("a", 1) == content_key("a", 1), content_key("a", "1") == content_key("a", 1)
    (True, False)
    """
    text = json.dumps([_plain(part) for part in parts], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def to_record(row: object) -> dict[str, object]:
    """A dataclass as plain dicts, lists and scalars, ready for pyarrow or JSON."""
    return cast(dict[str, object], _plain(row))


def from_record(kind: type[Row], record: Mapping[str, object]) -> Row:
    """The inverse of :func:`to_record`.

    Raises:
        ValueError: a field is missing, unknown or of the wrong kind; the message names it.
    """
    return cast(Row, _build(kind, record, kind.__name__))


@cache
def schema_of(kind: type) -> pa.Schema:
    """The pyarrow schema of a row type, carrying its name and ``SCHEMA_VERSION`` as metadata."""
    hints = get_type_hints(kind)
    columns = [_arrow_field(field.name, hints[field.name]) for field in fields(kind)]
    return pa.schema(columns, metadata={"rlhi.row": kind.__name__, "rlhi.schema_version": str(SCHEMA_VERSION)})


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise TypeError(f"not a row value: {type(value).__name__}")


def _optional(hint: object) -> tuple[object, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return inner[0], len(inner) < len(get_args(hint))
    return hint, False


def _arrow_field(name: str, hint: object) -> pa.Field:
    inner, nullable = _optional(hint)
    return pa.field(name, _arrow_type(inner), nullable=nullable)


def _arrow_type(hint: object) -> pa.DataType:
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if hint in plain:
        return plain[cast(type, hint)]
    origin = get_origin(hint)
    if origin is Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(pa.field("item", _arrow_type(get_args(hint)[0]), nullable=False))
    if is_dataclass(hint):
        return pa.struct(list(schema_of(cast(type, hint))))
    raise TypeError(f"no arrow type for {hint!r}")


def _build(hint: object, value: object, where: str) -> object:
    inner, nullable = _optional(hint)
    if value is None:
        if nullable:
            return None
        raise ValueError(f"{where} is missing")
    if is_dataclass(inner):
        return _build_row(cast(type, inner), value, where)
    origin = get_origin(inner)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} should be a list, not {type(value).__name__}")
        item = get_args(inner)[0]
        return tuple(_build(item, part, f"{where}[{at}]") for at, part in enumerate(value))
    if origin is Literal:
        if value not in get_args(inner):
            raise ValueError(f"{where} is {value!r}, not one of {', '.join(map(str, get_args(inner)))}")
        return value
    return _scalar(cast(type, inner), value, where)


def _build_row(kind: type, value: object, where: str) -> object:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} should be an object, not {type(value).__name__}")
    hints = get_type_hints(kind)
    unknown = set(value) - set(hints)
    if unknown:
        raise ValueError(f"{where} has unknown field {sorted(map(str, unknown))[0]!r}")
    given = {name: _build(hints[name], value[name], f"{where}.{name}") for name in value}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None


def _scalar(kind: type, value: object, where: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise ValueError(f"{where} should be {kind.__name__}, not {type(value).__name__}")
