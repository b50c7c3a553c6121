"""What a claim asks of an answer, as far as a program can tell.

A claim carries it as text, written once where the claim is made: a check of the answer alone
(``at_most_words:40``, :class:`rlhi.checks.form.Check`), or a comparison with the answer complained of (``shorter``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rlhi.checks.form import LANGUAGES, Check, satisfies, words
from rlhi.contracts import ToldClaim

# "Shorter" and "longer" want a difference that a reader sees.
SHORTER, LONGER = 0.9, 1.1

_CODES = {name: code for code, name in LANGUAGES.items()}


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that was asked for; ``met(answer, original)`` compares with the answer complained of where it must.

    ``check`` is the same as a check by program, where one says all of it: an answer can be edited to satisfy it.
    """

    text: str
    met: Callable[[str, str], bool]
    relative: bool = False
    check: Check | None = None


def demands_of(claims: Iterable[ToldClaim]) -> list[Demand]:
    """What claims ask for, in their order; those that no program can check are left out.

    >>> [one.text for one in demands_of([ToldClaim("Use bullet points.", "bullets"), ToldClaim("Be humorous.")])]
    ['Use bullet points.']
    """
    return [_demand(claim) for claim in claims if claim.check]


def canonical(check: str) -> str:
    """A check as it is written everywhere; empty for one that no program can make.

    ``size:LEAST-MOST UNIT`` is the simplest check of that size, ``language:NAME`` that of the language's code.

    >>> canonical("size:-40 words"), canonical("size:2-3 sentences"), canonical("language:French"), canonical("shorter")
    ('at_most_words:40', '', 'language:fr', 'shorter')
    """
    if check in COMPARISONS:
        return check
    kind, _, argument = check.partition(":")
    if kind == "size":
        kind, argument = _sized(argument)
    elif kind == "language":
        argument = _CODES.get(argument, argument)
    try:
        return str(Check(kind, argument))
    except ValueError:
        return ""


def _sized(argument: str) -> tuple[str, str]:
    bounds, _, unit = argument.partition(" ")
    least, _, most = bounds.partition("-")
    unit = f"{unit.removesuffix('s')}s"
    if unit in ("words", "sentences") and most and not least:
        return f"at_most_{unit}", most
    if unit == "words" and least and not most:
        return "at_least_words", least
    return "size", f"{bounds} {unit}"


def _demand(claim: ToldClaim) -> Demand:
    if compare := COMPARISONS.get(claim.check):
        return Demand(claim.text, compare, relative=True)
    check = Check.parse(claim.check)
    return Demand(claim.text, lambda answer, _: satisfies(check, answer), check=check)


def _shorter(answer: str, original: str) -> bool:
    return bool(words(answer)) and _times(answer, original) <= SHORTER


def _longer(answer: str, original: str) -> bool:
    return bool(words(answer)) and _times(answer, original) >= LONGER


def _times(answer: str, original: str) -> float:
    return len(words(answer)) / max(1, len(words(original)))


def _plainer(answer: str, original: str) -> bool:
    """Fewer of the words are long."""
    return bool(words(answer)) and _long(answer) < _long(original)


def _more_technical(answer: str, original: str) -> bool:
    """More of the words are long."""
    return _long(answer) > _long(original)


def _long(text: str) -> float:
    """The share of long words."""
    said = words(text)
    return sum(len(word) > 8 for word in said) / max(1, len(said))


COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "shorter": _shorter,
    "longer": _longer,
    "plainer": _plainer,
    "more_technical": _more_technical,
}
"""What can be told only beside the answer complained of: ``(answer, original)``."""
