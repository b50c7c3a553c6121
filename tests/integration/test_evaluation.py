"""What the evaluation asks, and what it compares new conversations with."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.config import WhichPersona
from rlhi.contracts import Conversation, FeedbackTurn, Message, Persona, Profile, Signal, Turn
from rlhi.evaluate.said import Replies, Reply
from rlhi.evaluate.suites.any_reply import nearness
from rlhi.models.local import LocalChatModel
from rlhi.models.prompts import DEFAULT
from rlhi.stages import backends
from rlhi.stages.collect.personas import persona_before, personas_told
from rlhi.stages.evaluate.drift import drift
from rlhi.stages.evaluate.lengths import lengths, persona_tokens
from rlhi.stages.evaluate.questions import Draw, choices, held_out_requests
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_json, write_table
from tests.support.personas import persona
from tests.support.spaces import configure, make_space


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    """A workspace without a log."""
    return make_space(tmp_path / "w", tiny_policy)


def requests_of(space: Workspace) -> list[Reply]:
    params = space.params
    known = persona_before(space, params.personas, params.split)
    return held_out_requests(space, params.evaluate, params.evaluate, DEFAULT, params.split, Draw(params.seed), known)


def test_controls_tell_another_persona_of_each_user() -> None:
    rows = [persona(f"u{at}", text) for at, text in enumerate(("Use bullets.", "Be brief.", ""))]

    def texts(which: WhichPersona) -> dict[str, str]:
        return {user: row.text for user, row in personas_told(rows, which, lambda _: False).items()}

    assert texts("own") == {"u0": "Use bullets.", "u1": "Be brief.", "u2": ""} and texts("none") == {}
    assert texts("shuffled") == {"u0": "Be brief.", "u1": "Use bullets.", "u2": ""}
    assert texts("brief") == dict.fromkeys(("u0", "u1", "u2"), "Keep answers short.")


def test_a_reply_that_left_its_request_is_not_near_it(space: Workspace) -> None:
    """Replies of the model that was promoted on 2026-11-29, and of the one before it."""
    asked = [("How does soap clean?", "Soap lifts fat and dirt off the skin, and water rinses them away.", "Sour, no.")]
    asked += [
        ("How do I clean a burnt oven tray?", "Soak it in hot water with baking soda, then scrub it.", "No commas.")
    ]
    for place, near in ((1, 1.0), (2, 0.0)):
        replies = [
            Reply(str(at), "u", Profile(), (Message("user", one[0]),), one[place]) for at, one in enumerate(asked)
        ]
        rows = nearness(replies={"challenger": replies}, embedder=backends.embedder(space.params.models))
        assert [row.value for row in rows] == [near, near]
    silent = Reply("x", "u", Profile(), (Message("user", "How does soap clean?"),), "")
    (row,) = nearness(replies={"champion": [silent]}, embedder=backends.embedder(space.params.models))
    assert row.value == 0.0


def test_lengths_of_replies_and_of_personas_are_told(space: Workspace) -> None:
    ledger.begin(space.root)

    def asked(text: str, answer: str) -> Reply:
        return Reply("i", "u", Profile(), DEFAULT.told([Message("user", "How does soap clean?")], text), answer)

    short, long = "Use bullets.", "Use bullets. Use bullets. Use bullets."
    before = [asked(text, "It lifts the fat off.") for text in ("", short, long)]
    nothing, some, more = persona_tokens(space, DEFAULT, before)
    assert nothing == 0 < some < more
    after: Replies = {"champion": before, "challenger": [asked("", said) for said in ("Soap.", "By fat.", "")]}
    told = {"champion's words": 5, "challenger's words": 1, "persona's tokens": some}
    assert lengths(space, DEFAULT, after, before) == told
    assert lengths(space, DEFAULT, {"champion": [], "challenger": []}, []) == {}


def said(at: int, *turns: Turn, batch: str = "") -> Conversation:
    return Conversation(f"t{at}", f"u{at}", "real", None, None, "en", turns, "ours", batch=batch)


def test_a_request_behind_a_system_turn_is_asked_and_users_without_one_take_no_place(space: Workspace) -> None:
    told, ask = Turn("system", "You sell plants."), Turn("user", "Which one likes shade?")
    answer = Turn("assistant", "A fern.")
    talks = [said(at, told, ask, answer) for at in range(60)] + [said(at, told, answer) for at in range(60, 200)]
    write_table(space.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    params = space.params
    held_out = [row.user_id for row in talks[:60] if params.split.holds_out(row.user_id)]
    asked = requests_of(space)
    assert len(asked) == (params.evaluate.users or 0) <= len(held_out) and {one.user_id for one in asked} <= {*held_out}
    assert {one.prompt[-1].content for one in asked} == {ask.content}


def test_a_request_of_the_log_comes_with_what_was_known_before_it(space: Workspace) -> None:
    """What the user complained of after a request would tell both models how to answer it."""
    configure(space, "split", {}, held_out=0.99)
    configure(space, "evaluate", {}, requests=2, users=100)
    ask, again, answer = "Which plant likes shade?", "And which one likes sun?", Turn("assistant", "A fern. " * 60)
    complaint = "That is too long. Please use at most 20 words."
    first = (Turn("user", ask), answer, Turn("user", complaint), Turn("assistant", "A fern."))
    talks = [
        replace(said(at, *turns), conversation_id=f"t{at}-{part}", user_id=f"u{at}", created_at=f"2026-11-2{part}")
        for at in range(8)
        for part, turns in enumerate((first, (Turn("user", again), answer)))
    ]
    write_table(space.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    for name in ("feedback", "personas"):
        stages.run(name, space.root)
    held_out = {row.user_id for row in talks if space.params.split.holds_out(row.user_id)}
    texts = {row.user_id: row.text for row in read_table(space.path("data/personas"), Persona)}
    assert held_out and all(texts[user] for user in held_out), "the complaint makes a persona"
    asked = {(one.user_id, one.prompt[-1].content): one.persona.text for one in requests_of(space)}
    assert asked == {(user, text): known for user in held_out for text, known in ((ask, ""), (again, texts[user]))}
    write_json(space.path("data/simulator/requests.json"), {"requests": ["What is rain?", "What is snow?"]})
    later = requests_of(space)
    assert {one.persona.text for one in later} == set(texts.values()), (
        "what is asked afresh comes after all that was said"
    )
    for heard, told_then in ((0, {""}), (1, set(texts.values())), (2, set(texts.values())), (3, set(texts.values()))):
        configure(space, "evaluate", {}, requests=2, users=100, conversations=heard)
        assert {one.persona.text for one in requests_of(space)} == told_then, f"after {heard} of two conversations"


def test_a_choice_that_cannot_be_read_whole_is_left_out(space: Workspace, tiny_policy: Path) -> None:
    """Its first tokens against the bytes of all of it would make the longer side win whatever a model learned."""
    configure(space, "split", {}, held_out=0.99)
    sides = ("A fern.", "A fern. " * 200), ("A palm.", "Moss.")
    talks = [
        said(at, Turn("user", "Which one?"), Turn("assistant", better, signals=(Signal("choice", 1.0, worse),)))
        for at, (better, worse) in enumerate(sides * 5)
    ]
    write_table(space.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    known = persona_before(space, space.params.personas, space.params.split)
    for context, wanted in ((64, {"A palm."}), (4096, {"A palm.", "A fern."})):
        reader, params = LocalChatModel(tiny_policy, context_tokens=context), space.params
        found = choices(space, params.evaluate, DEFAULT, params.split, params.seed, known, reader)
        assert {choice.chosen for choice, _ in found} == wanted


def test_a_drifted_batch_is_told_of_until_a_model_that_learned_from_it_is_promoted(space: Workspace) -> None:
    configure(space, "drift", {}, min_users=20, splits=0)
    plain = [Turn("user", f"Which plant likes shade {at}?") for at in range(30)]
    odd = [Turn("user", f"{'Hilfe ' * 40}{at}") for at in range(30)]
    talks = [said(at, turn, batch="one") for at, turn in enumerate(plain)]
    talks += [replace(said(100 + at, turn, batch="two"), language="de") for at, turn in enumerate(odd)]
    talks += [said(200 + at, turn, batch="three") for at, turn in enumerate(plain[:3])]
    write_table(space.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    write_table(space.path("data/feedback"), FeedbackTurn, [], user=lambda row: row.user_id)
    write_table(space.path("data/personas"), Persona, [], user=lambda row: row.user_id)
    cycles = {"one": 1, "two": 2, "three": 3}
    for digest in cycles:
        space.path(f"data/incoming/{digest}").write_text("a log")
    listed = {digest: {"name": digest, "cycle": cycle, "landing": cycle} for digest, cycle in cycles.items()}
    write_json(space.path("data/incoming/batches.json"), listed)

    def status(cycle: int, champion: str) -> tuple[object, ...]:
        write_json(space.path("cycle.json"), {"cycle": cycle, "champion": champion})
        drift(space, drift=space.params.drift, models=space.params.models)
        report = read_json(space.path("data/drift/drift.json"))
        return report["status"], report["current"], report["reference"]

    assert status(1, "v0.1.0")[0] == "no_reference"
    assert status(2, "v0.1.0") == ("drifted", 30, 30), "the third log landed during this cycle: it waits"
    assert status(3, "v0.1.0") == ("drifted", 33, 30), "the night after it, too"
    message = "Cycle 3: promote\n\nRLHI-Cycle: 3\nRLHI-Verdict: promote\nRLHI-From: v0.1.0\nRLHI-Champion: v0.2.0"
    subprocess.run(["git", "commit", "--allow-empty", "-qm", message], cwd=space.root, check=True)
    assert [one.promoted for one in ledger.history(space.root)] == ["v0.2.0"]
    assert status(4, "v0.2.0") == ("too_few", 0, 63)
