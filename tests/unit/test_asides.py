"""What an answer says of having been asked for again: found in the ways that assistants say it, and taken off."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.learn.pairs.meta_talk import speaks_of_feedback, without_asides

BASIL = "Basil wants six hours of sun and a little water every day, and it dies of the first frost."


@pytest.mark.parametrize(
    "text",
    [
        f"My apologies for the mix-up. {BASIL}",
        f"Thank you for pointing that out! {BASIL}",
        f"Got it! {BASIL}",
        f"I see that I left out the water. {BASIL}",
        f"Certainly! I'll shorten it for you. {BASIL}",
        f"Here's a revised paragraph on basil: {BASIL}",
        f"You're welcome. {BASIL}",
        f"{BASIL} Let me know if you'd like any further changes!",
        f"{BASIL} I hope this version is better.",
        f"{BASIL} Is this what you were looking for?",
        f"{BASIL} In my previous answer I forgot the frost.",
        f"{BASIL} Your original answer was not that.",
        f"Rewrite your response to this request. {BASIL}",
        "You're a helpful assistant. You can be asked for exactly 50 words.",
        "I'm ready to help. What would you like to know about basil?",
    ],
)
def test_an_answer_that_tells_of_the_complaint_is_found(text: str) -> None:
    assert speaks_of_feedback(text, "shorter please")


@pytest.mark.parametrize(
    "text",
    [
        "This is a better approach: use a heap.",
        "Here are the new rules of chess castling.",
        "This is the simplified chord for G.",
        "You are right-handed if you write with your right hand.",
        "Let me rewrite the sentence in the passive voice: basil is watered.",
        "You can rewrite the loop as a comprehension and time both.",
        "Dear team, I look forward to your answer and thank you for your request.",
        "I understand you feel alone: many people do after moving.",
        "Sorry for your loss. He was a good man.",
        "The previous king had no son.",
        "Messages begin with {'role': 'system', 'content': 'You are a helpful assistant.'} as a rule.",
        "If the user wants to skip a field, leave it empty.",
        "Check your answer by putting 5 for x.",
        "No, la albahaca no es un árbol: es una planta de la familia de las lamiáceas.",
        BASIL,
    ],
)
def test_an_answer_that_only_looks_like_it_is_kept(text: str) -> None:
    assert not speaks_of_feedback(text, "") and without_asides(text) == text


def test_where_the_request_speaks_of_answers_an_answer_may() -> None:
    text = "Your first answer is wrong: basil wants sun."
    assert speaks_of_feedback(text, "be more precise") and not speaks_of_feedback(
        text, "", "Mark my exam. Is my first answer right?"
    )


@pytest.mark.parametrize(
    ("asked", "agrees"),
    [
        ("How many stamps do I have now?", True),
        ("I want to resize the window.", True),
        ("Is basil a herb?", False),
        ("Hello. Can I eat it raw?", False),
        ("It wants sun, right?", False),
        ("Tell me if it is a herb.", False),
        ("hi is this basil", False),
        ("np.prod?", False),
    ],
)
def test_to_agree_is_to_answer_the_complaint_unless_it_was_asked(asked: str, agrees: bool) -> None:
    for text in ("Yes, there are ten.", "No: there are ten.", "That's right, there are ten."):
        assert speaks_of_feedback(text, "it should be ten", asked) is agrees


@pytest.mark.parametrize(
    "text",
    [
        f"I apologize for the confusion. {BASIL}",
        f"Apologies for that! You are right. Here is the corrected version:\n\n{BASIL}",
        f"Sure, here's a shorter version of the text that keeps to the point:\n\n{BASIL}",
        f"Got it. {BASIL} Let me know if you need any more changes.",
        f"{BASIL}\n\nI hope this version is more to your liking!",
    ],
)
def test_what_stands_around_an_answer_is_taken_off(text: str) -> None:
    assert without_asides(text) == BASIL


@pytest.mark.parametrize(
    "text",
    [
        "You're right, that was wrong.",
        "I'm sorry, I can't help with that. I am a language model, and basil is a plant that I cannot see or smell.",
        f"I apologize, but I know of no plant of that name. {BASIL}",
        f"You are correct that 800 divided by 99 gives 8 with a remainder of 8. {BASIL}",
        f"I'm so sorry I missed your birthday. {BASIL}",
        f"Sorry is a board game of 1934. {BASIL}",
        f"You're welcome to use either library. {BASIL}",
        f"Yes, Blender has a new version. {BASIL}",
        "    total = 0\n    for x in basil:\n        total += x\n",
        f"{BASIL}\n",
        "I apologize for the confusion. Basil.",
        "",
    ],
)
def test_what_would_be_missed_is_not_taken_off(text: str) -> None:
    assert without_asides(text) == text


def test_code_keeps_its_indent_and_letters_their_apologies() -> None:
    code = "    def f(basil):\n        return basil\n    # water it in the morning"
    assert without_asides(f"Here is the corrected code:\n\n{code}") == code
    text = f"I apologize for the mistake. {BASIL}"
    assert without_asides(text, "What does basil want?") == BASIL
    assert without_asides(text, "Write an e-mail to my gardener.") == text


UNITS = [".", " ", "\n", "\n ", "\r\n", "! ", "sure ", "my ", "i ", "rewrite the ", "is this ", "'", "*", "so "]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("first", ["", "Sorry. ", "Yes, ", "Sure", "Here is the corrected "])
def test_pages_of_one_thing_are_read_once(first: str, unit: str) -> None:
    text = f"{first}{unit * (100_000 // len(unit))}"
    began = time.perf_counter()
    speaks_of_feedback(text, "shorter")
    speaks_of_feedback("Yes, it is a herb that wants sun.", "wrong", text)
    without_asides(text, text)
    without_asides(text)
    assert time.perf_counter() - began < 2


OPENINGS = st.sampled_from(
    ["Sorry. ", "Got it! ", "You are right. ", "Here is a shorter version: ", "As you asked: ", ""]
)


@given(OPENINGS, OPENINGS, st.text(), st.sampled_from(["", " Is this better?", "\nI hope this version is better."]))
def test_what_is_left_is_a_part_of_what_was_said(first: str, second: str, text: str, last: str) -> None:
    said = f"{first}{second}{text}{last}"
    left = without_asides(said)
    assert left in said and (left.strip() or not said.strip())
    assert without_asides(BASIL + last) in (BASIL, BASIL + last)
