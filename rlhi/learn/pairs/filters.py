"""Which text may be learned from as the chosen side of a pair; each refusal has a reason that is counted."""

from __future__ import annotations

import re

from rlhi.checks.form import fluency, is_refusal, length, sentences, words
from rlhi.config import PairsConfig
from rlhi.learn.pairs.meta_talk import speaks_of_feedback
from rlhi.lexicons import lexicon

FEWEST_WORDS = 3
LEAST_FLUENCY = 0.9

NO_LANGUAGE = "chosen is no language"
REFUSAL = "chosen is a refusal"
SPEAKS_OF_FEEDBACK = "chosen speaks of the feedback"
REPEATS = "chosen repeats the request"
TOO_LONG = "chosen is far longer"
SPEAKS_OF_FORM = "chosen speaks of its form"

_WORDS = lexicon("en").answers
_FORM = f"(?:{_WORDS.form})"
_OF_FORM = re.compile(
    r"^\W*(?:(?:your|my|the|this|each|an?) (?:answers?|repl(?:y|ies)|responses?|text)"
    rf"(?: \w+){{0,3}} (?:should|must|can|is|will|has|contains?)\b[^.!?]*\b{_FORM}\b"
    r"|(?:keep|limit|use|write|do not use|don['’]t use|avoid|begin with|put|spell|make|include|end with)\b"
    rf"[^.!?]{{0,60}}\b{_FORM}\b"
    rf"|here(?:['’]s| is| are) (?:a|an|the|my|your|some)\b[^.!?:]{{0,50}}\b(?:{_FORM}|version)\b)",
    re.IGNORECASE,
)
MOST_FORM = 0.34
"""The share of an answer's words that may speak of its form: a lead-in of one sentence is none of its matter."""


def speaks(text: str) -> bool:
    """False for the loops and scraps that a reward of form alone could favour."""
    return length(text) >= FEWEST_WORDS and fluency(text) >= LEAST_FLUENCY


MOST_KNOWN = 0.75
"""A single question of which this share of the words stands in the request asks it again."""


def repeats(text: str, request: str) -> bool:
    """Whether an answer asks what it was asked and says no more. Other words may well be asked for: "Say hello".

    >>> repeats("What causes a rainbow?", "What causes a rainbow? Two sentences.")
    True
    >>> repeats("Why do you cry when you cut onions?", "Why do onions make me cry when I cut them?")
    True
    >>> repeats("Light in drops of rain.", "What causes a rainbow?")
    False
    """
    asked, found = ([_WORDS.speakers.get(word, word) for word in words(part.lower())] for part in (request, text))
    if not text.rstrip().endswith("?") or not found:
        return False
    known = sum(word in asked for word in found)
    return found == asked[: len(found)] or (len(sentences(text)) == 1 and known >= MOST_KNOWN * len(found))


def speaks_of_form(text: str, wanted: str, request: str = "") -> bool:
    """Whether an answer tells how answers are to be, or repeats what its user wants of them, in place of answering.

    Args:
        wanted: the user's persona, and the complaint that a rewrite answers.
        request: where it asks of the same form itself ("How do I use commas?"), answers may speak of it.

    >>> speaks_of_form("Your answer should contain exactly 40 words.", "Keep answers to at most 40 words.")
    True
    >>> speaks_of_form("Keep basil in the sun and water it.", "Keep answers to at most 40 words.")
    False
    """
    if re.search(rf"\b{_FORM}\b", request, re.IGNORECASE):
        return False
    told = set(words(wanted.lower()))
    parts = sentences(text)
    about = [part for part in parts if _OF_FORM.match(part) or _repeats_words(part, told)]
    return sum(map(length, about)) > MOST_FORM * max(1, length(text))


def _repeats_words(part: str, told: set[str]) -> bool:
    said = words(part.lower())
    return len(said) >= FEWEST_WORDS and sum(word in told for word in said) >= 0.8 * len(said)


def unfit(chosen: str, rejected: str, said: str, config: PairsConfig, request: str = "") -> str:
    """Why ``chosen`` may not be learned from beside ``rejected``; empty when it may.

    Args:
        said: the complaint that a rewrite answers; empty for others.
        request: what both answer.
    """
    if not speaks(chosen):
        return NO_LANGUAGE
    if is_refusal(chosen):
        return REFUSAL
    if said and speaks_of_feedback(chosen, said, request):
        return SPEAKS_OF_FEEDBACK
    if repeats(chosen, request):
        return REPEATS
    if length(chosen) > config.max_longer * max(1, length(rejected)):
        return TOO_LONG
    return ""
