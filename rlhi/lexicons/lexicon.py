"""What a language has to say for rules to read it: lists of terms, and what each is of (in the comment behind it).

A list that several rules could share is kept apart where their words differ: heads and keys know the patterns by hash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, get_type_hints

Sections = Mapping[str, Mapping[str, str | Mapping[str, str]]]
"""A file as it is read: lists by name within their sections, each one text, or words with what stands for them."""

_Section = TypeVar("_Section")


class Terms(tuple[str, ...]):
    """Terms of one kind in their order, each a word, a phrase or a pattern of its forms.

    Within a pattern they stand as alternatives.

    >>> f"(?:{Terms.read('sure, of course, ok(?:ay)?')})"
    '(?:sure|of course|ok(?:ay)?)'
    """

    __slots__ = ()

    @classmethod
    def read(cls, text: str) -> Terms:
        """The terms of a list: a comma and a space, or the line's end, stand between two."""
        return cls(re.split(r",\s+", text.strip()))

    def __str__(self) -> str:
        return "|".join(self)


@dataclass(frozen=True, slots=True)
class Cues:
    """The few words that are looked for in every text, whatever its language: all that most languages have."""

    changes: Terms  # ask to change something
    again: Terms  # ask for another answer
    thanks: Terms
    examples: Terms = Terms()  # an example follows


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers in words."""

    units: Terms  # zero to nineteen, in order
    tens: Terms  # ten to ninety, in order
    ordinals: Mapping[str, str]  # of numbers whose ordinal is not regular
    amounts: Mapping[str, str]  # other words for numbers, the longer before the shorter that they begin with


@dataclass(frozen=True, slots=True)
class Common:
    """Words that tell nothing by themselves, by what they would be taken for."""

    function: Terms  # no content of a message
    frequent: Terms  # their share of an answer tells that it is English
    telling: Terms  # their share of a message tells that it is English
    requests: Terms  # of four letters or more: whether a follow-up fits its answer hangs on other words
    subjects: Terms  # how people ask of any subject, and how they speak of answers: no topic
    keywords: Terms  # never a key word
    endings: Terms  # of adverbs, verbs and adjectives, which are no key words either
    naming: Terms  # beside which a proposed name has to say something
    questions: Terms  # ask for a thing and not whether it is so
    auxiliaries: Terms  # begin a question whether something is so
    in_titles: Terms  # small in the middle of a title
    fillers: Terms  # dropped from a message before rules read it


@dataclass(frozen=True, slots=True)
class FollowUps:
    """What follow-ups are told by."""

    edits: Terms  # a message that begins with one may ask to edit the answer
    instructs: Terms  # a sentence with one says what to change
    polite: Terms  # before what is asked
    opens: Terms  # no part of an instruction, at its beginning
    closes: Terms  # the same, at its end
    bare: Terms  # nothing else is in a bare retry
    adds: Terms  # asks to add
    removes: Terms  # asks to leave away
    should: Terms  # says what has to be
    wrong: Terms  # says that something is wrong
    misses: Terms  # says that something is missing
    dislikes: Terms  # says that something is not liked
    comparatives: Terms  # asks for more or less of something
    instead: Terms  # names another thing in its place
    only: Terms  # sets a limit
    form: Terms  # the answer's form
    style: Terms  # the answer's style
    errors: Terms  # of what a program says
    shapes: Terms  # verbs of form
    forms: Terms  # forms of an answer that are asked for by name
    short: Terms  # first word of a short message that asks to change something
    tongues: Terms  # languages that an answer is asked for in, of people and of programs
    denies: Terms  # first word of who does not agree
    objects: Terms  # first word of who objects
    praise: Terms  # likes the answer
    praises: Terms  # the same, as first words
    accepts: Terms  # first word of who agrees
    goes_on: Terms  # first words of who wants to hear on
    tells: Terms  # asks for matter and not for a change
    anaphora: Terms  # refers to what was said
    refers: Terms  # the same, as far as a follow-up that fits its answer
    joins: Terms  # begins a follow-up that fits its answer
    first_person: Terms  # speaks of oneself
    tutoring: Terms  # of an answer that teaches its user
    letters: Terms  # of an answer that is a letter or a poem
    texts: Terms  # of a request for a text
    transforms: Terms  # of a request to make one text into another
    faults: Terms  # an instruction may name
    degrees: Terms  # an instruction may ask for
    languages: Terms  # an instruction often names
    limits: Terms  # added to a request that is asked again, they ask for another answer
    roles: Terms  # of who makes the model play a role
    insults: Terms  # what the assistant is called


@dataclass(frozen=True, slots=True)
class Wishes:
    """What complaints are read with (rlhi/collect/wishes)."""

    small: Terms  # may stand between a verb and what it is about
    verbs: Terms  # of giving an answer
    refusing: Terms  # says that something is not wanted, before it
    wanting: Terms  # says that something is wanted, before it
    bad: Terms  # says that something is not wanted, behind it
    places: Terms  # a part of an answer, by its place
    pieces: Terms  # parts of an answer
    things: Terms  # parts of a text that was asked for
    code: Terms  # speaks of a program
    standing: Terms  # a wish for every answer
    manner: Terms  # how an answer is said
    summaries: Terms  # what an answer may begin with
    first: Terms  # where a beginning stands
    plain: Terms  # of easy words
    wording: Terms  # what may be easy
    expert: Terms  # of precise words
    terms: Terms  # what may be precise
    long_winded: Terms  # says more than is needed
    lower_case: Terms  # small letters
    capitals: Terms  # capital letters where they belong
    shouting: Terms  # capital letters that are not liked
    all_capitals: Terms  # capital letters throughout
    marks: Mapping[str, str]  # punctuation by what a check calls it
    bullets: Terms  # lists of points
    numbered: Terms  # lists of steps
    headings: Terms  # above a part of an answer
    markup: Terms  # that is not liked
    units: Terms  # of an answer's length
    at_most: Terms  # before a length that is enough
    at_least: Terms  # before a length that is wanted
    emojis: Terms  # little pictures
    says: Terms  # answers, of which a language is asked


@dataclass(frozen=True, slots=True)
class Personas:
    """What people say they are (rlhi/collect/persona)."""

    trades: Terms  # what people are
    levels: Terms  # of knowledge
    kinds: Terms  # before a trade
    fields: Terms  # that one may be new to
    supposed: Terms  # in a sentence that is a supposition, or somebody else's
    borrowed: Terms  # in a message that plays a role, or brings a text of which nobody knows whose it is


@dataclass(frozen=True, slots=True)
class Answers:
    """What answers say of themselves."""

    refused: Terms  # what a refusal says it cannot do
    turns: Terms  # where a refusal turns into an answer after all
    summary: Terms  # begins a summary
    summing_up: Terms  # the same, as a reward head sees it
    illustration: Terms  # gives an example, as a reward head sees it
    form: Terms  # the answer's form
    speakers: Mapping[str, str]  # who asks and who is asked, in the words of the other
    answer: Terms  # what an answer calls itself
    remade: Terms  # how it says it was made again
    bettered: Terms  # how it says it was changed
    agrees: Terms  # how it begins where it does as it was told
    asked_for: Terms  # of a request whose answer may say so


@dataclass(frozen=True, slots=True)
class Sentences:
    """How sentences are built: edits by program take and join them (rlhi/learn/pairs/edits)."""

    titles: Terms  # whose dot ends no sentence
    abbreviations: Terms  # whose dot ends none before a small letter
    dotted: Terms  # the same, where sentences are taken apart to be edited
    goes_on: Terms  # begins a sentence that goes on from the one before
    orders: Terms  # begins a step
    verbs: Terms  # of statements
    intros: Terms  # begins a clause that a comma may end
    joints: Terms  # no comma is needed before
    qualities: Terms  # adjectives: of two in a row
    swaps: Mapping[str, str]  # first words with a comma, and what stands for them without
    asides: Terms  # between two commas that may go
    firsts: Terms  # first words whose comma may go


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that rules ask of a language."""

    cues: Cues
    numbers: Numbers
    common: Common
    follow_ups: FollowUps
    wishes: Wishes
    personas: Personas
    answers: Answers
    sentences: Sentences

    @classmethod
    def read(cls, told: Sections) -> Lexicon:
        """The lexicon that a file tells.

        Raises:
            TypeError: a section or a list is missing, or there is one that nobody asks for.
        """
        kinds = get_type_hints(cls)
        make: Callable[..., Lexicon] = cls
        return make(**{name: section(kinds.get(name, dict), lists) for name, lists in told.items()})


def section(kind: Callable[..., _Section], lists: Mapping[str, str | Mapping[str, str]]) -> _Section:
    """One section of a file, lists of terms taken apart.

    Raises:
        TypeError: a list is missing, or there is one that nobody asks for.
    """
    return kind(**{name: Terms.read(told) if isinstance(told, str) else told for name, told in lists.items()})
