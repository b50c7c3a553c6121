"""What every method makes of pairs and judged answers, whichever there are: a new one is found by its name."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from rlhi.config import DpoConfig, Method
from rlhi.learn.training.methods import METHODS, method_of
from rlhi.learn.training.rows import LABEL, Row, policy_row, text_of
from rlhi.learn.training.trl.truncated import CUT
from rlhi.learn.training.trl.weights import WEIGHT
from tests.support.training import made_judged, made_pairs

PAIRS = [policy_row(pair) for pair in made_pairs(6)]
JUDGED = [policy_row(row) for row in made_judged(5)]


def sides(row: Row) -> tuple[str, ...]:
    """The columns of its answers."""
    return tuple(side for side in ("chosen", "rejected", "completion") if side in row)


def counted(rows: list[dict[str, object]]) -> Counter[str]:
    """Rows whatever their order."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize("name", METHODS)
def test_every_chosen_answer_is_learned_from_under_its_own_prompt(name: Method) -> None:
    method = method_of(name)
    made = method.rows(PAIRS)
    assert method.told and {sides(row) for row in made} in ({("chosen", "rejected")}, {("completion",)})
    asked = {str(pair["user_id"]): pair for pair in PAIRS}
    taught = set()
    for row in made:
        pair = asked[str(row["user_id"])]
        assert row["prompt"] == pair["prompt"] and {WEIGHT, CUT} <= set(row), "other columns are carried along"
        assert {text_of(row, side) for side in sides(row)} <= {text_of(pair, side) for side in sides(pair)}
        wanted = "chosen" in row or row.get(LABEL, True)
        taught |= {text_of(row, sides(row)[0])} if wanted else set()
    assert taught == {text_of(pair, "chosen") for pair in PAIRS}


@pytest.mark.parametrize("name", METHODS)
def test_judged_answers_are_for_methods_that_learn_from_them_one_by_one(name: Method) -> None:
    method = method_of(name)
    assert method.rows(JUDGED) == (JUDGED if method.singly else [])
    assert counted(method.rows([*PAIRS, *JUDGED])) == counted([*method.rows(PAIRS), *method.rows(JUDGED)])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_no_order_loses_or_adds_a_row_and_no_row_s_weight_counts_twice(name: Method, batch: int) -> None:
    method, config = method_of(name), DpoConfig(batch=batch)
    made = method.rows([*PAIRS, *JUDGED])
    assert counted(method.ordered(made, config)) == counted(made)
    batched = method.batched(made, config)
    assert sum(float(str(row[WEIGHT])) for row in batched) == sum(float(str(row[WEIGHT])) for row in made)
    assert {str(row["user_id"]) for row in batched} == {str(row["user_id"]) for row in made}


@pytest.mark.parametrize("name", METHODS)
def test_what_it_teaches_not_to_give_is_counted(name: Method) -> None:
    made = method_of(name).rows([*PAIRS, *JUDGED])
    assert method_of(name).unwanted(made) == sum("rejected" in row or row.get(LABEL) is False for row in made)
