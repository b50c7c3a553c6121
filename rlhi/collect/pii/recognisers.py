"""Recognisers of personal data: each takes a text and gives the places, in order, of what it finds.

Patterns propose and checks decide: check digits (cards, IBANs), the ranges that `ipaddress` knows, the words around a
number. What can belong to nobody stays: addresses of networks at home and of documentation (RFC 1918, 5737, 3849),
domains that RFC 2606 reserves such as example.com, logins such as ``git@github.com``. Telephone numbers are in
:mod:`rlhi.collect.pii.phones`, keys and passwords in :mod:`rlhi.collect.pii.credentials`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator

from stdnum import iban, luhn

Span = tuple[int, int]
"""Start and end of a finding, in characters of the text."""

Recogniser = Callable[[str], Iterable[Span]]

LETTER = "A-Za-z0-9À-ɏ"  # Latin: other scripts write no space between a sentence and an address
_EMAIL = re.compile(
    rf"(?<![{LETTER}.+%_-])[{LETTER}_](?:[{LETTER}_.+%'-]{{0,62}}[{LETTER}_+%-])?@"
    rf"(?:[{LETTER}-]{{1,63}}\.)+[A-Za-zÀ-ɏ]{{2,24}}(?![{LETTER}@(-])"
)
_SPELT = re.compile(
    r"\b[a-z0-9][\w.+-]{0,62}(?: ?(?:\(at\)|\[at\]|\{at\}) ?| at )"
    r"[a-z0-9-]+(?:(?: ?(?:\(dot\)|\[dot\]|\{dot\}) ?| dot )[a-z0-9-]+)*"
    r"(?: ?(?:\(dot\)|\[dot\]|\{dot\}) ?| dot )[a-z]{2,6}\b",
    re.ASCII | re.IGNORECASE,
)
_RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|net|org)|example|test|invalid|localhost|local|localdomain|internal|lan)$"
)
_FILES = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "pdf", "js", "mjs", "ts", "css", "html", "py", "rs", "go", "md",
     "txt", "json", "yaml", "yml", "zip", "gz"}
)  # fmt: skip
_LOGINS = frozenset({"git", "this", "super", "return"})  # ssh's user of code hosts; labels of Kotlin


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses that can be somebody's."""
    for found in _EMAIL.finditer(text):
        local, _, domain = found[0].lower().rpartition("@")
        *_, above, top = domain.split(".")
        version = above.isdigit() and len(above) < 3  # package@1.0.beta
        if not (version or top in _FILES or local in _LOGINS or _RESERVED.search(domain)):
            yield found.span()


def spelt_emails(text: str) -> Iterator[Span]:
    """E-mail addresses with the signs spelt out: ``anna (at) mail (dot) de``."""
    yield from (found.span() for found in _SPELT.finditer(text))


# Seven digits with nothing but separators between: no card, account, address or telephone number here has fewer.
_LONG_NUMBER = re.compile(r"[0-9](?:[ ()+./\u00a0\u202f\u2010\u2011\u2013-]{0,3}[0-9]){6,}")
_AROUND = 80  # characters: an IBAN begins up to 30 before its digits, and words up to 40 before say what a number is


def number_windows(text: str) -> list[Span]:
    """The parts of a text in which cards, IBANs, IPv4 addresses and telephone numbers may be found: what stands around
    its long numbers, in order and apart."""
    windows: list[Span] = []
    for found in _LONG_NUMBER.finditer(text):
        start, end = max(0, found.start() - _AROUND), min(len(text), found.end() + _AROUND)
        if windows and start <= windows[-1][1]:
            windows[-1] = windows[-1][0], end
        else:
            windows.append((start, end))
    return windows


OTHER_NUMBER = re.compile(
    r"\b(?:order|invoice|ticket|ref(?:erence)?|account|isbn|issn|tracking|serial|case|part|model|item|lot|id)\b"
    r"[\W\d]{0,4}(?:number|no|nr)?\W{0,3}(?:is )?\W{0,2}$",
    re.IGNORECASE,
)


def before(text: str, start: int) -> str:
    """The 40 characters before a place, which say what a number is."""
    return text[max(0, start - 40) : start]


_CARD = re.compile(
    r"(?<![\w.+-])(?:[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}|[0-9]{14,19})"
    r"(?![\w-]|[.,][0-9])"
)
_ISSUER = re.compile(
    r"4[0-9]{15}"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
    r"|220[0-4][0-9]{12}"  # Mir
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{10,15}"  # Maestro
)


def cards(text: str) -> Iterator[Span]:
    """Payment cards: a known issuer's range and length, and Luhn's check digit."""
    for found in _CARD.finditer(text):
        digits = re.sub("[ -]", "", found[0])
        # One in ten numbers has the right check digit, so the words before count too.
        if _ISSUER.fullmatch(digits) and luhn.is_valid(digits) and not OTHER_NUMBER.search(before(text, found.start())):
            yield found.span()


_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){11,30}")


def ibans(text: str) -> Iterator[Span]:
    """International bank account numbers: the country's structure, and the check digits by 97."""
    at = 0
    while found := _IBAN.search(text, at):
        start, whole = found.start(), found[0]
        ends = [end for end in range(15, len(whole)) if whole[end] == " "]
        if not text[found.end() : found.end() + 1].isalnum():
            ends.append(len(whole))
        # The words that follow may look like more of it: the longest valid beginning counts.
        valid = next((end for end in reversed(ends) if iban.is_valid(whole[:end], check_country=False)), None)
        at = start + (valid or 4)
        if valid:
            yield start, at


_IPV4 = re.compile(r"(?<![\w.-])(?<![^/]/)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{4,35}(?<!:)(?![\w:])")
_VERSION = re.compile(
    r"(?:\bv|\b(?:version|release|build|firmware|driver|rev|section|chapter|(?:up(?:grade|date)d? (?:to|from)))"
    r"|[=<>~^!]=)\W{0,3}(?:number )?$",
    re.IGNORECASE,
)
_MIN_DIGITS = 7  # 1.2.3.4 and the like are versions and headings


def ipv4_addresses(text: str) -> Iterator[Span]:
    """IPv4 addresses of the public internet; versions that look like one, private and reserved ones stay."""
    for found in _IPV4.finditer(text):
        parts = found[0].split(".")
        if sum(map(len, parts)) < _MIN_DIGITS or all(int(part) < 32 for part in parts):
            continue
        if _public(found[0]) and not _VERSION.search(before(text, found.start())):
            yield found.span()


def ipv6_addresses(text: str) -> Iterator[Span]:
    """IPv6 addresses of the public internet."""
    yield from (found.span() for found in _IPV6.finditer(text) if _public(found[0]))


def _public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
