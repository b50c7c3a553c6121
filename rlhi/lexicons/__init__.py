"""The words of each language that rules look for, one file a language (``en.toml``): the one home of word lists.

What a file holds: :mod:`rlhi.lexicons.lexicon`. Most have cues alone; a language whose file has all sections of a
:class:`Lexicon` is one that rules read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files

from rlhi.lexicons.lexicon import Cues, Lexicon, Sections, Terms, section

__all__ = ["CODES", "WHOLE", "Cues", "Lexicon", "Terms", "cues", "lexicon"]

_FILES: Mapping[str, Sections] = {
    file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
    for file in sorted(files(__name__).iterdir(), key=lambda file: file.name)
    if file.name.endswith(".toml")
}
CODES = tuple(_FILES)
"""The languages of which something is known, by their ISO 639-1 codes."""
WHOLE = frozenset(code for code, told in _FILES.items() if told.keys() == {one.name for one in fields(Lexicon)})
"""Those with a whole lexicon: the languages that rules read."""


@cache
def lexicon(code: str) -> Lexicon:
    """The whole lexicon of a language, by its ISO 639-1 code.

    >>> lexicon("en").numbers.units[:3]
    ('zero', 'one', 'two')

    Raises:
        LookupError: it has none.
        TypeError: a section lacks a list, or has one that nobody asks for.
    """
    if code not in WHOLE:
        raise LookupError(f"no whole lexicon of the language {code!r}; there is one of {', '.join(sorted(WHOLE))}")
    return Lexicon.read(_FILES[code])


@cache
def cues(*codes: str) -> Cues:
    """The cues of some languages together, by their ISO 639-1 codes and in that order.

    >>> str(cues("fr", "de").thanks)
    'merci|danke'

    Raises:
        LookupError: nothing is known of one of them.
    """
    told = [section(Cues, _FILES[code]["cues"]) for code in codes]
    return Cues(*(Terms(term for one in told for term in getattr(one, kind.name)) for kind in fields(Cues)))
