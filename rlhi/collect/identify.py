"""Which language a conversation is in, where its log does not say."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol

from rlhi.collect.languages import CODES
from rlhi.contracts import Conversation

# Characters of the user's text that are looked at, and how sure the answer has to be. The beginning mostly tells;
# code, lists and key mashing never do.
SAMPLES = ((300, 0.9), (1000, 0.5))
MIN_LETTERS = 20


def identify(conversation: Conversation) -> str | None:
    """The ISO 639-1 code of the user's text, one of :data:`rlhi.collect.languages.CODES`; None when it cannot be told.

    The assistant is not asked: it answers in whatever language the user asked for.
    """
    longest, _ = SAMPLES[-1]
    said = "\n".join(turn.content[:longest] for turn in conversation.turns if turn.role == "user")[:longest]
    if len(said) < MIN_LETTERS or sum(map(str.isalpha, said)) < MIN_LETTERS:
        return None
    for characters, least in SAMPLES:
        language, probability = _identifier().classify(said[:characters])
        if probability >= least:
            return language
    return None


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


@cache
def _identifier() -> _Identifier:
    # An instance of our own, loaded on first use: `rlhi.checks` asks the same model about fewer languages.
    langid = import_module("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(CODES.values()))
    found: _Identifier = identifier
    return found
