"""Features of (request, answer, follow-up): cues in their words, and how the three texts overlap.

Every feature is a number of about unit size. One row costs about a millisecond on one core: this is what lets the
default labeller do without a language model.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rlhi.collect.feedback.cues import AGAIN, ANSWER, COMPLAINT, EXACT, GOES_ON, PRAISE, REQUEST
from rlhi.collect.wishes.claims import READING, wishes_in
from rlhi.contracts import content_key
from rlhi.lexicons import lexicon

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEAD, TAIL = 900, 400  # characters read of a long text: a message says what it wants at its head or at its tail

# The rules that read standing wishes cost as much as all else: they are asked about short messages with such a cue.
WISH = 240  # characters
WISH_CUES = (
    "form", "style", "too", "comparative", "short_comparative", "only", "without", "language_named",
    "names_constraint", "length_wanted", "write_as", "no_such_form", "shape_verb", "shape_named", "begin_end_with",
    "point_first", "clearer", "other_tongue_changes", "dislike", "sounds", "wish",
)  # fmt: skip

LOWER = {**COMPLAINT, **AGAIN, **PRAISE, **GOES_ON}
LENGTHS = (
    "log_words", "log_answer_words", "log_request_words", "few_words", "one_or_two_words", "length_ratio_to_request",
    "length_ratio_to_answer", "lines", "sentences", "very_long", "answer_short", "answer_long", "symbols",
    "foreign_letters", "script_differs", "ends_please", "reply_to_short_question",
)  # fmt: skip
OVERLAPS = (
    "words_in_request", "words_in_answer", "request_words_kept", "new_words", "trigrams_shared", "cosine_request",
    "cosine_answer", "jaccard_request", "jaccard_answer", "equals_request", "near_equal", "rephrased",
    "prefix_shared", "prefix_words", "suffix_words", "same_first_word", "starts_same_two", "same_operation",
    "pasted_answer", "quotes_answer", "quotes_request", "retry_of_question", "numbers_changed", "added", "removed",
    "substituted", "added_constraint", "extends_request",
)  # fmt: skip
# Two facts that say more together: an edit verb after a question is an answer to it, after a letter a wish to change.
TOGETHER = (
    ("change_verb_first", "request_writes"), ("edit_verb_first", "answer_asks"), ("edit_verb_first", "answer_code"),
    ("question_mark", "answer_asks"), ("starts_with_wh", "trigrams_shared"), ("error_word", "answer_code"),
    ("first_person", "request_edit"), ("change_verb", "answer_revised"), ("few_words", "answer_asks"),
    ("few_words", "answer_revised"), ("starts_with_no", "answer_asks"), ("anaphora", "few_words"),
    ("traceback", "request_complains"), ("code", "request_complains"), ("code", "answer_code"),
    ("should", "answer_code"), ("few_words", "request_edit"), ("question_mark", "cosine_request"),
    ("i_get", "answer_tutors"), ("negation", "few_words"), ("answer_letter", "few_words"),
    ("first_person", "answer_letter"), ("starts_how_to", "answer_code"), ("tell_me", "few_words"),
    ("question_mark", "negation"), ("answer_apologises", "few_words"), ("code", "answer_apologises"),
    ("request_edit", "change_verb"), ("request_transforms", "very_long"), ("answer_refuses", "cosine_request"),
    ("answer_refuses", "few_words"), ("form", "few_words"), ("write_as", "anaphora"),
)  # fmt: skip
SINGLE = (*LOWER, *EXACT, *ANSWER, *REQUEST, *LENGTHS, "tells_a_wish", *OVERLAPS)
NAMES: tuple[str, ...] = (*SINGLE, *(f"{one} and {other}" for one, other in TOGETHER))

READ = content_key(
    HEAD,
    TAIL,
    WISH,
    READING,
    NAMES,
    *(pattern for table in (LOWER, EXACT, ANSWER, REQUEST) for pattern in table.values()),
)
"""Changes with what is read: a head fits the features that it was trained on."""

_AT = {name: at for at, name in enumerate(SINGLE)}
_FORM = [_AT[name] for name in WISH_CUES]
_PAIRS = [(_AT[one], _AT[other]) for one, other in TOGETHER]
_LOWER, _EXACT, _ANSWER, _REQUEST = (
    [re.compile(pattern, re.DOTALL).search for pattern in table.values()] for table in (LOWER, EXACT, ANSWER, REQUEST)
)
_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_STOP = frozenset(lexicon("en").common.function)
_CONSTRAINTS = frozenset(lexicon("en").follow_ups.limits)
_ASKS = re.compile(r"\?|please (?:provide|share|paste|let me know|go ahead)|let me know|feel free")
_PLEASE = re.compile(r"\b(?:please|pls|plz)\W*$")
_NUMBER = re.compile(r"\d+")
_MARK = re.compile(r"[^\w\s]|_")
_SENTENCE = re.compile(r"[.!?]\s")
_QUOTED = re.compile(r"[\"\u201c\u201d]([^\"\u201c\u201d]{3,300})[\"\u201c\u201d]")


@dataclass(frozen=True, slots=True)
class _Text:
    """One of the three texts: as it is, in lower case, its words, its content words, its letter trigrams."""

    plain: str
    lower: str
    words: list[str]
    content: set[str]
    trigrams: Counter[str]
    foreign: float


def features(request: str, answer: str, follow_up: str) -> list[float]:
    """One row of ``len(NAMES)`` numbers; texts are read at their head and tail only.

    >>> dict(zip(NAMES, features("Name a bird.", "A wren.", "Thanks!")))["thanks"]
    1.0
    """
    said, answered, asked = (_read(text) for text in (follow_up, answer, request))
    row = [float(found(said.lower) is not None) for found in _LOWER]
    row += [float(found(said.plain) is not None) for found in _EXACT]
    row += [float(found(answered.lower) is not None) for found in _ANSWER]
    row += [float(found(asked.lower) is not None) for found in _REQUEST]
    speaks_of_form = any(row[at] for at in _FORM)
    row += _lengths(said, answered, asked, follow_up, answer)
    row.append(float(speaks_of_form and len(follow_up) <= WISH and bool(wishes_in(follow_up))))
    row += _overlaps(said, answered, asked)
    row += [row[one] * row[other] for one, other in _PAIRS]
    return row


def feature_matrix(contexts: Sequence[tuple[str, str, str]]) -> NDArray[np.float32]:
    """``features`` of each (request, answer, follow-up): float32, shape ``[len(contexts), len(NAMES)]``."""
    import numpy as np

    rows = [features(*context) for context in contexts]
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(NAMES))


def forget_texts() -> None:
    """Drop what was kept of texts read before, so that a rate counts every text."""
    _read.cache_clear()


def _lengths(said: _Text, answered: _Text, asked: _Text, follow_up: str, answer: str) -> list[float]:
    count, answer_count, request_count = len(said.words), len(answered.words), len(asked.words)
    marks = len(_MARK.findall(said.plain))
    return [
        math.log1p(count) / 3,
        math.log1p(answer_count) / 5,
        math.log1p(request_count) / 3,
        float(count <= 6),
        float(count <= 2),
        max(-2.0, min(2.0, math.log((1 + count) / (1 + request_count)))),
        max(-2.0, min(2.0, math.log((1 + count) / (1 + answer_count)) / 2)),
        min(1.0, follow_up.count("\n") / 10),
        min(1.0, len(_SENTENCE.findall(said.plain)) / 5),
        float(len(follow_up) > 800),
        float(answer_count < 25),
        float(len(answer) > 1200),
        3 * marks / max(1, len(said.plain)),
        said.foreign,
        abs(said.foreign - answered.foreign),
        float(_PLEASE.search(said.lower) is not None),
        float(answer_count < 60 and _ASKS.search(answered.lower[-300:]) is not None),
    ]


def _overlaps(said: _Text, answered: _Text, asked: _Text) -> list[float]:
    own, theirs, wanted = said.content, answered.content, asked.content
    shared = len(said.trigrams.keys() & asked.trigrams.keys()) / len(said.trigrams)
    limit = min(len(said.words), len(asked.words))
    prefix, suffix = _common(said.words, asked.words), _common(said.words[::-1], asked.words[::-1])
    like_request, alike = _cosine(said.trigrams, asked.trigrams), _jaccard(own, wanted)
    quotes = [quote.lower() for quote in _QUOTED.findall(said.plain)]
    new, gone = own - wanted, wanted - own
    return [
        _share(own, wanted),
        _share(own, theirs),
        _share(wanted, own),
        _share(own, new - theirs),
        shared,
        like_request,
        _cosine(said.trigrams, answered.trigrams),
        alike,
        _jaccard(own, theirs),
        float(said.words == asked.words and bool(said.words)),
        float(alike >= 0.8 and like_request > 0.9),
        float(0.35 <= alike < 0.8),
        prefix / limit if limit else 0.0,
        min(prefix, 6) / 6,
        min(suffix, 6) / 6,
        float(bool(said.words) and said.words[:1] == asked.words[:1]),
        float(len(said.words) > 2 and said.words[:2] == asked.words[:2]),
        # The request's frame around another text: the same operation on the next input.
        float(prefix + suffix >= 3 and alike < 0.6 and len(said.words) > prefix + suffix + 3),
        float(_share(own, theirs) > 0.8 and len(own) > 8),
        float(any(quote in answered.lower for quote in quotes)),
        float(any(quote in asked.lower for quote in quotes)),
        shared * float("?" in said.plain),
        shared * float(set(_NUMBER.findall(said.plain)) != set(_NUMBER.findall(asked.plain))),
        math.log1p(len(new)) / 3,
        math.log1p(len(gone)) / 3,
        min(len(new), len(gone)) / max(1, len(wanted)) if alike > 0.3 else 0.0,
        float(alike > 0.3 and bool(new & _CONSTRAINTS)),
        _share(wanted, own) if len(said.words) > len(asked.words) else 0.0,
    ]


@lru_cache(maxsize=512)  # in a conversation, a follow-up is the request of the next
def _read(text: str) -> _Text:
    plain = text.strip().replace("\u2019", "'")
    if len(plain) > HEAD + TAIL:
        plain = f"{plain[:HEAD]}\n{plain[-TAIL:]}"
    lower = plain.lower()
    words = _WORD.findall(lower)
    joined = " ".join(words)
    trigrams = Counter([joined[at : at + 3] for at in range(max(1, len(joined) - 2))])
    return _Text(plain, lower, words, set(words) - _STOP, trigrams, _foreign(plain))


def _share(part: set[str], whole: set[str]) -> float:
    """Which share of ``part`` lies in ``whole``; 0 for an empty part."""
    return len(part & whole) / len(part) if part else 0.0


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    if len(one) > len(other):
        one, other = other, one
    both = sum(count * other[key] for key, count in one.items() if key in other)
    return both / math.sqrt(sum(n * n for n in one.values()) * sum(n * n for n in other.values())) if both else 0.0


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words the two begin with in common."""
    limit = min(len(one), len(other))
    return next((at for at in range(limit) if one[at] != other[at]), limit)


def _foreign(text: str) -> float:
    """Share of letters outside ASCII."""
    if text.isascii():
        return 0.0
    letters = [sign for sign in text if sign.isalpha()]
    return sum(sign > "\x7f" for sign in letters) / len(letters) if letters else 0.0
