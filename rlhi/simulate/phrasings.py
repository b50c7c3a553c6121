"""How simulated users say things: phrasings for everyone and phrasings for held-out users only.

The second kind lets labels and personas be measured on words that training never saw. The tables here and in
:mod:`rlhi.simulate.complaints` belong to ``simulate`` alone: nothing that reads conversations may know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Ways of saying one thing: for every user, and for held-out users only (a third of all at least)."""

    everyone: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrasing:
    """A way of saying it, and whether only held-out users say it."""

    text: str
    held_out: bool


def choose(phrasings: Phrasings, held_out: bool, random: Random) -> Phrasing:
    """One phrasing at random; a held-out user's is half the time one of those that are kept for them."""
    kept = held_out and random.random() < 0.5
    return Phrasing(random.choice(phrasings.held_out if kept else phrasings.everyone), kept)


# {request} is the user's own request, said again.
RETRIES = Phrasings(
    (
        "Try again.",
        "No.",
        "That's not what I wanted.",
        "Again please.",
        "Not good. Once more.",
        "{request}",
        "I asked: {request}",
        "Please redo that.",
        "Nope, try once more.",
        "Wrong, do it over.",
    ),
    (
        "Have another go.",
        "meh, retry",
        "Let me ask again: {request}",
        "That won't do. Give it another shot.",
        "You can do better, come again?",
    ),
)

# What is said of a reply that answers nothing. {what} is the word that the request asks with: "You did not say how."
UNANSWERED = Phrasings(
    (
        "You did not say {what}.",
        'That doesn\'t answer my question: "{request}"',
        "You didn't tell me {what}, please answer the question itself.",
        'I asked "{request}" and you said nothing about that.',
        "There is no answer in there. I want to know {what}.",
        "You only repeated what I said, the answer itself is missing.",
        'That\'s off topic. My question was "{request}"',
        "You talk around it. Say {what}, that is all I want.",
    ),
    (
        "Nice, but I still don't know {what}.",
        "You went around the question. Tell me {what}.",
        'Where is the substance? I was asking "{request}"',
        'Not a word about what I need to know, namely "{request}"',
    ),
)

UNANSWERED_BARE = Phrasings(
    (
        "That is not what I asked.",
        "That's not an answer.",
        "You didn't answer me.",
        "Answer the question please.",
        "This has nothing to do with my question.",
        "I still have no answer.",
        "What? That doesn't answer it.",
        "Please answer what I asked.",
    ),
    (
        "Come on, that's no reply to what I asked.",
        "Huh? I was asking something else.",
        "So what is the answer then?",
        "You dodged the question.",
    ),
)

THANKS = Phrasings(
    (
        "Thanks!",
        "Great, thank you.",
        "Perfect, that helps.",
        "Thank you, that's just what I needed.",
        "Nice, thanks a lot.",
        "That works, thanks.",
        "Good answer.",
        "Awesome, thx",
    ),
    (
        "Lovely, much appreciated.",
        "Spot on, cheers.",
        "Brilliant, you saved my day.",
        "Exactly right, I like it this way.",
    ),
)

CONTINUATIONS = Phrasings(
    (
        "What should I watch out for?",
        "And how long does that usually take?",
        "Why is that?",
        "What would you do next?",
        "Is there anything else I should know about this?",
        "How did people find that out?",
        "Does that always hold?",
        "Where can I learn more about it?",
    ),
    (
        "Interesting, what happens if I skip that?",
        "And which part of it is the hardest?",
        "Is that the same everywhere?",
        "Who would know more about this?",
    ),
)
