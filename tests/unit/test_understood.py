"""Complaints that a program understood become tests, which stay as long as their conversation does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rlhi.collect.feedback import understood
from rlhi.collect.feedback.understood import ComplaintReader, checkable
from rlhi.contracts import Conversation, FeedbackLabel, FeedbackTurn, Message, Profile, Turn, WorkspaceTest

LONG = "Basil wants sun, and it wants water, and it wants warm air, and it wants patience above all things."
ASK = "How do I keep basil alive?"


def talk(*texts: str, name: str = "t1", user: str = "held-1") -> Conversation:
    """A conversation of these texts, the user's first."""
    turns = tuple(Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(texts))
    return Conversation(name, user, "real", None, None, "en", turns, "ours")


def label(at: int, what: FeedbackLabel = "reattempt_with_feedback", name: str = "t1") -> FeedbackTurn:
    return FeedbackTurn(f"{name}-{at}", name, "held-1", at, what, 0.9)


def reader(cycle: int = 1) -> ComplaintReader:
    """One that holds out users by their names, and knows of each before which turn it was asked."""
    return ComplaintReader(lambda one, at: Profile(f"Known before {at}."), lambda user: user.startswith("held"), cycle)


def made(
    talks: Sequence[Conversation], labels: Sequence[FeedbackTurn], before: Sequence[WorkspaceTest] = (), cycle: int = 1
) -> list[WorkspaceTest]:
    return reader(cycle).tests(talks, (), labels, before)


def test_a_complaint_becomes_a_test_of_its_request_and_is_no_part_of_it() -> None:
    (one,) = made([talk(ASK, LONG, "Too long! At most ten words, and no commas.")], [label(2)])
    assert one.prompt == (Message("user", ASK),) and one.request == ASK and one.original == LONG
    assert [claim.check for claim in one.asked] == ["no_commas", "at_most_words:10"]
    assert (one.held_out, one.persona.text, one.turn_index, one.cycle) == (True, "Known before 0.", 2, 1)


def test_who_complains_again_is_still_waiting_for_the_first_request() -> None:
    said = talk("Hi", "Hello.", ASK, LONG, "Shorter.", LONG, "Still too long. Use bullet points.")
    first, second = sorted(made([said], [label(4), label(6)]), key=lambda one: one.turn_index)
    assert first.prompt == second.prompt and first.prompt[-1] == Message("user", ASK) and len(first.prompt) == 3
    assert [claim.check for claim in second.asked] == ["bullets", "shorter"]
    assert second.persona.text == "Known before 2.", "its own first complaint was said later"


@pytest.mark.parametrize(
    ("answer", "complaint", "why"),
    [
        (LONG, "No, it was the other plant.", understood.NOT_UNDERSTOOD),
        ("Sun. Water.", "Do not use commas.", understood.FITS_NOT),
        (f"```\n{LONG}\n```", "Do not use commas.", understood.CODE),
        (LONG, f"Make this shorter: {LONG * 4}", understood.LONG),
    ],
)
def test_what_is_not_understood_makes_none_and_is_counted(answer: str, complaint: str, why: str) -> None:
    one = reader()
    assert not one.tests([talk(ASK, answer, complaint)], (), [label(2)], ())
    assert dict(one.passed_over) == {why: 1}


def test_only_reattempts_with_feedback_that_are_safe_and_of_requests_that_can_be_asked() -> None:
    said = talk(ASK, LONG, "Do not use commas.")
    assert made([said], [label(2)])
    assert not made([said], [label(2, "continuation")]) and not made([said], [])
    assert not made([said], [replace(label(2), unsafe="jailbreak")])
    assert not made([talk("w " * understood.LONGEST, LONG, "Do not use commas.")], [label(2)])
    old = talk("x " * understood.LONGEST, "Fine.", ASK, LONG, "Do not use commas.")
    assert made([old], [label(4)])[0].prompt == (Message("user", ASK),), "the oldest exchanges are left out"


def test_a_test_stays_as_it_was_while_its_conversation_is_there() -> None:
    said = talk(ASK, LONG, "Do not use commas.")
    before = made([said], [label(2)])
    assert made([said], [], before, cycle=7) == before, "a label that is read otherwise takes none away"
    assert made([said], [label(2)], before, cycle=7) == before
    assert reader(7).tests([], [said], [], before) == before, "nor is one lost that is set aside"
    redacted = talk("How do I keep <NAME> alive?", LONG, "Do not use commas.")
    (now,) = made([redacted], [label(2)], before)
    assert now == replace(before[0], prompt=(Message("user", "How do I keep <NAME> alive?"),))


def test_who_is_gone_from_the_log_leaves_no_test() -> None:
    gone, stays = talk(ASK, LONG, "Shorter."), talk(ASK, LONG, "Shorter.", name="t2", user="held-2")
    before = made([gone, stays], [label(2), label(2, name="t2")])
    assert len(before) == 2
    assert [one.user_id for one in made([stays], [label(2, name="t2")], before)] == ["held-2"]
    assert not made([replace(gone, user_id="somebody")], [], before), "another user's conversation of that name"


def test_who_teaches_is_told_of_without_persona() -> None:
    said = talk(ASK, LONG, "Shorter.", user="teacher")
    (one,) = made([said], [label(2)])
    assert not one.held_out and one.persona == Profile()
    all_held = ComplaintReader(lambda one, at: Profile("Known."), lambda user: True, 2)
    (now,) = all_held.tests([said], (), [label(2)], [one])
    assert now.held_out and now.persona.text == "Known." and now.cycle == 1


def test_only_the_whole_answer_is_asked_for() -> None:
    assert [claim.check for claim in checkable("Shorten the second paragraph.")] == []
    assert [claim.check for claim in checkable("Shorter but not as short.")] == ["longer"]
    assert [claim.check for claim in checkable("This is not novel at all.")] == []
    assert [claim.check for claim in checkable("I did not ask for a novel.")] == ["shorter"]
    assert [claim.check for claim in checkable("Its still very snappy.")] == []
    assert [claim.check for claim in checkable("Make it snappy.")] == ["shorter"]
    assert [claim.check for claim in checkable("If your sentence is above 20 words, rewrite it.")] == [
        "short_sentences:20"
    ]
    assert [claim.check for claim in checkable("Please don't ask me anything regarding that.")] == []
