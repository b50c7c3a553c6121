"""Personas say what users keep asking for, with evidence, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.collect.persona.build import History, complaints, personas, said_claims
from rlhi.config import PersonasConfig
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Turn, content_key

CONFIG = PersonasConfig()


def history(*said: tuple[str, str], kind: str = "real", label: str = "reattempt_with_feedback") -> History:
    """One conversation for each (day, complaint), the complaint at turn 2."""
    rows, feedback = [], []
    for at, (day, text) in enumerate(said):
        name = f"c{at}"
        turns = (Turn("user", "Tell me of it."), Turn("assistant", "It is so."), Turn("user", text))
        rows.append(Conversation(name, "u1", kind, f"2024-05-{day}T00:00:00Z", None, "en", turns, "test"))  # type: ignore[arg-type]
        feedback.append(FeedbackTurn(f"f{at}", name, "u1", 2, label, 0.9))  # type: ignore[arg-type]
    return History("u1", tuple(rows), tuple(feedback))


def persona_of(*said: tuple[str, str]) -> Persona:
    [persona] = personas([history(*said)], CONFIG)
    return persona


def test_confidence_grows_with_evidence_and_evidence_is_named() -> None:
    confidences = []
    for count in (1, 2, 3, 5):
        persona = persona_of(*[(f"0{day}", "no commas please") for day in range(1, count + 1)])
        confidences.append(persona.claims[0].confidence)
        assert persona.claims[0].evidence == tuple(f"c{at}#2" for at in range(count))
    assert confidences == sorted(set(confidences))


def test_a_stray_wish_ranks_below_a_steady_one() -> None:
    steady = [(f"0{day}", "use bullet points") for day in range(1, 6)]
    persona = persona_of(*steady, ("06", "answer in French"))
    assert persona.text == "Use bullet points."
    [both] = personas([history(*steady, ("06", "answer in French"))], PersonasConfig(min_confidence=0))
    assert [claim.kind for claim in said_claims(both)] == ["format", "language"]


def test_of_contradicting_wishes_the_better_supported_then_the_newer_stays() -> None:
    assert (
        persona_of(("01", "bullets please"), ("02", "bullets please"), ("03", "no lists")).text == "Use bullet points."
    )
    assert persona_of(("01", "make it longer"), ("02", "make it shorter")).text == "Keep answers short."
    assert "longer" in persona_of(("02", "make it longer"), ("01", "make it shorter")).text


def test_a_vague_wish_supports_an_exact_one() -> None:
    persona = persona_of(("01", "too long"), ("02", "at most forty words"), ("03", "way too wordy"))
    assert persona.text == "Keep answers to at most 40 words."
    assert len(persona.claims[0].evidence) == 3


def test_a_quoted_wish_is_less_sure_than_an_understood_one() -> None:
    quoted = persona_of(("01", "Always write as if whispering."))
    assert "whispering" in quoted.text
    assert quoted.claims[0].confidence < persona_of(("01", "no commas")).claims[0].confidence


def test_claims_are_bounded_and_ordered() -> None:
    said = ["no commas", "use bullet points", "be more formal", "answer in French", "no emojis", "include an example"]
    persona = persona_of(*[(f"0{at}", text) for at, text in enumerate(said, 1)])
    wishes = persona.claims[: CONFIG.max_claims]
    order = [(-claim.confidence, claim.text) for claim in wishes]
    assert order == sorted(order)
    assert persona.text == " ".join(claim.text for claim in wishes), "wishes come first, and the text says no more"
    assert said_claims(persona) == wishes
    assert persona.version == content_key(persona.text)[:8]


def test_users_that_are_not_known_get_none_and_unlabelled_turns_say_nothing() -> None:
    for kind in ("conversation_only", "real_root_only"):
        assert list(personas([history(("01", "no commas"), kind=kind)], CONFIG)) == []
    [silent] = personas([history(("01", "no commas"), label="continuation")], CONFIG)
    assert (silent.text, silent.claims, silent.conversations) == ("", (), 1)


def test_labels_without_their_turn_are_passed_over() -> None:
    one = history(("01", "no commas"))
    [label] = one.feedback
    odd = [replace(label, turn_index=at) for at in (-1, 1, 9)] + [replace(label, conversation_id="gone")]
    assert complaints(History("u1", one.conversations, tuple(odd))) == ()
    assert complaints(History("u1", one.conversations, (label, label))) == complaints(one)


def test_the_key_follows_what_the_persona_rests_on() -> None:
    one = history(("01", "no commas"), ("02", "Nice weather"))
    [first] = personas([one], CONFIG)
    [again] = personas([replace(one, feedback=tuple(replace(row, probability=0.6) for row in one.feedback))], CONFIG)
    assert first == again
    [other] = personas([history(("01", "no commas"), ("02", "Bad weather"))], CONFIG)
    [stricter] = personas([one], PersonasConfig(min_confidence=0.9))
    assert len({first.key, other.key, stricter.key}) == 3


SAID = ["no commas", "bullets please", "no lists", "too long", "at most 20 words", "Use Spanish", "what about Rome?"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["01", "02", "03"]), st.sampled_from(SAID)), max_size=8), st.randoms())
def test_the_order_of_rows_does_not_matter(said: list[tuple[str, str]], random: object) -> None:
    one = history(*said)
    rows, feedback = list(one.conversations), list(one.feedback)
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(feedback)  # type: ignore[attr-defined]
    assert list(personas([History("u1", tuple(rows), tuple(feedback))], CONFIG)) == list(personas([one], CONFIG))
