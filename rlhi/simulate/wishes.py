"""The wishes that users hide: which checks they come from, and how often each kind is dealt.

Wishes are dealt from decks and not drawn freely: a kind with weight 2 lies twice in each deck, once in each
half of it, so that a few dozen users already hold every kind. Held-out users have decks of their own, so that
both sides hold the same mixture and a difference between them is no accident of the draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from rlhi.checks import Check
from rlhi.contracts import content_key


@dataclass(frozen=True, slots=True)
class WishKind:
    """A kind of wish: its weight (cards a deck), the arguments it cycles through, and what it speaks about.

    Two wishes of one user never speak about the same: "bullets" and "one paragraph" cannot both be met.
    """

    weight: int
    about: frozenset[str]
    arguments: tuple[str, ...] = ("",)


def _kind(weight: int, about: str, *arguments: str) -> WishKind:
    return WishKind(weight, frozenset(about.split()), arguments or ("",))


# Beside each: the share of 64 plain answers of SmolLM2-135M-Instruct (96 tokens, temperature 0.9) that meet its
# first argument. The heavy kinds are within reach, so that sampling finds better answers to learn from; of the
# light ones some are met nearly always (they guard against loss) and some never (only a guided rewrite helps).
WISHES: dict[str, WishKind] = {
    "at_most_words": _kind(6, "length", "60", "40", "50"),  # 0.14
    "bullets": _kind(5, "shape"),  # 0.03
    "numbered": _kind(4, "shape digits"),  # 0.09
    "one_paragraph": _kind(4, "shape"),  # 0.17
    "at_most_sentences": _kind(4, "length shape", "3", "2", "4"),  # 0.19
    "has_example": _kind(3, "example"),  # 0.16
    "no_commas": _kind(3, "commas"),  # 0.02
    "summary_first": _kind(3, "opening"),  # 0.20
    "plain_words": _kind(3, "words", "11"),  # 0.41
    "bold_keywords": _kind(2, "type"),  # 0.06
    "no_lists": _kind(2, "shape"),  # 0.83
    "no_digits": _kind(2, "digits"),  # 0.72
    "at_least_words": _kind(2, "length", "60"),  # 0.89
    "language": _kind(2, "words", "fr", "es", "de"),  # 0.00
    "ends_with_question": _kind(2, "closing"),  # 0.00
    "lower_case": _kind(2, "case"),  # 0.00
}


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
    for name, kind in WISHES.items():
        count = weights.get(name, kind.weight)
        if count < 0:
            raise ValueError(f"the weight of wish {name!r} is negative")
        shift = random.random()
        for card in range(count):
            argument = kind.arguments[(number * count + card) % len(kind.arguments)]
            placed.append(((card + shift) / count, Check(name, argument)))
    if not placed:
        raise ValueError("every wish has weight 0")
    return [check for _, check in sorted(placed, key=lambda place: place[0])]


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
