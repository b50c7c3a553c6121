"""Which text may be learned from as the chosen side of a pair; each refusal has a reason that is counted."""

from __future__ import annotations

import re

from rlhi.checks import fluency, is_refusal
from rlhi.config import PairsConfig

FEWEST_WORDS = 3
LEAST_FLUENCY = 0.9
# So many words in a row, taken from the complaint, are its echo and no answer.
ECHOED_WORDS = 6

NO_LANGUAGE = "chosen is no language"
REFUSAL = "chosen is a refusal"
SPEAKS_OF_FEEDBACK = "chosen speaks of the feedback"
TOO_LONG = "chosen is far longer"

# What a rewrite says of having been rewritten: a user who never complained would find it odd.
_OF_REWRITING = re.compile(
    r"^\W*(?:(?:sure|certainly|of course|okay|ok|absolutely)\b[^.:\n]{0,40}[.:!,]?\s*)?"
    r"(?:as (?:you )?(?:asked|requested|wished|instructed)\b"
    r"|(?:i(?:['’]m| am)? (?:so |very |really )?)?(?:apologi[sz]e|sorry|apologies)\b"
    r"|(?:thanks|thank you) for (?:the|your) (?:feedback|clarification|suggestion|correction)"
    r"|you(?:['’]re| are) (?:absolutely |completely |quite |totally )?(?:right|correct)"
    r"(?= that\b| about\b|\s*[,.!;:–—]|$)"
    r"|good (?:catch|point)\b"
    r"|(?:(?:i(?:['’]d| would|['’]ll| will)|let me) )?re-?(?:write|do|state|phrase) (?:my|the|that) (?:answer|response)"
    r"|(?:based on|following|per) your (?:feedback|request|instruction|suggestion)"
    r"|(?:here(?:['’]s| is| are)|below is|this is) (?:the|a|an|my|your)?\s*(?:\w+ )?"
    r"(?:rewrit\w+|revised|revision|updated|improved|corrected|new|shorter|longer|simpler|simplified|reworked|modified"
    r"|rephrased|edited|better)(?: (?:\w+ )?(?:answer|version|response|reply|text|explanation|one)\b|\s*:)"
    r"|(?:rewritten|revised|updated|improved|corrected|new|shorter) (?:answer|version|response|reply|text)\b"
    r"|i(?:['’]ve| have)? (?:rewritten|revised|updated|shortened|rephrased|changed|corrected)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def length(text: str) -> int:
    """Words; where a script sets none apart (Chinese, Japanese, Thai, ...), two characters are about one.

    >>> length("Basil wants sun."), length("罗勒喜欢阳光和水。")
    (3, 5)
    """
    unspaced = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + unspaced // 2


def speaks(text: str) -> bool:
    """False for the loops and scraps that a reward of form alone could favour."""
    return length(text) >= FEWEST_WORDS and fluency(text) >= LEAST_FLUENCY


def speaks_of_feedback(text: str, said: str) -> bool:
    """Whether an answer tells that it was asked for again, or repeats the complaint.

    >>> speaks_of_feedback("Here is a shorter version: Basil is a herb.", "shorter please")
    True
    >>> speaks_of_feedback("Basil is a herb.", "shorter please")
    False
    """
    if _OF_REWRITING.search(text):
        return True
    words, asked = (" ".join(_WORD.findall(part.lower())) for part in (text, said))
    grams = asked.split()
    return any(" ".join(grams[at : at + ECHOED_WORDS]) in words for at in range(max(0, len(grams) - ECHOED_WORDS + 1)))


def unfit(chosen: str, rejected: str, said: str, config: PairsConfig) -> str:
    """Why ``chosen`` may not be learned from beside ``rejected``; empty when it may.

    Args:
        said: the complaint that a rewrite answers; empty for others.
    """
    if not speaks(chosen):
        return NO_LANGUAGE
    if is_refusal(chosen):
        return REFUSAL
    if said and speaks_of_feedback(chosen, said):
        return SPEAKS_OF_FEEDBACK
    if length(chosen) > config.max_longer * max(1, length(rejected)):
        return TOO_LONG
    return ""
