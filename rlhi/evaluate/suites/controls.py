"""Controls that know no persona: what the champion's own replies come to when a program edits all of them alike.

A gain over the champion is nothing learned where one style for everybody has it too. Two controls on the champion's
replies: cut to two sentences, and the best of :data:`STYLES`, chosen knowing every wish. Both are rows like those of
``satisfaction``, so that :func:`rlhi.evaluate.statistics.paired_gain` takes them as the champion's side. In the suites
``beyond_...`` they stand in the champion's place beside the challenger: the gain is what only learning has.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rlhi.checks.form import sentences
from rlhi.contracts import EvalResult
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import Replies, Reply, Truth
from rlhi.evaluate.suites.satisfaction import satisfaction

Edit = Callable[[str], str]

AS_IT_IS = "as it is"
TWO_SENTENCES = "the first two sentences"
_MARK = re.compile(r"[-*•#]+")
_LINE_MARK = re.compile(r"^[ \t]*(?:[-*•#]+|\(?\d{1,3}[.)])[ \t]+")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
_LONG_WORD = re.compile(r"\b[^\W\d_]{6,}\b")


@dataclass(frozen=True, slots=True)
class Control:
    """One control: what was done to every reply, a row for each, and the mean over users of their mean."""

    name: str
    rows: tuple[EvalResult, ...]
    mean: float


def cut_to_sentences(text: str, count: int) -> str:
    """A text up to the end of its sentence number ``count``, as it was laid out.

    >>> cut_to_sentences("Use mint, e.g. spearmint. Dry it. Grind it.", 2)
    'Use mint, e.g. spearmint. Dry it.'
    """
    end = 0
    for word in re.finditer(r"\S+", text):
        if len(sentences(text[: word.end()])) > count:
            break
        if not _MARK.fullmatch(word[0]):  # the mark of a list's next line
            end = word.end()
    return text[:end].strip()


def _joined(text: str) -> str:
    return " ".join(line for raw in text.splitlines() if (line := _LINE_MARK.sub("", raw).strip()))


def _bullets(text: str) -> str:
    return "\n".join(f"- {one}" for one in sentences(text))


def _numbered(text: str) -> str:
    return "\n".join(f"{at}. {one}" for at, one in enumerate(sentences(text), 1))


def _one_a_line(text: str) -> str:
    return "\n".join(sentences(text))


STYLES: Mapping[str, Edit] = {
    AS_IT_IS: str,
    "the first sentence": lambda text: cut_to_sentences(text, 1),
    TWO_SENTENCES: lambda text: cut_to_sentences(text, 2),
    "the first three sentences": lambda text: cut_to_sentences(text, 3),
    "one paragraph": _joined,
    "the first two sentences in one paragraph": lambda text: _joined(cut_to_sentences(text, 2)),
    "a sentence a line": _one_a_line,
    "bullets": _bullets,
    "numbered steps": _numbered,
    "lower case": str.lower,
    "no commas": lambda text: re.sub("[,،，、]", "", text),
    "no bold": lambda text: _BOLD.sub(r"\1", text),
    "a long word in bold": lambda text: text if _BOLD.search(text) else _LONG_WORD.sub(r"**\g<0>**", text, count=1),
    "a question at the end": lambda text: f"{text.rstrip()} Does that help?",
    "no question at the end": lambda text: re.sub(r"\?(\W*)$", r".\1", text),
}
"""One style for everybody, each an edit that any program can make without knowing who asks."""


def beyond_two_sentences(*, replies: Replies, truth: Truth) -> list[EvalResult]:
    """What is left of satisfaction above the champion's replies, cut to two sentences."""
    if not _can_tell(replies, truth):
        return []
    two = _satisfied(replies["champion"], STYLES[TWO_SENTENCES], truth)
    return _beside("beyond_two_sentences", two, replies, truth)


def beyond_best_style(*, replies: Replies, truth: Truth) -> list[EvalResult]:
    """What is left of satisfaction above the champion's replies in the one style that is best for everybody else."""
    if not _can_tell(replies, truth):
        return []
    _, _, others = controls(replies["champion"], truth)
    return _beside("beyond_best_style", others.rows, replies, truth)


def _can_tell(replies: Replies, truth: Truth) -> bool:
    return any(reply.user_id in truth.wishes and reply.request in truth.keys for reply in replies["champion"])


def _beside(suite: str, control: Sequence[EvalResult], replies: Replies, truth: Truth) -> list[EvalResult]:
    challenger = satisfaction(replies={"challenger": replies["challenger"]}, truth=truth)
    return [replace(row, suite=suite) for row in (*control, *challenger)]


def controls(replies: Sequence[Reply], truth: Truth) -> tuple[Control, Control, Control]:
    """The champion's replies cut to two sentences; in the best one style; and in the style that is best for others.

    The second is the strict one: it is chosen in hindsight, by the very figures that it then has. The third gives every
    user the style that is best for all the other users: the same without the luck of the choice.

    Raises:
        ValueError: of no reply it can be told whether it satisfies its user.
    """
    by_style = {name: _satisfied(replies, edit, truth) for name, edit in STYLES.items()}
    means = {name: _mean_of(rows) for name, rows in by_style.items()}
    best = max(means, key=lambda name: means[name])
    two = by_style[TWO_SENTENCES]
    others = _chosen_by_others(by_style)
    return (
        Control("cut to two sentences", tuple(two), _mean_of(two)),
        Control(f"the best one style: {best}", tuple(by_style[best]), means[best]),
        Control("the one style that is best for others", tuple(others), _mean_of(others)),
    )


def _satisfied(replies: Sequence[Reply], edit: Edit, truth: Truth) -> list[EvalResult]:
    """The champion's satisfaction, had every reply of its been edited so; what is cut off may have been the answer."""
    edited = [replace(reply, text=edit(reply.text)) for reply in replies]
    return satisfaction(replies={"champion": edited}, truth=truth)


def _by_user(rows: Sequence[EvalResult]) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        values[row.user_id].append(row.value)
    return {user: math.fsum(own) / len(own) for user, own in values.items()}


def _mean_of(rows: Sequence[EvalResult]) -> float:
    users = _by_user(rows)
    if not users:
        raise ValueError("a control needs replies to users with wishes, and keys of their requests")
    return math.fsum(users.values()) / len(users)


def _chosen_by_others(by_style: Mapping[str, Sequence[EvalResult]]) -> list[EvalResult]:
    """Each user's rows in the style of which all other users have most."""
    users = {name: _by_user(rows) for name, rows in by_style.items()}
    totals = {name: math.fsum(own.values()) for name, own in users.items()}
    chosen = {
        user: max(totals, key=lambda name: totals[name] - users[name][user])
        for user in users[AS_IT_IS]
    }  # fmt: skip
    return [row for name, rows in by_style.items() for row in rows if chosen[row.user_id] == name]


MEASURES = (Measure(beyond_two_sentences), Measure(beyond_best_style))
