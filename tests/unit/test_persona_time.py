"""A persona uses nothing that was said at or after the turn it helps to predict, and old claims fade."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.collect.persona.build import History, persona, persona_for
from rlhi.collect.persona.history import said_at
from rlhi.config import PersonasConfig
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Turn

CONFIG = PersonasConfig(min_confidence=0)
LABEL = "reattempt_with_feedback"
SAID = ["no commas", "bullets please", "no lists", "too long", "at most 20 words", "Use Spanish", "I am a nurse", "ok"]


def talk(name: str, said: list[tuple[str, str | None]], created_at: str | None = None) -> Conversation:
    """User and assistant in turn; ``said`` are the user's texts with their times."""
    turns: list[Turn] = []
    for text, time in said:
        turns += [Turn("user", text, time), Turn("assistant", "It is so.", time)]
    return Conversation(name, "u1", "real", created_at, None, "en", tuple(turns), "test")


def history(*talks: Conversation) -> History:
    """All follow-ups are complaints."""
    labels = [
        FeedbackTurn("", row.conversation_id, "u1", at, LABEL, 1.0)  # type: ignore[arg-type]
        for row in talks
        for at, turn in enumerate(row.turns)
        if turn.role == "user" and at
    ]
    return History("u1", tuple(talks), tuple(labels))


def complaints(*said: tuple[str | None, str]) -> History:
    """A conversation for each (time, complaint)."""
    return history(*[talk(f"c{at}", [("Hello there", time), (text, time)]) for at, (time, text) in enumerate(said)])


def day(number: int) -> str:
    return f"2024-05-{number:02d}T12:00:00Z"


def test_first_and_last_seen_are_the_times_of_the_evidence() -> None:
    made = persona(complaints((day(2), "no commas"), (day(1), "no commas"), (day(3), "too long")), CONFIG)
    seen = {claim.text: (claim.first_seen, claim.last_seen) for claim in made.claims}
    assert seen["Do not use commas."] == (day(1), day(2))
    assert seen["Keep answers short."] == (day(3), day(3))


def test_undated_evidence_claims_no_dates() -> None:
    for times in ((None, None), (day(1), None)):
        [claim] = persona(complaints(*[(time, "no commas") for time in times]), CONFIG).claims[:1]
        assert len(claim.evidence) == 2
        assert (claim.first_seen, claim.last_seen) == (None, None)


def test_a_turn_without_time_counts_as_said_at_the_next_time_told() -> None:
    row = talk("c", [("one", day(1)), ("two", None), ("three", day(5))], created_at="2024-01-01")
    assert [said_at(row, at) for at in (0, 2, 4)] == [day(1), day(5), day(5)]
    undated = talk("c", [("one", None)], created_at=day(3))
    assert said_at(undated, 0) == day(3)
    assert said_at(talk("c", [("one", None)]), 0) is None


def test_before_is_strict_and_compares_moments_not_text() -> None:
    one = complaints((day(1), "no commas"), ("2024-05-02T14:00:00+02:00", "use bullet points"))
    assert persona(one, CONFIG, before=day(2)).text == "Do not use commas.", "the same moment is not before"
    assert persona(one, CONFIG, before="2024-05-02T12:00:01Z").text == "Do not use commas. Use bullet points."
    assert persona(one, CONFIG, before=day(1)).text == ""
    assert persona(complaints((None, "no commas")), CONFIG, before=day(9)).text == "", "its time is not known"
    with pytest.raises(ValueError, match="ISO 8601"):
        persona(one, CONFIG, before="yesterday")


def test_leave_out_uses_nothing_of_a_conversation() -> None:
    one = complaints((day(1), "no commas"), (day(2), "use bullet points"))
    left = persona(one, CONFIG, leave_out="c1")
    assert (left.text, left.conversations) == ("Do not use commas.", 1)


def test_a_turn_that_is_not_there_is_an_error() -> None:
    for name, at in (("gone", 0), ("c0", 9), ("c0", -1)):
        with pytest.raises(ValueError, match="no turn"):
            persona_for(complaints((day(1), "no commas")), name, at, CONFIG)


def test_persona_for_a_dated_turn_knows_what_came_before_it_in_its_own_conversation() -> None:
    one = history(talk("c", [("Hello there", day(1)), ("no commas", day(1)), ("too long", day(1)), ("ok", day(1))]))
    assert persona_for(one, "c", 4, CONFIG).text == "Do not use commas."
    assert persona_for(one, "c", 2, CONFIG).text == ""


conversation_texts = st.lists(st.sampled_from(SAID), min_size=1, max_size=4)


@st.composite
def dated(draw: st.DrawFn) -> History:
    """Conversations whose turns have rising times, some of them at the same moment."""
    talks = []
    for number in range(draw(st.integers(1, 4))):
        texts = draw(conversation_texts)
        days = sorted(draw(st.lists(st.integers(1, 6), min_size=len(texts), max_size=len(texts))))
        talks.append(talk(f"c{number}", [(text, day(at)) for text, at in zip(texts, days, strict=True)]))
    return history(*talks)


def from_moment(row: Conversation, moment: str) -> int:
    """The first turn at or after a moment."""
    return next((at for at, turn in enumerate(row.turns) if (turn.created_at or "") >= moment), len(row.turns))


def changed(row: Conversation, keep: int) -> Conversation:
    """Other words from turn ``keep`` on, and one turn more; the conversation as it is where nothing comes after."""
    if keep == len(row.turns):
        return row
    other = [replace(turn, content="at most 7 words, in German") for turn in row.turns[keep:]]
    more = Turn("user", "I hate bullets", row.turns[-1].created_at)
    return replace(row, turns=(*row.turns[:keep], *other, more))


@settings(deadline=None, max_examples=80)
@given(dated(), st.data())
def test_nothing_at_or_after_a_turn_changes_the_persona_for_it(one: History, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(one.conversations))
    at = data.draw(st.integers(0, len(target.turns) - 1))
    moment = target.turns[at].created_at or ""
    rows = [changed(row, at if row is target else from_moment(row, moment)) for row in one.conversations]
    other = history(*rows)
    assert rows != list(one.conversations)
    name = target.conversation_id
    assert persona_for(one, name, at, CONFIG) == persona_for(other, name, at, CONFIG)


@settings(deadline=None, max_examples=60)
@given(dated(), st.integers(1, 7))
def test_nothing_at_or_after_a_time_changes_the_persona_before_it(one: History, number: int) -> None:
    moment = day(number)
    other = history(*[changed(row, from_moment(row, moment)) for row in one.conversations])
    assert persona(one, CONFIG, before=moment) == persona(other, CONFIG, before=moment)


@settings(deadline=None, max_examples=40)
@given(st.lists(conversation_texts, min_size=2, max_size=4), st.data())
def test_an_undated_turn_is_predicted_without_its_conversation(texts: list[list[str]], data: st.DataObject) -> None:
    rows = [talk(f"c{at}", [(text, None) for text in each]) for at, each in enumerate(texts)]
    target = data.draw(st.sampled_from(rows))
    at = data.draw(st.integers(0, len(target.turns) - 1))
    other = history(*[changed(row, 0) if row is target else row for row in rows])
    made = persona_for(history(*rows), target.conversation_id, at, CONFIG)
    assert made == persona_for(other, target.conversation_id, at, CONFIG)
    assert made == persona(history(*rows), CONFIG, leave_out=target.conversation_id)
    assert all(not claim.first_seen and not claim.last_seen for claim in made.claims)


def confidence(made: Persona, text: str) -> float:
    return next((claim.confidence for claim in made.claims if claim.text == text), 0.0)


def test_a_contradicted_claim_fades_with_every_newer_contradiction_and_disappears() -> None:
    config = PersonasConfig()
    asked = [(day(at), "use bullet points") for at in range(1, 5)]
    told = []
    for contrary in range(5):
        said = [*asked, *[(day(10 + at), "no lists please") for at in range(contrary)]]
        told.append(confidence(persona(complaints(*said), config), "Use bullet points."))
    assert told[0] > told[1] > 0
    assert told[2:] == [0, 0, 0], "two newer contradictions outweigh four older wishes"
    last = persona(complaints(*asked, *[(day(10 + at), "no lists please") for at in range(4)]), config)
    assert last.text == "Write in prose, without lists."


def test_an_old_contradiction_that_was_taken_back_fades_too() -> None:
    old = persona(complaints((day(1), "no lists"), *[(day(at), "use bullet points") for at in (2, 3, 4)]), CONFIG)
    new = persona(complaints(*[(day(at), "use bullet points") for at in (2, 3, 4)], (day(5), "no lists")), CONFIG)
    assert confidence(old, "Use bullet points.") > confidence(new, "Use bullet points.") > 0


def test_the_half_life_is_a_number_of_contradictions() -> None:
    said = complaints((day(1), "use bullet points"), (day(2), "no lists"), (day(3), "no lists"))
    lists = confidence(persona(said, PersonasConfig(min_confidence=0, half_life=2)), "Write in prose, without lists.")
    assert lists == round(2 / (2 + 0.5 + 1), 4), "two contradictions halve the older wish at a half-life of two"
    slow = confidence(persona(said, PersonasConfig(min_confidence=0, half_life=1e9)), "Write in prose, without lists.")
    assert slow == round(2 / (2 + 1 + 1), 4)


def test_between_undated_conversations_nothing_fades() -> None:
    undated = persona(complaints((None, "use bullet points"), (None, "no lists"), (None, "no lists")), CONFIG)
    assert confidence(undated, "Write in prose, without lists.") == round(2 / (2 + 1 + 1), 4)
    within = history(talk("c", [("Hello there", None), ("use bullet points", None), ("no lists", None)]))
    assert persona(within, CONFIG).text == "Write in prose, without lists.", "turns of one conversation are in order"


def test_a_newer_number_and_a_newer_language_replace_the_older() -> None:
    numbers = [(day(1), "at most 40 words"), (day(2), "at most 40 words"), (day(3), "at most 20 words"),
               (day(4), "at most 20 words")]  # fmt: skip
    assert persona(complaints(*numbers), CONFIG).text == "Keep answers to at most 20 words."
    both = persona(complaints((day(1), "in French please"), (day(2), "in German please")), CONFIG)
    assert both.text == "Answer in German."
    assert both.claims[0].evidence == ("c1#2",), "French is no evidence of German"
