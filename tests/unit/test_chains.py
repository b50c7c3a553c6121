"""Requests that go on from what a server keeps: one conversation, in whatever order and files they come."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhi.collect.clean.chains import BRANCHED, MISSING, joined
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, Turn
from rlhi.stages import Outcome
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import ingest
from rlhi.workspace.store import Workspace, read_table

SAID = [
    ("Explain a heat pump.", "It moves heat."),
    ("Too long.", "Heat."),
    ("And costs?", "Much."),
    ("Thanks.", "Bye."),
]
TURNS = [text for exchange in SAID for text in exchange]


def request(own: str, before: str, said: str, answer: str, at: int, user: str = "rita", **more: Any) -> dict[str, Any]:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answer}]}
    call = {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c"}
    asked = {"input": said} if said else {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}
    given = asked | ({"user": user} if user else {}) | ({"previous_response_id": before} if before else {}) | more
    response = {"id": own, "created_at": 1_790_000_000 + at, "output": [message if answer else call]}
    return {"request": given, "response": response}


def chain(user: str = "rita", name: str = "r", **more: Any) -> list[dict[str, Any]]:
    """Four requests, each going on from the one before."""
    before = ["", *(f"{name}{at}" for at in range(3))] if not more else [""] * 4
    return [request(f"{name}{at}", before[at], *SAID[at], at, user, **more) for at in range(4)]


def taken(*logs: list[dict[str, Any]], together: bool = False) -> tuple[list[Conversation], Outcome, list[str]]:
    """What the logs come to, ingested one after the other or all at once; the last outcome, and what was refused."""
    with tempfile.TemporaryDirectory() as folder:
        space, log = Workspace(Path(folder) / "w"), Path(folder) / "log.jsonl"
        space.path("data").mkdir(parents=True)
        for rows in logs:
            log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            incoming.land(space, log, 1, 1 if together else None)
            if not together:
                done = ingest(space, ingest=IngestConfig())
        if together:
            done = ingest(space, ingest=IngestConfig())
        refused = [row.reason for row in read_table(space.path("data/quarantine"), Quarantined)]
        return list(read_table(space.path("data/conversations"), Conversation)), done, refused


def texts(row: Conversation) -> list[str]:
    return [turn.content for turn in row.turns]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(4)), st.lists(st.integers(0, 4), max_size=3), st.sampled_from(["rita", ""]), st.booleans())
def test_any_order_and_split_over_files_is_one_conversation(
    order: list[int], cuts: list[int], user: str, together: bool
) -> None:
    rows = chain(user)
    places = sorted({0, *cuts, 4})
    logs = [[rows[at] for at in order[one:other]] for one, other in zip(places, places[1:], strict=False)]
    [found], _, refused = taken(*logs, together=together)
    assert texts(found) == TURNS and not refused and found.changes == ()
    assert found.chain == ("", "r0", "r1", "r2", "r3")


def test_a_conversation_that_the_server_names_is_put_together_in_order_of_time() -> None:
    for named in ("conv_1", {"id": "conv_1"}):
        [found], _, _ = taken(chain(conversation=named)[::-1])
        assert texts(found) == TURNS and found.conversation_id == "conv_1"
        [grown], _, _ = taken(chain(conversation=named)[:2], chain(conversation=named)[2:])
        assert texts(grown) == TURNS
        [late], _, _ = taken(chain(conversation=named)[2:], chain(conversation=named)[:2])
        assert texts(late) == TURNS


def test_the_same_requests_again_change_nothing() -> None:
    [found], done, _ = taken(chain(), [*chain(), chain()[0]])
    assert texts(found) == TURNS
    assert dict(done.counts)["duplicate"] == 5 and dict(done.counts)["updated"] == 0


def test_a_chain_without_its_beginning_is_kept_and_counted() -> None:
    [found], done, _ = taken(chain()[1:])
    assert texts(found) == TURNS[2:] and found.changes == (MISSING,)
    assert "of 1 conversations the beginning is missing" in done.note
    first, second = sorted(taken([chain()[0], *chain()[2:]])[0], key=lambda row: -len(row.chain[0]))
    assert (texts(first), texts(second)) == (TURNS[4:], TURNS[:2])


def test_of_several_branches_the_longest_is_the_conversation() -> None:
    aside = request("x1", "r0", "In French.", "Oui.", 9)
    [found], _, _ = taken([*chain(), aside])
    assert texts(found) == TURNS and found.changes == (f"{BRANCHED}1",)
    again = [
        request("r1b", "r0", *SAID[1], 5),
        request("r0", "", *SAID[0], 0),
        request("r1", "r0", "Too long.", "Hm.", 1),
    ]
    assert texts(taken(again)[0][0]) == TURNS[:4]  # the answer that was given last


def test_what_a_tool_returned_between_two_responses_stands_where_it_stood() -> None:
    looked = [
        request("a", "", "Weather?", "", 0),
        request("b", "a", "", "Cold.", 1),
        request("c", "b", "Short.", "Brr.", 2),
    ]
    [found], _, refused = taken(looked)
    assert texts(found) == ["Weather?", "x", "Cold.", "Short.", "Brr."] and not refused
    rows, _, refused = taken([*chain(), looked[0]])
    assert len(rows) == 1 and len(refused) == 1 and "the answer has no text" in refused[0]


def test_nobody_goes_on_from_another_users_response() -> None:
    rows, _, _ = taken([*chain()[:1], request("y", "r0", "Mine.", "Yours.", 3, "olaf")])
    assert sorted(map(texts, rows)) == [TURNS[:2], ["Mine.", "Yours."]]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8))
def test_any_links_come_to_an_end(links: list[tuple[int, int]]) -> None:
    rows = [
        Conversation(
            "c", "u", "real", None, None, None, (Turn("user", str(own)),), "test", chain=(str(before or ""), str(own))
        )
        for own, before in links
    ]
    found = joined(rows)
    assert len(found.chain) == 1 + len(set(found.chain[1:]))
    assert joined(rows[::-1]).chain == found.chain or len({own for own, _ in links}) < len(links)


def anew(user: str = "rita") -> list[dict[str, Any]]:
    """Another conversation under the ids of :func:`chain`."""
    said = [(f"Another day. {question}", f"And another. {answer}") for question, answer in SAID]
    return [request(f"r{at}", f"r{at - 1}" if at else "", *said[at], 600 + at, user) for at in range(4)]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(4)), st.sampled_from(["rita", ""]), st.booleans(), st.booleans())
def test_ids_that_begin_anew_in_each_file_are_two_conversations(
    order: list[int], user: str, together: bool, first: bool
) -> None:
    logs = [[rows[at] for at in order] for rows in (chain(user), anew(user))]
    rows, done, refused = taken(*(logs if first else logs[::-1]), together=together)
    assert sorted(map(texts, rows)) == sorted([TURNS, [text for one in anew() for text in spoken_in(one)]])
    assert not refused and not any(row.changes for row in rows) and dict(done.counts)["duplicate"] == 0
    assert len(taken(*logs, logs[0], together=False)[0]) == 2


def spoken_in(row: dict[str, Any]) -> list[str]:
    return [row["request"]["input"], row["response"]["output"][0]["content"][0]["text"]]


def test_what_goes_on_from_one_of_two_responses_of_an_id_is_kept_from_there() -> None:
    lone = request("s", "r3", "Which one?", "Neither.", 900)
    for together in (True, False):
        rows, done, _ = taken(chain(), anew(), [lone], together=together)
        assert sorted(len(row.turns) for row in rows) == [2, 8, 8]
        assert dict(done.counts)["without beginning"] == 1
    olaf = [request(f"r{at}", f"r{at - 1}" if at else "", f"Olaf {at}", "So.", at, "olaf") for at in range(4)]
    rows, done, _ = taken(chain(), olaf, [lone])  # but of the user's own
    assert sorted(len(row.turns) for row in rows) == [8, 10] and dict(done.counts)["without beginning"] == 0


@pytest.mark.parametrize("nothing", [float("nan"), "nan", "undefined", "None", ""])
def test_what_is_no_id_begins_no_chain_and_goes_on_from_none(nothing: object) -> None:
    rows = [
        row | {"response": row["response"] | {"id": nothing}, "request": row["request"] | {"conversation": nothing}}
        for row in chain("")
    ]
    found, done, _ = taken(rows[:1])
    assert [row.chain for row in found] == [()] and dict(done.counts)["ids unread"] == bool(nothing)
    first = request("a", "", "One", "1", 0)
    first["request"]["previous_response_id"] = nothing
    [found_first], done, _ = taken([first, request("b", "a", "Two", "2", 1)])
    assert found_first.chain == ("", "a", "b") and dict(done.counts)["without beginning"] == 0
    lost = [row | {"request": row["request"] | {"previous_response_id": nothing}} for row in chain()]
    assert len(taken(lost)[0]) == 4  # nobody is merged by an id that is none


def test_a_later_landing_goes_on_from_its_own_users_response_alone() -> None:
    rows, done, _ = taken(chain()[:1], [request("y", "r0", "Mine.", "Yours.", 3, "olaf")])
    assert sorted(map(texts, rows)) == [TURNS[:2], ["Mine.", "Yours."]]
    assert dict(done.counts)["without beginning"] == 1


def test_a_session_that_the_client_names_has_its_chains() -> None:
    rows = [row | {"session_id": "s"} for row in chain()]
    for named in (rows, [row | {"request": row["request"] | {"conversation": "conv"}} for row in rows]):
        for logs in ([named], [named[2:], named[:2]]):
            [found], done, _ = taken(*logs)
            assert (texts(found), found.conversation_id, found.changes) == (TURNS, "s", ())
            assert dict(done.counts)["without beginning"] == 0
    loose = [request(f"r{at}", "", *SAID[at], 60 * at) | {"session_id": "s"} for at in range(3)]
    [found], _, _ = taken(loose, [request("r3", "r2", *SAID[3], 180) | {"session_id": "s"}])
    assert texts(found) == TURNS and found.chain == ("", "r0", "r1", "r2", "r3")
