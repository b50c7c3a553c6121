"""Whether an answer does what its user asked for, where a program can tell.

A rewrite must follow the feedback that it answers, and the feedback must fit the answer it was given to. What was asked
is read from two places: the claims that the persona rests on the complaint (``Use bullet points.``), and values that
the complaint puts right ("it should be 72"). Most complaints name nothing that a program can check: of those the reward
model alone judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rlhi.checks.form import LANGUAGES, Check, satisfies, words

Judgement = Literal["follows", "ignores", "unknown", "fits not"]

# "Shorter" and "longer" want a difference that a reader sees.
SHORTER, LONGER = 0.9, 1.1
MARKS = {
    "semicolons": ";", "dashes": "-–—", "colons": ":", "parentheses": "()", "question marks": "?",
    "quotation marks": "\"“”«»", "ellipses": "…",
}  # fmt: skip

_CODES = {name: code for code, name in LANGUAGES.items()}
_VALUE = r"(?P<value>-?\d+(?:[.,]\d+)*)(?=\s*(?:[.,;:!?)]|$|\b(?:and|not|because|since|as|so|if|when)\b))"
_CORRECTED = re.compile(
    r"(?:\b(?:should (?:be|say|read)|supposed to be|ought to be|(?:number|value) (?:is|was|should be)"
    r"|not -?\d[\d.,]* but|it(?:['’]s| is| was)"
    r"|(?P<result>(?:answer|result|total|sum|solution) (?:is|was|should be)|i get|comes? (?:out )?(?:to|at)|makes"
    r"|equals))"
    rf"|(?P<sum>\d\s*[-+*/x×÷]\s*\d+(?:[.,]\d+)*\s*=))\s*(?:actually |exactly |really )?\$?{_VALUE}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that was asked for; ``met(answer, original)`` compares with the answer complained of where it must.

    ``check`` is the same as a check by program, where one says all of it: an answer can be edited to satisfy it.
    """

    text: str
    met: Callable[[str, str], bool]
    relative: bool = False
    check: Check | None = None


def demands(claims: Iterable[str], said: str = "", request: str = "") -> tuple[Demand, ...]:
    """What claims of a persona, and the values in a complaint, ask for as far as a program can check it.

    A value that answers a request of several numbers is what they come to, and has to be what the answer comes to: its
    last number. Elsewhere ("1648, not 1650") it may stand anywhere.

    >>> [one.text for one in demands(["Use bullet points.", "Be humorous."], "No, it should be 72.")]
    ['Use bullet points.', '72']
    """
    found = [one for claim in claims if (one := _demand(claim))]
    computed = _is_computed(request)
    return (*found, *(_value(value, is_result or computed) for value, is_result in corrected(said)[-1:]))


def names_result(said: str, request: str) -> bool:
    """Whether a complaint says what the calculation that was asked for comes to.

    >>> names_result("No, the answer is 12.", "What is 7 + 5?"), names_result("It was 1648.", "When was that peace?")
    (True, False)
    """
    return bool(corrected(said)) and _is_computed(request)


def _is_computed(request: str) -> bool:
    return len(_NUMBER.findall(request)) > 1


def corrected(said: str) -> list[tuple[str, bool]]:
    """Values that a complaint puts right, as it writes them, in order; each with whether it is what all comes to.

    >>> corrected("That's wrong, it should be 1,072, not 61."), corrected("It should be 3 sentences.")
    ([('1,072', False)], [])
    >>> corrected("No, the answer is 12.")
    [('12', True)]
    """
    return [(found["value"], bool(found["result"] or found["sum"])) for found in _CORRECTED.finditer(said)]


def judge(asked: Sequence[Demand], original: str, rewrite: str) -> Judgement:
    """How a rewrite stands to what was asked of the original.

    ``fits not`` when the original did all of it already: the complaint means another answer, or something that was
    misread. ``unknown`` when nothing was asked that a program can check.
    """
    if not asked:
        return "unknown"
    if all(one.met(original, original) for one in asked):
        return "fits not"
    return "follows" if all(one.met(rewrite, original) for one in asked) else "ignores"


def _demand(claim: str) -> Demand | None:
    for pattern, make in _TABLE:
        if found := pattern.fullmatch(claim.strip()):
            made = make(*found.groups())
            return made and Demand(claim.strip(), *made)
    return None


Met = tuple[Callable[[str, str], bool], bool] | tuple[Callable[[str, str], bool], bool, Check]
Make = Callable[..., Met | None]


def _check(kind: str, argument: str = "") -> Met:
    check = Check(kind, argument)
    return (lambda answer, _: satisfies(check, answer)), False, check


def _kind(kind: str) -> Make:
    return lambda *_: _check(kind)


def _number(kind: str) -> Make:
    return lambda n: _check(kind, n) if re.fullmatch(r"[1-9]\d{0,5}", n) else None


def _sized(least: str | None, most: str | None, unit: str) -> Met | None:
    count: dict[str, Callable[[str], int]] = {
        "word": lambda text: len(words(text)), "character": len,
        "line": lambda text: len([line for line in text.splitlines() if line.strip()]),
        "paragraph": lambda text: len([part for part in re.split(r"\n\s*\n", text) if part.strip()]),
    }  # fmt: skip
    name = unit.rstrip("s")
    if name == "sentence":
        return _check("at_most_sentences", most) if most and not least and most != "0" else None
    if name == "word" and not (least and most) and (least or most) != "0":
        return _check("at_least_words", least) if least else _check("at_most_words", most or "")
    measure = count.get(name)
    if measure is None:
        return None
    low, high = int(least or 1), int(most or 10**9)
    return (lambda answer, _: low <= measure(answer) <= high), False


def _without(name: str) -> Met | None:
    if name in ("commas", "exclamation marks"):
        return _check({"commas": "no_commas", "exclamation marks": "no_exclamation"}[name])
    marks = MARKS.get(name)
    return (lambda answer, _: bool(words(answer)) and not any(one in answer for one in marks), False) if marks else None


def _compared(factor: float) -> Met:
    """Fewer words than ``factor`` times the original's, or more where it is above 1."""

    def met(answer: str, original: str) -> bool:
        ratio = len(words(answer)) / max(1, len(words(original)))
        return bool(words(answer)) and (ratio <= factor if factor < 1 else ratio >= factor)

    return met, True


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


def _value(value: str, is_result: bool) -> Demand:
    wanted = value.replace(",", "")

    def met(answer: str, _: str) -> bool:
        # A result that is named on the way to another one ("12 * 2 = 24") is not the answer's.
        numbers = [number.replace(",", "") for number in _NUMBER.findall(answer)]
        return wanted in (numbers[-1:] if is_result else numbers)

    return Demand(value, met)


# Claims of rlhi.collect.wishes.rules that a program can check, by their text; others are left to the reward model.
_TABLE: tuple[tuple[re.Pattern[str], Make], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (r"Answer in (\w+)\.", lambda name: _check("language", _CODES[name]) if name in _CODES else None),
        (r"Keep sentences to at most (\d+) words\.", _number("short_sentences")),
        (r"Spell numbers out in words\.", _kind("no_digits")),
        (r"Write numbers as digits\.", _kind("digits")),
        (r"Use (?:at most \d+ )?bullet points\.", _kind("bullets")),
        (r"Use numbered steps\.", _kind("numbered")),
        (r"Write in prose, without lists\.", _kind("no_lists")),
        (r"Write a single paragraph\.", _kind("one_paragraph")),
        (r"Use short paragraphs\.", _kind("paragraphs")),
        (r"Put the key points in bold\.", _kind("bold_keywords")),
        (r"Do not use bold or Markdown\.", _kind("no_bold")),
        (r"Write in lower case only\.", _kind("lower_case")),
        (r"Use capital letters where they belong\.", _kind("capitals")),
        (r"Use commas\.", _kind("commas")),
        (r"Begin with a one-sentence summary\.", _kind("summary_first")),
        (r"Do not begin with a summary\.", _kind("no_summary")),
        (r"End with a question\.", _kind("ends_with_question")),
        (r"Do not end with a question\.", _kind("no_question")),
        (r"Include an example\.", _kind("has_example")),
        (r"Do not give examples\.", _kind("no_example")),
        (r"Do not use ([\w ]+)\.", _without),
        (r"Write at least (\d+) (\w+)\.", lambda n, unit: _sized(n, None, unit)),
        (r"Keep answers to at most (\d+) (\w+)\.", lambda n, unit: _sized(None, n, unit)),
        (r"Write between (\d+) and (\d+) (\w+)\.", _sized),
        (r"Keep answers short\.", lambda: _compared(SHORTER)),
        (r"Give longer, more detailed answers\.", lambda: _compared(LONGER)),
        (r"Use plain, simple words\.", lambda: (_plainer, True)),
        (r"Use precise technical terms\.", lambda: (_more_technical, True)),
    )
)
