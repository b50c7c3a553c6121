"""Each format's own shape: who the user is, what stays one conversation when it grows, and what people marked."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.clean.accept import merge
from rlhi.collect.formats import read_log
from rlhi.collect.formats.fields import number
from rlhi.collect.formats.signals import marked, scale_of
from rlhi.collect.formats.webui import unfolded
from rlhi.contracts import Conversation, Quarantined, Signal

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
Row = dict[str, object]


def read(rows: list[Row], folder: Path) -> list[Conversation]:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(read_log(path))
    assert not [row for row in found if isinstance(row, Quarantined)]
    return [row for row in found if isinstance(row, Conversation)]


def fixture(name: str) -> list[Conversation]:
    return [row for row in read_log(LOGS / name) if isinstance(row, Conversation)]


def refused(rows: list[Row], folder: Path) -> str:
    """Why the last row is refused."""
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [fine(), *rows]))
    last = list(read_log(path))[-1]
    assert isinstance(last, Quarantined)
    return last.reason


def fine() -> Row:
    return {"messages": [{"role": "user", "content": "Hi"}]}


def said(row: Conversation) -> list[str]:
    return [turn.content for turn in row.turns]


def test_wildchat_of_4_8_million() -> None:
    [row] = fixture("wildchat_4_8m.jsonl")
    assert (row.source, row.conversation_id, row.language, row.toxic) == ("wildchat", "wc-48-1", "en", False)
    assert row.user_id.startswith("bb22-")
    assert row.turns[1].created_at == "2025-03-01T08:00:09Z"


def test_lmsys_has_no_users_and_flags_what_moderation_flagged() -> None:
    first, second = fixture("lmsys.jsonl")
    assert {row.source for row in (first, second)} == {"lmsys"}
    assert {row.user_id_kind for row in (first, second)} == {"conversation_only"}
    assert (first.toxic, first.redacted, first.language) == (False, False, "en")
    assert (second.toxic, second.redacted, second.language) == (True, True, None)


def test_requests_of_one_conversation_share_their_id() -> None:
    short, long, session, nobody = fixture("completions.jsonl")
    assert short.conversation_id == long.conversation_id
    assert merge(short, long) == long == merge(long, short)
    assert said(long) == ["Be brief.", "Name a cape.", "Cape Horn.", "In Africa, please.", "Cape Agulhas."]
    assert (long.user_id, long.model, long.created_at) == ("ann", "demo-4", "2024-05-01T12:01:00Z")
    assert (session.conversation_id, session.user_id, said(session)[-1]) == ("s-1", "bob", "The Gulf of Riga.")
    assert (nobody.user_id_kind, said(nobody)[-1]) == ("conversation_only", "Bering.")


def test_requests_of_two_users_are_two_conversations(tmp_path: Path) -> None:
    asked = [{"role": "user", "content": "Hi"}]
    ann, bob, other = read(
        [
            {"messages": asked, "response": "Hello.", "user": "ann"},
            {"messages": asked, "response": "Hello.", "user": "bob"},
            {"messages": asked, "response": "Hello!", "user": "ann"},
        ],
        tmp_path,
    )
    assert len({ann.conversation_id, bob.conversation_id, other.conversation_id}) == 3


@pytest.mark.parametrize(
    "response",
    [
        "Hello.",
        {"choices": [{"text": "Hello."}]},
        {"output": [{"type": "reasoning", "summary": []}, {"content": [{"type": "output_text", "text": "Hello."}]}]},
        {"message": {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]}},
        {"body": {"choices": [{"message": {"content": "Hello."}}]}},
        json.dumps({"choices": [{"message": {"content": "Hello."}}]}),
    ],
)
def test_an_answer_in_every_wrapping(response: object, tmp_path: Path) -> None:
    [row] = read([{"messages": [{"role": "user", "content": "Hi"}], "response": response}], tmp_path)
    assert said(row) == ["Hi", "Hello."]


def test_requests_of_the_responses_api(tmp_path: Path) -> None:
    asked = [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "function_call", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "output": "rain"},
    ]
    said_so = {"type": "message", "content": [{"type": "output_text", "text": "Rain."}]}
    output = [{"type": "mcp_call", "output": "wet"}, said_so]
    [row] = read([{"request": {"input": asked, "user": "ann"}, "response": {"output": output}}], tmp_path)
    assert (said(row), row.user_id) == (["Weather?", "rain", "Rain."], "ann")


def test_an_answer_that_the_history_has_already_is_not_repeated(tmp_path: Path) -> None:
    history = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    [row] = read([{"messages": history, "response": "Hello."}], tmp_path)
    assert said(row) == ["Hi", "Hello."]


def test_a_call_of_a_tool_without_a_session_waits_for_the_answer(tmp_path: Path) -> None:
    called = {"choices": [{"message": {"content": None, "tool_calls": [{"id": "1"}]}}]}
    assert "answer has no text" in refused([{**fine(), "response": called}], tmp_path)
    [row] = read([{**fine(), "response": called, "session_id": "s"}], tmp_path)
    assert said(row) == ["Hi"]


def test_litellm_is_known_by_its_end_user_and_never_by_an_invented_session() -> None:
    short, long, client = fixture("litellm.jsonl")
    assert {row.source for row in (short, long, client)} == {"litellm"}
    assert short.conversation_id == long.conversation_id
    assert (short.user_id, short.model, short.created_at) == ("dev-7", "demo", "2024-05-01T12:00:00Z")
    assert said(merge(short, long))[2:] == ["The language, I mean.", "A language without a garbage collector."]
    assert (client.conversation_id, client.user_id) == ("client-9", "cust-1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "failure"}, "the request failed"),
        ({"proxy_server_request": "{}"}, "store_prompts_in_spend_logs"),
        ({"response": "Iron ... (litellm_truncated skipped 900 chars) ... oxide."}, "shortened or withheld"),
        ({"response": {"text": "redacted-by-litellm"}}, "shortened or withheld"),
    ],
)
def test_litellm_rows_without_their_text_are_refused(change: Row, reason: str, tmp_path: Path) -> None:
    row = json.loads((LOGS / "litellm.jsonl").read_text().splitlines()[0])
    assert reason in refused([row | change], tmp_path)


def test_oasst_goes_along_the_best_replies() -> None:
    [row] = fixture("oasst.jsonl")
    assert said(row) == ["Why do leaves fall?", "Trees save water in winter.", "All of them?", "Not conifers."]
    assert (row.conversation_id, row.user_id, row.user_id_kind) == ("tree-1", "vol-1", "real_root_only")
    assert row.turns[1].signals == (Signal("choice", 1.0, "Because."),)
    assert row.turns[3].signals == ()


def test_single_messages_of_oasst_are_no_conversations(tmp_path: Path) -> None:
    message: Row = {"message_id": "m", "parent_id": None, "message_tree_id": "m", "text": "Hi", "role": "prompter"}
    assert "unknown format" in refused([message], tmp_path)


def test_a_tree_may_be_deep(tmp_path: Path) -> None:
    node: Row = {"text": "at last", "role": "assistant", "replies": []}
    for at in range(150):
        node = {"text": f"{at}", "role": "prompter" if at % 2 == 0 else "assistant", "replies": [node]}
    root = {"text": "root", "role": "prompter", "replies": [node]}
    [row] = read([{"message_tree_id": "deep", "prompt": root}], tmp_path)
    assert len(row.turns) == 152


def test_open_webui_reads_the_branch_that_is_shown_with_its_marks() -> None:
    bees, tea = fixture("open_webui.json")
    assert (bees.conversation_id, bees.user_id, bees.user_id_kind) == ("ow-1", "acc-1", "real")
    assert said(bees)[:2] == ["A title for my essay on bees?", "The Buzz of Summer"]
    assert said(bees)[2:] == ["And a first sentence.", "Every hive begins with a sound."]
    assert bees.turns[1].signals == (
        Signal("thumbs", 1.0, "Showcased creativity"),
        Signal("stars", 1.0),
        Signal("choice", 1.0, "Bees."),
    )
    assert bees.turns[3].signals == (Signal("edit", -1.0, "Every hive begins with a song."),)
    assert (tea.conversation_id, tea.user_id) == ("ow-2", "acc-2")
    assert [signal.kind for signal in tea.turns[1].signals] == ["thumbs", "stars"]
    assert tea.turns[1].signals[0] == Signal("thumbs", -1.0, "no source")


def test_a_history_that_runs_in_a_circle_ends(tmp_path: Path) -> None:
    nodes = {
        "a": {"role": "user", "content": "Hi", "parentId": "b"},
        "b": {"role": "assistant", "content": "Hello.", "parentId": "a"},
    }
    [row] = read([{"chat": {"history": {"currentId": "b", "messages": nodes}}}], tmp_path)
    assert said(row) == ["Hi", "Hello."]


PARTS = ["a", '<details type="reasoning">', "</details>", "<details>", "b", "\n"]


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_what_was_folded_away_never_stays(parts: list[str]) -> None:
    shown = unfolded("".join(parts))
    before, closing, _ = shown.partition("</details>")
    assert not closing or '<details type="reasoning">' not in before
    if '<details type="reasoning">' not in parts:
        assert shown == "".join(parts)


def test_langfuse_traces_generations_and_sessions() -> None:
    trace, generation, question, session = fixture("langfuse.json")
    assert (trace.conversation_id, trace.user_id, trace.model) == ("ses-1", "gardener", "demo")
    assert trace.turns[-1].signals == (Signal("thumbs", 1.0, "spot on"),)
    assert said(generation)[1:] == ["When do I plant garlic?", "In October.", "And leeks?", "In spring."]
    assert (generation.conversation_id, generation.user_id, generation.model) == ("ses-1", "gardener", "demo")
    assert said(reduce(merge, [generation, trace])) == said(generation)
    assert (question.conversation_id, said(question)) == ("ses-2", ["Can I eat ramsons?", "Yes, the leaves."])
    assert said(session) == ["What is sumac?", "A tart red spice.", "And saffron?", "Threads of a crocus."]
    assert (session.conversation_id, session.user_id) == ("ses-3", "cook")
    assert session.turns[1].signals == (Signal("thumbs", -1.0, "too short"),)
    assert session.turns[3].signals == (Signal("stars", -0.5),)
    assert fixture("langfuse_trace.json") == [trace]


def test_a_span_of_langfuse_is_no_conversation(tmp_path: Path) -> None:
    span: Row = {"id": "o", "traceId": "t", "type": "SPAN", "input": "a", "output": "b"}
    assert "a SPAN holds no conversation" in refused([span], tmp_path)


def test_a_generation_with_more_history_speaks_for_its_trace(tmp_path: Path) -> None:
    one = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    history = [*one, {"role": "user", "content": "Two?"}]
    generation = {"type": "GENERATION", "input": {"messages": history}, "output": {"content": "2"}}
    trace: Row = {"id": "t", "sessionId": "s", "input": "Two?", "output": "2", "observations": [generation]}
    [row] = read([trace], tmp_path)
    assert said(row) == ["One?", "1", "Two?", "2"]
    [alone] = read([{**trace, "observations": []}], tmp_path)
    assert said(alone) == ["Two?", "2"]


def test_a_langfuse_session_whose_traces_repeat_the_history(tmp_path: Path) -> None:
    def messages(*texts: str) -> list[dict[str, str]]:
        return [{"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(texts)]

    liked = {"name": "user-feedback", "value": 1, "dataType": "NUMERIC", "source": "API"}
    traces = [
        {"timestamp": "2024-05-01T12:00:00Z", "input": messages("One?"), "output": "1", "scores": [liked]},
        {"timestamp": "2024-05-01T12:01:00Z", "input": messages("One?", "1", "Two?"), "output": "2"},
        {"timestamp": "2024-05-01T12:02:00Z", "input": messages("Two?", "2", "Three?"), "output": "3"},
        {"timestamp": "2024-05-01T12:03:00Z", "name": "no talk", "input": None, "output": None},
    ]
    [row] = read([{"id": "s", "traces": traces}], tmp_path)
    assert said(row) == ["One?", "1", "Two?", "2", "Three?", "3"]
    assert row.turns[1].signals == (Signal("thumbs", 1.0),)


def test_our_own_signals_and_those_of_older_rows() -> None:
    row = fixture("conversations.jsonl")[2]
    assert row.turns[1].signals == (Signal("edit", -1.0, "To old friends!"), Signal("thumbs", -1.0, "dull"))
    assert row.turns[3].signals == (Signal("stars", 1.0), Signal("choice", 1.0, "To us."))


def turn(**fields: object) -> Row:
    question = {"role": "user", "content": "Hi"}
    return {"turns": [question, {"role": "assistant", "content": "A", **fields}]}


def test_candidates_that_nobody_rated_are_no_choice(tmp_path: Path) -> None:
    candidates = [{"content": "A", "rating": None}, {"content": "B", "rating": None}]
    [silent] = read([turn(candidates=candidates)], tmp_path)
    assert silent.turns[1].signals == ()
    [chosen] = read([turn(candidates=[{"content": "A", "rating": 4}, *candidates])], tmp_path)
    assert chosen.turns[1].signals == (Signal("choice", 1.0, "B"),)
    [elsewhere] = read([turn(rating=4, candidates=[{"content": "B"}, {"content": "C"}])], tmp_path)
    assert elsewhere.turns[1].signals == (Signal("stars", 0.5),)


@pytest.mark.parametrize(
    "signals", ["up", [1], [{"kind": "applause", "value": 1}], [{"kind": "thumbs"}], [{"kind": "stars", "value": 4}]]
)
def test_a_signal_that_is_none_refuses_its_row(signals: object, tmp_path: Path) -> None:
    assert "signal" in refused([turn(signals=signals)], tmp_path)


@pytest.mark.parametrize(
    ("ratings", "values"),
    [
        ([1, 5, 3], [-1.0, 1.0, 0.0]),
        ([1, -1, 0], [1.0, -1.0, None]),
        ([1, 0, 1], [1.0, -1.0, 1.0]),
        ([True, False], [1.0, -1.0]),
        (["thumbs_up", "down", "meh"], [1.0, -1.0, None]),
        ([7, 5], [None, None]),
        ([1, 1], [None, None]),
        ([10**400, float("nan")], [None, None]),
    ],
)
def test_a_rating_is_read_on_its_conversations_scale(ratings: list[object], values: list[float | None]) -> None:
    scale = scale_of(number({"rating": rating}, "rating") for rating in ratings)
    found = [marked(rating, scale) for rating in ratings]
    assert [one[0].value if one else None for one in found] == values


@given(st.lists(st.one_of(st.floats(), st.integers(), st.booleans(), st.text(max_size=12), st.none()), max_size=5))
def test_a_mark_lies_in_its_bounds(ratings: list[object]) -> None:
    scale = scale_of(number({"rating": rating}, "rating") for rating in ratings)
    assert all(-1 <= signal.value <= 1 for rating in ratings for signal in marked(rating, scale))
