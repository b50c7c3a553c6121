"""The wishes that users hide: which checks they come from, and how often each kind is dealt.

The world is balanced. A wish takes a side of a matter, and the other side is wished for as often: short or long, prose
or lists. Hardly any answer meets two opposite wishes, so no one style pleases everybody: what is to be gained is
knowing who asks.

Wishes are dealt from decks and not drawn freely: the cards of one side are spread evenly over a deck and those of the
other side lie half way between them, so that a few dozen users already hold every kind, and as many of one side as of
the other. Held-out users have decks of their own, so that both parts hold the same mixture and a difference between
them is no accident of the draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from rlhi.checks.form import Check
from rlhi.contracts import content_key


@dataclass(frozen=True, slots=True)
class WishKind:
    """A kind of wish: its weight (cards a deck), its side of a matter, and the arguments it cycles through.

    ``about`` is what it speaks of: two wishes of one user never speak of the same, as "bullets" and "one paragraph"
    cannot both be met. ``opposite`` is the kind that takes the contrary side of its ``matter``; a matter of which
    nobody takes the other side (a language) has none, and is dealt to those who ask for it by its weight only.
    """

    matter: str
    side: str
    weight: int
    opposite: str
    about: frozenset[str]
    arguments: tuple[str, ...] = ("",)


def _kind(place: str, weight: int, opposite: str, about: str, *arguments: str) -> WishKind:
    matter, _, side = place.partition("/")
    return WishKind(matter, side, weight, opposite, frozenset(about.split()), arguments or ("",))


# Beside each: the share of 128 plain answers of SmolLM2-135M-Instruct (64 requests, 80 tokens, temperature 0.9) that
# meet its first argument. Heavy matters are within the model's reach on both sides; in light ones most answers take one
# side as they come, and who wishes for that side guards against its loss. Of this deck's wishes the plain answers meet
# 0.49; edited for everybody into the first one, two, three or four sentences, one paragraph, lines, bullets, numbered
# steps, lower case, without commas, digits or bold, or with a question, an example or bold, 0.46 to 0.51.
WISHES: dict[str, WishKind] = {
    "at_most_words": _kind("length/short", 3, "at_least_words", "length", "40", "35", "45"),  # 0.04
    "at_most_sentences": _kind("length/short", 2, "at_least_words", "length shape", "2", "3"),  # 0.05
    "at_least_words": _kind("length/long", 5, "at_most_words", "length", "50", "45", "55"),  # 0.95
    "one_paragraph": _kind("breaks/one", 3, "paragraphs", "shape"),  # 0.37
    "paragraphs": _kind("breaks/several", 3, "one_paragraph", "shape"),  # 0.63
    "no_lists": _kind("lists/prose", 3, "bullets", "shape"),  # 0.84
    "bullets": _kind("lists/lists", 2, "no_lists", "shape"),  # 0.02
    "numbered": _kind("lists/lists", 1, "no_lists", "shape digits"),  # 0.05
    "has_example": _kind("example/with", 2, "no_example", "example"),  # 0.16
    "no_example": _kind("example/without", 2, "has_example", "example"),  # 0.84
    "plain_words": _kind("words/plain", 2, "long_words", "words", "11"),  # 0.57
    "long_words": _kind("words/technical", 2, "plain_words", "words", "11"),  # 0.43
    "ends_with_question": _kind("closing/question", 2, "no_question", "closing"),  # 0.01
    "no_question": _kind("closing/none", 2, "ends_with_question", "closing"),  # 0.99
    "bold_keywords": _kind("bold/with", 1, "no_bold", "type"),  # 0.06
    "no_bold": _kind("bold/without", 1, "bold_keywords", "type"),  # 0.94
    "no_digits": _kind("digits/words", 1, "digits", "digits"),  # 0.78
    "digits": _kind("digits/figures", 1, "no_digits", "digits"),  # 0.22
    "no_commas": _kind("commas/without", 1, "commas", "commas"),  # 0.01
    "commas": _kind("commas/with", 1, "no_commas", "commas"),  # 0.99
    "lower_case": _kind("case/lower", 1, "capitals", "case"),  # 0.00
    "capitals": _kind("case/normal", 1, "lower_case", "case"),  # 1.00
    "summary_first": _kind("opening/summary", 1, "no_summary", "opening"),  # 0.20
    "no_summary": _kind("opening/none", 1, "summary_first", "opening"),  # 0.80
    # Nobody's by default: a model of 135M speaks hardly any French, and answer keys know English only.
    "language": _kind("language/other", 0, "", "words", "fr", "es", "de"),  # 0.00
}


def only(*matters: str) -> tuple[tuple[str, int], ...]:
    """Weights of decks that hold these matters and no others.

    >>> ("no_commas", 0) in only("length"), ("at_least_words", 0) in only("length")
    (True, False)

    Raises:
        ValueError: a name is no matter's.
    """
    known = {kind.matter for kind in WISHES.values()}
    if unknown := sorted(set(matters) - known):
        raise ValueError(f"no wish is of {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return tuple((name, 0) for name, kind in WISHES.items() if kind.matter not in matters)


def opposite(wish: Check) -> Check | None:
    """The contrary wish on the same matter; None where nobody holds it.

    >>> opposite(Check("has_example")), opposite(Check("language", "fr"))
    (Check(kind='no_example', argument=''), None)
    """
    kind = WISHES.get(wish.kind)
    if kind is None or not kind.opposite:
        return None
    arguments = WISHES[kind.opposite].arguments
    at = kind.arguments.index(wish.argument) if wish.argument in kind.arguments else 0
    return Check(kind.opposite, arguments[at % len(arguments)])


def deck(weights: Mapping[str, int], seed: int, number: int) -> list[Check]:
    """Deck ``number`` of an endless series: ``weights[kind]`` cards of each kind, spread evenly over it.

    Args:
        weights: cards by kind, instead of the kind's own weight; 0 leaves a kind out.

    Raises:
        ValueError: a weight names no kind of wish, is negative, or all are 0.
    """
    unknown = sorted(set(weights) - set(WISHES))
    if unknown:
        raise ValueError(f"no wish of kind {unknown[0]!r}; known: {', '.join(WISHES)}")
    random = Random(content_key("deck", seed, number))
    placed: list[tuple[float, Check]] = []
    for sides in _matters(weights, number):
        shift, late = random.random(), random.random() < 0.5
        for at, cards in enumerate(sides):
            start = (shift + (at + late) / 2) % 1
            placed.extend(((place + start) / len(cards), card) for place, card in enumerate(cards))
    if not placed:
        raise ValueError("every wish has weight 0")
    return [check for _, check in sorted(placed, key=lambda place: place[0])]


def _matters(weights: Mapping[str, int], number: int) -> list[list[list[Check]]]:
    """By matter and side: the cards of deck ``number``, those of several kinds of one side mixed."""
    found: dict[str, dict[str, list[tuple[float, Check]]]] = {}
    for name, kind in WISHES.items():
        count = weights.get(name, kind.weight)
        if count < 0:
            raise ValueError(f"the weight of wish {name!r} is negative")
        side = found.setdefault(kind.matter, {}).setdefault(kind.side, [])
        for card in range(count):
            argument = kind.arguments[(number * count + card) % len(kind.arguments)]
            side.append(((card + 0.5) / count, Check(name, argument)))
    return [
        [[card for _, card in sorted(cards, key=lambda one: one[0])] for cards in sides.values()]
        for sides in found.values()
    ]


def deal(weights: Mapping[str, int], seed: int) -> Iterator[Check]:
    """First wishes, one user after another, for ever."""
    number = 0
    while True:
        yield from deck(weights, seed, number)
        number += 1


def second_wish(first: Check, weights: Mapping[str, int], random: Random) -> Check | None:
    """Another wish that an answer can meet beside the first; None where no kind is left."""
    cards = deck(weights, 0, random.randrange(1000))
    fitting = [card for card in cards if not WISHES[card.kind].about & WISHES[first.kind].about]
    return random.choice(fitting) if fitting else None
