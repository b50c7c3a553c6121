"""Replies side by side: joined by item, drawn by seed, and safe to print."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from rlhi.cli.plain import LONGEST, plain
from rlhi.cli.replies import _print_one
from rlhi.contracts import EvalResult
from rlhi.evaluate.replies import EvaluatedReply, Figure, SideBySide, drawn, lost, side_by_side, won
from rlhi.evaluate.said import Model

MODELS: tuple[Model, Model] = ("champion", "challenger")


def said(item: str, user: str = "u", request: str = "How?") -> list[EvaluatedReply]:
    return [EvaluatedReply(item, user, model, "Be brief.", request, f"{model} on {item}") for model in MODELS]


def measured(suite: str, item: str, before: float, after: float, user: str = "u") -> list[EvalResult]:
    return [EvalResult(suite, item, user, model, value) for model, value in zip(MODELS, (before, after), strict=True)]


def row(item: str, *changes: float, user: str = "u", request: str = "") -> SideBySide:
    figures = tuple(Figure(f"suite{at}", 0.5, 0.5 + change) for at, change in enumerate(changes))
    return SideBySide(item, user, "", request or item, "a", "b", figures)


def test_replies_are_joined_by_user_and_item_with_every_measure_that_both_have() -> None:
    results = measured("nearness", "a", 1, 0) + measured("new", "a", 0.2, 0.4) + measured("nearness", "other", 1, 1)
    results += measured("new", "a", 1, 1, user="somebody else") + measured("half", "a", 0, 1)[:1]
    [one] = side_by_side([*said("a"), *said("b")[:1]], results)
    assert (one.item, one.champion, one.challenger) == ("a", "champion on a", "challenger on a")
    assert (one.user_id, one.persona, one.request) == ("u", "Be brief.", "How?")
    assert one.figures == (Figure("nearness", 1, 0), Figure("new", 0.2, 0.4))
    assert one.met_champion is None and "met_champion" not in one.as_json()
    assert one.as_json()["measures"] == {
        "nearness": {"champion": 1, "challenger": 0}, "new": {"champion": 0.2, "challenger": 0.4},
    }  # fmt: skip


def test_an_order_of_arrival_leaves_no_trace() -> None:
    replies, results = [*said("a"), *said("b", "v")], measured("nearness", "a", 0, 1)
    assert side_by_side(replies[::-1], results[::-1]) == side_by_side(replies, results)


def test_wishes_met_are_those_of_the_suite_wishes_and_else_of_what_was_called_satisfaction() -> None:
    former = measured("satisfaction", "a", 0.5, 1)
    [one] = side_by_side(said("a"), former)
    assert (one.met_champion, one.met_challenger) == (0.5, 1)
    today = former + measured("wishes", "a", 0.25, 0.75)
    [one] = side_by_side(said("a"), today)
    assert (one.as_json()["met_champion"], one.as_json()["met_challenger"]) == (0.25, 0.75)
    # A user of whom no wish is known among others of whom it is: the product is no share of wishes.
    by_item = {
        one.item: one for one in side_by_side([*said("a"), *said("b")], today + measured("satisfaction", "b", 1, 1))
    }
    assert by_item["b"].met_champion is None and by_item["a"].met_champion == 0.25


def test_a_figure_that_is_no_number_is_null_and_moves_nothing() -> None:
    [one] = side_by_side(said("a"), measured("wishes", "a", math.nan, 1) + measured("nearness", "a", 0, 1))
    assert one.change == 1 and "met_champion" not in one.as_json()
    told = json.loads(json.dumps(one.as_json(), allow_nan=False))
    assert told["measures"]["wishes"] == {"champion": None, "challenger": 1} and told["met_challenger"] == 1
    assert row("nothing measured").change == 0


def test_the_draw_follows_the_seed_alone_and_shows_no_request_twice_before_all_were_shown() -> None:
    rows = [row(f"{request}/{sample}", request=str(request)) for request in range(20) for sample in range(2)]
    first = drawn(rows, 0)
    assert drawn(rows[::-1], 0) == first and sorted(one.item for one in first) == sorted(one.item for one in rows)
    assert drawn(rows, 1)[:6] != first[:6] != rows[:6]
    assert len({one.request for one in first[:20]}) == 20
    changed = [replace(one, figures=row("x", 1.0).figures) for one in rows]
    assert [one.item for one in drawn(changed, 0)] == [one.item for one in first], "figures draw nothing"


def test_won_and_lost_go_by_the_mean_of_all_measures() -> None:
    rows = [row("up", 0.5, -0.1), row("down", -0.5, 0.1), row("same", 0.3, -0.3), row("most", 0.5, 0.5), row("none")]
    assert [one.item for one in won(rows)] == ["most", "up"]
    assert [one.item for one in lost(rows)] == ["down"]


ATTACK = "[red]red[/red] [/] :smile: \x1b[31mred\x1b[0m \x9b2J\x07 \u202egnihton\r\nnext\tline"


@pytest.mark.parametrize("wide", [True, False])
def test_what_was_written_is_printed_as_text_without_markup_or_control_characters(wide: bool) -> None:
    screen = io.StringIO()
    attack = SideBySide("i", ATTACK, ATTACK, ATTACK, ATTACK, "", (Figure("my_suite", 0.0, 0.5),))
    _print_one(Console(file=screen, width=160), 1, attack, wide)
    shown = screen.getvalue()
    assert shown.count("[red]red[/red] [/] :smile: \ufffd[31mred\ufffd[0m \ufffd2J\ufffd") == 4
    assert all(sign == "\n" or sign.isprintable() for sign in shown)
    assert "my suite 0%" in shown and "my suite 50%" in shown and "(says nothing)" in shown
    beside = next(line for line in shown.splitlines() if "champion" in line)
    assert ("challenger" in beside) == wide


def test_a_very_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * LONGEST).plain == "x" * LONGEST
    assert plain("x" * (LONGEST + 1234)).plain.endswith("x… (1,234 more characters: --json)")
