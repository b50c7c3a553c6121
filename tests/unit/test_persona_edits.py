"""An edit beats inference, survives new conversations and can be taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.persona.build import PRIOR_BEGINS, History, persona, personas, said_claims, up_to_date
from rlhi.collect.persona.edits import MAX_TEXT, EditError, PersonaEdit, add, remove, set_text
from rlhi.collect.wishes.claims import read_claim
from rlhi.config import PersonasConfig
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Profile, ToldClaim, Turn, from_record, to_record

CONFIG = PersonasConfig()
FRESH = PersonaEdit("u1")


def history(*complaints: str) -> History:
    rows, labels = [], []
    for at, text in enumerate(complaints):
        turns = (
            Turn("user", "Tell me of it, please, at your leisure, in all ways."),
            Turn("assistant", "So."),
            Turn("user", text),
        )
        rows.append(Conversation(f"c{at}", "u1", "real", None, None, "en", turns, "test"))
        labels.append(FeedbackTurn("", f"c{at}", "u1", 2, "reattempt_with_feedback", 1.0))
    return History("u1", tuple(rows), tuple(labels))


def made(edit: PersonaEdit | None, *complaints: str) -> Persona:
    return persona(history(*complaints), CONFIG, edit=edit)


def test_a_text_that_is_set_stands_and_survives_new_conversations() -> None:
    edit = set_text(FRESH, "  Loves\n brevity. ")
    first = made(edit, "no commas")
    assert (first.text, first.origin) == ("Loves brevity.", "edited")
    assert [claim.text for claim in first.claims] == ["Do not use commas."], "what was inferred can still be seen"
    later = made(edit, "no commas", "use bullet points", "use bullet points")
    assert (later.text, later.version) == (first.text, first.version)
    assert later.key != first.key
    assert made(set_text(FRESH, ""), "no commas").text == ""


def test_what_a_person_writes_is_read_once_and_told_claim_by_claim() -> None:
    row = made(set_text(FRESH, "Use bullet points. Likes owls."), "no commas")
    assert row.profile == Profile(row.text, (ToldClaim("Use bullet points.", "bullets"), ToldClaim("Likes owls.")))
    row = made(add(FRESH, "constraint", "Keep answers to at most 20 words."), "no commas")
    assert [claim.check for claim in row.told] == ["at_most_words:20", "no_commas"]
    assert [(claim.topics, claim.check) for claim in row.claims] == [
        (("length",), "at_most_words:20"), (("mark:commas",), "no_commas"),
    ]  # fmt: skip
    assert from_record(Persona, to_record(row)) == row
    several = made(add(FRESH, "format", "Use bullet points. Do not use commas."), "at most 9 words")
    assert [claim.check for claim in several.told] == ["bullets", "no_commas", "at_most_words:9"]
    assert len(said_claims(several)) == 2, "two sentences of one claim"


@pytest.mark.parametrize(
    "text",
    ["Hates bullet points.", "Complains when answers use bullet points.", "Teaches French.", "Often writes in French.",
     "Likes numbered steps, not bullets.", "Answer in French or German.", "Wants at most 40 words in titles.",
     "Do not give examples unless asked.", "Answers should be in lower case, except names."],
)  # fmt: skip
def test_what_is_said_of_a_user_is_no_complaint_and_has_no_check(text: str) -> None:
    assert [claim.check for claim in made(set_text(FRESH, text)).told] == [""]
    assert made(add(FRESH, "style", text)).claims[0].check == ""


def test_a_persona_of_an_earlier_version_is_read_once_more() -> None:
    record = to_record(made(None, "no commas"))
    former = {name: value for name, value in record.items() if name != "told"}
    claims = record["claims"]
    assert isinstance(claims, list)
    former["claims"] = [{key: one[key] for key in one if key not in ("topics", "check")} for one in claims]
    row = from_record(Persona, former)
    assert (row.text, row.told, row.claims[0].check) == ("Do not use commas.", (), "")
    assert up_to_date(row) == made(None, "no commas") == up_to_date(made(None, "no commas"))
    alike = replace(row, text=f"{PRIOR_BEGINS}Do not use commas.", origin="prior")
    assert up_to_date(alike).told == (ToldClaim("Do not use commas.", "no_commas"),)


def test_an_added_claim_comes_first_and_is_certain() -> None:
    row = made(add(FRESH, "style", "Talk like a pirate."), "no commas")
    assert row.text == "Talk like a pirate. Do not use commas."
    assert (row.claims[0].kind, row.claims[0].confidence, row.claims[0].evidence) == ("style", 1.0, ())


def test_an_added_claim_silences_what_was_inferred_about_the_same_thing() -> None:
    complaints = ["use bullet points"] * 5
    assert made(add(FRESH, "format", "Never use a list."), *complaints).text == "Never use a list."
    assert made(add(FRESH, "constraint", "Keep answers to at most 20 words."), "at most 90 words").text == (
        "Keep answers to at most 20 words."
    )
    assert "Use bullet points." in made(add(FRESH, "language", "Answer in Welsh."), *complaints).text


def test_a_removed_claim_stays_away_and_others_stay() -> None:
    before = made(None, "no commas", "no commas", "use bullet points")
    edit = remove(FRESH, before.claims, 1)
    assert before.claims[0].text == "Do not use commas."
    assert made(edit, *["no commas"] * 2, "use bullet points").text == "Use bullet points."
    assert made(edit, *["no commas"] * 9).text == ""
    assert made(add(edit, "constraint", "do not use COMMAS."), "use bullet points").text.startswith(
        "do not use COMMAS."
    )


def test_removing_an_added_claim_takes_it_back() -> None:
    edit = add(add(FRESH, "style", "Talk like a pirate."), "topic", "Likes owls.")
    row = made(edit, "no commas")
    undone = remove(edit, row.claims, 1)
    assert made(undone, "no commas").text == "Likes owls. Do not use commas."
    assert undone.removed == ()


def test_the_last_words_of_the_same_claim_hold() -> None:
    edit = add(add(FRESH, "style", "Likes owls."), "topic", "likes  OWLS.")
    assert [(one.kind, one.text) for one in edit.added] == [("topic", "likes OWLS.")]


def test_more_added_claims_than_usual_are_all_said() -> None:
    edit = FRESH
    for at in range(CONFIG.max_claims + 2):
        edit = add(edit, "topic", f"Likes owl number {at}.")
    row = made(edit, "no commas")
    assert row.text.count("owl") == CONFIG.max_claims + 2
    assert "commas" not in row.text


@pytest.mark.parametrize("number", [0, -1, 2, 99])
def test_a_claim_that_is_not_there_cannot_be_removed(number: int) -> None:
    with pytest.raises(EditError, match="persona show"):
        remove(FRESH, made(None, "no commas").claims, number)


def test_an_edit_that_says_nothing_or_too_much_is_refused() -> None:
    with pytest.raises(EditError, match="says nothing"):
        add(FRESH, "topic", " \n ")
    with pytest.raises(EditError, match="shorten"):
        set_text(FRESH, "x" * (MAX_TEXT + 1))


def test_only_the_edited_user_is_rebuilt() -> None:
    people = [history("no commas"), History("u2", (), ())]
    first = {row.key: row for row in personas(people, CONFIG)}
    [row] = personas(people, CONFIG, edits={"u2": set_text(PersonaEdit("u2"), "x")}, known=first)
    assert row.key in first
    [edited] = personas(people, CONFIG, edits={"u1": set_text(FRESH, "x")}, known=first)
    assert edited.key not in first
    [reset] = personas(people, CONFIG, known=first)
    assert reset.key in first


def test_topics_of_a_claim() -> None:
    assert read_claim("Keep answers to at most 40 words.") == (("length",), "at_most_words:40")
    assert read_claim("At most 9 words, please.") == (("length",), ""), "a rule writes it otherwise"
    assert read_claim("Use bullet points and at most 9 words.") == (("length", "lists"), "")
    assert read_claim("Likes owls.") == ((), "")


@given(st.builds(PersonaEdit, st.text(max_size=9), st.none() | st.text(max_size=20), st.just(()), st.just(("a", "b"))))
def test_an_edit_survives_its_file(edit: PersonaEdit) -> None:
    added = add(edit, "style", "Likes owls.")
    assert from_record(PersonaEdit, to_record(added)) == added
