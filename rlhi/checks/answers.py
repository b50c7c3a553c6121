"""Whether a reply answers its request, by a key that says what an answer names: a program decides, no model is asked.

A key is one line of text::

    water; drain, saucer; + window, sun, bright light ! fridge, freezer

Ideas stand apart by ``;``, the words for one idea by ``,``. Two different ideas make an answer (``3: ...`` asks for
three, ``1: ...`` for one), or any one term after ``+``. What follows ``!`` is plainly wrong: each takes back as much as
makes an answer, so that a long right one survives a slip.

A term is a row of stems: ``simmer`` is found in "simmering"; ``ice$`` is that word alone; ``hot/warm water`` is found
in "hot soapy water"; ``".sort("`` is found as it stands; ``<name>`` is any name that the reply makes up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rlhi.checks.form import fluency, sentences
from rlhi.lexicons import lexicon

GAP = 3  # other words that may stand between two stems of one term
FLUENT = 0.35  # below it a text repeats itself or is hardly made of letters
LONG = 50  # words
NAME = "<name>"

_TOKEN = re.compile(r"[^\W_]+")
_STEM = re.compile(r"[^\W_]+\$?(?:/[^\W_]+\$?)*")
_COUNT = re.compile(r"([1-9]):\s*(.*)", re.DOTALL)
_MARKS = re.compile(r"[*_#`]+")
# "How about ...?" proposes something, every other question asks for it.
_PROPOSES = re.compile(r"\W*(?:how about|what about|why not|have you (?:tried|thought|considered)|could you)\b", re.I)
# Where a request is for words to say, a question may be what is asked for.
_WORDING = re.compile(r"\b(?:ask|say|write|name|slogan|line)\b", re.IGNORECASE)
# Sentences that speak of the form an answer is to have are no part of it.
_FORM = re.compile(
    r"\b(?:commas?|exclamation marks?|bullet(?:ed)? (?:points?|list)|numbered (?:steps?|list)"
    r"|lower ?case (?:only|letters)|(?:one|single)[- ]sentence summary|single paragraph"
    r"|at most \d+ (?:words?|sentences?|lines?)"
    r"|(?:answer|reply|respond|write)\w* in (?:french|spanish|german|prose|lower case)|spell(?:ing)? (?:numbers|words)"
    r"|include an example|end with a question|keep (?:my |your |the )?(?:answers?|repl(?:y|ies)|responses?)"
    r"|(?:i['’]?ll|i will|let me) (?:keep|make|write) (?:it|this|my answer))\b",
    re.IGNORECASE,
)
_COMMON = lexicon("en").common
_QUOTED = re.compile(r"[\"“”]([^\"“”\n]{3,60})[\"“”]|\*\*([^*\n]{3,60})\*\*")
_TITLE = re.compile(rf"[A-Z][\w'’]+(?:[ -](?:(?:{_COMMON.in_titles}) ){{0,2}}[A-Z][\w'’]+){{0,6}}")
_ENDING_TITLE = re.compile(rf"(?:^|(?:is|be|as|name|called|named|:|about)\W+)(?:(?:the|a) )?({_TITLE.pattern})$")
_CAPITAL = re.compile(r"\b[A-Z]")


@dataclass(frozen=True, slots=True)
class Idea:
    """One thing that an answer may name, in any of its ``terms``; ``enough`` where it makes an answer by itself.

    Raises:
        ValueError: it has no terms, or one that cannot be read.
    """

    terms: tuple[str, ...]
    enough: bool = False

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("an idea needs a term")
        for term in self.terms:
            _readable(term)

    def __str__(self) -> str:
        return ("+ " if self.enough else "") + ", ".join(self.terms)


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What an answer names: ``least`` different ideas, or one that is enough; and what is plainly ``wrong``.

    >>> key = AnswerKey.parse("heat; flat; + steam ! dye")
    >>> answers(key, "How do I iron a shirt?", "Lay it flat and heat the iron.")
    True
    >>> str(key)
    'heat; flat; + steam ! dye'

    Raises:
        ValueError: there are no ideas, fewer than ``least``, or a term cannot be read.
    """

    ideas: tuple[Idea, ...]
    least: int = 2
    wrong: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.ideas:
            raise ValueError("an answer key needs an idea")
        if not 1 <= self.least <= 9:
            raise ValueError(f"an answer names 1 to 9 ideas, not {self.least}")
        if len(self.ideas) < self.least and not all(idea.enough for idea in self.ideas):
            raise ValueError(f"the key asks for {self.least} ideas and has {len(self.ideas)}")
        for term in self.wrong:
            _readable(term)

    def __str__(self) -> str:
        count = "" if self.least == 2 else f"{self.least}: "
        wrong = f" ! {', '.join(self.wrong)}" if self.wrong else ""
        return count + "; ".join(map(str, self.ideas)) + wrong

    @classmethod
    def parse(cls, text: str) -> AnswerKey:
        """The inverse of ``str``."""
        counted = _COUNT.fullmatch(text.strip())
        named, marked, wrong = (counted[2] if counted else text).partition("!")
        if marked and not wrong.strip():
            raise ValueError("nothing stands after '!'")
        ideas = [part.strip() for part in named.split(";")]
        return cls(
            tuple(Idea(_terms(part.removeprefix("+")), part.startswith("+")) for part in ideas),
            int(counted[1]) if counted else 2,
            _terms(wrong) if marked else (),
        )


def answers(key: AnswerKey, request: str, reply: str) -> bool:
    """Whether ``reply`` names what an answer to ``request`` has to. Never raises.

    What stands in the request itself counts for nothing, and neither do questions nor talk of the answer's form.
    A text that repeats itself is no answer. The longer a text, the more is named by chance:
    one of ``LONG`` words takes one idea more.
    """
    text = _said(request, reply)
    if not text or fluency(text) < FLUENT:
        return False
    return _score(key, request, text) >= key.least + (len(_tokens(text)) >= LONG)


def _score(key: AnswerKey, request: str, text: str) -> int:
    """How many ideas a text has: a term that is enough counts for ``key.least``, one that is wrong against as many.

    Nothing counts twice: a word that has been one term is no other one.
    """
    used: set[str] = set()
    score = -key.least * len(_hits(key.wrong, request, text, set()))
    for idea in sorted(key.ideas, key=lambda one: not one.enough):
        hits = _hits(idea.terms, request, text, used)
        score += key.least * len(hits) if idea.enough else min(1, len(hits))
    return score


def _hits(terms: Sequence[str], request: str, text: str, used: set[str]) -> list[str]:
    """The terms that a text names in words that are not ``used`` yet, and that the request did not name."""
    asked, said = _tokens(request), _tokens(text)
    hits = []
    for term in sorted(terms, key=lambda one: -one.count(" ")):
        if term == NAME:
            found = {NAME} if _made_up(text, asked) else set()
        else:
            found = set() if _found(term, request, asked) else _found(term, text, said)
        if not found <= used:
            hits.append(term)
            used |= found
    return hits


def _said(request: str, reply: str) -> str:
    """A reply without its questions, where the request is not for words to say, and without its talk of form."""
    lines = [sentence for line in reply.splitlines() for sentence in sentences(line)]
    asks = _WORDING.search(request)
    kept = [one for one in lines if asks or not one.endswith("?") or _PROPOSES.match(one)]
    return "\n".join(one for one in kept if not _FORM.search(one))


def _found(term: str, text: str, said: Sequence[str]) -> set[str]:
    """The words in which a text first names a term; none where it does not."""
    if term.startswith('"'):
        return {term} if term.strip('"').casefold() in text.casefold() else set()
    stems = [tuple(part.split("/")) for part in _folded(term).split()]
    return next((words for start in range(len(said)) if (words := _row(stems, said, start))), set())


def _row(stems: Sequence[Sequence[str]], said: Sequence[str], start: int) -> set[str]:
    """The words from ``start`` on that are these stems, each at most ``GAP`` words after the one before."""
    if not any(_is(stem, said[start]) for stem in stems[0]):
        return set()
    if len(stems) == 1:
        return {said[start]}
    rest = (_row(stems[1:], said, after) for after in range(start + 1, min(start + 2 + GAP, len(said))))
    return next(({said[start]} | words for words in rest if words), set())


def _is(stem: str, word: str) -> bool:
    return word == stem[:-1] if stem.endswith("$") else word.startswith(stem)


def _made_up(text: str, asked: Sequence[str]) -> bool:
    """Whether a text proposes a name: in quotes, in bold, as the end of a line, or as a short line in capitals."""
    quoted = [part for found in _QUOTED.findall(text) for part in found if part]
    lines = [_MARKS.sub("", line).strip(" .!:\"'“”") for line in text.splitlines()]
    titles = [found[1] for line in lines if (found := _ENDING_TITLE.search(line))]
    short = [line for line in lines if len(_tokens(line)) <= 10 and 2 * len(_CAPITAL.findall(line)) > len(line.split())]
    return any(_own(name, asked) for name in quoted + titles + short)


def _own(name: str, asked: Sequence[str]) -> bool:
    """Whether a name says more than the request did, and more than that it is a name."""
    return any(word not in _COMMON.naming and word not in asked for word in _tokens(name))


def _terms(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _readable(term: str) -> None:
    """Raise where a term is neither a row of stems, nor quoted, nor ``NAME``."""
    quoted = len(term) > 2 and term.startswith('"') and term.endswith('"') and not set(term[1:-1]) & set('",;!')
    stems = term.split(" ")
    if not (quoted or term == NAME or all(_STEM.fullmatch(stem) for stem in stems)):
        raise ValueError(f"cannot read the term {term!r}: stems, a quoted text or {NAME}")


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(_folded(text)))


def _folded(text: str) -> str:
    """Without case and accents, so that "Röntgen" and "rontgen" are one."""
    return "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
