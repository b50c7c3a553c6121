"""Checks by program: what an answer's length, format, language and fluency are, without asking a model.

Simulated users, evaluation and benchmarks ask the same :func:`satisfies`. Every kind is a row of ``KINDS``.
Text without a single word satisfies no check, so that an empty answer never counts as "no commas".
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

from rlhi.lexicons import cues, lexicon
from rlhi.lexicons.languages import CODES

LANGUAGES = {CODES[name]: name for name in ("English", "French", "Spanish", "German", "Italian", "Portuguese")}

_ENGLISH = lexicon("en")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+\S", re.MULTILINE)
_NUMBER = re.compile(r"^[ \t]*\(?\d{1,3}[.)][ \t]+\S", re.MULTILINE)
_MARKER = re.compile(r"^[ \t]*(?:[-*•#]+|\(?\d{1,3}[.)])[ \t]+", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]*]*\s+|\n+")
# A title's dot ends no sentence; that of the others does before a capital letter.
_ABBREVIATION = re.compile(
    rf"\b((?i:{_ENGLISH.sentences.titles})\.|(?i:{_ENGLISH.sentences.abbreviations})\.(?=\s+[^\sA-Z]))"
)
_BOLD = re.compile(r"\*\*[^\s*](?:[^*\n]*[^\s*])?\*\*")
_VALUE = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")
_COMMA = re.compile("[,،，、]")
_EXAMPLE = re.compile(
    rf"\b(?:{cues('en', 'fr', 'es', 'de').examples})\b|\be\.g\.|\bz\. ?B\.",
    re.IGNORECASE,
)
_SUMMARY = re.compile(rf"\W*(?:{_ENGLISH.answers.summary})\b", re.IGNORECASE)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def words(text: str) -> list[str]:
    """The words of a text; "it's" and "well-known" are one each."""
    return _WORD.findall(text)


def length(text: str) -> int:
    """Words; where a script sets none apart (Chinese, Japanese, Thai, ...), two characters are about one.

    >>> length("Basil wants sun."), length("罗勒喜欢阳光和水。")
    (3, 5)
    """
    unspaced = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + unspaced // 2


def sentences(text: str) -> list[str]:
    """The sentences of a text; a line is at least one, list markers and common abbreviations end none."""
    plain = _ABBREVIATION.sub(lambda found: found[0][:-1], _MARKER.sub("", text))
    return [part.strip() for part in _SENTENCE_END.split(plain) if _WORD.search(part)]


def language_of(text: str) -> str:
    """The likeliest of ``LANGUAGES`` as its ISO 639-1 code; ``""`` for text without letters."""
    return _identifier().classify(text)[0] if any(map(str.isalpha, text)) else ""


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...

    def set_languages(self, langs: Sequence[str]) -> None: ...


@cache
def _identifier() -> _Identifier:
    # Loaded on first use: 0.3 s that most callers do not need. An instance of our own, as the package's
    # shared one would carry our choice of languages to everybody else in the process.
    langid = import_module("py3langid.langid")
    model = Path(str(langid.__file__)).parent / langid.MODEL_FILE
    identifier: _Identifier = langid.LanguageIdentifier.from_modelpath(str(model))
    identifier.set_languages(list(LANGUAGES))
    return identifier


def _summary_first(text: str, _: str) -> bool:
    parts = sentences(text)
    if len(parts) < 2:
        return False
    # "Sure!" and "Here are some tips:" are short too, and no summary.
    short = 4 <= len(words(parts[0])) <= 12 and parts[0].endswith((".", "!"))
    return short or _SUMMARY.match(text) is not None


def _asks_last(text: str) -> bool:
    return text.rstrip(" \t\r\n\"'*_)").endswith("?")


def _last_number(text: str) -> str:
    """The last number of a text without its thousands' commas: what a calculation comes to."""
    found: list[str] = _VALUE.findall(text)
    return found[-1].replace(",", "") if found else ""


def _longest(parts: Sequence[str]) -> int:
    return max((len(words(part)) for part in parts), default=0)


MARKS = {
    "semicolons": ";", "dashes": "-–—", "colons": ":", "parentheses": "()", "question marks": "?",
    "quotation marks": "\"“”«»", "ellipses": "…",
}  # fmt: skip
_COUNTS: dict[str, Callable[[str], int]] = {
    "words": lambda text: len(words(text)),
    "characters": len,
    "lines": lambda text: len([line for line in text.splitlines() if line.strip()]),
    "paragraphs": lambda text: len([part for part in re.split(r"\n\s*\n", text) if part.strip()]),
}
_SIZE = re.compile(rf"(\d{{1,6}}-\d{{0,6}}|-\d{{1,6}}) (?:{'|'.join(_COUNTS)})")


def _has_size(text: str, bounds: str) -> bool:
    """Whether a text is as long as ``3-5 lines``; either number may be missing."""
    numbers, _, unit = bounds.partition(" ")
    least, _, most = numbers.partition("-")
    count = _COUNTS[unit](text)
    return int(least or 0) <= count and (not most or count <= int(most))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of check: its test, its description (``{argument}`` is filled in) and what argument it takes."""

    test: Callable[[str, str], bool]
    about: str
    takes: Literal["nothing", "count", "language", "text", "size", "marks"] = "nothing"


KINDS: dict[str, Kind] = {
    "at_most_words": Kind(lambda text, n: len(words(text)) <= int(n), "at most {argument} words", "count"),
    "at_least_words": Kind(lambda text, n: len(words(text)) >= int(n), "at least {argument} words", "count"),
    "at_most_sentences": Kind(lambda text, n: len(sentences(text)) <= int(n), "at most {argument} sentences", "count"),
    "short_sentences": Kind(
        lambda text, n: _longest(sentences(text)) <= int(n), "no sentence over {argument} words", "count"
    ),
    "plain_words": Kind(
        lambda text, n: all(len(part) <= int(n) for word in words(text) for part in word.split("-")),
        "no word over {argument} letters",
        "count",
    ),
    "long_words": Kind(
        lambda text, n: any(len(part) > int(n) for word in words(text) for part in word.split("-")),
        "a word over {argument} letters",
        "count",
    ),
    "bullets": Kind(lambda text, _: len(_BULLET.findall(text)) >= 2, "a list of two or more bullet points"),
    "numbered": Kind(lambda text, _: len(_NUMBER.findall(text)) >= 2, "a numbered list of two or more steps"),
    "no_lists": Kind(lambda text, _: not _BULLET.search(text) and not _NUMBER.search(text), "no lists"),
    "one_paragraph": Kind(lambda text, _: "\n" not in text.strip(), "one paragraph without line breaks"),
    "paragraphs": Kind(lambda text, _: "\n" in text.strip(), "two or more paragraphs or lines"),
    "no_commas": Kind(lambda text, _: not _COMMA.search(text), "no commas"),
    "commas": Kind(lambda text, _: bool(_COMMA.search(text)), "commas"),
    "no_digits": Kind(lambda text, _: not any(map(str.isdigit, text)), "no digits"),
    "digits": Kind(lambda text, _: any(map(str.isdigit, text)), "numbers as digits"),
    "no_exclamation": Kind(lambda text, _: "!" not in text, "no exclamation marks"),
    "lower_case": Kind(lambda text, _: text.islower(), "all in lower case"),
    "capitals": Kind(lambda text, _: any(map(str.isupper, text)), "capital letters where they belong"),
    "summary_first": Kind(_summary_first, "a one-line summary before the rest"),
    "no_summary": Kind(lambda text, _: not _summary_first(text, ""), "no summary before the rest"),
    "has_example": Kind(lambda text, _: bool(_EXAMPLE.search(text)), "an example that is called one"),
    "no_example": Kind(lambda text, _: not _EXAMPLE.search(text), "no example that is called one"),
    "ends_with_question": Kind(lambda text, _: _asks_last(text), "a question at the end"),
    "no_question": Kind(lambda text, _: not _asks_last(text), "no question at the end"),
    "bold_keywords": Kind(lambda text, _: bool(_BOLD.search(text)), "key words in **bold**"),
    "no_bold": Kind(lambda text, _: not _BOLD.search(text), "nothing in **bold**"),
    "number": Kind(lambda text, n: _last_number(text) == n, "the number {argument} as its result", "count"),
    "contains": Kind(lambda text, part: part.casefold() in text.casefold(), "the text {argument!r}", "text"),
    "language": Kind(lambda text, code: language_of(text) == code, "written in {argument}", "language"),
    "size": Kind(lambda text, bounds: _has_size(text, bounds), "a size of {argument}", "size"),
    "without": Kind(lambda text, name: not any(mark in text for mark in MARKS[name]), "no {argument}", "marks"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a program can ask of an answer.

    >>> satisfies(Check("at_most_words", "3"), "Paris."), str(Check("language", "fr"))
    (True, 'language:fr')

    Raises:
        ValueError: the kind is unknown, or the argument is not what the kind takes.
    """

    kind: str
    argument: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown check {self.kind!r}; known: {', '.join(KINDS)}")
        valid = {
            "nothing": not self.argument,
            "count": re.fullmatch(r"[1-9][0-9]{0,5}", self.argument) is not None,
            "language": self.argument in LANGUAGES,
            "text": bool(self.argument),
            "size": _SIZE.fullmatch(self.argument) is not None,
            "marks": self.argument in MARKS,
        }
        if not valid[KINDS[self.kind].takes]:
            raise ValueError(f"check {self.kind!r} takes {KINDS[self.kind].takes}, not {self.argument!r}")

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind

    @classmethod
    def parse(cls, text: str) -> Check:
        """The inverse of ``str``: ``kind`` or ``kind:argument``."""
        kind, _, argument = text.partition(":")
        return cls(kind, argument)


def satisfies(check: Check, text: str) -> bool:
    """Whether ``text`` does what ``check`` asks; False for text without a word. Never raises."""
    return _WORD.search(text) is not None and KINDS[check.kind].test(text, check.argument)


def share_met(checks: Sequence[Check], text: str) -> float:
    """The share of some checks, one at least, that a text satisfies."""
    return sum(satisfies(check, text) for check in checks) / len(checks)


def describe(check: Check) -> str:
    """A check in words: ``at most 40 words``, ``written in French``."""
    argument = LANGUAGES[check.argument] if KINDS[check.kind].takes == "language" else check.argument
    return KINDS[check.kind].about.format(argument=argument)


def fluency(text: str) -> float:
    """How little a text looks like a collapsed policy's, in [0, 1]: 1 for prose, lists and code.

    The worst of five signs counts: few letters, one word over and over, repeated 4-grams, repeated lines,
    and text that a byte compressor shrinks to almost nothing (loops of any period). It does not judge sense.
    """
    tokens = [word.casefold() for word in words(text)]
    if not tokens:
        return 0.0
    visible = [character for character in text if not character.isspace()]
    grams = list(zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    encoded = text.encode("utf-8", "surrogatepass")
    signs = [1.0]
    if len(visible) >= 16:
        signs.append(_ramp(sum(map(str.isalpha, visible)) / len(visible), 0.1, 0.4))
    if len(tokens) >= 4:
        signs.append(1 - _ramp(max(Counter(tokens).values()) / len(tokens), 0.4, 0.8))
    if len(grams) >= 4:
        signs.append(_ramp(len(set(grams)) / len(grams), 0.2, 0.6))
    if len(lines) >= 3:
        signs.append(_ramp(len(set(lines)) / len(lines), 0.2, 0.5))
    if len(encoded) >= 40:
        signs.append(_ramp(len(zlib.compress(encoded, 9)) / len(encoded), 0.08, 0.25))
    return min(signs)


_REFUSAL = re.compile(
    r"\bi (?:(?:can['’]?t|cannot|can not|won['’]?t|will not|am not able to|am unable to|"
    rf"am not allowed to) (?:\w+ly )?(?:{_ENGLISH.answers.refused})\b|(?:must|have to)"
    r" (?:decline|refuse)\b|decline\b|(?:do not|don['’]t) have (?:the )?(?:ability|access|capability)\b)"
    r"|\bi['’]m (?:unable|not able|not allowed) to\b|\bit (?:is|would be) (?:not appropriate|inappropriate|unethical)"
    r" (?:for me )?to\b",
    re.IGNORECASE,
)
_TURN_TO_ANSWER = re.compile(
    rf"\b(?:{_ENGLISH.answers.turns})\b|\bhere (?:is|are)\b|```|\n[ \t]*(?:[-*•]|\d+[.)])\s",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether an answer declines to answer: it says so at its beginning, and no answer of some length follows."""
    found = _REFUSAL.search(text[:300])
    if found is None:
        return False
    rest = text[found.end() :]
    turn = _TURN_TO_ANSWER.search(rest)
    return turn is None or len(words(rest[turn.end() :])) < 60


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
