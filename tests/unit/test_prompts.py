"""What a model is asked with: the application's own system turn, the persona's place, documents, tools, the budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rlhi.config import PromptConfig
from rlhi.contracts import Message, Role, Turn
from rlhi.contracts.turns import asked_last, opened
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.models.prompts import DEFAULT, Prompts, fit_context

OWN = "You are Acme's bot.\n\nAnswer kindly."
BRIEF = "Wants short answers."
ASKED = [Turn("user", "Rain?"), Turn("tool", "0 mm"), Turn("assistant", "None."), Turn("user", "Snow?")]
TEMPLATE = "You are Acme's bot.\n{persona}\nAnswer in JSON."
CONFIGS = [
    PromptConfig(), PromptConfig(place="before"), PromptConfig(system=TEMPLATE), PromptConfig(system=""),
    PromptConfig(persona="Known of them: {persona} (end)"), PromptConfig(own="replace"),
]  # fmt: skip
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


def system(config: PromptConfig, persona: str, *turns: Turn) -> str:
    first = Prompts(config).told([*turns, *ASKED], persona)[0]
    return first.content if first.role == "system" else ""


def test_without_a_system_turn_the_prompt_is_what_it_always_was() -> None:
    assert DEFAULT.told(ASKED[:1], "") == (Message("system", "You are a helpful assistant."), Message("user", "Rain?"))
    assert system(PromptConfig(), BRIEF) == f"You are a helpful assistant. About this user: {BRIEF}"
    assert DEFAULT.form(ASKED[:1]) == "" and DEFAULT.form(ASKED) != "" != DEFAULT.form([Turn("system", OWN)])


@pytest.mark.parametrize(("config", "expected"), [
    (PromptConfig(), f"{OWN} About this user: {BRIEF}"),
    (PromptConfig(place="before"), f"About this user: {BRIEF}\n\n{OWN}"),
    (PromptConfig(own="replace"), f"You are a helpful assistant. About this user: {BRIEF}"),
    (PromptConfig(system=TEMPLATE), f"{OWN} About this user: {BRIEF}"),
    (PromptConfig(system=TEMPLATE, own="replace"), TEMPLATE.replace("{persona}", f"About this user: {BRIEF}")),
    (PromptConfig(persona="They said: {persona}"), f"{OWN} They said: {BRIEF}"),
])  # fmt: skip
def test_the_persona_joins_the_applications_own_turn_at_the_place_that_is_chosen(
    config: PromptConfig, expected: str
) -> None:
    assert system(config, BRIEF, Turn("system", OWN)) == expected


def test_a_system_turn_that_told_another_persona_is_told_this_one() -> None:
    for config in CONFIGS:
        for own in ((), (Turn("system", OWN),)):
            served = Turn("system", system(config, "Wants lists. And jokes.", *own) or OWN)
            assert system(config, BRIEF, served) == (system(config, BRIEF, *own) or OWN), config
            if system(config, "", *own):
                assert system(config, "", served) == system(config, "", *own), config


def test_instructions_that_a_log_repeats_are_told_once_and_documents_stay() -> None:
    before, now = (Turn("system", DEFAULT.system(OWN, persona)) for persona in ("Old.", BRIEF))
    document = Turn("system", "Document: snow falls.")
    turns = [before, ASKED[0], ASKED[2], now, document, ASKED[3]]
    told = DEFAULT.told(turns, "")
    assert [one.content for one in told] == [OWN, "Rain?", "None.", "Document: snow falls.", "Snow?"]
    bare = Prompts(PromptConfig(documents="drop")).told([*turns, Turn("tool", "x")], "")
    assert [one.content for one in bare] == [OWN, "Rain?", "None.", "Snow?"]


@given(
    st.sampled_from(CONFIGS),
    st.lists(st.tuples(st.sampled_from(ROLES), st.text("ab {}\n", max_size=9)), max_size=6),
    st.sampled_from(["", BRIEF, "One.\n\nTwo."]),
    st.sampled_from(["", "Other.", "Three.\n\nFour."]),
)
def test_telling_again_tells_the_same_and_another_persona_alone(
    config: PromptConfig, said: list[tuple[Any, str]], persona: str, before: str
) -> None:
    prompts, turns = Prompts(config), [Turn(role, text) for role, text in said]
    if config.system == "" and (not turns or turns[0].role != "system"):
        return  # a document that comes first after the sentence was taken off would be the application's own turn
    assert prompts.told(prompts.told(turns, before), persona) == prompts.told(turns, persona)


def words(messages: Any) -> int:
    return sum(len(one.content.split()) for one in messages)


def test_the_oldest_exchanges_go_first_then_documents_never_what_asks() -> None:
    said = [("system", "be kind"), ("user", "one"), ("tool", "two"), ("assistant", "three"), ("system", "doc doc"),
            ("user", "four"), ("tool", "five five"), ("tool", "six")]  # fmt: skip
    messages = [Message(role, text) for role, text in said]  # type: ignore[arg-type]

    def left(limit: int) -> list[str] | None:
        found = fit_context(messages, limit, words)
        return None if found is None else [one.content for one in found]

    assert left(11) == [text for _, text in said]
    assert left(10) == ["be kind", "doc doc", "four", "five five", "six"]
    assert left(7) == ["be kind", "four", "five five", "six"]
    assert left(5) == ["be kind", "four", "six"] and left(3) == ["be kind", "four"] and left(2) is None


@given(st.lists(st.tuples(st.sampled_from(ROLES), st.text("a ", min_size=1)), max_size=8), st.integers(0, 20))
def test_what_is_left_fits_and_keeps_the_system_turn_and_the_last_request(said: list[Any], limit: int) -> None:
    messages = [*(Message(role, text) for role, text in said), Message("user", "last"), Message("tool", "b")]
    found = fit_context(messages, limit, words)
    if found is None:
        return
    assert words(found) <= limit and asked_last(found) == asked_last(messages)
    assert found[:1] == tuple(messages[:1]) or messages[0].role != "system"
    rest = iter(messages)
    assert all(one in rest for one in found), "in their order"


def test_a_rewrite_is_read_with_its_results_and_if_need_be_without() -> None:
    turns = [Turn("system", OWN), Turn("user", "Hi"), Turn("assistant", "Hello"), *ASKED[:3]]
    one = SampleRequest("k", "t", "u", 4, DEFAULT.rewrite(turns, "Longer.", ""), 3)
    assert [message.role for message in one.core] == ["system", "user", "tool", "assistant", "user"]
    assert [message.role for message in one.spoken.core] == ["system", "user", "assistant", "user"]
    assert len(one.spoken.messages) == len(one.messages) - 1


def test_an_evaluation_asks_the_first_request_with_what_stood_around_it() -> None:
    turns = [Turn("system", OWN), Turn("assistant", "Welcome"), Turn("user", ""), *ASKED]
    assert [turn.content for turn in opened(turns)] == [OWN, "Rain?", "0 mm"]
    assert opened([Turn("system", OWN)]) == ()


@pytest.mark.parametrize("wrong", [
    {"persona": "About this user."}, {"persona": "{persona}"}, {"persona": "Of {persona} and {persona}"},
    {"system": "{persona}"}, {"system": "A {persona} b {persona}"}, {"place": "first"},
])  # fmt: skip
def test_what_cannot_be_found_again_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PromptConfig.model_validate(wrong)
