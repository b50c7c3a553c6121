"""Simulated users want an answer: what they say where there is none, and that it is no wish for a form."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from rlhi.checks.form import Check
from rlhi.collect.wishes.claims import claims_in
from rlhi.simulate import SimulatedUser, SimulatorConfig, conversation_requests
from rlhi.simulate.complaints import COMPLAINTS
from rlhi.simulate.phrasings import UNANSWERED, UNANSWERED_BARE
from rlhi.simulate.reactions import ANSWER, FollowUp, asked_again, fill, react

CONFIG = SimulatorConfig()
REQUEST = "How do I keep basil alive indoors?"
ANSWERED, UNASKED = "Give it sun, and water it well.", "Do not use commas."


def reactions(answer: str, *wishes: str, request: str = REQUEST, **settings: float) -> list[FollowUp | None]:
    """What a user with these wishes says to one answer, over many draws."""
    user = SimulatedUser("ann", tuple(map(Check.parse, wishes)), held_out=False)
    config = replace(SimulatorConfig(noise=0.0), **settings)  # type: ignore[arg-type]
    return [react(user, answer, request, "And now?", 0, config, Random(at)) for at in range(200)]


def test_who_gets_no_answer_complains_of_that_even_where_the_form_is_right() -> None:
    for wish in ("at_most_words:40", "at_least_words:50"):  # met and unmet
        said = reactions(UNASKED, wish)
        labels = Counter(one.label for one in said if one)
        assert labels["reattempt_with_feedback"] > 100 and labels["reattempt_without_feedback"] > 5
        assert not labels["positive_feedback"] and not labels["continuation"]
        told = Counter(one.wish for one in said if one and one.label == "reattempt_with_feedback")
        unmet = wish.startswith("at_least_words")
        assert set(told) == ({ANSWER, "at_least_words"} if unmet else {ANSWER})
        assert not unmet or 0.4 < told[ANSWER] / told.total() < 0.6, "half of them go on to what else is wrong"
        assert {one.wish for one in said if one and one.label == "reattempt_without_feedback"} == {ANSWER}
        assert any(one and REQUEST in one.text for one in said), "some say again what they asked"
        assert any(one and "say how" in one.text for one in said)
        assert len({one.text for one in said if one}) > 10


def test_an_answer_in_the_right_form_is_thanked_for_and_in_the_wrong_form_is_told_of_the_form() -> None:
    labels = Counter(one.label for one in reactions(ANSWERED, "at_most_words:40") if one)
    assert labels["positive_feedback"] and labels["continuation"]
    assert not labels["reattempt_with_feedback"] and not labels["reattempt_without_feedback"]
    said = reactions(ANSWERED, "at_least_words:50")
    assert {one.wish for one in said if one and one.label == "reattempt_with_feedback"} == {"at_least_words"}


def test_who_tells_of_both_says_first_that_there_is_no_answer_and_then_the_wish() -> None:
    said = [one for one in reactions(UNASKED, "at_least_words:50", both=1.0) if one and one.wish == "at_least_words"]
    assert len({one.text for one in said}) > 30
    for one in said:
        way = next(way for way in UNANSWERED.everyone if one.text.startswith(asked_again(way, REQUEST)))
        rest = one.text.removeprefix(asked_again(way, REQUEST)).strip()
        assert rest in {fill(form, Check("at_least_words", "50")) for form in COMPLAINTS["at_least_words"].everyone}
        assert claims_in(one.text) == claims_in(rest)


def test_where_answers_do_not_count_form_is_all() -> None:
    user = SimulatedUser("ann", (Check("no_commas"),), held_out=False)
    said = [
        react(user, UNASKED, REQUEST, "?", 0, replace(CONFIG, noise=0.0, answers=False), Random(at)) for at in range(60)
    ]
    assert any(one and one.label == "positive_feedback" for one in said)


def test_noise_turns_round_what_an_answer_deserves_too() -> None:
    for answer, thanked in ((UNASKED, True), (ANSWERED, False)):
        said = [one for one in reactions(answer, "at_most_words:40", noise=1.0) if one]
        assert all(one.contrary for one in said)
        assert any(one.label == "positive_feedback" for one in said) == thanked
        assert not any(one.wish == ANSWER for one in said)


def test_what_has_no_key_is_answered_by_anything_and_a_user_without_wishes_never_fails() -> None:
    assert any(
        one and one.label == "positive_feedback" for one in reactions(UNASKED, "no_commas", request="Why is that?")
    )
    said = [one for one in reactions(ANSWERED, noise=1.0) if one]
    assert {one.label for one in said} == {"reattempt_without_feedback", "new_request"}


def test_what_follows_a_further_question_is_not_held_to_the_request_before_it() -> None:
    asked_on = [one for one in reactions(ANSWERED, "no_digits") if one and one.label == "continuation"]
    assert asked_on and all(one.request == one.text for one in asked_on)


def test_no_style_is_read_into_a_complaint_that_there_was_no_answer() -> None:
    plain = [one for one in conversation_requests() if not claims_in(one)]
    ways = [way for table in (UNANSWERED, UNANSWERED_BARE) for way in table.everyone + table.held_out]
    read = {text: claims_in(text) for way in ways for request in plain if claims_in(text := asked_again(way, request))}
    assert read == {}
    for request in ("Suggest a name for a boat.", "Why is the sky blue?"):
        assert all("{" not in asked_again(way, request) for way in ways)
