"""Which text may be learned from as the chosen side of a pair; each refusal has a reason that is counted."""

from __future__ import annotations

from rlhi.checks import fluency, is_refusal, length, words
from rlhi.config import PairsConfig
from rlhi.learn.asides import speaks_of_feedback

FEWEST_WORDS = 3
LEAST_FLUENCY = 0.9

NO_LANGUAGE = "chosen is no language"
REFUSAL = "chosen is a refusal"
SPEAKS_OF_FEEDBACK = "chosen speaks of the feedback"
REPEATS = "chosen repeats the request"
TOO_LONG = "chosen is far longer"


def speaks(text: str) -> bool:
    """False for the loops and scraps that a reward of form alone could favour."""
    return length(text) >= FEWEST_WORDS and fluency(text) >= LEAST_FLUENCY


def repeats(text: str, request: str) -> bool:
    """Whether an answer asks what it was asked and says no more. Other words may well be asked for: "Say hello".

    >>> repeats("What causes a rainbow?", "What causes a rainbow? Two sentences.")
    True
    >>> repeats("Light in drops of rain.", "What causes a rainbow?")
    False
    """
    asked, found = (f" {' '.join(words(part.lower()))} " for part in (request, text))
    return text.rstrip().endswith("?") and bool(found.strip()) and asked.startswith(found)


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
