"""Rows of one id: exports of one conversation, rows of one session, and conversations that are to stay apart."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhi.config import IngestConfig
from rlhi.contracts import Conversation
from rlhi.stages import Outcome
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.fold import USUAL, Sizes
from rlhi.stages.collect.ingest.stage import conversations, ingest
from rlhi.stages.collect.ingest.told import counted
from rlhi.workspace.store import Workspace, read_manifest, read_table
from tests.integration.test_ingest import state

CONFIG = IngestConfig(hash_users=False)
SMALL = Sizes(small_rows=4, partition_rows=2)
Row = dict[str, object]


def talk(day: str, number: int, turns: int = 2, user: str | None = None) -> Row:
    said = [("human", f"On {day}, {number}?"), ("gpt", f"On {day}: {number}."), ("human", "Ok."), ("gpt", "Good.")]
    row: Row = {"id": str(number), "conversations": [{"from": role, "value": text} for role, text in said[:turns]]}
    return row | {"user_id": user} if user else row


def land(space: Workspace, rows: Sequence[Row], landing: int | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.json"
        log.write_text(json.dumps(rows))
        incoming.land(space, log, 1, landing)


def take(space: Workspace, *files: Sequence[Row], together: bool = False, sizes: Sizes = USUAL) -> Outcome:
    """Ingest files one after the other, or all at once."""
    landing = incoming.next_landing(space)
    for at, rows in enumerate(files):
        land(space, rows, landing if together else landing + at)
    return ingest(space, ingest=CONFIG, sizes=sizes)


def workspace(folder: Path) -> Workspace:
    (folder / "data").mkdir(parents=True)
    return Workspace(folder)


def texts(space: Workspace) -> list[tuple[str, ...]]:
    table = read_table(space.path("data/conversations"), Conversation)
    return sorted(tuple(turn.content for turn in row.turns) for row in table)


DAYS = [[talk(day, number) for number in range(3)] for day in ("mon", "tue", "wed")]


def test_ids_that_begin_anew_in_each_file_are_as_many_conversations(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    done = take(space, *DAYS, together=True)
    assert len(texts(space)) == 9
    assert done.counts["kept apart"] == 6 and "6 conversations begin otherwise" in done.note
    rows = conversations(space)
    assert len({row.conversation_id for row in rows}) == len({row.user_id for row in rows}) == 9
    assert {row.conversation_id.partition("~")[0] for row in rows} == {"0", "1", "2"}


def test_a_later_landing_of_a_known_id_is_kept_apart_and_grows_by_itself(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    mon, tue, _ = DAYS
    take(space, mon)
    assert take(space, tue).counts["kept apart"] == 3
    grown = take(space, [talk("tue", number, turns=4) for number in range(3)])
    assert (grown.counts["new"], grown.counts["updated"], grown.counts["kept apart"]) == (0, 3, 0)
    assert [len(said) for said in texts(space)] == [2, 2, 2, 4, 4, 4]
    again = take(space, [*tue, talk("mon", 0)])
    assert (again.counts["new"], again.counts["updated"], again.counts["duplicate"]) == (0, 0, 4)
    assert counted(space)["kept apart"] == 3


def test_an_export_without_its_answer_yet_is_the_same_conversation(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    done = take(space, [talk("mon", 0, turns=1)], [talk("mon", 0)], [talk("mon", 0, turns=4)])
    assert len(texts(space)) == 1 and done.counts["kept apart"] == 0
    take(space, [talk("tue", 0, turns=1)], [talk("tue", 0)], [talk("tue", 0, turns=4)])
    assert [len(said) for said in texts(space)] == [4, 4]


def test_known_users_have_such_ids_too(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    take(space, *([talk(day, 0, user=user) for user in ("ann", "bob")] for day in ("mon", "tue")))
    rows = conversations(space)
    assert sorted(row.user_id for row in rows) == ["ann", "ann", "bob", "bob"]
    assert len({row.conversation_id for row in rows}) == 4


def test_our_own_rows_come_back_as_what_they_are(tmp_path: Path) -> None:
    space = workspace(tmp_path / "w")
    take(space, *DAYS)
    before = state(space)
    exported: list[Row] = [json.loads(row) for row in sorted(before)]
    assert take(space, exported).counts["new"] == 0
    other = workspace(tmp_path / "other")
    take(other, exported)
    assert state(other) == before == state(space)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_order_and_split_of_files_ends_in_the_same_conversations(data: st.DataObject) -> None:
    rows = [talk(day, number, turns) for day in ("mon", "tue", "wed") for number in (0, 1) for turns in (2, 4)]
    order = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(rows) - 1), max_size=3, unique=True)))
    files = [order[one:other] for one, other in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        one, other = workspace(Path(folder) / "one"), workspace(Path(folder) / "other")
        take(one, rows)
        take(other, *files, together=data.draw(st.booleans()), sizes=data.draw(st.sampled_from([USUAL, SMALL])))
        assert state(one) == state(other)
        assert len(texts(one)) == 6


def test_a_rebuild_comes_to_the_same_bytes(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    for rows in (*DAYS, [talk("tue", number, turns=4) for number in range(3)], session(range(4))):
        take(space, rows, sizes=SMALL)
    table = space.path("data/conversations")
    before = {path.name: path.read_bytes() for path in table.iterdir()}
    shutil.rmtree(table)
    shutil.rmtree(space.path(".rlhi"))
    ingest(space, ingest=CONFIG, sizes=SMALL)
    assert {path.name: path.read_bytes() for path in table.iterdir()} == before


def session(numbers: Sequence[int], name: str = "session_id", dated: bool = True, history: bool = False) -> list[Row]:
    """Rows of one session, an exchange each, or each with all that came before."""
    made: list[Row] = []
    for number in numbers:
        before = [
            {"role": role, "content": f"{kind} {at}"}
            for at in range(number if history else 0)
            for role, kind in (("user", "Question"), ("assistant", "Answer"))
        ]
        row: Row = {name: "s-1", "user_id": "lena", "response": f"Answer {number}"}
        row["messages"] = [*before, {"role": "user", "content": f"Question {number}"}]
        if dated:
            row["created_at"] = f"2026-10-01T10:{number:02d}:00Z"
        made.append(row)
    return made


def expected(count: int) -> list[tuple[str, ...]]:
    return [tuple(f"{kind} {number}" for number in range(count) for kind in ("Question", "Answer"))]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(5)), st.integers(0, 5), st.booleans(), st.booleans())
def test_a_sessions_rows_are_one_conversation(order: list[int], cut: int, history: bool, at_once: bool) -> None:
    rows = session(order, history=history)
    with tempfile.TemporaryDirectory() as folder:
        space, other = workspace(Path(folder) / "one"), workspace(Path(folder) / "other")
        take(space, [*rows[:cut], *rows[:2]], [*rows[cut:], *rows[3:]], together=at_once)
        take(other, session(range(5), history=history))
        assert texts(space) == expected(5)
        assert state(space) == state(other)


def test_a_session_without_times_is_in_the_order_of_its_rows(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    rows = session(range(3), name="thread_id", dated=False)
    done = take(space, [*rows, rows[1]])
    assert texts(space) == expected(3)
    assert (done.counts["new"], done.counts["updated"], done.counts["duplicate"]) == (1, 2, 1)


def test_answers_among_the_messages_are_a_sessions_too(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    rows = session(range(3))
    for row in rows:
        messages = row["messages"]
        assert isinstance(messages, list)
        messages.append({"role": "assistant", "content": row.pop("response")})
    take(space, rows)
    assert texts(space) == expected(3)


def test_sessions_of_two_users_and_two_sessions_of_one_stay_apart(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    rows = [row | change for row in session(range(2)) for change in ({}, {"user_id": "max"}, {"session_id": "s-2"})]
    take(space, rows)
    assert texts(space) == expected(2) * 3


def test_a_table_holds_what_it_held_after_the_same_file_again(tmp_path: Path) -> None:
    space = workspace(tmp_path)
    take(space, *DAYS, session(range(3)))
    before = read_manifest(space.path("data/conversations"))
    take(space, DAYS[1], session(range(3)))
    assert read_manifest(space.path("data/conversations")) == before
