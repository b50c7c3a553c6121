"""A user's message made plain for rules: lower case, contractions written out, numbers in digits, no pasted text."""

from __future__ import annotations

import re
import unicodedata

from rlhi.lexicons import lexicon

HEAD, TAIL = 2000, 1000  # characters of a long message that can hold its author's own words
_ENGLISH = lexicon("en")
_NUMBERS = _ENGLISH.numbers
VALUES = {word: at for at, word in enumerate(_NUMBERS.units)}
VALUES |= {word: 10 * at for at, word in enumerate(_NUMBERS.tens, 1)}
DIGIT_WORD = rf"(?:{'|'.join(sorted(VALUES, key=len, reverse=True))}|hundred|thousand)"
NUMBER = re.compile(rf"\b(?:{'|'.join(_NUMBERS.amounts)}|{DIGIT_WORD}(?:[ -](?:and )?{DIGIT_WORD})*)\b")
SPELLINGS = (
    (r"\b(?:can't|cannot|cant|can not|couldn't)\b", "cannot"),
    (r"\bwon't\b", "will not"),
    (r"\b(\w+)n't\b", r"\1 not"),
    (r"\b(do|does|did|is|are|was|would|should|could|have)nt\b", r"\1 not"),
    (r"\bi'?m\b", "i am"),
    (r"'re\b", " are"),
    (r"\b(it|that|there|what|here|where|who|he|she)'s\b", r"\1 is"),
    (r"\bthats\b", "that is"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"'s\b", "s"),
    (r"\b(?:pls|plz|plss)\b", "please"),
    (r"\b(?:do|does) not\b", "not"),
    (r"\b(?:u|ya)\b", "you"),
    (r"\bur\b", "your"),
    (r"\btl;? ?dr\b", "tldr"),
    (r"(?<=\d),(?=\d{3}\b)", ""),
    (r"(?<=\w)\*+|\*+(?=\w)", ""),  # **bold**
)
FILLERS = re.compile(rf"\b(?:{_ENGLISH.common.fillers})\b")


def normalise(text: str) -> list[str]:
    """Sentences in lower case, without code, links and quoted passages, contractions written out, numbers in digits.

    >>> normalise("Don't use more than forty-five words!")
    ['not use more than 45 words']
    """
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]}\n{text[-TAIL:]}"
    text = unicodedata.normalize("NFKC", text).translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}).lower()
    text = re.sub(r"```.*?(?:```|$)|`[^`]*`|https?://\S+", " ; ", text, flags=re.DOTALL)
    text = re.sub(r'"[^"\n]*\s[^"\n]*\s[^"\n]*"', " ; ", text)
    for pattern, written in SPELLINGS:
        text = re.sub(pattern, written, text)
    text = re.sub(r"(?<=\w)[-\u2010\u2011\u2013](?=\w)", " ", NUMBER.sub(_digits, text))
    text = FILLERS.sub("", text)
    sentences = re.split(r"(?<=\w)[.!?]+(?=\s|$)|[!?\n…()]+|\s[-\u2013]+\s|[;\u2014]|:(?=\s|$)|\.\.+", text)
    cleaned = (re.sub(r"\s+", " ", sentence).strip(" .,'\"*-") for sentence in sentences)
    return [re.sub(r" ,", ",", sentence) for sentence in cleaned if sentence]


def _digits(match: re.Match[str]) -> str:
    text = match.group()
    if text in _NUMBERS.amounts:
        return _NUMBERS.amounts[text]
    total = current = 0
    for word in re.split(r"[ -]", text):
        if word == "hundred" and current < 100:
            current = max(current, 1) * 100
        elif word == "thousand" and not total:
            total, current = total + max(current, 1) * 1000, 0
        elif word in VALUES:
            current += VALUES[word]
    return str(total + current)
