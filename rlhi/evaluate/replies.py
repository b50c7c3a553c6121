"""What both models said when they were measured: kept, so that people read it and do not only count it.

:func:`side_by_side` joins replies and figures; :func:`drawn`, :func:`won`, :func:`lost` put them in an order to read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rlhi.contracts import EvalResult, Message, content_key
from rlhi.evaluate.said import Model, Replies


@dataclass(frozen=True, slots=True)
class EvaluatedReply:
    """One reply of one model to a held-out user's request; ``item`` pairs it with the other model's, and with figures
    (:class:`rlhi.contracts.EvalResult`). ``before`` is what was said before the request, where that is not the first;
    only judges read such replies."""

    item: str
    user_id: str
    model: Model
    persona: str
    request: str
    text: str
    before: tuple[Message, ...] = ()


def evaluated_replies(replies: Replies) -> Iterator[EvaluatedReply]:
    """Rows of what each model replied."""
    for model, said in replies.items():
        for one in said:
            before = tuple(message for message in one.prompt[:-1] if message.role != "system")
            yield EvaluatedReply(one.item, one.user_id, model, one.persona.text, one.request, one.text, before)


WISHES = "wishes"
"""The suite that tells the share of a user's wishes which a reply meets."""
FORMER_WISHES = "satisfaction"
"""What told it before there was that suite."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one measure (a suite) says of the two replies; NaN where it could not tell."""

    name: str
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What both models said to one request of a held-out user, and every measure of it, by name.

    ``met_champion`` and ``met_challenger`` are the shares of the user's wishes that are met; None where nobody knows
    the wishes.
    """

    item: str
    user_id: str
    persona: str
    request: str
    champion: str
    challenger: str
    figures: tuple[Figure, ...]
    met_champion: float | None = None
    met_challenger: float | None = None

    @property
    def change(self) -> float:
        """How much better the challenger's reply is, by the mean of what all measures say; 0 where none can tell."""
        changes = [one.challenger - one.champion for one in self.figures]
        known = [change for change in changes if math.isfinite(change)]
        return round(sum(known) / len(known), 9) if known else 0.0

    def as_json(self) -> dict[str, object]:
        """For ``--json``: what is not known of the wishes is left out, a figure that is no number is null."""
        met = {"met_champion": self.met_champion, "met_challenger": self.met_challenger}
        measures = {
            one.name: {"champion": _number(one.champion), "challenger": _number(one.challenger)} for one in self.figures
        }
        return {
            "item": self.item, "user_id": self.user_id, "persona": self.persona, "request": self.request,
            "champion": self.champion, "challenger": self.challenger,
            **{name: share for name, share in met.items() if share is not None}, "measures": measures,
        }  # fmt: skip


def side_by_side(replies: Iterable[EvaluatedReply], results: Iterable[EvalResult]) -> list[SideBySide]:
    """Both models' replies to each item with all that was measured of it; items that only one replied to are left out.

    A suite that measured the same item of both is a measure of the two replies, whatever its name. Replies to later
    messages are left out: nobody can judge them without what was said before.
    """
    said: dict[tuple[str, str], dict[Model, EvaluatedReply]] = {}
    for reply in replies:
        if not reply.before:
            said.setdefault((reply.user_id, reply.item), {})[reply.model] = reply
    values: dict[tuple[str, str], dict[str, dict[Model, float]]] = {}
    for row in results:
        if row.model != "first":
            values.setdefault((row.user_id, row.item), {}).setdefault(row.suite, {})[row.model] = row.value
    told = WISHES if any(WISHES in suites for suites in values.values()) else FORMER_WISHES
    both = sorted(key for key, pair in said.items() if len(pair) == 2)
    return [_joined(said[key], values.get(key, {}), told) for key in both]


def drawn(rows: Sequence[SideBySide], seed: int) -> list[SideBySide]:
    """All rows in an order drawn by seed, which hangs on the requests alone: the first n are n drawn ones."""
    return _each_request_once(sorted(rows, key=lambda row: content_key(seed, "replies", row.item)))


def won(rows: Iterable[SideBySide]) -> list[SideBySide]:
    """Rows whose figures went up, most of all first."""
    return _each_request_once(sorted((row for row in rows if row.change > 0), key=lambda row: (-row.change, row.item)))


def lost(rows: Iterable[SideBySide]) -> list[SideBySide]:
    """Rows whose figures went down, most of all first."""
    return _each_request_once(sorted((row for row in rows if row.change < 0), key=lambda row: (row.change, row.item)))


def _joined(pair: Mapping[Model, EvaluatedReply], values: Mapping[str, Mapping[Model, float]], told: str) -> SideBySide:
    figures = tuple(
        Figure(suite, by["champion"], by["challenger"]) for suite, by in sorted(values.items()) if len(by) == 2
    )
    met = next((one for one in figures if one.name == told), None)
    one = pair["champion"]
    return SideBySide(
        one.item, one.user_id, one.persona, one.request, one.text, pair["challenger"].text, figures,
        _number(met.champion) if met else None, _number(met.challenger) if met else None,
    )  # fmt: skip


def _each_request_once(rows: Iterable[SideBySide]) -> list[SideBySide]:
    """In the same order, but further samples of a user's request come after all requests."""
    first: dict[tuple[str, str], SideBySide] = {}
    again = [row for row in rows if first.setdefault((row.user_id, row.request), row) is not row]
    return [*first.values(), *again]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
