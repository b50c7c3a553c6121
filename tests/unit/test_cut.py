"""An answer that a log says was cut at its limit of tokens: known as such, no chosen side and no revision."""

from __future__ import annotations

from typing import Any

import pytest

from rlhi.collect.formats import read_record
from rlhi.collect.formats.format import cut_in
from rlhi.collect.formats.records import Record
from rlhi.config import PairsConfig
from rlhi.contracts import Conversation, FeedbackTurn, Signal, Turn
from rlhi.learn.pairs.build import PairMaker
from rlhi.learn.pairs.judged import JudgedMaker
from rlhi.learn.pairs.pairing import CUT
from rlhi.learn.pairs.rewrite import observed_revisions
from tests.support.personas import persona
from tests.unit.test_turns import Shorter

ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Why?"}]}
STREAM = (
    'data: {"choices": [{"delta": {"content": "As"}}]}\n\ndata: {"choices": [{"delta": {}, "finish_reason": "%s"}]}'
)
TEXT = [{"type": "output_text", "text": "As"}]


def response(reason: str) -> list[dict[str, Any]]:
    """The same answer, as several APIs say how it ended."""
    choices = [{"message": {"content": "As"}, "finish_reason": reason}]
    return [
        {**ASKED, "response": {"choices": choices}}, {**ASKED, "choices": choices},
        {**ASKED, "response": {"content": [{"type": "text", "text": "As"}], "stop_reason": reason}},
        {**ASKED, "response": STREAM % reason},
        {"request": {"input": "Why?"}, "response": {
            "id": "r", "incomplete_details": {"reason": reason}, "output": [{"type": "message", "content": TEXT}]}},
        {"messages": [*ASKED["messages"], {"role": "assistant", "content": "As", "finish_reason": reason}]},
    ]  # fmt: skip


@pytest.mark.parametrize(("reason", "cut"), [("length", True), ("max_tokens", True), ("MAX_TOKENS", True),
                                             ("stop", False), ("tool_calls", False)])  # fmt: skip
def test_how_an_answer_ended_is_read_in_every_wrapping(reason: str, cut: bool) -> None:
    for row in response(reason):
        known, found = read_record(Record(1, row), "log.jsonl")
        assert known and isinstance(found, Conversation), row
        assert [(turn.content, turn.cut) for turn in found.turns] == [("Why?", False), ("As", cut)], row
        assert cut_in(found) == cut


def talk(*turns: Turn) -> Conversation:
    return Conversation("t", "u", "real", None, None, None, turns, "test")


@pytest.mark.parametrize("cut", [False, True])
def test_a_cut_answer_is_no_chosen_side_and_teaches_no_end(cut: bool) -> None:
    for value in (1.0, -1.0):
        answer = Turn("assistant", "Because the moon", signals=(Signal("choice", value, "It pulls."),), cut=cut)
        known = {"u": persona("u", "")}
        maker = PairMaker({"t": talk(Turn("user", "Why tides?"), answer)}, known, known, Shorter(), PairsConfig())
        made = list(maker.pairs([], []))
        chosen = value > 0
        assert [pair.cut for pair in made] == ([] if cut and chosen else [("rejected",)] if cut else [()])
        assert maker.dropped.reasons[CUT] == (cut and chosen)


@pytest.mark.parametrize("cut", [False, True])
def test_a_cut_answer_is_no_revision_and_nothing_to_want(cut: bool) -> None:
    said = ("Why tides?", "The moon pulls at all the seas.", "Shorter.", "The moon.", "Thanks!")
    turns = [Turn("assistant" if at % 2 else "user", text, cut=cut and at == 3) for at, text in enumerate(said)]
    labels = [FeedbackTurn("a", "t", "u", 2, "reattempt_with_feedback", 1.0),
              FeedbackTurn("b", "t", "u", 4, "positive_feedback", 1.0)]  # fmt: skip
    row = talk(*turns)
    assert len(list(observed_revisions([row], labels))) == (not cut)
    maker = JudgedMaker({"t": row}, {}, PairsConfig(filter=False))
    assert [one.wanted for one in maker.answers(labels, [])] == ([False] if cut else [False, True])
    assert maker.dropped.reasons[CUT] == cut
