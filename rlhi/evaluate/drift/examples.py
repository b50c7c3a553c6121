"""What drifted, in users' words: new users' messages that carry it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rlhi.contracts import REATTEMPTS, Conversation, DriftReport, FeedbackTurn, content_key
from rlhi.contracts.turns import opening
from rlhi.evaluate.drift.compare import code_columns
from rlhi.evaluate.drift.rows import CODE, NUMERICAL, DriftRow, by_user, said_in

EXAMPLES = 3
LONGEST = 300

Said = tuple[Conversation, DriftRow]
Labels = Mapping[str, Sequence[FeedbackTurn]]


@dataclass(frozen=True, slots=True)
class DriftExample:
    """A message of a new user that carries a column's drift; users' words, cut and not escaped."""

    column: str
    text: str


def examples(
    report: DriftReport, current: Sequence[Said], reference: Sequence[Said], labels: Labels
) -> list[DriftExample]:
    """Three messages for each drifted column, of three users drawn by hash from those who carry it.

    Of a number these lie on the side of the widest gap between the distributions where new users are more frequent; of
    a category they have the one whose share grew most.
    """
    found = []
    for column in report.failed:
        carries = _carrier(column, current, reference)
        carried = [one for one in current if carries(one[1])]
        for conversation, _ in _drawn(carried):
            text = _message(column, conversation, labels.get(conversation.conversation_id, ()))
            found.append(DriftExample(column, text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"))
    return found


def _drawn(said: Sequence[Said]) -> list[Said]:
    """One conversation of each of three users."""
    ordered = sorted(said, key=lambda one: content_key(one[0].user_id, one[0].conversation_id))
    first = {one[0].user_id: one for one in reversed(ordered) if opening(one[0].turns)}
    return sorted(first.values(), key=lambda one: content_key(one[0].user_id))[:EXAMPLES]


def _carrier(column: str, current: Sequence[Said], reference: Sequence[Said]) -> Callable[[DriftRow], bool]:
    import numpy as np

    sides = [list(by_user((one.user_id, row) for one, row in side).values()) for side in (current, reference)]
    values = [[getattr(row, column) for row in side] for side in sides]
    codes = code_columns([*sides[0], *sides[1]], [column])[column]
    levels = sorted({value for value in [*values[0], *values[1]] if value is not None})
    places = np.arange(len(codes.codes))[None, :]
    now, then = (codes.counts(part)[0] for part in (places[:, : len(sides[0])], places[:, len(sides[0]) :]))
    more = now / max(1, now.sum()) - then / max(1, then.sum())
    if column not in NUMERICAL:
        grown = levels[int(more.argmax())]
        return lambda row: getattr(row, column) == grown
    gaps = more.cumsum()
    widest = int(np.abs(gaps).argmax())
    bound, below = levels[widest], bool(gaps[widest] > 0)

    def carries(row: DriftRow) -> bool:
        value = getattr(row, column)
        return value is not None and (value <= bound) == below

    return carries


def _message(column: str, conversation: Conversation, labels: Sequence[FeedbackTurn]) -> str:
    """The message that shows it, where one does; else the request."""
    told = {label.turn_index: label.label for label in labels}
    said = [(told.get(at), text) for at, text in said_in(conversation)]
    shown = {
        "code": [text for _, text in said if CODE.search(text)],
        "question_share": [text for _, text in said if "?" in text],
        "reattempt_share": [text for label, text in said if label in REATTEMPTS],
        "claim": [text for label, text in said if label in REATTEMPTS],
        "positive_share": [text for label, text in said if label == "positive_feedback"],
    }
    return next(iter(shown.get(column, ())), opening(conversation.turns))
