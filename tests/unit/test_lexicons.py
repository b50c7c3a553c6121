"""The words of languages: whole or cues alone, each list one that can be searched for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import pytest

from rlhi import lexicons
from rlhi.lexicons import CODES, WHOLE, Lexicon, Terms, cues, lexicon
from rlhi.lexicons.languages import CODES as NAMED
from rlhi.lexicons.languages import is_unread
from rlhi.lexicons.lexicon import Sections


def told(code: str) -> dict[str, dict[str, str | dict[str, str]]]:
    """A language's file as it is."""
    return tomllib.loads((files(lexicons) / f"{code}.toml").read_text(encoding="utf-8"))


def patterns(sections: Sections) -> Iterator[tuple[str, list[str]]]:
    """All lists of a file by name, with what is searched for."""
    for name, lists in sections.items():
        for one, terms in lists.items():
            yield f"{name}.{one}", list(Terms.read(terms)) if isinstance(terms, str) else [*terms, *terms.values()]


@pytest.mark.parametrize("code", CODES)
def test_a_language_is_whole_or_has_cues_alone(code: str) -> None:
    assert code in NAMED.values(), "an ISO 639-1 code that a name is known of"
    assert code in WHOLE or told(code).keys() == {"cues"}
    assert cues(code).changes and cues(code).again and cues(code).thanks


@pytest.mark.parametrize("code", sorted(WHOLE))
def test_a_whole_lexicon_has_every_list_and_no_other(code: str) -> None:
    assert Lexicon.read(told(code)) == lexicon(code)
    for name, lists in told(code).items():
        for one in lists:
            if one == "examples":  # the one list that a language may lack
                continue
            fewer = {**told(code), name: {key: terms for key, terms in lists.items() if key != one}}
            with pytest.raises(TypeError, match=one):
                Lexicon.read(fewer)
    with pytest.raises(TypeError, match="jokes"):
        Lexicon.read({**told(code), "cues": {**told(code)["cues"], "jokes": "knock, knock"}})
    with pytest.raises(TypeError, match="jokes"):
        Lexicon.read({**told(code), "jokes": {}})


@pytest.mark.parametrize("code", CODES)
def test_the_terms_of_a_list_are_patterns_and_stand_in_it_once(code: str) -> None:
    for name, terms in patterns(told(code)):
        assert all(terms) or name == "sentences.swaps", name
        for term in terms:
            re.compile(term)
        if not isinstance(told(code)[name.split(".")[0]][name.split(".")[1]], dict):
            assert len(set(terms)) == len(terms), name


@pytest.mark.parametrize("code", sorted(WHOLE))
def test_numbers_have_their_places(code: str) -> None:
    assert (len(lexicon(code).numbers.units), len(lexicon(code).numbers.tens)) == (20, 9)


def test_a_language_without_a_whole_lexicon_is_one_that_no_rule_reads() -> None:
    assert {code for code in NAMED.values() if not is_unread(code)} == WHOLE
    with pytest.raises(LookupError, match="'fr'; there is one of en"):
        lexicon("fr")
    with pytest.raises(LookupError):
        cues("en", "xx")


def test_the_cues_of_languages_stand_in_the_order_in_which_they_are_asked_for() -> None:
    assert cues("pt", "es").again == (*cues("pt").again, *cues("es").again)
