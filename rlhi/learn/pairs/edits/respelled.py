"""English sentences without commas or digits: rules where one reads well, None where none does."""

from __future__ import annotations

import re

MOST_COMMAS = 4
"""A sentence with more of them is built on them."""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth"}  # fmt: skip
_VERB = (
    r"(?:is|are|was|were|has|have|had|can|could|will|would|may|might|must|should|do|does|did|helps?|makes?|made|allows?"
    r"|means?|gives?|provides?|includes?|led|leads?|causes?|keeps?|lets?|enables?|shows?|requires?|needs?|creates?"
    r"|contains?|uses?|protects?|prevents?|ensures?|improves?|reduces?)"
)
_INTRO = (
    r"(?:to|in|on|at|by|for|from|with|without|within|during|before|after|when|whenever|while|if|once|as|since|because"
    r"|although|though|unlike|despite|due|until|unless|whether|through|throughout|over|under|among|between|depending"
    r"|using|based|\w+ing)"
)
_BEFORE = (
    r"(?:and|or|but|so|yet|nor|because|since|as|while|although|though|if|unless|until|when|where|who|whose|with|without"
    r"|in|on|by|at|to|for|from|like|such|including|especially|particularly|even|not|rather|then|before|after|both"
    r"|using|based|according|thanks|due|up|depending|either|plus|just|also|too|please"
    r"|\w+ing (?!and|or)\w+ \w+|through|of|during|about)"
)
_QUALITY = (
    r"(?:\w{2,}(?:ful|ous|ive|less|ish|able|ible|ic|ical|ual|ary|ique|ant|ent|y)|strong|small|big|large|long|short|cool"
    r"|warm|hot|cold|good|new|old|clean|clear|soft|hard|simple|mild|fresh|fine|thick|thin|deep|light|dark|safe|smooth"
    r"|sharp|flat|wide|gentle|loose|white|black|red|green|blue|sweet|sour|damp|moist|rich|quiet|bright|modern|formal"
    r"|casual|positive|honest|open|secure|non-\w+|\w+-\w+)"
)
_SWAPS = {"however": "But", "nevertheless": "Still", "additionally": "Also", "moreover": "Also", "furthermore": "Also",
          "in addition": "Also", "besides": "Also", "consequently": "So", "therefore": "So", "as a result": "So",
          "yes": "", "no": "", "sure": "", "well": ""}  # fmt: skip
_SWAP = re.compile(rf"(?:{'|'.join(_SWAPS)}), ", re.IGNORECASE)
_ADVERB = r"(?:for (?:example|instance)|however|too|though|of course|in fact|therefore|instead|in general|\w{3,}ly)"
# What was taken for a chunk of an enumeration has no verb, no pronoun and few words.
_CHUNK = r"(?:(?!(?:you|it|they|we|he|she|i|this|that|which|who|where|to|and|or|but|\w+ing)\b)[\w'’%&*()/-]+ ?){1,4}"
_SERIES = re.compile(rf"((?:, ?{_CHUNK})*)(?:,? |(?<= ))(and|or) (?=[\w*\"'])", re.IGNORECASE)
_LISTS = re.compile(rf"{_CHUNK},? ?(?:and|or)\b", re.IGNORECASE)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (rf", ({_ADVERB}),", r" \1"),
        (rf", which (?:also )?({_VERB}\b[^,]*)$", r". This \1"),
        (r", (who|where|whose)\b", r" \1"),
        (rf", (?={_BEFORE}\b)", " "),
        (rf"\b({_QUALITY}), (?={_QUALITY} \w)", r"\1 and "),
        (r"\b([A-Z]\w+), (?-i:(?=[A-Z]\w+))", r"\1 "),
        (r"\b(\d{1,2}|\d{1,2}(?:st|nd|rd|th)), (?=\d{4}\b)", r"\1 "),
        (r",(?=[\"'”’]?$)", ""),
    )
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_LEAD = re.compile(r"^(to [^,:]+), (?:you can )?(?:follow|here)\b[^,:]*:$", re.IGNORECASE)
# "Watering it is good, ..." is a sentence; "Watering it daily, ..." is not.
_AT_FIRST = re.compile(rf"(\W*(?!\w+ing\b[^,]*\b{_VERB}\b){_INTRO}\b[^,]{{2,90}}), ", re.IGNORECASE)
_ALONE = re.compile(
    r"(\W*(?:\w+ly"
    r"|next|then|first|second|third|overall|instead|also|now|today|so|thus|later|again|here|sometimes|often)), ",
    re.IGNORECASE,
)
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
    word, rest = _SWAPS[found[0][:-2].lower()], sentence[found.end() :]
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
        return _ONES.split()[number]
    if number == 100:
        return "one hundred"
    return _TENS.split()[number // 10] + (f"-{_ONES.split()[number % 10]}" if number % 10 else "")


def _ordinal(word: str) -> str:
    head, dash, last = word.rpartition("-")
    return head + dash + _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
