"""The user's side of conversations in numbers and names, never in text: a row a conversation, then a row a user.

What a user says of an answer (a complaint, thanks) counts as that, and not in lengths, questions or code: a promotion
that leaves less to complain of shall not look like other users.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields

from rlhi.config import DriftConfig
from rlhi.contracts import REATTEMPTS, Conversation, FeedbackTurn, Persona, content_key

Value = float | str | None
CODE = re.compile(r"```|^[ \t]*(def |class |import |#include|SELECT |function )|[;{}]\s*$", re.MULTILINE)
_TAG = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8}){0,3}")
_WISHES = ("constraint", "format", "language")
_JUDGES = (*REATTEMPTS, "positive_feedback")


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One conversation, or one user: means of the numbers, the most frequent name; None where nothing is known.

    Attributes:
        turns: of the user, all that have words.
        request_words: of the first.
        mean_words, question_share, non_ascii_share, code: of those that say nothing of an answer; shares of turns, and
            of characters.
        reattempt_share, positive_share: of the labelled follow-ups.
        claim: what the persona's wishes are about.
        topic: the cluster of its request.
    """

    turns: float | None
    request_words: float | None
    mean_words: float | None
    question_share: float | None
    non_ascii_share: float | None
    code: float | None
    reattempt_share: float | None
    positive_share: float | None
    language: str | None = None
    claim: str | None = None
    topic: str | None = None


COLUMNS = tuple(field.name for field in fields(DriftRow))
NUMERICAL = tuple(field.name for field in fields(DriftRow) if field.type == "float | None")
CATEGORICAL = tuple(name for name in COLUMNS if name not in NUMERICAL)


def drift_row(
    conversation: Conversation,
    labels: Sequence[FeedbackTurn],
    language: str | None = None,
    claims: Sequence[str] = (),
    topic: str | None = None,
) -> DriftRow:
    """One conversation. ``labels`` may be those of many: the others' are passed over.

    ``language`` is what its text is in; without one, what its log says.
    """
    own = {label.turn_index: label.label for label in labels if label.conversation_id == conversation.conversation_id}
    said = [(own.get(at), text) for at, text in said_in(conversation)]
    texts = [text for label, text in said if label not in _JUDGES]
    words = [len(text.split()) for text in texts]
    joined = "\n".join(texts)
    given = list(own.values())
    return DriftRow(
        turns=float(len(said)),
        request_words=float(words[0]) if words else None,
        mean_words=_share(sum(words), len(texts)),
        question_share=_share(sum("?" in text or "？" in text for text in texts), len(texts)),
        non_ascii_share=_share(sum(ord(character) > 127 for character in joined), len(joined)),
        code=_share(sum(CODE.search(text) is not None for text in texts), len(texts)),
        reattempt_share=_share(sum(label in REATTEMPTS for label in given), len(given)),
        positive_share=_share(given.count("positive_feedback"), len(given)),
        language=_language(language or conversation.language),
        claim=_most_frequent(claims),
        topic=topic,
    )


def by_user(rows: Iterable[tuple[str, DriftRow]]) -> dict[str, DriftRow]:
    """Each user's conversations as one row: the mean of each number that is one, the most frequent name."""
    found: dict[str, list[DriftRow]] = defaultdict(list)
    for user, row in rows:
        found[user].append(row)
    return {user: _merged(own) for user, own in sorted(found.items())}


def compared(
    current: Sequence[Conversation], reference: Sequence[Conversation], config: DriftConfig
) -> tuple[list[Conversation], list[Conversation]]:
    """The conversations of either side that are compared, drawn by hash: of ``config.users`` users at most.

    Of each user as many at most as users of the side with the shorter histories have in the mean: means over many
    conversations lie closer together than means over few, and a log that grew older would look drifted.
    """
    sides = [_histories(side, config.users) for side in (current, reference)]
    typical = [sum(map(len, side)) / len(side) for side in sides if side]
    most = max(1, min([config.conversations, *map(round, typical)]))
    new, former = ([one for own in side for one in own[:most]] for side in sides)
    return new, former


def wishes_by_user(personas: Iterable[Persona]) -> dict[str, list[str]]:
    """What each persona's wishes are about, whenever they were said.

    Who is answered as they wish says it no more: by conversation a promotion would look like other users. Topics,
    styles and what users say they are take several conversations to be seen, so that only older users have them: they
    are left out.
    """
    return {
        persona.user_id: [
            claim.topics[0] if claim.topics else claim.kind for claim in persona.claims if claim.kind in _WISHES
        ]
        for persona in personas
    }


def said_in(conversation: Conversation) -> list[tuple[int, str]]:
    """What the user said in words, each text with its place."""
    return [(at, turn.content) for at, turn in enumerate(conversation.turns) if turn.role == "user" and turn.has_text]


def sort_key(row: DriftRow) -> tuple[tuple[bool, float, str], ...]:
    """An order of rows that does not depend on whose they are."""
    return tuple(
        (value is None, value if isinstance(value, float) else 0.0, value if isinstance(value, str) else "")
        for value in astuple(row)
    )


def _histories(side: Sequence[Conversation], users: int) -> list[list[Conversation]]:
    own: Mapping[str, list[Conversation]] = defaultdict(list)
    for conversation in side:
        own[conversation.user_id].append(conversation)
    drawn = sorted(own, key=content_key)[:users]
    return [sorted(own[user], key=lambda one: content_key(one.user_id, one.conversation_id)) for user in drawn]


def _merged(rows: Sequence[DriftRow]) -> DriftRow:
    return DriftRow(
        turns=_mean(row.turns for row in rows),
        request_words=_mean(row.request_words for row in rows),
        mean_words=_mean(row.mean_words for row in rows),
        question_share=_mean(row.question_share for row in rows),
        non_ascii_share=_mean(row.non_ascii_share for row in rows),
        code=_mean(row.code for row in rows),
        reattempt_share=_mean(row.reattempt_share for row in rows),
        positive_share=_mean(row.positive_share for row in rows),
        language=_most_frequent(row.language for row in rows),
        claim=_most_frequent(row.claim for row in rows),
        topic=_most_frequent(row.topic for row in rows),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(known) / len(known) if known else None


def _most_frequent(names: Iterable[str | None]) -> str | None:
    counts = Counter(name for name in names if name is not None)
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None


def _language(told: str | None) -> str:
    """A language's code, else ``other``: a log may call its language anything, and the page shows it."""
    code = (told or "unknown").strip().lower() or "unknown"
    return code if code == "unknown" or _TAG.fullmatch(code) else "other"


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
