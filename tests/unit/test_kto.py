"""The order, the weights and the balance of the rows that KTO reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import TrainingLimits
from rlhi.learn.training.guards import check_judged
from rlhi.learn.training.methods.kto import arranged, balance, singles
from rlhi.learn.training.rows import trl_row
from rlhi.learn.training.run import TrainingError
from rlhi.learn.training.trl.weights import user_weights
from tests.support.training import made_pairs


def clashes(rows: list[dict[str, object]], batch: int) -> int:
    """Neighbours with one prompt, in batches in which the first follows the last, as TRL turns them."""
    prompts = [json.dumps(row["prompt"]) for row in rows]
    parts = [prompts[start : start + batch] for start in range(0, len(prompts), batch)]
    return sum(one == other for part in parts for one, other in zip(part, part[-1:] + part[:-1], strict=True))


@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 6))
def test_the_answers_to_one_prompt_are_never_neighbours(pairs: int, batch: int, judged: int) -> None:
    rows = [trl_row(pair) for pair in made_pairs(pairs)]
    # A batch of one row is another matter: whoever trains gives it that row twice.
    judged -= (2 * pairs + judged) % (2 * batch) == 1
    rows += [single(f"judged {at}", at % 3 > 0) for at in range(judged)]
    found = arranged(singles(rows), 2 * batch)
    assert clashes(found, 2 * batch) == 0
    assert len(found) == 2 * pairs + judged


def single(prompt: str, wanted: bool) -> dict[str, object]:
    """A judged answer as a row."""
    answer = [{"role": "assistant", "content": f"{prompt}, answered"}]
    return {"prompt": [{"role": "user", "content": prompt}], "completion": answer, "label": wanted}


def test_pairs_alternate_and_neighbours_are_answers_to_other_prompts() -> None:
    rows = arranged(singles([trl_row(pair) for pair in made_pairs(6)]), 4)
    assert [row["label"] for row in rows] == [True, False] * 6
    assert {json.dumps(row["completion"]) for row in rows} == {
        json.dumps(row[side]) for row in map(trl_row, made_pairs(6)) for side in ("chosen", "rejected")
    }
    assert clashes(rows, 4) == 0


def test_both_kinds_are_spread_over_all_batches() -> None:
    rows = arranged([single(f"{at}", at < 36) for at in range(48)], 4)
    assert {sum(bool(row["label"]) for row in rows[start : start + 4]) for start in range(0, 48, 4)} == {3}


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.floats(0.05, 1))
def test_wanted_answers_count_as_much_as_unwanted_ones_or_a_third_more(labels: list[bool], weight: float) -> None:
    labels = [True, False, *labels]
    weights = [weight if label else 1.0 for label in labels]
    wanted, unwanted = balance({"label": labels, "weight": weights})
    ratio = wanted * weight * sum(labels) / (unwanted * (len(labels) - sum(labels)))
    assert 1 - 1e-9 <= ratio <= 4 / 3 + 1e-9 and min(wanted, unwanted) == 1


def test_a_user_s_rows_weigh_their_own_weights_up_to_the_cap() -> None:
    assert user_weights(["a", "a", "a", "b"], 1, [1.0, 0.5, 0.5, 0.3]) == [0.5, 0.25, 0.25, 0.3]


def test_answers_of_one_kind_teach_nothing() -> None:
    check_judged(["a", "b"], ["c"], TrainingLimits())
    with pytest.raises(
        TrainingError, match="all 2 judged answers are wanted: KTO compares .* set dpo.unpaired to false"
    ):
        check_judged(["a", "b"], [], TrainingLimits())
    with pytest.raises(TrainingError, match="all 1 judged answers are unwanted"):
        check_judged([], ["c"], TrainingLimits())
    with pytest.raises(TrainingError, match="3 of 3 unwanted answers are the same"):
        check_judged(["a", "b"], ["c"] * 3, TrainingLimits())
    with pytest.raises(TrainingError, match="1 of 2 wanted answers are empty"):
        check_judged(["a", " "], ["c"], TrainingLimits())
