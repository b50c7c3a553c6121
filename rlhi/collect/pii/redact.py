"""Redaction: personal data and secrets in a text become typed placeholders such as ``<EMAIL>``.

Most text holds none, and ingesting reads all of it: a :class:`Glance` rules out nearly every recogniser with a few
passes over bytes, in C, before any pattern is tried.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from rlhi.collect.pii.credentials import NAMES, SCHEMES, named, passwords_in_urls, private_keys, tokens
from rlhi.collect.pii.phones import phones
from rlhi.collect.pii.recognisers import (
    Recogniser,
    cards,
    emails,
    ibans,
    ipv4_addresses,
    ipv6_addresses,
    number_windows,
    spelt_emails,
)
from rlhi.config import PiiKind
from rlhi.contracts import Conversation

KINDS: tuple[PiiKind, ...] = get_args(PiiKind)
NAME = "name"
Finding = tuple[str, int, int]
"""Kind, start and end, in characters."""

NUL = "\x00"  # in no text that was accepted
BORDER = f"\n{NUL}\n"
_UNTOUCHED = re.compile(rf"<(?:{'|'.join(kind.upper() for kind in (*KINDS, NAME))})>|{NUL}")


def redact(text: str, kinds: Sequence[PiiKind] = KINDS, names: Recogniser | None = None) -> tuple[str, Counter[str]]:
    """The text with a placeholder for each finding, and how many of each kind.

    ``names`` finds people's names (:func:`rlhi.collect.pii.person_names.person_names`); without it they stay. What was
    redacted is redacted no further: the result of the result is the result.

    >>> redact("Mail anna@mailhaus-nord.de from 192.168.1.7")
    ('Mail <EMAIL> from 192.168.1.7', Counter({'email': 1}))
    """
    counts: Counter[str] = Counter()
    # A placeholder can uncover what stood beside it, so this goes on until nothing is found. It ends: every round
    # replaces characters outside of placeholders, which no finding may touch.
    while found := find(text, kinds, names):
        counts.update(kind for kind, _, _ in found)
        parts, at = [], 0
        for kind, start, end in found:
            parts += [text[at:start], f"<{kind.upper()}>"]
            at = end
        text = "".join([*parts, text[at:]])
    return text, counts


def find(text: str, kinds: Sequence[PiiKind] = KINDS, names: Recogniser | None = None) -> list[Finding]:
    """The findings in order of place; none overlaps another or a placeholder."""
    proposed = list(_proposed(text, kinds))
    if names is not None:
        proposed += [(NAME, start, end) for start, end in names(text)]
    if not proposed:
        return []
    taken = bytearray(len(text))
    for match in _UNTOUCHED.finditer(text):
        taken[match.start() : match.end()] = b"\1" * len(match[0])
    found: list[Finding] = []
    for kind, start, end in proposed:
        if start < end and 1 not in taken[start:end]:
            taken[start:end] = b"\1" * (end - start)
            found.append((kind, start, end))
    return sorted(found, key=lambda finding: finding[1])


def _proposed(text: str, kinds: Sequence[PiiKind]) -> Iterator[Finding]:
    """What the rules find, rule after rule."""
    glance = Glance(text)
    rules = [rule for rule in RULES if rule.kind in kinds and rule.may(glance)]
    windows = number_windows(text) if any(rule.in_numbers for rule in rules) else []
    for rule in rules:
        for left, right in windows if rule.in_numbers else [(0, len(text))]:
            for start, end in rule.recogniser(text[left:right]):
                yield str(rule.kind), left + start, left + end


def redact_conversation(
    conversation: Conversation, kinds: Sequence[PiiKind] = KINDS, names: Recogniser | None = None
) -> Conversation:
    """The conversation with redacted turns, comments and thoughts; ``changes`` counts what was replaced."""
    # All texts as one, with a border that no finding may touch: one glance for a whole conversation is cheap.
    every = [turn.content for turn in conversation.turns]
    every += [signal.text for turn in conversation.turns for signal in turn.signals]
    every += [turn.thought for turn in conversation.turns if turn.thought]
    redacted, counts = redact(BORDER.join(text.replace(NUL, "") for text in every), kinds, names)
    if not counts:
        return conversation
    texts = iter(redacted.split(BORDER))
    turns = [replace(turn, content=next(texts)) for turn in conversation.turns]
    told = [replace(turn, signals=tuple(replace(one, text=next(texts)) for one in turn.signals)) for turn in turns]
    told = [replace(turn, thought=next(texts)) if turn.thought else turn for turn in told]
    return replace(conversation, turns=tuple(told), changes=_told(conversation.changes, counts))


def _told(changes: Sequence[str], counts: Counter[str]) -> tuple[str, ...]:
    """``changes`` with these counts added to those of an earlier redaction."""
    others = []
    for change in changes:
        kind, _, number = change.rpartition(" x")
        if kind in (*KINDS, NAME) and number.isdecimal():
            counts[kind] += int(number)
        else:
            others.append(change)
    return tuple(sorted([*others, *(f"{kind} x{number}" for kind, number in counts.items())]))


_NUMERALS = b"0123456789"
_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))
_OTHER_SCRIPTS = bytes(range(128, 256))  # signs such as the unbreakable space are among them


def _only(members: bytes) -> bytes:
    """A translation of bytes: members to 1, all else to 0."""
    return bytes(byte in members for byte in range(256))


_NUMERAL = _only(_NUMERALS)
_HEXADECIMAL = _only(_NUMERALS + b"abcdefABCDEF:")
_WORD = _only(_NUMERALS + _LETTERS + b"_-")
_SEPARATORS = b" ()+./-" + _OTHER_SCRIPTS
_SEVEN, _TEN, _TWENTY = b"\1" * 7, b"\1" * 10, b"\1" * 20


class Glance:
    """What a text may hold, by a few passes over its bytes: all that it holds, and not much that it does not."""

    __slots__ = ("hexadecimal", "long_word", "lower", "number")

    def __init__(self, text: str) -> None:
        raw = text.encode("utf-8", "surrogatepass")
        self.lower = raw.lower()
        """The text in lower case, as far as it is ASCII."""
        self.number = _SEVEN in raw.translate(_NUMERAL, _SEPARATORS)
        """Seven digits with nothing but separators between: no phone, card, IBAN or address counts that has fewer."""
        self.hexadecimal = _TEN in raw.translate(_HEXADECIMAL)
        """Ten hexadecimal digits and colons in a row, as in an IPv6 address."""
        self.long_word = _TWENTY in raw.translate(_WORD)
        """Twenty letters, digits and hyphens in a row, as in a key."""

    def has(self, *parts: bytes) -> bool:
        """Whether one of these stands in the text, whatever the case."""
        return any(map(self.lower.__contains__, parts))


@dataclass(frozen=True, slots=True)
class Rule:
    """A recogniser, the kind of its findings, and whether it is worth its time on a text.

    ``in_numbers`` has it look around long numbers alone.
    """

    kind: PiiKind
    recogniser: Recogniser
    may: Callable[[Glance], bool]
    in_numbers: bool = False


def _has_number(glance: Glance) -> bool:
    return glance.number


# Where two findings overlap, the earlier rule has it: a key may hold a number, an address may hold one too.
RULES = (
    Rule("key", private_keys, lambda glance: glance.long_word and glance.has(b"private key")),
    Rule("key", tokens, lambda glance: glance.long_word),
    Rule("key", passwords_in_urls, lambda glance: glance.has(b"@") and glance.has(b"://")),
    Rule("key", named, lambda glance: glance.has(*NAMES, *SCHEMES)),
    Rule("email", emails, lambda glance: glance.has(b"@")),
    Rule("email", spelt_emails, lambda glance: glance.has(b"dot")),
    Rule("iban", ibans, _has_number, in_numbers=True),
    Rule("card", cards, _has_number, in_numbers=True),
    Rule("ip", ipv4_addresses, _has_number, in_numbers=True),
    Rule("ip", ipv6_addresses, lambda glance: glance.hexadecimal),
    Rule("phone", phones, _has_number, in_numbers=True),
)
