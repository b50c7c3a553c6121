"""English sentences without commas or digits: rules where one reads well, None where none does."""

from __future__ import annotations

import re

from rlhi.lexicons import lexicon

MOST_COMMAS = 4
"""A sentence with more of them is built on them."""

_NUMBERS, _WORDS = lexicon("en").numbers, lexicon("en").sentences
_VERB = f"(?:{_WORDS.verbs})"
_QUALITY = f"(?:{_WORDS.qualities})"
_SWAP = re.compile(rf"(?:{'|'.join(_WORDS.swaps)}), ", re.IGNORECASE)
# What was taken for a chunk of an enumeration has no verb, no pronoun and few words.
_CHUNK = r"(?:(?!(?:you|it|they|we|he|she|i|this|that|which|who|where|to|and|or|but|\w+ing)\b)[\w'’%&*()/-]+ ?){1,4}"
_SERIES = re.compile(rf"((?:, ?{_CHUNK})*)(?:,? |(?<= ))(and|or) (?=[\w*\"'])", re.IGNORECASE)
_LISTS = re.compile(rf"{_CHUNK},? ?(?:and|or)\b", re.IGNORECASE)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (rf", ((?:{_WORDS.asides})),", r" \1"),
        (rf", which (?:also )?({_VERB}\b[^,]*)$", r". This \1"),
        (r", (who|where|whose)\b", r" \1"),
        (rf", (?=(?:{_WORDS.joints})\b)", " "),
        (rf"\b({_QUALITY}), (?={_QUALITY} \w)", r"\1 and "),
        (r"\b([A-Z]\w+), (?-i:(?=[A-Z]\w+))", r"\1 "),
        (r"\b(\d{1,2}|\d{1,2}(?:st|nd|rd|th)), (?=\d{4}\b)", r"\1 "),
        (r",(?=[\"'”’]?$)", ""),
    )
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_LEAD = re.compile(r"^(to [^,:]+), (?:you can )?(?:follow|here)\b[^,:]*:$", re.IGNORECASE)
# "Watering it is good, ..." is a sentence; "Watering it daily, ..." is not.
_AT_FIRST = re.compile(rf"(\W*(?!\w+ing\b[^,]*\b{_VERB}\b)(?:{_WORDS.intros})\b[^,]{{2,90}}), ", re.IGNORECASE)
_ALONE = re.compile(rf"(\W*(?:{_WORDS.firsts})), ", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,:/$€£#-])(\d{1,3})(st|nd|rd|th|%| ?[-–] ?(\d{1,3}))?(?![\w:/°]|[.,]\d|-[\dA-Z])")


def without_commas(sentence: str) -> str | None:
    """The sentence with each comma gone in a way that reads, None where a comma is left that no rule knows.

    >>> without_commas("Use strong, unique passwords, and change them when you can.")
    'Use strong and unique passwords and change them when you can.'
    >>> without_commas("It is early, you should rest.")
    """
    if sentence.count(",") > MOST_COMMAS or sentence.startswith(","):
        return None
    made = _LEAD.sub(r"\1:", _THOUSANDS.sub("", _swapped(sentence)))
    first = _ALONE.match(made) or _AT_FIRST.match(made)
    if first:
        # "With water, soap and a brush, it ..." begins with a series and not with a phrase.
        if first.re is _AT_FIRST and "," in made[first.end() :] and _LISTS.match(made, first.end()):
            return None
        made = f"{first[1]} {made[first.end() :]}"
    made = _SERIES.sub(_series, made)
    for rule, to in _RULES:
        made = rule.sub(to, made)
    return None if "," in made else made


def _swapped(sentence: str) -> str:
    found = _SWAP.match(sentence)
    if found is None:
        return sentence
    word, rest = _WORDS.swaps[found[0][:-2].lower()], sentence[found.end() :]
    keeps = re.match(r"I\b|[A-Z]{2}", rest)
    return f"{word} {rest if keeps else rest[:1].lower() + rest[1:]}" if word else rest[:1].upper() + rest[1:]


def _series(found: re.Match[str]) -> str:
    joint = found[2]
    return found[1].replace(", ", f" {joint} ").replace(",", f" {joint} ").rstrip() + f" {joint} "


def without_digits(sentence: str) -> str | None:
    """The sentence with whole numbers to a hundred and their ordinals in words, None where another digit is left.

    >>> without_digits("Wait 10-15 minutes in the 2nd bath at 50%.")
    'Wait ten to fifteen minutes in the second bath at fifty percent.'
    >>> without_digits("It began in 1492.")
    """
    made = _NUMBER.sub(_in_words, sentence)
    if any(map(str.isdigit, made)):
        return None
    return made[:1].upper() + made[1:] if sentence[:1].isdigit() else made


def _in_words(found: re.Match[str]) -> str:
    number, behind, upper = int(found[1]), found[2] or "", found[3]
    if max(number, int(upper or 0)) > 100:
        return found[0]
    if upper:
        return f"{spelled(number)} to {spelled(int(upper))}"
    if behind == "%":
        return f"{spelled(number)} percent"
    return _ordinal(spelled(number)) if behind else spelled(number)


def spelled(number: int) -> str:
    """A whole number from 0 to 100 in words."""
    if number < 20:
        return _NUMBERS.units[number]
    if number == 100:
        return "one hundred"
    return _NUMBERS.tens[number // 10 - 1] + (f"-{_NUMBERS.units[number % 10]}" if number % 10 else "")


def _ordinal(word: str) -> str:
    head, dash, last = word.rpartition("-")
    return head + dash + _NUMBERS.ordinals.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
