"""Roles in many spellings, items of tools, turns without text, several turns of one speaker, marks beside requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.feedback.head import Labeller
from rlhi.collect.feedback.label import follow_ups
from rlhi.collect.formats import read_record
from rlhi.collect.formats.format import unread_in
from rlhi.collect.formats.records import Record
from rlhi.collect.formats.roles import speaker_named, speaker_of
from rlhi.collect.formats.turns import reply
from rlhi.config import CandidatesConfig, FeedbackConfig, PairsConfig
from rlhi.contracts import Conversation, Signal, Turn
from rlhi.contracts.turns import asked, exchanges, is_first, request
from rlhi.learn.pairs.build import PairMaker
from rlhi.learn.pairs.candidates import requests
from rlhi.learn.reward.comparisons import comparisons
from rlhi.models.prompts import Prompts
from tests.unit.test_turns import NOBODY, Shorter

ASK, ANSWER, COMPLAINT = "What is DNS?", "DNS maps names to addresses.", "Too long, shorter please."
PICTURE: list[Any] = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]


def read(row: dict[str, Any]) -> Conversation:
    known, found = read_record(Record(1, row), "log.jsonl")
    assert known and isinstance(found, Conversation), found
    return found


def said(*turns: tuple[str, Any]) -> list[tuple[str, str]]:
    found = read({"messages": [{"role": role, "content": content} for role, content in turns]})
    return [(turn.role, turn.content) for turn in found.turns]


def contexts(talk: Conversation) -> list[tuple[str, str, str]]:
    return [one.context for one in follow_ups(talk, Labeller.load(), FeedbackConfig())]


@pytest.mark.parametrize(
    ("speaker", "words"),
    {
        "user": "user USER User human Human HumanMessage end_user endUser end-user customer client prompter ROLE_USER",
        "assistant": "assistant Assistant gpt gpt-4o chatgpt bot chatbot ai AI AIMessage AIMessageChunk model bing "
        "claude MessageRole.ASSISTANT ai_assistant <|assistant|> virtual-assistant",
        "system": "system developer SystemMessage instructions",
        "tool": "tool function ipython observation environment function_call tool_response function_result tool_output "
        "ToolMessage mcp_call web_search_call code_interpreter",
        "thought": "reasoning thought thinking",
    }.items(),
)
def test_spellings_of_roles(speaker: str, words: str) -> None:
    assert {word: speaker_named(word) for word in words.split()} == dict.fromkeys(words.split(), speaker)


def test_an_unknown_word_is_nobody_and_a_conflict_too() -> None:
    assert speaker_named("narrator") is speaker_named("human agent") is speaker_of({"content": "x"}) is None


@given(st.text(max_size=60), st.booleans())
def test_any_word_for_a_role_is_read_or_not(word: str, item: bool) -> None:
    assert speaker_named(word, item) in ("system", "user", "assistant", "tool", "thought", None)


def test_one_odd_turn_costs_no_conversation_and_is_counted() -> None:
    turns: list[Any] = [
        {"from": "human", "value": ASK}, {"from": "narrator", "value": "It rains."}, None,
        {"from": "gpt", "value": ANSWER}, {"from": "end_user", "value": COMPLAINT},
    ]  # fmt: skip
    found = read({"id": "a", "conversations": turns})
    assert [turn.content for turn in found.turns] == [ASK, ANSWER, COMPLAINT] and unread_in(found) == 2
    known, refused = read_record(Record(1, {"messages": [{"role": "wizard", "content": "x"}]}), "log.jsonl")
    assert known and "unknown role 'wizard'" in getattr(refused, "reason", "")


@pytest.mark.parametrize("kind", ["web_search_call", "mcp_call", "compaction", "shell_call_output", "mcp_list_tools",
                                  "mcp_approval_request", "some_tool_of_tomorrow_call", "item_reference"])  # fmt: skip
def test_items_of_tools_are_told_by_their_shape(kind: str) -> None:
    output = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]}
    item = {"type": kind, "id": "x", "output": "secret", "results": [{"text": "secret"}], "content": "secret"}
    row: dict[str, Any] = {
        "request": {"user": "u", "input": [{"role": "user", "content": ASK}, item, output,
                                           {"role": "user", "content": COMPLAINT}]},
        "response": {"id": "r", "output": [item, {**output, "content": [{"type": "output_text", "text": "Names."}]}]},
    }  # fmt: skip
    if kind in ("compaction", "mcp_list_tools", "item_reference"):
        row["response"]["output"] = row["response"]["output"][1:]  # their words, if any, are not the answer's
    found = read(row)
    spoken = [turn.content for turn in found.turns if turn.speaks]
    assert spoken == [ASK, ANSWER, COMPLAINT, "Names."] and not unread_in(found)
    answered = [turn.content for turn in found.turns if turn.role == "tool"]
    assert answered == ([] if kind in ("compaction", "mcp_list_tools", "item_reference") else ["secret"])


def test_anthropics_results_are_a_tools_turn_and_its_thoughts_kept_beside_the_answer() -> None:
    result = [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "-6 C"}]}]
    thoughts = [{"type": "thinking", "thinking": "cold", "signature": "x"}, {"type": "redacted_thinking", "data": "x"}]
    rows = [("user", ASK), ("assistant", [{"type": "tool_use", "id": "t", "name": "w", "input": {}}]), ("user", result),
            ("assistant", [*thoughts, {"type": "text", "text": ANSWER}]), ("user", COMPLAINT)]  # fmt: skip
    found = read({"messages": [{"role": role, "content": content} for role, content in rows]})
    assert [(turn.role, turn.content) for turn in found.turns] == [
        ("user", ASK), ("tool", "-6 C"), ("assistant", ANSWER), ("user", COMPLAINT)
    ]  # fmt: skip
    assert found.turns[2].thought == "cold"
    assert contexts(found) == [(ASK, ANSWER, COMPLAINT)]


@pytest.mark.parametrize("message", [
    {"content": ANSWER, "reasoning_content": "hm"}, {"content": ANSWER, "reasoning": "hm"},
    {"content": ANSWER, "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
    {"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": ANSWER}]},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": ANSWER}]},
    {"parts": [{"text": "hm", "thought": True}, {"text": ANSWER}]},
    {"content": [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": ANSWER}]},
    {"content": f"<think>hm</think>{ANSWER}"},
])  # fmt: skip
def test_thoughts_in_fields_and_parts(message: dict[str, Any]) -> None:
    turns = [{"role": "user", "content": ASK}, {"role": "assistant", **message}]
    answer = read({"messages": turns}).turns[-1]
    assert (answer.content, answer.thought) == (ANSWER, "hm")
    told = reply({"choices": [{"message": {"role": "assistant", **message}}]}) if "parts" not in message else None
    assert told is None or (told.answer, told.thought) == (ANSWER, "hm")


def test_a_thought_in_an_item_of_its_own_is_the_next_answers() -> None:
    items = [
        {"role": "user", "content": ASK},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]},
    ]
    assert read({"messages": items}).turns[-1] == Turn("assistant", ANSWER, thought="hm")


@pytest.mark.parametrize("nothing", [None, "", "<think>17*23</think>", PICTURE, [], "absent"])
def test_a_turn_without_text_stays_one_and_is_nobodys_answer(nothing: Any) -> None:
    answer = {"role": "assistant"} | ({} if nothing == "absent" else {"content": nothing})
    turns = [{"role": "user", "content": ASK}, answer, {"role": "user", "content": "Nothing came."},
             {"role": "assistant", "content": ANSWER}, {"role": "user", "content": COMPLAINT}]  # fmt: skip
    found = read({"messages": turns})
    assert [turn.content for turn in found.turns] == [ASK, "", "Nothing came.", ANSWER, COMPLAINT]
    assert contexts(found) == [(f"{ASK}\n\nNothing came.", ANSWER, COMPLAINT)]
    assert all(message.content for message in Prompts().told(found.turns, ""))


def test_what_is_said_of_a_picture_is_no_label_and_no_request() -> None:
    drawn = read({"messages": [{"role": "user", "content": "Draw a cat"}, {"role": "assistant", "content": PICTURE},
                               {"role": "user", "content": "Make it black"}]})  # fmt: skip
    shown = read({"messages": [{"role": "user", "content": ASK}, {"role": "assistant", "content": "A fig."},
                               {"role": "user", "content": PICTURE}, {"role": "assistant", "content": "A quince."},
                               {"role": "user", "content": "In one word."}]})  # fmt: skip
    assert contexts(drawn) == contexts(shown) == []
    assert [(one.request, one.answer) for one in exchanges(shown.turns)] == [(0, 1)]
    assert [one.turn_index for one in requests([drawn, shown], [], {}, CandidatesConfig(persona_only=False))] == [1]


def test_a_refusal_and_what_was_said_aloud_are_words() -> None:
    turns = [{"role": "user", "content": ASK}, {"role": "assistant", "content": None, "refusal": "I can't."},
             {"role": "user", "content": "Why?"},
             {"role": "assistant", "content": None, "audio": {"id": "a", "transcript": "Hello!"}}]  # fmt: skip
    assert [turn.content for turn in read({"messages": turns}).turns] == [ASK, "I can't.", "Why?", "Hello!"]


def test_a_complaint_behind_several_parts_of_an_answer_is_of_the_last() -> None:
    call = [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    turns = [{"role": "user", "content": ASK}, {"role": "assistant", "content": "One moment.", "tool_calls": call},
             {"role": "tool", "content": "x", "tool_call_id": "1"}, {"role": "assistant", "content": ANSWER},
             {"role": "user", "content": COMPLAINT}]  # fmt: skip
    talk = read({"messages": turns})
    assert contexts(talk) == [(ASK, ANSWER, COMPLAINT)]
    assert [turn.content for turn in asked(talk.turns, 3)] == [ASK, "x"] and is_first(talk.turns, 3)
    [one] = requests([talk], [], {}, CandidatesConfig(persona_only=False))
    assert [message.role for message in one.messages] == ["system", "user", "tool"] and one.turn_index == 3


def test_two_turns_of_the_user_are_one_request() -> None:
    turns = [Turn("user", ASK), Turn("system", "noon"), Turn("user", "Briefly."), Turn("assistant", ANSWER)]
    assert request(turns, 3) == f"{ASK}\n\nBriefly."
    assert is_first(turns, 3) and [turn.content for turn in asked(turns, 3)] == [ASK, "noon", "Briefly."]


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.sampled_from(["x", ""]))))
def test_every_exchange_is_a_request_an_answer_and_what_follows_in_words(kinds: list[tuple[Any, str]]) -> None:
    turns = [Turn(role, content) for role, content in kinds]
    found = list(exchanges(turns))
    for one in found:
        roles = [turns[place].role for place in (one.request, one.answer, one.follow_up) if place >= 0]
        assert roles == ["user", "assistant", "user"][: len(roles)] and one.request < one.answer
        assert turns[one.request].has_text and turns[one.answer].has_text and request(turns, one.answer)
        between = turns[one.request + 1 : one.answer]
        assert not any(turn.role == "user" and turn.has_text for turn in between)
        prompt = Prompts().told(asked(turns, one.answer), "")
        assert [message.role for message in prompt if message.speaks][-1] == "user"
    places = [one.answer for one in found]
    assert places == sorted(set(places))


@pytest.mark.parametrize(("mark", "expected"), [
    ({"rating": -1}, Signal("thumbs", -1.0)), ({"rating": "thumbs_down"}, Signal("thumbs", -1.0)),
    ({"rating": 5}, Signal("stars", 1.0)), ({"user_feedback": False}, Signal("thumbs", -1.0)),
    ({"feedback": {"rating": "thumbsUp", "comment": "Good."}}, Signal("thumbs", 1.0, "Good.")),
    ({"rating": 4, "comment": "Nice."}, Signal("stars", 0.5, "Nice.")),
])  # fmt: skip
def test_a_mark_beside_a_request_or_on_the_users_turn_is_of_the_answer(mark: dict[str, Any], expected: Signal) -> None:
    beside = read({"messages": [{"role": "user", "content": ASK}], "response": ANSWER, "user": "u", **mark})
    on_turn = read({"messages": [{"role": "user", "content": ASK, **mark}, {"role": "assistant", "content": ANSWER}]})
    assert beside.turns[-1].signals == on_turn.turns[-1].signals == (expected,)
    assert not beside.turns[0].signals and not on_turn.turns[0].signals


def test_a_mark_of_unknown_scale_or_beside_marked_turns_is_left_out() -> None:
    assert not read({"messages": [{"role": "user", "content": ASK}], "response": ANSWER, "rating": 1}).turns[-1].signals
    turns = [{"role": "user", "content": ASK}, {"role": "assistant", "content": ANSWER, "rating": "up"},
             {"role": "user", "content": "And?"}, {"role": "assistant", "content": "So."}]  # fmt: skip
    found = read({"messages": turns, "rating": -1})
    assert [turn.signals for turn in found.turns if turn.signals] == [(Signal("thumbs", 1.0),)]


def test_no_pair_has_a_thought_or_an_empty_side() -> None:
    def talk(name: str, answer: str, other: str) -> Conversation:
        marked = Turn("assistant", answer, signals=(Signal("choice", 1.0, other),))
        return Conversation(name, "u", "real", None, None, None, (Turn("user", ASK), marked), "test")

    talks = {name: talk(name, *sides) for name, sides in {
        "ok": (ANSWER, "Names."), "thought": (ANSWER, "<think>hm</think>Names."), "empty": ("", "Names."),
    }.items()}  # fmt: skip
    maker = PairMaker(talks, {"u": NOBODY}, {"u": NOBODY}, Shorter(), PairsConfig())
    assert [pair.conversation_id for pair in maker.pairs([], [])] == ["ok"]
    assert maker.dropped.reasons["an answer holds a thought"] == 1
    assert not any(
        "" in (one.better.response, one.worse.response)
        for one in comparisons(talks.values(), [], [], lambda *_: NOBODY.profile)
    )
