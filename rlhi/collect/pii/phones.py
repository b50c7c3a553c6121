"""Telephone numbers: international ones, those after a word such as "call", and national ones by their form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import phonenumbers

from rlhi.collect.pii.recognisers import LETTER, OTHER_NUMBER, Span, before

_NUMBER = re.compile(
    rf"(?<![{LETTER}_.#$€£%\\-])(?<![0-9][,:])(?<![^/:]/)\(?\+?(?<![0-9]\+)"
    r"[0-9](?:(?:[ \u00a0\u202f.()/\u2010\u2011\u2013-]{0,2}| / )[0-9]){6,16}"
    rf"(?![{LETTER}_%]|[.,:/-][0-9]|-[A-Za-z])"
)
_CUES = (
    "phone", "telephone", "telefon", "telefono", "teléfono", "téléphone", "telefone", "tel", "tél", "mobile", "mobil",
    "portable", "móvil", "celular", "cellulare", "cell", "cellphone", "handy", "call", "ring", "dial", "text", "sms",
    "fax", "whatsapp", "viber", "hotline", "telefonnummer", "rufnummer", "numéro", "ligue", "llámame", "appelez",
    "chiamami", "zadzwoń", "bel", "телефон",
)  # fmt: skip
_CUE = re.compile(
    rf"(?:(?<![<\w])(?:{'|'.join(_CUES)}|(?:my|his|her|our|their|your|contact)(?: \w+)? (?:number|no|nr))\b"
    r"|电话|電話|手机|手机号|携帯)(?:[^\w\n]{1,3}[^\W\d_]+){0,3}(?:[^\w\n]|[是はが]){0,4}$",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?<![0-9])(?:[12][0-9]{3}([-/. ])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-/.])[0-9]{1,2}\2(?:19|20)[0-9]{2}"
    r"|(?:1[89]|20)[0-9]{2} ?[/\u2013-] ?(?:1[89]|20)[0-9]{2})(?![0-9])"
)
_AMERICAN = re.compile(r"(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ -]?|[2-9][0-9]{2}[.-])[2-9][0-9]{2}[ .-][0-9]{4}")
_GROUPED = re.compile(r"\(?0?[1-9][0-9]{1,4}\)?(?:[ .-]?/? ?[0-9]{2,9}){1,5}")
# Whose national numbers, told by their form alone, are known.
REGIONS = ("GB", "DE", "FR", "IT", "AU", "IE", "NL", "BE", "AT", "CH", "SE", "BR", "IN", "ZA", "NZ", "JP")


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers that can be dialled.

    A run of digits alone is no number: the form has to be a known country's, with groups or a mobile's prefix.
    """
    for found in _NUMBER.finditer(text):
        start, end = found.span()
        said = found[0]
        if said.startswith("(") and ")" not in said:
            start, said = start + 1, said[1:]
        if _is_phone(said, before(text, start)):
            yield start, end


def _is_phone(said: str, words: str) -> bool:
    digits = re.sub("[^0-9]", "", said)
    if said.count("(") != said.count(")") or _DATE.search(said) or OTHER_NUMBER.search(words):
        return False
    if said.lstrip("(").startswith("+"):
        return len(digits) > 7 and _dialled(said, None, phonenumbers.is_possible_number)
    if digits.startswith("00"):
        return _dialled("+" + digits[2:], None, phonenumbers.is_possible_number)
    if _CUE.search(words):
        grouped = said != digits or len(digits) > 7
        return grouped and len(digits) < 16 and not re.fullmatch(r"[0-9]+\.[0-9]+", said)
    if _AMERICAN.fullmatch(said):
        return True
    if said[0] not in "0(" or not 9 <= len(digits) <= 12 or not _GROUPED.fullmatch(said):
        return False
    if said == digits:
        return any(_dialled(said, region, _is_mobile) for region in REGIONS)
    return any(_dialled(said, region, phonenumbers.is_valid_number) for region in REGIONS)


def _dialled(said: str, region: str | None, holds: Callable[[phonenumbers.PhoneNumber], bool]) -> bool:
    try:
        return holds(phonenumbers.parse(said, region))
    except phonenumbers.NumberParseException:
        return False


def _is_mobile(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
