"""Thoughts, chains, odd roles and turns without text, from `rlhi ingest` to labels and pairs, through the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlhi.contracts import Conversation, FeedbackTurn
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table

RLHI = "from rlhi.cli.app import main; main()"


def rlhi(*words: object, code: int = 0) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-c", RLHI, *map(str, words)], capture_output=True, text=True, timeout=300,
        env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace around a stand-in for a model."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    ledger.init(tmp_path / "w", tmp_path / "model")
    return Workspace(tmp_path / "w")


def lines(rows: list[dict[str, Any]], path: Path, mark: str = "") -> Path:
    path.write_text(mark + "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def talk(name: str, *turns: tuple[str, Any]) -> dict[str, Any]:
    return {"id": name, "user_id": "u", "messages": [{"role": role, "content": content} for role, content in turns]}


def test_odd_logs_are_read_labelled_and_told(workspace: Workspace, tmp_path: Path) -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It moves heat."}]}
    chained = [
        {"request": {"user": "rita", "input": "Thanks.", "previous_response_id": "b"},
         "response": {"id": "c", "output": [said]}},
        {"request": {"user": "rita", "input": "Too long, shorter please.", "previous_response_id": "a"},
         "response": {"id": "b", "output": [{"type": "mcp_call", "output": "x"}, said]}},
        {"request": {"user": "rita", "input": "Explain a heat pump."}, "response": {"id": "a", "output": [said]}},
    ]  # fmt: skip
    rows = [
        talk("t", ("Human", "Why?"), ("gpt", "<think>\nsecret\n</think>\n\nSo it is, as we all know."),
             ("user", "Shorter, please.")),
        talk("n", ("user", "Say hi"), ("assistant", None), ("user", "Nothing came."), ("assistant", "Hi there"),
             ("user", "Too short, more please.")),
        talk("o", ("user", "Who?"), ("narrator", "It rains."), ("assistant", "I, the assistant."),
             ("customer", "Longer please.")),
        talk("p", ("user", "Draw a cat"), ("assistant", [{"type": "image_url"}]), ("user", "Make it black, please.")),
    ]  # fmt: skip
    folder = tmp_path / "logs"
    folder.mkdir()
    lines(rows, folder / "talks.jsonl", mark="\ufeff")
    lines(chained[:1], folder / "day2.jsonl")
    lines(chained[1:], folder / "day1.jsonl")
    told = rlhi("--workspace", workspace.root, "ingest", folder)
    assert "read 7: 5 new, 2 updated, 0 duplicate, 0 quarantined" in told
    assert "1 turns of unknown roles are left out" in told
    assert "unknown role left out x1" in rlhi("--workspace", workspace.root, "quarantine", "--changes")
    found = {row.conversation_id: row for row in read_table(workspace.path("data/conversations"), Conversation)}
    assert len(found) == 5 and max(len(row.turns) for row in found.values()) == 6
    assert found["t"].turns[1].content == "So it is, as we all know." and found["t"].turns[1].thought == "secret"
    rlhi("--workspace", workspace.root, "run", "feedback")
    labels = {
        (row.conversation_id, row.turn_index) for row in read_table(workspace.path("data/feedback"), FeedbackTurn)
    }
    chain = next(name for name, row in found.items() if row.chain)
    assert labels == {("t", 2), ("n", 4), ("o", 2), (chain, 2), (chain, 4)}


def test_label_reads_what_ingest_reads(tmp_path: Path) -> None:
    rows = [
        talk("t", ("user", "Why?"), ("assistant", "<think>x</think>So it is."), ("tool", "x"),
             ("human", "Shorter, please.")),
        talk("p", ("user", "Why?"), ("assistant", "So it is."), ("user", [{"type": "image_url"}])),
    ]  # fmt: skip
    out = tmp_path / "out.jsonl"
    listed = tmp_path / "in.json"
    listed.write_text("\ufeff" + json.dumps(rows), encoding="utf-8")
    for source in (lines(rows, tmp_path / "in.jsonl", mark="\ufeff"), listed):
        assert "2 rows labelled" in rlhi("label", source, out)
        labels = [json.loads(line)["label"] for line in out.read_text(encoding="utf-8").splitlines()]
        assert labels == ["reattempt_with_feedback", None]
    assert "no words to read" in rlhi("label", listed)


def asked(second: int, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A row of Mira's session: one request, its answer, and the time of it."""
    time = f"2026-10-01T10:{second // 60:02d}:{second % 60:02d}Z"
    return {"session_id": "s", "user_id": "mira", "created_at": time, "messages": list(messages), **fields}


def test_a_sessions_rows_hold_thoughts_tools_and_pictures_and_all_counts_stand_together(
    workspace: Workspace, tmp_path: Path
) -> None:
    def user(text: object) -> dict[str, Any]:
        return {"role": "user", "content": text}

    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "look"}}]}
    session = [
        asked(300, user("And by ferry?"), response=""),
        asked(0, user("How far is Capri?"), response="<think>\nIn km.\n</think>\n\nIt is 6 km from the coast."),
        asked(60, user("Shorter, please."), response={"choices": [{"message": call}]}),
        asked(65, user("Shorter, please."), call, {"role": "tool", "content": "6"}, response="6 km."),
        asked(180, user([{"type": "image_url"}]), response="That is the harbour."),  # no words of a user: refused
        asked(300, user("And by ferry?"), response={"content": "50 min.", "reasoning_content": "A fast one."}),
        asked(420, user("Thanks!"), {"role": "narrator", "content": "She left."}, response="Gladly."),
    ]
    anew = [
        talk("7", ("user", f"{day}: why?"), ("assistant", f"So, on {day}."), ("user", "Too long, shorter please."))
        for day in ("mon", "tue")
    ]
    nobody = talk("n", ("user", "Who?"), ("assistant", "I.")) | {"user_id": float("nan"), "created_at": "some day"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Then."}]}
    lost = {"request": {"user": "olaf", "input": "And?", "previous_response_id": "x"},
            "response": {"id": "y", "output": [said]}}  # fmt: skip
    log = lines([*session, *anew, nobody, lost], tmp_path / "log.jsonl")
    with log.open("a", encoding="utf-8") as file:
        file.write('{"id": "cut", "messages": [\n')
    counts = json.loads(rlhi("--workspace", workspace.root, "ingest", log, "--json", code=3))
    expected = {
        "times_unread": 1, "ids_unread": 1, "turns_left_out": 1, "without_beginning": 1, "kept_apart": 1, "left_over": 1
    }  # fmt: skip
    assert {name: counts[name] for name in expected} == expected
    assert (counts["read"], counts["new"], counts["updated"], counts["quarantined"]) == (12, 5, 5, 2)
    ledger.init(tmp_path / "other", tmp_path / "model")
    line = rlhi("--workspace", tmp_path / "other", "ingest", log, code=3)
    for told in (line, rlhi("--workspace", workspace.root, "status")):
        flat = " ".join(told.split())
        for words in ("a time that cannot be read", "in the place of an id", "1 turns of unknown roles are left out",
                      "the beginning is missing", "kept apart", "1 pieces of logs are no rows"):  # fmt: skip
            assert words in flat
    changes = rlhi("--workspace", workspace.root, "quarantine", "--changes")
    for words in ("unknown role left out x1", "time unread", "id unread", "an earlier response is missing"):
        assert words in changes
    rows = read_table(workspace.path("data/conversations"), Conversation)
    [mira] = [row for row in rows if sum(turn.speaks for turn in row.turns) == 8]
    assert [(at, turn.content) for at, turn in enumerate(mira.turns) if not turn.speaks] == [(3, "6")]
    assert [(turn.content, turn.thought) for turn in mira.turns if turn.role == "assistant"] == [
        ("It is 6 km from the coast.", "In km."), ("6 km.", ""), ("50 min.", "A fast one."), ("Gladly.", ""),
    ]  # fmt: skip
    rlhi("--workspace", workspace.root, "run", "feedback")
    labels = read_table(workspace.path("data/feedback"), FeedbackTurn)
    own = {row.turn_index: row.label for row in labels if row.conversation_id == "s"}
    assert sorted(own) == [2, 5, 7] and own[2] == "reattempt_with_feedback" and own[7] == "positive_feedback"
    assert sum(row.conversation_id.startswith("7") for row in labels) == 2
