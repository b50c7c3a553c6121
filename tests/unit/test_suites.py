"""Suites turn replies, rewards and likelihoods into rows on a scale of 0 to 1."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.checks import Check
from rlhi.contracts import EvalResult, Message
from rlhi.evaluate import suites
from rlhi.evaluate.instructions import INSTRUCTIONS
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites import Choice, Reply

ASK = (Message("user", "How do tides work?"),)


def reply(text: str, user: str = "u1", item: str = "i1") -> Reply:
    return Reply(item, user, "", ASK, text)


def test_a_request_with_a_right_answer_asks_for_nothing_else() -> None:
    asked = (Message("system", "You help."), Message("user", "What is 7 x 8?"))
    right, wishes = {"What is 7 x 8?": Check("number", "56")}, {"u1": (Check("no_digits"),)}
    replies = [Reply("i1", "u1", "", asked, "It is 56."), Reply("i2", "u2", "", asked, "It is 54.")]
    assert [row.value for row in suites.satisfaction(replies, wishes, "champion", right)] == [1.0, 0.0]
    assert [row.value for row in suites.satisfaction(replies, wishes, "champion")] == [0.0], "u2 wishes for nothing"


def test_satisfaction_is_the_share_of_the_users_own_wishes() -> None:
    wishes = {
        "u1": (Check("at_most_words", "3"), Check("no_commas")),
        "u2": (Check("bullets"),),
        "u3": (),
    }
    replies = [reply("The moon, mostly, pulls."), reply("The moon.", item="i2"), reply("No", "u2"), reply("No", "u3")]
    rows = suites.satisfaction([*replies, reply("No", "stranger")], wishes, "champion")
    assert [(row.item, row.user_id, row.value) for row in rows] == [
        ("i1", "u1", 0.0),
        ("i2", "u1", 1.0),
        ("i1", "u2", 0.0),
    ]
    half = suites.satisfaction([reply("The moon pulls the sea.")], wishes, "challenger")
    assert half == [EvalResult("satisfaction", "i1", "u1", "challenger", 0.5)]


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_preference_is_a_probability_and_antisymmetric(before: float, after: float) -> None:
    champion, challenger = suites.preference([reply("a")], [before], [after])
    swapped = suites.preference([reply("a")], [after], [before])
    assert 0 <= challenger.value <= 1
    assert champion.value + challenger.value == pytest.approx(1)
    assert swapped[1].value == pytest.approx(champion.value)
    assert (challenger.value > 0.5) <= (after > before)


def test_no_preference_is_no_gain() -> None:
    replies = [reply("a", user) for user in ("u1", "u2", "u3")]
    (found,) = measure(suites.preference(replies, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))
    assert (found.suite, found.gain.mean) == ("preference", 0.0)
    assert math.isnan(suites.preference(replies[:1], [math.nan], [1.0])[0].value)
    with pytest.raises(ValueError, match="argument 2"):
        suites.preference(replies, [1.0], [1.0])


def test_choices_compare_log_likelihood_per_byte() -> None:
    logged = [Choice("i1", "u1", "a longer answer", "short"), Choice("i2", "u1", "same", "twin")]
    rows = suites.choices(logged, [(-15.0, -10.0), (-4.0, -4.0)], [(-45.0, -10.0), (-8.0, -4.0)])
    values = {(row.item, row.model): row.value for row in rows}
    # -15 for 15 bytes beats -10 for 5 bytes; the sums alone would say the opposite.
    assert values == {
        ("i1", "champion"): 1.0,
        ("i1", "challenger"): 0.0,
        ("i2", "champion"): 0.5,
        ("i2", "challenger"): 0.0,
    }
    assert math.isnan(suites.choices(logged[:1], [(math.nan, -1.0)], [(-1.0, -1.0)])[0].value)


def test_the_instruction_suite_is_whole() -> None:
    assert len(INSTRUCTIONS) == 24
    assert len({each.item for each in INSTRUCTIONS}) == len({each.prompt for each in INSTRUCTIONS}) == 24
    assert len({each.check.kind for each in INSTRUCTIONS}) >= 12
    assert [item for item, _ in suites.instruction_items()] == [each.item for each in INSTRUCTIONS]
    assert all([message.role for message in prompt] == ["user"] for _, prompt in suites.instruction_items())


def test_instructions_are_checked_one_by_one() -> None:
    first = INSTRUCTIONS[0]
    kept, broken = (
        Reply("s0", first.item, "", ASK, "Apple, pear and plum."),
        Reply("s1", first.item, "", ASK, "a " * 30),
    )
    rows = suites.instructions([kept, broken], "challenger")
    assert [(row.item, row.user_id, row.value) for row in rows] == [("s0", first.item, 1.0), ("s1", first.item, 0.0)]
    with pytest.raises(KeyError):
        suites.instructions([reply("x", "nobody")], "champion")


def test_fluency_tells_language_from_loops() -> None:
    rows = suites.fluency([reply("The moon pulls the sea, and so it rises."), reply("the " * 80)], "champion")
    assert rows[0].value > 0.9 > 0.1 > rows[1].value
    assert {row.suite for row in rows} == {"fluency"}
