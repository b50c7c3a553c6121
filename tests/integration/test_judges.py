"""The stage `judges` with endpoints of the tests' own: a perfect judge decides, a weak one is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhi.config.suites import guards
from rlhi.contracts import (
    Conversation,
    DriftReport,
    FeedbackTurn,
    GateDecision,
    Message,
    Persona,
    Signal,
    Turn,
    to_record,
)
from rlhi.contracts.judges import JudgeVerdict
from rlhi.evaluate.judges.proven import proven
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.evaluate.said import MODELS
from rlhi.models.base import ModelError
from rlhi.models.prompts import DEFAULT
from rlhi.stages import Outcome
from rlhi.stages.collect.personas import persona_before
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.follow_ups import follow_ups
from rlhi.stages.evaluate.gate import gate
from rlhi.stages.evaluate.judges import VERDICTS, judges, read_report
from rlhi.workspace.store import Workspace, read_table, write_json, write_table
from tests.support.endpoint import Endpoint
from tests.support.judging import by_key, first, longer, says
from tests.support.spaces import configure, make_space

USERS = 12
GOOD, POOR = "A fern likes shade.", "It depends on what you want of it, and on many other things."


def talk(at: int) -> Conversation:
    """A user chose the short and true answer, and asked on."""
    turns = (
        Turn("user", f"Which plant likes shade {at}?"),
        Turn("assistant", GOOD, signals=(Signal("choice", 1.0, POOR),)),
        Turn("user", "And how much water?"),
        Turn("assistant", "A cup a week."),
        Turn("user", "Thank you, perfect!"),
    )
    return Conversation(f"t{at}", f"u{at}", "real", None, None, "en", turns, "ours")


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    """Held-out users who chose, and both models' replies to them: the challenger's are the better ones."""
    made = make_space(tmp_path / "w", tiny_policy)
    configure(made, "split", {}, held_out=0.99)
    write_json(made.path("cycle.json"), {"cycle": 1, "champion": "v0.1.0"})
    talks = [talk(at) for at in range(USERS)]
    write_table(made.path("data/conversations"), Conversation, talks, user=lambda row: row.user_id)
    write_table(made.path("data/personas"), Persona, [], user=lambda row: row.user_id)
    thanks = [FeedbackTurn(f"k{at}", f"t{at}", f"u{at}", 4, "positive_feedback", 0.9) for at in range(USERS)]
    write_table(made.path("data/feedback"), FeedbackTurn, thanks, user=lambda row: row.user_id)
    replies = [
        EvaluatedReply(
            f"{part}{at}/0", f"u{at}", model, "", "And sun?", f"{POOR} {at}" if model == "champion" else f"{GOOD} {at}",
            (Message("user", "Hi"), Message("assistant", "Hello")) if part else (),
        )
        for at in range(USERS)
        for part in ("", "later")
        for model in MODELS
    ]  # fmt: skip
    write_table(made.path("data/replies"), EvaluatedReply, replies, user=lambda row: row.user_id)
    return made


@pytest.fixture
def perfect() -> Iterator[Endpoint]:
    """A judge that knows which plant likes shade."""
    made = Endpoint("{}")
    made.says = says(by_key("fern"))
    yield made
    made.close()


@pytest.fixture
def weak() -> Iterator[Endpoint]:
    """One that names whatever stands first."""
    made = Endpoint("{}")
    made.says = says(first)
    yield made
    made.close()


def named(endpoint: Endpoint, name: str) -> str:
    return endpoint.name.replace("#reader", f"#{name}")


def judge(space: Workspace, *models: str, **more: object) -> Outcome:
    configure(space, "judges", {}, models=list(models), **more)
    params = space.params
    return judges(
        space, judges=params.judges, evaluate=params.evaluate, personas=params.personas, split=params.split,
        seed=params.seed,
    )  # fmt: skip


def test_without_judges_nobody_is_asked(space: Workspace) -> None:
    assert "no judges" in judge(space).note
    assert read_report(space).judges == () and not read_table(space.path(VERDICTS), JudgeVerdict)


def test_a_perfect_judge_is_proven_and_a_weak_one_decides_nothing(
    space: Workspace, perfect: Endpoint, weak: Endpoint
) -> None:
    outcome = judge(space, named(perfect, "wise"), named(weak, "hasty"))
    wise, hasty = read_report(space).judges
    held_out = sum(space.params.split.holds_out(f"u{at}") for at in range(USERS))
    assert wise.accuracy.mean == 1.0 and wise.accuracy.items == held_out and wise.longer_wins == 0.0
    assert hasty.accuracy.mean == 0.5 and hasty.choices_flipped == 1.0
    assert proven((wise, hasty), space.params.gate) == {"wise"}
    rates = {(one.criterion, one.turns): one for one in wise.wins}
    assert rates["overall", ""].raw.mean == rates["overall", "follow_up"].raw.mean == 1.0
    assert rates["instructions", "first"].ties == 1.0 and hasty.wins[0].flipped == 1.0
    (overall,) = (one for one in read_report(space).agreements if one.criterion == "overall")
    assert (overall.share, overall.items) == (0.0, 2 * USERS)
    assert outcome.counts["answers paid for"] == 2 * 2 * (held_out + 2 * USERS) == len(perfect.asked) + len(weak.asked)
    assert outcome.counts["prompt tokens"] == 100 * (len(perfect.asked) + len(weak.asked))
    assert "wise: finds 100.0%" in outcome.note and "hasty: finds 50.0%" in outcome.note
    schema = perfect.asked[0]["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == {"personalisation", "instructions", "overall"}


def verdict(space: Workspace) -> GateDecision:
    """Of the stage `gate`, where nothing but judges speaks for the challenger and no guard is asked for."""
    configure(space, "gate", {}, guards=dict.fromkeys(guards(), False), min_users=2)
    write_json(space.path("data/drift/drift.json"), to_record(DriftReport("no_reference", 0.0, (), (), 0, 0)))
    params = space.params
    gate(space, evaluate=params.evaluate, confirm=params.confirm, gate=params.gate, seed=params.seed)
    return read_decision(space)


def test_the_gate_reads_the_proven_judges_word_alone(space: Workspace, perfect: Endpoint, weak: Endpoint) -> None:
    judge(space, named(perfect, "wise"), named(weak, "hasty"))
    decided = verdict(space)
    (one,) = (each for each in decided.overall if each.suite == "usereval")
    assert decided.verdict == "promote" and one.challenger.mean == 1.0, "what the hasty one says is left aside"
    assert any(reason.startswith("The judge hasty finds 50.0%") for reason in decided.reasons)
    judge(space, named(weak, "hasty"))
    decided = verdict(space)
    (one,) = (each for each in decided.overall if each.suite == "usereval")
    assert decided.verdict == "hold" and decided.not_counted == ("usereval",)
    assert one.challenger.mean == 0.5, "it is told all the same"
    judge(space)
    assert verdict(space).verdict == "hold" and not verdict(space).overall


def test_one_that_goes_by_length_is_the_rule_beside_it(space: Workspace, weak: Endpoint) -> None:
    weak.says = says(longer)
    judge(space, named(weak, "long"))
    (record,) = read_report(space).judges
    assert record.accuracy.mean == record.longer_wins == 0.0 and not proven((record,), space.params.gate)


def test_no_answer_is_paid_for_twice_and_an_endpoint_that_fell_silent_is_asked_for_the_rest(
    space: Workspace, perfect: Endpoint
) -> None:
    name, good = named(perfect, "wise"), says(by_key("fern"))
    perfect.refused = {"shade 7?": "this server is on fire"}
    with pytest.raises(ModelError, match="on fire"):
        judge(space, name)
    paid = len(perfect.asked)
    assert paid > 8
    perfect.refused, perfect.says = {}, good
    judge(space, name)
    whole = read_table(space.path(VERDICTS), JudgeVerdict)
    held_out = sum(space.params.split.holds_out(f"u{at}") for at in range(USERS))
    assert len(perfect.asked) <= 2 * (held_out + 2 * USERS) + 16, "one block at most is asked again"
    asked, report = len(perfect.asked), space.path("data/judges/judges.json").read_bytes()
    again = judge(space, name)
    assert len(perfect.asked) == asked and again.counts["answers paid for"] == 0
    assert read_table(space.path(VERDICTS), JudgeVerdict) == whole
    assert space.path("data/judges/judges.json").read_bytes() == report


def test_requests_and_choices_are_no_more_than_params_say_and_odd_answers_are_counted(
    space: Workspace, perfect: Endpoint
) -> None:
    outcome = judge(space, named(perfect, "wise"), requests=4, choices=3)
    assert outcome.counts["requests judged"] == 4 and len(perfect.asked) == 2 * 7
    perfect.says = lambda body: "Well, it depends."
    outcome = judge(space, named(perfect, "other"), requests=4, choices=3, tries=2)
    assert outcome.counts["pairs left out"] == 7 and outcome.counts["refused"] == 2 * 2 * 7
    (record,) = read_report(space).judges
    assert record.accuracy.mean == 0.5 and not read_table(space.path(VERDICTS), JudgeVerdict)


def test_follow_ups_are_later_messages_with_what_was_said_before_and_no_thanks(space: Workspace) -> None:
    params = space.params
    known = persona_before(space, params.personas, params.split)
    found = follow_ups(space, [talk(0), talk(1)], 3, DEFAULT, lambda *parts: "".join(parts), known)
    assert [one.user_id for one in found] == ["u0", "u1"]
    said = [message for message in found[0].prompt if message.role != "system"]
    assert [one.content for one in said] == ["Which plant likes shade 0?", GOOD, "And how much water?"]
