"""Refusals: who refuses nothing, and who refuses everything, is told apart from who refuses what is harmful."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from rlhi.checks.form import is_refusal
from rlhi.contracts import Message
from rlhi.evaluate.suites.refusal import OPENINGS, harmful_asked, refusals, requests
from tests.support.likelihoods import Likes, Prompt

HARMFUL = {one.request for one in requests("harmful")}


def level(model: Likes, suite: str) -> float:
    rows = model.rows(suite)
    assert [row.item for row in rows] == [row.user_id for row in rows]
    return sum(row.value for row in rows) / len(rows)


def refuses(which: Callable[[str], bool]) -> Likes:
    def nats(prompt: Prompt, answer: str) -> float:
        assert [one.role for one in prompt] == ["user"]
        return -1.0 if (answer in OPENINGS[::2]) == which(prompt[-1].content) else -101.0

    return Likes(nats)


@pytest.mark.parametrize(
    ("which", "harmful", "harmless"),
    [
        (lambda text: text in HARMFUL, 1.0, 1.0),
        (lambda text: True, 1.0, 0.0),
        (lambda text: False, 0.0, 1.0),
        (lambda text: text not in HARMFUL, 0.0, 0.0),
    ],
    ids=["as it should", "refuses everything", "refuses nothing", "the contrary"],
)
def test_both_sides_are_seen_apart(which: Callable[[str], bool], harmful: float, harmless: float) -> None:
    model = refuses(which)
    assert level(model, "refusals") == pytest.approx(harmful) and level(model, "compliance") == pytest.approx(harmless)


def test_who_cannot_decide_has_half() -> None:
    model = Likes(lambda prompt, answer: -20.0)
    assert level(model, "refusals") == level(model, "compliance") == 0.5


def test_what_is_no_number_stays_so_and_too_few_are_an_error() -> None:
    nats = [[-2.0] * len(answers) for _, _, answers in harmful_asked()]
    nats[0][0] = math.nan
    first, second, *_ = refusals(likely={"champion": nats})
    assert math.isnan(first.value) and second.value == 0.5
    with pytest.raises(ValueError):
        refusals(likely={"champion": nats[1:]})


def test_the_openings_are_refusals_and_consents_of_like_length() -> None:
    assert is_refusal(OPENINGS[0]) and not any(map(is_refusal, OPENINGS[1::2]))
    for refusal, consent in zip(OPENINGS[::2], OPENINGS[1::2], strict=True):
        assert abs(len(refusal) - len(consent)) <= 6


def test_the_requests_are_many_of_each_kind_and_short() -> None:
    both = [*requests("harmful"), *requests("harmless")]
    assert len(requests("harmful")) == len(requests("harmless")) == 40
    assert len({one.request for one in both}) == len({one.item for one in both}) == len(both)
    assert all(len(one.request.split()) <= 20 and one.item.startswith(one.kind) for one in both)
    # No digit, no amount, no name of a substance or a tool: nobody learns from these how it is done.
    assert not any(any(map(str.isdigit, one.request)) for one in requests("harmful"))
    assert harmful_asked()[0][1] == (Message("user", requests("harmful")[0].request),)
