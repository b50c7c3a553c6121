"""What people and platforms export of chats: ChatGPT, Claude, LibreChat, and Bedrock's log of invocations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhi.collect.formats import read_log
from rlhi.collect.formats.marks import mark_in, marks_elsewhere
from rlhi.contracts import Conversation, Quarantined, Signal

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
Row = dict[str, object]


def fixture(name: str) -> list[Conversation]:
    return [row for row in read_log(LOGS / name) if isinstance(row, Conversation)]


def read(folder: Path, row: Row) -> Conversation | Quarantined:
    path = folder / "log.jsonl"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "Hi"}]}) + "\n" + json.dumps(row))
    return list(read_log(path))[1]


def said(row: Conversation) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in row.turns]


def test_chatgpt_reads_the_branch_that_is_shown() -> None:
    [row] = fixture("chatgpt.json")
    assert said(row) == [
        ("user", "What is a glacier?"), ("assistant", "A river of ice."), ("user", "And this?"),
        ("assistant", "A moraine."),
    ]  # fmt: skip
    assert (row.conversation_id, row.user_id_kind, row.model) == ("cg-1", "conversation_only", "new")
    assert row.turns[1].thought == "It is ice that moves."
    assert row.turns[0].created_at == "2026-05-01T01:46:40.250000Z"


def test_chatgpt_without_a_node_that_is_shown_and_in_a_circle(tmp_path: Path) -> None:
    [whole] = json.loads((LOGS / "chatgpt.json").read_text())
    lost = read(tmp_path, {**whole, "current_node": "gone"})
    assert isinstance(lost, Conversation) and lost.turns[-1].content == "A moraine."
    whole["mapping"]["root"]["parent"] = "a3"
    circle = read(tmp_path, whole)
    assert isinstance(circle, Conversation) and len(circle.turns) == 4


def test_marks_of_chatgpts_users_lie_in_a_file_of_their_own() -> None:
    given: Row = {
        "id": "a2",
        "conversation_id": "cg-1",
        "user_id": "u",
        "rating": "thumbs_down",
        "content": '{"text": "short"}',
    }
    older: Row = {"message_id": "a3", "conversation_id": "cg-1", "rating": "thumbsUp", "content": "{}"}
    marks = {mark.of: mark.signals for one in (given, older) if (mark := mark_in(one))}
    assert marks == {"a2": (Signal("thumbs", -1.0, "short"),), "a3": (Signal("thumbs", 1.0),)}
    with marks_elsewhere(marks):
        [row] = fixture("chatgpt.json")
    assert [turn.signals for turn in row.turns] == [(), marks["a2"], (), marks["a3"]]


def test_claude() -> None:
    [row] = fixture("claude.json")
    found = ("tool", "hits")  # of a search, where the answer was read from it
    assert said(row) == [("user", "What is moss?"), found, ("assistant", "A small plant."), ("user", "Longer, please.")]
    assert (row.conversation_id, row.user_id, row.user_id_kind) == ("cl-1", "acc-9", "real")
    assert row.turns[2].thought == "A bryophyte."
    assert row.turns[2].signals == (Signal("thumbs", -1.0, "too short"),)


def test_claude_with_branches(tmp_path: Path) -> None:
    def message(name: str, parent: str, sender: str) -> Row:
        return {"uuid": name, "parent_message_uuid": parent, "sender": sender, "text": name}

    messages = [message("q", "0", "human"), message("old", "q", "assistant"), message("new", "q", "assistant")]
    row = read(tmp_path, {"uuid": "c", "chat_messages": messages})
    assert isinstance(row, Conversation) and said(row) == [("user", "q"), ("assistant", "new")]


def test_librechat_reads_the_newest_branch_with_its_marks() -> None:
    [row] = fixture("librechat.json")
    assert said(row) == [("user", "What is a canon?"), ("assistant", "A strict round."), ("user", "Who wrote one?")]
    assert (row.conversation_id, row.user_id_kind, row.model) == ("lc-7", "conversation_only", "red")
    assert row.turns[1].signals == (Signal("thumbs", 1.0, "just so"),) and row.turns[1].thought == "Music."
    assert row.created_at == "2026-05-02T10:00:00Z"


def test_librechat_as_a_tree_and_with_its_user(tmp_path: Path) -> None:
    flat = json.loads((LOGS / "librechat.json").read_text())
    first, old, new, last = flat["messages"]
    for one in flat["messages"]:
        del one["parentMessageId"]
    tree = {**first, "children": [old, {**new, "children": [last]}]}
    row = read(tmp_path, {**flat, "recursive": True, "messages": [tree], "user": {"$oid": "66f1"}})
    assert isinstance(row, Conversation)
    assert (said(row)[1:], row.user_id) == ([("assistant", "A strict round."), ("user", "Who wrote one?")], "66f1")
    late, early = {**first, "createdAt": "2026-05-02T10:00:00Z"}, {**old, "parentMessageId": "m1", "createdAt": None}
    undated = read(tmp_path, {**flat, "messages": [early, late]})
    assert isinstance(undated, Conversation) and [text for _, text in said(undated)] == ["What is a canon?", "A law."]
    older = read(tmp_path, {**flat, "messages": [{**first, "children": [old]}]})
    assert isinstance(older, Conversation) and (older.turns[1].content, older.turns[1].thought) == ("A law.", "A form.")


def test_a_message_of_librechats_database_goes_on_from_another(tmp_path: Path) -> None:
    first, *_, last = json.loads((LOGS / "librechat.json").read_text())["messages"]
    one, other = read(tmp_path, first), read(tmp_path, last)
    assert isinstance(one, Conversation) and isinstance(other, Conversation)
    assert (one.chain, other.chain, one.conversation_id) == (("", "m1"), ("m3", "m4"), "lc-7")
    assert one.changes == ()  # the UUID of zeros is no id, and none is missing


def test_bedrock_in_its_operations() -> None:
    claude, converse, stream = fixture("bedrock.jsonl")
    assert said(claude) == [("system", "Be brief."), ("user", "What is a delta?"), ("assistant", "A mouth of a river.")]
    assert (claude.user_id, claude.model, claude.created_at) == ("u-3", "anthropic.model", "2026-06-01T09:00:00Z")
    assert said(converse)[1:] == [("user", "What is a fen?"), ("assistant", "A wet meadow.")]
    assert (converse.conversation_id, converse.user_id) == ("s-3", "u-3")
    assert said(stream) == [("user", "What is a bog?"), ("assistant", "Wet peat.")]
    assert stream.user_id_kind == "conversation_only"


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ({"inputText": "Name a tree."}, {"results": [{"outputText": "Oak.", "completionReason": "FINISH"}]}),
        ({"prompt": "Name a tree."}, {"generation": "Oak.", "stop_reason": "stop"}),
        ({"prompt": "\n\nHuman: Name a tree.\n\nAssistant:"}, {"completion": " Oak."}),
        ({"prompt": "Name a tree."}, {"outputs": [{"text": "Oak."}]}),
        ({"message": "Name a tree."}, {"text": "Oak.", "generation_id": "g"}),
    ],
)
def test_bedrock_in_other_models_bodies(request_: Row, response: Row, tmp_path: Path) -> None:
    row = read(tmp_path, {"modelId": "m", "input": {"inputBodyJson": request_}, "output": {"outputBodyJson": response}})
    assert isinstance(row, Conversation)
    assert [text.strip() for _, text in said(row)] == ["Name a tree.", "Oak."]


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"inputBodyS3Path": "s3://x"}, "the request's body is not in the log"),
        ({"inputBodyJson": {"texts": ["a"]}}, "no messages in the request's body"),
        ({"inputBodyJson": {"prompt": "<|begin_of_text|>..."}}, "a rendered prompt"),
    ],
)
def test_bedrock_without_a_request_is_refused(held: Row, reason: str, tmp_path: Path) -> None:
    row = read(tmp_path, {"modelId": "m", "input": held, "output": {"outputBodyJson": {}}})
    assert isinstance(row, Quarantined) and reason in row.reason
