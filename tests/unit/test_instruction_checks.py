"""What a program can tell of whether an answer does what its user asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.wishes.rules import CHECKS, RULES
from rlhi.learn.instruction_checks import corrected, demands, is_calculation, judge
from tests.support.personas import told

PLAIN = "Basil is a plant. It likes the sun, and it wants some water every day."


@pytest.mark.parametrize(
    ("claim", "follows", "ignores"),
    [
        ("Answer in French.", "Le basilic est une plante qui aime le soleil et la chaleur.", PLAIN),
        ("Keep sentences to at most 5 words.", "Basil is a plant. It likes sun.", PLAIN),
        ("Use at most 3 bullet points.", "- sun\n- water", PLAIN),
        ("Write in prose, without lists.", PLAIN + " And so on.", "- sun\n- water"),
        ("Do not use commas.", "Basil is a plant.", PLAIN),
        ("Do not use question marks.", "Basil is a plant.", "Is basil a plant?"),
        ("Do not use bold or Markdown.", "Basil is a plant.", "**Basil** is a plant."),
        ("Write at least 30 words.", "Basil is good. " * 11, PLAIN),
        ("Keep answers to at most 5 words.", "Basil is a plant.", PLAIN),
        ("Keep answers to at most 1 sentences.", "Basil is a plant.", PLAIN),
        ("Keep answers to at most 1 paragraph.", "Basil is a plant.", "Basil.\n\nIt is a plant."),
        ("Write between 3 and 5 words.", "Basil is a plant.", PLAIN),
        ("Keep answers short.", "Basil is a plant.", PLAIN + " Yes."),
        ("Give longer, more detailed answers.", PLAIN * 2, "Basil is a plant."),
        ("Use precise technical terms.", "Photosynthesis characterises vegetation.", "Basil is a plant."),
        ("Use short paragraphs.", "Basil is a plant.\n\nIt likes sun.", PLAIN),
        ("Do not give examples.", "Basil is a plant.", "A plant such as basil."),
        ("Do not end with a question.", PLAIN, "Basil. Do you have one?"),
        ("Do not begin with a summary.", "Sure! Basil is a plant.", "In short, it needs sun. Basil is a plant."),
        ("Use commas.", PLAIN, "Basil is a plant."),
        ("Use capital letters where they belong.", PLAIN, "basil is a plant."),
        ("Write numbers as digits.", "Wait 3 days.", PLAIN),
        ("Use plain, simple words.", "Basil is a plant.", "Photosynthesis characterises vegetation."),
        ("End with a question.", "Basil is a plant. Do you have one?", PLAIN),
    ],
)
def test_claims_are_checked(claim: str, follows: str, ignores: str) -> None:
    asked = demands([told(claim)])
    assert [one.text for one in asked] == [claim]
    assert judge(asked, ignores, follows) == "follows"
    assert judge(asked, ignores, ignores) == "ignores"


def test_the_claims_that_are_known_are_those_that_personas_make() -> None:
    texts = {rule.text.format("3", "words", "words") for rule in RULES} | {"Answer in French."}
    known = [text for text in texts if demands([told(text)])]
    assert len(known) > 30
    assert not demands([told(text) for text in ("Be humorous.", "Cite sources.", "Asks about basil.", "")])
    assert set(CHECKS) <= {rule.text for rule in RULES}


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("No, it should be 72.", ["72"]),
        ("That is not right: the answer is 1,072, you forgot the carry.", ["1,072"]),
        ("not 61 but 72", ["72"]),
        ("I get 3.5 and not 4.", ["3.5"]),
        ("47 + 25 = 72", ["72"]),
        ("It crashes, my loop has int i = 0; please fix", []),
        ("x=10, y=20 fails", []),
        ("It should be 3 sentences.", []),
        ("Keep it under 40 words, please. There were 90.", []),
        ("It is 5 years old.", []),
    ],
)
def test_values_put_right_are_read(said: str, values: list[str]) -> None:
    assert [value for value, _ in corrected(said)] == values


def test_what_all_comes_to_is_the_last_number() -> None:
    on_the_way = "12 * 2 = 24."
    for said, request in (
        ("The answer is 12.", ""),
        ("3 x 4 = 12", ""),
        ("It should be 12.", "I have 3 bags of 4. How many?"),
    ):
        asked = demands([], said, is_calculation(request))
        assert judge(asked, "It is 8.", on_the_way) == "ignores", said
        assert judge(asked, "It is 8.", "3 bags of 4 apples: 12.") == "follows", said
    dated = demands([], "No, it was 1648.")
    assert judge(dated, "In 1650.", "It ended in 1648, after 30 years.") == "follows"


def test_a_value_is_a_number_of_its_own() -> None:
    asked = demands([], "The answer is 72.")
    assert judge(asked, "It is 61.", "It is 72!") == "follows"
    assert judge(asked, "It is 61.", "It is 172 or 720.") == "ignores"
    assert judge(asked, "It is 61.", "It is 72 or 720.") == "ignores"
    assert judge(asked, "It is 72.", "It is 72, sure.") == "fits not"
    assert judge(demands([], "The answer is 1,072."), "It is 61.", "It is 1072.") == "follows"


def test_what_cannot_be_checked_is_left_open() -> None:
    assert judge(demands([told("Be humorous.")], "not funny at all"), "a", "b") == "unknown"


@given(st.lists(st.sampled_from([rule.text.format("3", "words", "words") for rule in RULES])), st.text(), st.text())
def test_any_text_is_judged(claims: list[str], original: str, rewrite: str) -> None:
    asked = demands([told(claim) for claim in claims], original)
    assert judge(asked, original, rewrite) in ("follows", "ignores", "fits not", "unknown")
