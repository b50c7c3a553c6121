"""What a reward head sees of an answer: cheap, general measures of its form.

None of them knows of a wish or of a check; which of them matters to whom is what the head learns.
"""

from __future__ import annotations

import math
import re

from rlhi.lexicons import lexicon

NAMES = (
    "log_words", "words_20", "words_40", "words_60", "words_100", "log_sentences", "sentences_2", "word_length",
    "long_words", "very_long_words", "bullets", "two_bullets", "numbered", "two_numbered", "list_lines", "commas",
    "no_commas", "digits", "no_digits", "capitals", "no_capitals", "ends_question", "questions", "exclamations",
    "bold", "headings", "code", "paragraphs", "one_paragraph", "first_sentence", "short_first", "colon_first",
    "illustration", "summary_word", "english", "ascii", "distinct_words", "repeats", "overlap", "novel", "ends_whole",
)  # fmt: skip

_WORDS = lexicon("en").answers
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_BULLET = re.compile(r"^[ \t]*[-*•]\s+\S", re.M)
_NUMBERED = re.compile(r"^[ \t]*\d+[.)]\s+\S", re.M)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_ILLUSTRATION = re.compile(rf"\b(?:{_WORDS.illustration})\b", re.I)
_SUMMARY = re.compile(rf"^\W*(?:{_WORDS.summing_up})", re.I)
_ENGLISH = frozenset(lexicon("en").common.frequent)


def answer_features(prompt: str, answer: str) -> list[float]:
    """The measures of :data:`NAMES`, in that order, each of the order of 1.

    >>> len(answer_features("Why?", "Because.")) == len(NAMES)
    True
    """
    words = [word.lower() for word in _WORD.findall(answer)]
    count = max(len(answer.split()), 1)
    sentences = [part.strip() for part in _SENTENCE.findall(answer) if part.strip()]
    first = len(sentences[0].split()) if sentences else 0
    bullets, numbered = len(_BULLET.findall(answer)), len(_NUMBERED.findall(answer))
    lines = [line for line in answer.splitlines() if line.strip()]
    paragraphs = len([part for part in re.split(r"\n\s*\n", answer) if part.strip()])
    letters = [character for character in answer if character.isalpha()]
    capitals = sum(character.isupper() for character in letters)
    asked = set(map(str.lower, _WORD.findall(prompt)))
    grams = [tuple(words[at : at + 3]) for at in range(len(words) - 2)]
    commas = answer.count(",")
    return [
        math.log1p(count) / 4, *(float(count <= limit) for limit in (20, 40, 60, 100)),
        math.log1p(len(sentences)) / 2, float(len(sentences) <= 2), _share(sum(map(len, words)), len(words)) / 5,
        _share(sum(len(word) > 7 for word in words), len(words)) * 4,
        _share(sum(len(word) > 10 for word in words), len(words)) * 8,
        math.log1p(bullets), float(bullets >= 2), math.log1p(numbered), float(numbered >= 2),
        _share(bullets + numbered, len(lines)), _share(commas, count) * 20, float(commas == 0),
        math.log1p(sum(map(str.isdigit, answer))) / 2, float(not any(map(str.isdigit, answer))),
        _share(capitals, len(letters)) * 10, float(capitals == 0), float(answer.rstrip().endswith("?")),
        math.log1p(answer.count("?")), math.log1p(answer.count("!")), math.log1p(answer.count("**")),
        float(bool(re.search(r"^#+ ", answer, re.M))), float("```" in answer), math.log1p(paragraphs),
        float(paragraphs == 1), math.log1p(first) / 3, float(0 < first <= 12), float(":" in answer[:120]),
        float(bool(_ILLUSTRATION.search(answer))), float(bool(_SUMMARY.search(answer))),
        _share(sum(word in _ENGLISH for word in words), len(words)) * 4,
        _share(sum(character.isascii() for character in letters), len(letters)) * 2,
        _share(len(set(words)), len(words)), _share(len(grams) - len(set(grams)), len(grams)) * 4,
        _share(len(asked & set(words)), len(asked)), _share(len(set(words) - asked), len(set(words))),
        float(answer.rstrip().endswith((".", "!", "?", ":", ")"))),
    ]  # fmt: skip


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
