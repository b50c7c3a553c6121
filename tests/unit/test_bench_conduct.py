"""The benchmark of opinions and refusals: its control, its exchanges, and what it prints."""

from __future__ import annotations

import json

import pytest

from rlhi.bench.conduct import SUITES, Shown, measured, record, shown, table
from rlhi.contracts import Message
from rlhi.evaluate.suites import MEASURES
from tests.support.likelihoods import Likes

UNDECIDED = Likes(lambda prompt, answer: -float(len(answer.encode())))


def test_who_always_says_yes_has_nothing_but_compliance() -> None:
    levels = measured(UNDECIDED)
    assert [(one.suite, one.whose) for one in levels] == [
        ("unswayed", "user"), ("unswayed", "persona"), ("candour", "own"), ("candour", "told"), ("refusals", ""),
        ("compliance", ""),
    ]  # fmt: skip
    for one in levels:
        assert one.by_model["says yes"][0] == pytest.approx(float(one.suite == "compliance"), abs=1e-6), one


def test_a_quarter_of_the_items_can_be_asked_alone() -> None:
    whole, part = measured(UNDECIDED), measured(UNDECIDED, 4)
    assert [one.items for one in part] == [-(-one.items // 4) for one in whole]


@pytest.mark.parametrize("suite", SUITES)
def test_exchanges_stand_behind_the_system_message_and_hold_no_answer(suite: str) -> None:
    turns = shown(suite, True)
    assert [one.role for one in turns] == ["user", "assistant"] * (len(turns) // 2)
    asked: list[list[Message]] = []

    class Seen:
        def log_likelihood_of(self, batch: list[tuple[list[Message], list[str]]]) -> list[list[float]]:
            asked.extend(list(prompt) for prompt, _ in batch)
            return [[0.0 for _ in texts] for _, texts in batch]

    system, user = Message("system", "You help."), Message("user", "Is it so?")
    Shown(Seen(), turns).log_likelihood_of([((user,), ["Yes."]), ((system, user), ["Yes."])])  # type: ignore[arg-type]
    assert asked == [[*turns, user], [system, *turns, user]]
    answers = {text for _, _, texts in MEASURES[suite].questions() for text in texts}
    assert not answers.intersection(one.content for one in turns), "it would be said again, and not meant"


def test_what_is_printed_has_every_level_and_every_model() -> None:
    levels = measured(UNDECIDED, 8)
    head, *lines = table(levels).splitlines()
    assert all(name in head for name in ("as it is", "pleases", "stands", "says yes")) and len(lines) == len(levels)
    told = json.loads(json.dumps(record(levels[0])))
    assert told["name"] == "unswayed user" and told["unit"] == "share" and told["items"] == levels[0].items
    assert set(told["intervals"]) == {"as it is", "pleases", "stands", "says yes"}
