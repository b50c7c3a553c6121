"""Suites turn replies, rewards and likelihoods into rows on a scale of 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check
from rlhi.checks.relevance import Yardstick
from rlhi.contracts import EvalResult, Message, Profile
from rlhi.evaluate import personas, suites
from rlhi.evaluate.instructions import INSTRUCTIONS
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites import Choice, Reply

ASK = (Message("user", "How do tides work?"),)


def reply(text: str, user: str = "u1", item: str = "i1") -> Reply:
    return Reply(item, user, Profile(), ASK, text)


KEYS = {"How do tides work?": AnswerKey.parse("moon; sun; gravity, pull")}


def values(rows: Sequence[EvalResult], suite: str) -> list[float]:
    return [row.value for row in rows if row.suite == suite]


def test_a_request_with_a_right_answer_asks_for_nothing_else() -> None:
    asked = (Message("system", "You help."), Message("user", "What is 7 x 8?"))
    right, wishes = {"What is 7 x 8?": Check("number", "56")}, {"u1": (Check("no_digits"),)}
    replies = [Reply("i1", "u1", Profile(), asked, "It is 56."), Reply("i2", "u2", Profile(), asked, "It is 54.")]
    found = suites.satisfaction(replies, wishes, "champion", {}, right)
    assert values(found, "satisfaction") == values(found, "answered") == [1.0, 0.0]
    assert values(suites.satisfaction(replies, wishes, "champion", {}), "wishes") == [0.0], "u2 wishes for nothing"


def test_satisfaction_is_the_share_of_the_users_own_wishes_that_an_answer_meets() -> None:
    wishes = {"u1": (Check("at_most_words", "6"), Check("no_commas")), "u2": (Check("bullets"),), "u3": ()}
    replies = [
        reply("The moon, mostly, pulls on the wide sea."),
        reply("The moon pulls the sea.", item="i2"),
        reply("Sour, no.", item="i3"),
        reply("The moon pulls.", "u2"),
        reply("The moon pulls.", "u3"),
    ]
    rows = suites.satisfaction([*replies, reply("No", "stranger")], wishes, "champion", KEYS)
    assert values(rows, "wishes") == [0.0, 1.0, 0.5, 0.0]
    assert values(rows, "answered") == [1.0, 1.0, 0.0, 1.0]
    assert values(rows, "satisfaction") == [0.0, 1.0, 0.0, 0.0]
    assert {row.user_id for row in rows} == {"u1", "u2"}


def test_a_form_without_a_key_is_no_satisfaction() -> None:
    rows = suites.satisfaction([reply("The moon.")], {"u1": (Check("no_commas"),)}, "champion", {})
    assert {row.suite for row in rows} == {"wishes"}


def test_who_lost_half_is_told_by_user() -> None:
    def satisfied(user: str, model: suites.Model, *found: float) -> list[EvalResult]:
        return [EvalResult("satisfaction", str(at), user, model, value) for at, value in enumerate(found)]

    rows = [*satisfied("loses", "champion", 1, 1), *satisfied("loses", "challenger", 0, 1)]
    rows += [*satisfied("keeps", "champion", 1, 0.9), *satisfied("keeps", "challenger", 0.5, 0.5)]
    found_by = {(row.user_id, row.model): row.value for row in suites.kept(rows)}
    assert found_by == {(user, model): 1.0 for user in ("loses", "keeps") for model in ("champion", "challenger")} | {
        ("loses", "challenger"): 0.0
    }
    (found,) = measure(suites.kept(rows))
    assert found.gain.mean == -0.5
    assert math.isnan(
        suites.kept([*rows, *satisfied("odd", "champion", math.nan), *satisfied("odd", "challenger", 1)])[-1].value
    )


def test_what_is_beyond_a_control_is_its_gain() -> None:
    def row(model: suites.Model, value: float) -> EvalResult:
        return EvalResult("satisfaction", "i1/0", "u1", model, value)

    rows = suites.beyond("beyond_best_style", [row("champion", 0.5)], [row("challenger", 0.75)])
    (found,) = measure(rows)
    assert (found.suite, found.gain.mean) == ("beyond_best_style", 0.25)


def test_persona_lift_is_own_less_anothers() -> None:
    wishes = {"u1": (Check("at_most_words", "3"),)}
    own = [reply("The moon.", item="i1/0"), reply("It is all the moon.", item="i1/1")]
    shuffled = [reply("It is the moon, and the sun.", item="i1/0"), reply("The moon.", item="i2/0")]
    (row,) = personas.lift_by_wishes(own, shuffled, wishes, "champion")
    assert (row.suite, row.item, row.value) == ("persona_lift", "i1", 0.75)
    choice = Choice("c", "u1", "abcd", "efgh")
    told = [
        personas.lift_by_choice(choice, pair, (-4.0, -4.0), "champion").value for pair in ((-2, -4), (-4, -4), (-8, -4))
    ]
    assert told == [1.0, 0.5, 0.0]
    assert math.isnan(personas.lift_by_choice(choice, (math.nan, -1.0), (-4.0, -4.0), "champion").value)


class Words:
    """Finds a request the likelier, the more of its words stand in the prompt: what a real yardstick does, in small."""

    def log_likelihood(self, batch: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        return [self.log_likelihood_of([(messages, [answer])])[0][0] for messages, answer in batch]

    def log_likelihood_of(self, batch: Sequence[tuple[Sequence[Message], Sequence[str]]]) -> list[list[float]]:
        read = [set(messages[-1].content.lower().replace(".", " ").split()) for messages, _ in batch]
        return [
            [float(len(words & set(answer.lower().split())) - 2 * len(answer.split())) for answer in answers]
            for words, (_, answers) in zip(read, batch, strict=True)
        ]


def test_the_yardstick_tells_the_request_from_the_reply() -> None:
    others = ["How do I clean an oven", "Who wrote the play", "How do bees fly south in winter"]
    asked = (Message("user", "How do sea tides work"),)
    replies = [
        Reply(f"i/{at}", "u1", Profile(), asked, text)
        for at, text in enumerate(("Tides of the sea follow the moon.", "Bees fly south.", "Keep it short.", ""))
    ]
    rows = suites.recognised(replies, "champion", Yardstick(Words()), lambda _: others)
    assert values(rows, "answers") == [1.0, 0.0, 0.25, 0.0]
    assert not suites.recognised(replies, "champion", Yardstick(Words()), lambda _: [])
    assert [one.item for one in suites.first_samples(replies, 2)] == ["i/0", "i/1"]


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
        Reply("s0", first.item, Profile(), ASK, "Apple, pear and plum."),
        Reply("s1", first.item, Profile(), ASK, "a " * 30),
    )
    rows = suites.instructions([kept, broken], "challenger")
    assert [(row.item, row.user_id, row.value) for row in rows] == [("s0", first.item, 1.0), ("s1", first.item, 0.0)]
    with pytest.raises(KeyError):
        suites.instructions([reply("x", "nobody")], "champion")


def test_fluency_tells_language_from_loops() -> None:
    rows = suites.fluency([reply("The moon pulls the sea, and so it rises."), reply("the " * 80)], "champion")
    assert rows[0].value > 0.9 > 0.1 > rows[1].value
    assert {row.suite for row in rows} == {"fluency"}
