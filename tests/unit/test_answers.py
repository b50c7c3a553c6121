"""Answer keys: their text, what counts as an answer, and that every request has a key."""

from __future__ import annotations

import pytest

from rlhi.checks.answers import AnswerKey, Idea, answers
from rlhi.simulate.requests import answer_keys, conversation_requests, evaluation_requests, requests_of

REQUEST = "How do I keep my bread fresh?"
KEY = AnswerKey.parse("bag$, bin$; cloth, linen; cool/dry place; + freez, slice and toast ! fridge")

# Replies written for this test: the request, what answers it, and what does not.
EXAMPLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "What do hedgehogs eat?": (
        ("Beetles.", "They eat worms and slugs at night.", "Ils mangent des limaces.", "Mostly INSECTS, some fruit"),
        ("A hedgehog.", "Hedgehogs eat what hedgehogs eat.", "Do not use commas.", "Do they eat worms?"),
    ),
    "How do I poach an egg?": (
        (
            "1. Bring water to a gentle simmer.\n2. Add vinegar.\n3. Slide in the egg for 3 minutes.",
            "boil water in a pan, crack it in and wait four minutes",
        ),
        ("Poach the egg with care.", "Use numbered steps", "Fry it in hot oil.", "1. Egg. 2. Poach. 3. Enjoy!"),
    ),
    "How do I iron a shirt?": (
        ("Start with the collar.", "- Lay it flat\n- Use a **hot** iron", "Posez la chemise et commencez par le col."),
        ("I'll keep it short.", "To iron a shirt, use a knife.", "Ironing is a fine skill and it takes patience."),
    ),
    "Who was Marie Curie?": (
        ("She discovered radium.", "Eine Physikerin, die den Nobelpreis bekam."),
        ("Awkward.", "She is told of in French.", "Marie Curie was Marie Curie.", "She was a wonderful person."),
    ),
    "Suggest a name for a neighbourhood library.": (
        ("The Oak Library", "Alembias", "How about \"The Turning Point\"?", "the reading nook"),
        ("A Library Name.", "Keep it short.", "It is a place where people come together."),
    ),
    "What makes a good title for a short story?": (
        ("Keep it short and catchy.", "It makes you curious."),
        ("I'll keep it short and catchy.", "A good title is good.", "Begin with a one-sentence summary."),
    ),
    "Why is the sky blue?": (
        ("Air scatters short wavelengths more.", "Sunlight is scattered in the atmosphere. No mirror of the sea."),
        ("The sky is a reflection of the ocean.", "It is blue because it has a blue colour."),
    ),
    "How do I undo the last commit in git?": (
        ("`git reset --soft HEAD~1`",),
        ("Undo the last commit in git with the undo command.",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", ["a$; b c/d$; + e ! f, g", '1: + ".sort(", <name>', "3: a; b; c"])
def test_a_key_is_its_text(text: str) -> None:
    assert str(AnswerKey.parse(text)) == text
    assert AnswerKey.parse(str(AnswerKey.parse(text))) == AnswerKey.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "needs a term"),
        ("a; ; b", "needs a term"),
        ("a", "asks for 2 ideas and has 1"),
        ("3: a; b", "asks for 3 ideas and has 2"),
        ("a; b !", "nothing stands after"),
        ("a; b(c", r"cannot read the term 'b\(c'"),
        ('a; "b', "cannot read the term"),
        ("a; b  c", "cannot read the term"),
        ("a; b ! <c>", "cannot read the term '<c>'"),
    ],
)
def test_a_wrong_key_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        AnswerKey.parse(text)


def test_ideas_are_counted_and_wrong_ones_take_away() -> None:
    assert answers(KEY, REQUEST, "In a linen bag.")
    assert answers(KEY, REQUEST, "In a dark and dry place, in a bag.")
    assert answers(KEY, REQUEST, "Freezing helps.")
    assert not answers(KEY, REQUEST, "In a bag, or in some other bag.")
    assert not answers(KEY, REQUEST, "In a linen bag in the fridge.")
    assert answers(KEY, REQUEST, "Slice and toast it or freeze it whole; not the fridge.")
    assert not answers(KEY, REQUEST, "Baggage and binoculars.")


def test_what_the_request_says_is_no_answer() -> None:
    key = AnswerKey((Idea(("bread",), enough=True), Idea(("bag",), enough=True)))
    assert not answers(key, REQUEST, "Keep your bread fresh.")
    assert answers(key, REQUEST, "Keep your bread in a bag.")
    assert answers(key, "How do I keep toast fresh?", "Like bread.")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "...",
        "Do you freeze it?",
        "I will keep it short: freeze.",
        "Here is a one-sentence summary, and no freezing.",
        "Freezing? No. " + "This is a text that goes on and on for no reason that a reader could think of. " * 4,
        "freeze freeze freeze freeze freeze freeze freeze freeze freeze freeze",
    ],
)
def test_no_answer_whatever_it_names(reply: str) -> None:
    assert not answers(KEY, REQUEST, reply)


@pytest.mark.parametrize("reply", ["FREEZE IT", "1. **Freeze** it", "> - *freezing*", "Why not freeze it?"])
def test_form_and_case_do_not_matter(reply: str) -> None:
    assert answers(KEY, REQUEST, reply)


@pytest.mark.parametrize("request_", EXAMPLES)
def test_keys_tell_answers_from_none(request_: str) -> None:
    key = answer_keys()[request_]
    good, bad = EXAMPLES[request_]
    assert [reply for reply in good if not answers(key, request_, reply)] == []
    assert [reply for reply in bad if answers(key, request_, reply)] == []


def test_every_request_has_a_key_and_every_key_a_request() -> None:
    assert list(answer_keys()) == [*conversation_requests(), *evaluation_requests()]
    assert requests_of("style").keys == answer_keys()
    assert not requests_of("arithmetic").keys and requests_of("arithmetic").checks


@pytest.mark.parametrize("reply", ["{0}", "Somebody asked: {0} I see.", "Use it with care and keep it clean.",
                                   "That is a good question!", "Do not use commas.", "Use numbered steps"])  # fmt: skip
def test_no_key_takes_an_echo_or_an_empty_reply(reply: str) -> None:
    said = {request: reply.format(request.rstrip("?.")) for request in answer_keys()}
    assert [request for request, text in said.items() if answers(answer_keys()[request], request, text)] == []
