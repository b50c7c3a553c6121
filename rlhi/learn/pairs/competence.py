"""May a model teach on this log? Judged by what it said first: does it answer, does it end, is it language?

A small model asked for more than it can do says "No, no sir?" or no language at all, and every such text could become
the chosen side of a pair. Who is found wanting makes no pairs; what users chose and revised themselves goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rlhi.checks.form import LANGUAGES, language_of, words
from rlhi.checks.relevance import about
from rlhi.config import CompetenceConfig
from rlhi.learn.pairs.filters import speaks
from rlhi.learn.pairs.meta_talk import speaks_of_feedback, without_asides
from rlhi.models.base import Embedder

FEWEST = 12
"""Requests to judge by, at least: outputs of one request are much alike."""
MANY_WORDS = 8
"""Fewer do not tell a language: of a name, a number or a line of code any may be told."""
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")


@dataclass(frozen=True, slots=True)
class Said:
    """One output to judge: what was asked, the answer that the log holds to it, and all that the model was told.

    ``complaint`` is what a rewrite heeds; empty for other outputs.
    """

    request: str
    logged: str
    told: str
    text: str
    cut: bool
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Competence:
    """Shares of ``said`` outputs, 0 to 1: on the topic, ended of themselves, and language (and the request's)."""

    said: int
    answers: float
    ended: float
    language: float

    def wanting(self, limits: CompetenceConfig) -> str:
        """Which shares are below their limits, in words; empty where the model may teach.

        >>> Competence(96, 0.21, 0.4, 0.75).wanting(CompetenceConfig(answers=0.5, ended=0.2, language=0.5))
        '21% of 96 outputs answer (50% needed)'
        """
        if not self.said:
            return ""
        shares = (
            ("answer", self.answers, limits.answers), ("end", self.ended, limits.ended),
            ("are language", self.language, limits.language),
        )  # fmt: skip
        short = [f"{share:.0%} {verb} ({least:.0%} needed)" for verb, share, least in shares if share < least]
        if not short:
            return ""
        first, *rest = short
        return ", ".join([first.replace("% ", f"% of {self.said} outputs ", 1), *rest])


def measure(outputs: Sequence[Said], embedder: Embedder) -> Competence:
    """The shares of what a model said; all 0 of nothing."""
    count = len(outputs)
    if not count:
        return Competence(0, 0.0, 0.0, 0.0)
    return Competence(
        count, sum(answers(outputs, embedder)) / count, sum(not one.cut for one in outputs) / count,
        sum(map(in_language, outputs)) / count,
    )  # fmt: skip


def answers(outputs: Sequence[Said], embedder: Embedder) -> list[bool]:
    """Whether each output is about its request: near to it, or near to the answer that the log holds.

    A rewrite that speaks of being one ("Here is the new answer: the original answer ...") is none, however near.
    """
    requests, logged = [one.request for one in outputs], [one.logged for one in outputs]
    near = about(requests, logged, [one.text for one in outputs], embedder)
    return [found and not _speaks_of_itself(one) for found, one in zip(near, outputs, strict=True)]


def _speaks_of_itself(one: Said) -> bool:
    if not one.complaint:
        return False
    return speaks_of_feedback(without_asides(one.text, one.request), one.complaint, one.request)


def in_language(one: Said) -> bool:
    """Whether an output is language, and no other than its request's unless the model was told so."""
    if not speaks(one.text):
        return False
    if any(len(words(text)) < MANY_WORDS or not _latin(text) for text in (one.request, one.text)):
        return True
    language = language_of(one.text)
    return language == language_of(one.request) or LANGUAGES[language].casefold() in one.told.casefold()


def _latin(text: str) -> bool:
    """Whether most letters are Latin: only such languages are told apart."""
    letters = sum(map(str.isalpha, text))
    return 2 * len(_LATIN.findall(text)) > letters
