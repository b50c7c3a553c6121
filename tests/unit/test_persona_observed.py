"""What is seen of a user without being asked for; it enters the text only where it is configured to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.collect.persona.build import History, persona, personas, prior, with_prior
from rlhi.collect.persona.builder import Built, LocalBuilder, requests
from rlhi.collect.persona.history import said
from rlhi.collect.persona.observed import language_of_message, self_descriptions
from rlhi.collect.persona.topics import Population, population, terms
from rlhi.config import PersonasConfig
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Turn

CONFIG = PersonasConfig()


def history(user: str, *requests_of: str, complaint: str = "") -> History:
    """A conversation for each request, each followed by the complaint if there is one."""
    rows, labels = [], []
    for at, text in enumerate(requests_of):
        turns = [Turn("user", text), Turn("assistant", "It is so.")]
        if complaint:
            turns.append(Turn("user", complaint))
            labels.append(FeedbackTurn("", f"{user}-{at}", user, 2, "reattempt_with_feedback", 1.0))
        rows.append(Conversation(f"{user}-{at}", user, "real", None, None, "en", tuple(turns), "test"))
    return History(user, tuple(rows), tuple(labels))


def texts(made: Persona, kind: str) -> list[str]:
    return [claim.text for claim in made.claims if claim.kind == kind]


def test_languages_are_told_by_their_share() -> None:
    german = ["Wie halte ich Basilikum in der Küche am Leben?", "Was kann ich heute mit drei Eiern kochen?"]
    english = ["How do I keep basil alive in the kitchen?", "What can I cook with three eggs today?"]
    assert texts(persona(history("u", *german), CONFIG), "language") == ["Writes in German."]
    assert texts(persona(history("u", *german, *english), CONFIG), "language") == ["Sometimes writes in German."]
    assert texts(persona(history("u", *english, german[0]), CONFIG), "language") == [], "once is no habit"
    [claim] = [one for one in persona(history("u", *german), CONFIG).claims if one.kind == "language"]
    assert claim.evidence == ("u-0#0", "u-1#0")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("바질을 어떻게 키우나요", "Korean"),
        ("植物はどうやって育てますか", "Japanese"),
        ("如何种植罗勒", "Chinese"),
        ("Как вырастить базилик дома", "Cyrillic script"),
        ("Comment garder du basilic en vie dans ma cuisine ?", "French"),
        ("What is the word for basil in Korean, 바질?", "English"),
        ("ok", ""),
        ("```python\nprint('bonjour tout le monde et la famille')\n```", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_message(text: str, language: str) -> None:
    assert language_of_message(text) == language


def test_style_is_told_where_it_is_a_habit() -> None:
    lower = ["how do i keep basil alive", "what can i cook with eggs", "tell me about old maps"]
    assert "Writes in lower case." in texts(persona(history("u", *lower), CONFIG), "style")
    upper = [text.capitalize() for text in lower]
    assert "Writes in lower case." not in texts(persona(history("u", *upper), CONFIG), "style")
    assert "Writes in lower case." not in texts(persona(history("u", *lower[:2]), CONFIG), "style"), "two are too few"
    code = ["Why does this fail?\n```python\nx = 1\n```"] * 3
    assert "Sends code." in texts(persona(history("u", *code), CONFIG), "style")
    assert "Writes long messages." in texts(persona(history("u", *["so many words " * 40] * 3), CONFIG), "style")


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("I'm a nurse. What is sepsis?", {"Is a nurse, by their own words."}),
        ("As a complete beginner, how do I start?", {"Is a complete beginner, by their own words."}),
        ("I work as a high school teacher in Leeds.", {"Is a high school teacher, by their own words."}),
        ("I am new to Python and need help", {"Is new to python, by their own words."}),
        ("I'm an engineer, so be precise", {"Is an engineer, by their own words."}),
        ("I am a tired muslim nurse", {"Is a nurse, by their own words."}),
        ("I am not a nurse", set()),
        ("Pretend I am a nurse", set()),
        ("Translate: I am a nurse", set()),
        ("Mend my cover letter. I am a nurse and I like birds.", set()),
        ('She said "I am a nurse and a mother"', set()),
        ("I am a student loan holder", set()),
        ("I am seeing a doctor", set()),
        ("You are a nurse", set()),
        ("I'm a diabetic", set()),
        ("I am new to islam", set()),
    ],
)
def test_self_descriptions_are_trades_and_levels_and_nothing_private(text: str, claims: set[str]) -> None:
    assert self_descriptions(text) == claims


def test_expertise_has_its_evidence() -> None:
    made = persona(history("u", "I'm a nurse. What is sepsis?", "Hello to you", "As a nurse, what helps?"), CONFIG)
    [claim] = [one for one in made.claims if one.kind == "expertise"]
    assert (claim.confidence, claim.evidence) == (round(2 / 3, 4), ("u-0#0", "u-2#0"))


CROWD = [history(f"v{at}", f"Tell me something about subject{'abcdefghijkl'[at]} and kitchens") for at in range(12)]


def others(*more: History) -> Population:
    return population((one.user_id, requests(said(one))) for one in (*CROWD, *more))


def test_topics_are_what_comes_back_and_few_others_say() -> None:
    mine = history("u", "Which basil for my kitchens?", "Does basil like sun in kitchens?", "How old is Rome?")
    made = persona(mine, CONFIG, builder=LocalBuilder(CONFIG, others(mine)))
    assert texts(made, "topic") == ["Asks about basil."], "kitchens are everybody's, Rome came once"
    [topic] = [claim for claim in made.claims if claim.kind == "topic"]
    assert (topic.confidence, topic.evidence) == (round(2 / 3, 4), ("u-0#0", "u-1#0"))
    assert texts(persona(mine, CONFIG), "topic") == [], "without a population nothing is known to be uncommon"


def test_terms_of_the_same_conversations_are_one_topic() -> None:
    mine = history("u", "Do basil seeds need sun?", "When do basil seeds sprout?", "Is jazz loud?", "Is jazz calm?")
    made = persona(mine, CONFIG, builder=LocalBuilder(CONFIG, others()))
    assert texts(made, "topic") == ["Asks about basil, seed.", "Asks about jazz."]


def test_what_is_asked_of_answers_is_no_topic() -> None:
    mine = history("u", "Is Rome old?", "Is Oslo cold?", complaint="put everything in haiku form")
    assert texts(persona(mine, CONFIG, builder=LocalBuilder(CONFIG, others())), "topic") == []


def test_another_users_word_changes_a_persona_only_where_it_makes_a_term_common() -> None:
    mine = history("u", "Which basil is best?", "Does basil like sun?")
    first = LocalBuilder(CONFIG, others(mine)).basis(mine)
    assert LocalBuilder(CONFIG, others(mine, history("w", "Is Rome old?"))).basis(mine) == first
    gardeners = [history(f"g{at}", "All about basil") for at in range(4)]
    assert LocalBuilder(CONFIG, others(mine, *gardeners)).basis(mine) != first


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_message_is_read_without_an_error(text: str) -> None:
    made = persona(history("u", text, text, text), CONFIG, builder=LocalBuilder(CONFIG, others()))
    assert all(claim.text.isprintable() for claim in made.claims)
    assert all(term.isalpha() for term in terms(text))


def test_what_is_seen_enters_the_text_only_where_configured() -> None:
    mine = history("u", "I am a nurse, tell me about old Rome", "And of new Oslo", "and tea", complaint="no commas")
    plain = persona(mine, CONFIG)
    assert plain.text == "Do not use commas."
    assert texts(plain, "expertise")
    told = persona(mine, PersonasConfig(text_kinds=("wish", "expertise")))
    assert told.text == "Do not use commas. Is a nurse, by their own words."
    assert plain.key != told.key


class Counting:
    """A local builder that notes whom it read."""

    def __init__(self) -> None:
        self.inner, self.read = LocalBuilder(CONFIG), list[str]()

    def basis(self, history: History) -> str:
        return self.inner.basis(history)

    def build(self, histories: list[History]) -> list[Built]:
        self.read += [one.user_id for one in histories]
        return self.inner.build(histories)


def test_only_users_with_new_turns_are_rebuilt_and_a_rebuild_is_equal() -> None:
    people = [history(f"u{at}", "Hello to you", complaint="no commas") for at in range(40)]
    first = list(personas(people, CONFIG))
    grown = [*people[:-1], history("u39", "Hello to you", "More of it", complaint="no commas")]
    builder = Counting()
    second = list(personas(grown, CONFIG, builder, known={row.key: row for row in first}))  # type: ignore[arg-type]
    assert builder.read == ["u39"]
    assert second == list(personas(grown, CONFIG))


def known_users(count: int, complaint: str, prefix: str = "k") -> list[History]:
    return [history(f"{prefix}{at}", "Hello to you", complaint=complaint) for at in range(count)]


def test_the_prior_is_what_most_users_wish_and_says_so() -> None:
    config = PersonasConfig(prior=True)
    people = [*known_users(9, "use bullet points"), *known_users(3, "no commas", "n"), history("new", "Hello to you")]
    rows = list(personas(people, config))
    shared = prior(rows, config)
    assert [(claim.text, claim.confidence, claim.evidence) for claim in shared] == [("Use bullet points.", 0.75, ())]
    made = {row.user_id: row for row in with_prior(rows, shared)}
    assert made["new"].text == "Like most users: Use bullet points."
    assert made["new"].origin == "prior"
    assert made["n0"].text == "Do not use commas.", "who is known keeps what is known"
    assert {row.origin for row in made.values()} == {"prior", "inferred"}


def test_too_few_users_are_no_population() -> None:
    assert prior(list(personas(known_users(9, "use bullet points"), CONFIG)), CONFIG) == ()
    rows = list(personas([history("new", "Hello to you")], CONFIG))
    assert list(with_prior(rows, ())) == rows
