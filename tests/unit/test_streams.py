"""An answer that was logged as it was streamed is put together; a raw stream is never an answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.formats.turns import reply, turns_of
from rlhi.contracts.thoughts import Parted

pieces = ["A fern ", "likes ", "shade."]
WHOLE = "A fern likes shade."


def openai(text: str) -> dict[str, object]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


def anthropic(text: str) -> dict[str, object]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def responses(text: str) -> dict[str, object]:
    return {"type": "response.output_text.delta", "delta": text}


def gemini(text: str) -> dict[str, object]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}


def ollama(text: str) -> dict[str, object]:
    return {"message": {"role": "assistant", "content": text}, "done": False}


def bedrock(text: str) -> dict[str, object]:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": text}}}


def cohere(text: str) -> dict[str, object]:
    return {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}


def completions(text: str) -> dict[str, object]:
    return {"object": "text_completion", "choices": [{"text": text, "finish_reason": None}]}


SILENT: list[dict[str, object]] = [
    {"type": "message_start", "message": {"role": "assistant", "content": []}},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"total_tokens": 9}},
    {"type": "message_stop"},
]
KINDS = [openai, anthropic, responses, gemini, ollama, bedrock, cohere, completions]


def events(*rows: object, named: bool = False) -> str:
    head = "event: message\n" if named else ""
    return "".join(f"{head}data: {json.dumps(row)}\n\n" for row in rows) + "data: [DONE]\n\n"


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_every_provider_are_one_answer(kind) -> None:  # type: ignore[no-untyped-def]
    rows = [SILENT[0], *map(kind, pieces), *SILENT[1:]]
    assert reply(events(*rows)) == Parted("", WHOLE)
    assert reply({"body": events(*rows, named=True)}) == Parted("", WHOLE)
    assert reply(rows) == Parted("", WHOLE), "a list of chunks"
    assert reply("\n".join(map(json.dumps, rows))) == Parted("", WHOLE), "a chunk a line"


def test_thoughts_of_a_stream_stand_beside_the_answer() -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "Which plant?"}}]}
    assert reply(events(thought, *map(openai, pieces))) == Parted("Which plant?", WHOLE)
    block = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "Which plant?"}}
    assert reply(events(block, *map(anthropic, pieces))) == Parted("Which plant?", WHOLE)


def test_a_message_that_holds_a_stream_says_what_was_streamed() -> None:
    said = turns_of(
        [{"role": "user", "content": "Which plant?"}, {"role": "assistant", "content": events(*map(openai, pieces))}]
    )
    assert [turn.content for turn in said.turns] == ["Which plant?", WHOLE]


def test_a_stream_without_words_is_no_answer_and_one_whole_event_is() -> None:
    assert reply(events(*SILENT)) is None
    call = {"choices": [{"delta": {"tool_calls": [{"function": {"name": "look_up"}}]}}]}
    assert reply(events(call)) is None
    whole = {"choices": [{"message": {"role": "assistant", "content": WHOLE}}]}
    assert reply(events(whole)) == Parted("", WHOLE)


def test_a_broken_end_loses_no_piece_before_it() -> None:
    assert reply(events(*map(openai, pieces)).removesuffix("data: [DONE]\n\n") + 'data: {"choices": [{"del') == Parted(
        "", WHOLE
    )


@pytest.mark.parametrize("said", ["data: see the table below", "event: the party\nis on Friday", "{a}\n{b}"])
def test_prose_that_looks_like_a_stream_is_an_answer(said: str) -> None:
    assert reply(said) == Parted("", said)


def test_parts_of_an_answer_are_no_chunks() -> None:
    assert reply([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]) == Parted("", "One.\nTwo.")
    assert reply({"choices": [{"finish_reason": "stop", "text": "One."}]}) == Parted("", "One.")


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="<[`|"), min_size=1), min_size=1))
def test_no_raw_stream_is_ever_an_answer(texts: list[str]) -> None:
    found = reply(events(*map(openai, texts)))
    assert (found.answer if found else "").strip() == "".join(texts).strip()
