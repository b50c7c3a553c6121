"""Scores in files of their own come to the answers that they are of, in whatever order files and landings come."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from rlhi.contracts import Conversation, Signal
from rlhi.workspace.store import Workspace, read_table
from tests.integration.test_ids_anew import SMALL, Row, take, workspace

DOWN = Signal("thumbs", -1.0, "too short")


def trace(name: str, user: str = "vera") -> Row:
    asked = f'[{{"role": "user", "content": "What is {name}?"}}]'
    return {"id": name, "timestamp": "2026-10-01T09:00:00.000Z", "user_id": user, "session_id": None, "project_id": "p",
            "input": asked, "output": '{"role": "assistant", "content": "Serum."}'}  # fmt: skip


def step(name: str) -> Row:
    return {**trace(name), "id": f"{name}-step", "trace_id": name, "type": "GENERATION"}


def mark(of: str | None, value: float = -1, source: str = "API", **more: object) -> Row:
    return {"id": f"s-{of}", "trace_id": of, "observation_id": None, "session_id": None, "name": "user-feedback",
            "value": value, "source": source, "data_type": "NUMERIC", "comment": "too short", **more}  # fmt: skip


def signals(space: Workspace) -> dict[str, tuple[Signal, ...]]:
    table = read_table(space.path("data/conversations"), Conversation)
    return {row.turns[0].content: row.turns[-1].signals for row in table}


FILES = [[step("whey")], [mark("whey"), mark("nowhere"), mark("curd", 1, "EVAL")], [trace("whey"), trace("curd")]]
MARKED = {"What is whey?": (DOWN,), "What is curd?": ()}


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("together", [True, False])
def test_scores_join_their_traces_in_any_order(order: tuple[int, ...], together: bool, tmp_path: Path) -> None:
    space = workspace(tmp_path)
    done = take(space, *(FILES[at] for at in order), together=together)
    assert signals(space) == MARKED
    assert done.counts["marks unjoined"] == 1 and "1 marks are of answers that are in no log" in done.note


def test_in_one_file_and_with_the_same_file_again(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    every = [row for file in FILES for row in file]
    take(space, every, sizes=SMALL)
    again = take(space, [*every[:2], trace("cream")], sizes=SMALL)
    assert signals(space) == MARKED | {"What is cream?": ()}
    assert again.counts["quarantined"] == 0


def test_a_score_that_comes_later_in_another_process(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    take(space, [trace("whey")])
    space.path(".rlhi/marked.npz").unlink()  # as in a clone of the workspace
    take(space, [mark("whey")])
    assert signals(space) == {"What is whey?": (DOWN,)}


def test_what_names_no_answer_is_counted_or_refused(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    done = take(space, [trace("whey"), mark(None, session_id="ses"), mark(None)])
    assert (done.counts["marks unjoined"], done.counts["quarantined"]) == (1, 1)
    assert signals(space) == {"What is whey?": ()}


def test_messages_of_a_database_become_their_conversations(tmp_path: Path) -> None:
    def message(name: str, parent: str, said: str, mine: bool) -> Row:
        return {"messageId": name, "parentMessageId": parent, "conversationId": "c", "user": "u", "text": said,
                "isCreatedByUser": mine, "createdAt": f"2026-05-02T10:00:0{len(name)}Z"}  # fmt: skip

    zero = "00000000-0000-0000-0000-000000000000"
    rows = [message("a", zero, "What is a canon?", True), message("bb", "a", "A law.", False),
            message("ccc", "bb", "In music.", True), message("dddd", "ccc", "A round.", False)]  # fmt: skip
    space = workspace(tmp_path)
    take(space, rows[:3], rows[3:])
    [row] = read_table(space.path("data/conversations"), Conversation)
    assert [turn.content for turn in row.turns] == ["What is a canon?", "A law.", "In music.", "A round."]
    assert (row.conversation_id, row.user_id) == ("c", "u")
