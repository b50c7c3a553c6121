"""Rounds of training over rows: who gets how many pairs, what is told of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import DpoConfig, PairsConfig
from rlhi.contracts import Candidate, Conversation, PreferencePair, Turn, content_key
from rlhi.learn.pairs.build import PairMaker
from rlhi.learn.pairs.counts import Spread
from rlhi.learn.training.launch import Trained
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rounds import Fresh, Round, fresh_rows, history, lessons, planned, room, told
from tests.support.personas import persona
from tests.support.training import made_pairs
from tests.unit.test_learn import Longer


def trained(steps: int, too_long: tuple[int, ...] = ()) -> Trained:
    """A training of so many steps."""
    figures = tuple({"step": float(at + 1), "loss": 1.0 / (at + 1)} for at in range(steps))
    return Trained(
        Path("model"),
        "engine",
        0,
        "float32",
        "trainer",
        1,
        steps,
        0,
        steps,
        steps,
        (1.0, 1.0),
        too_long,
        0,
        figures,
        "fp32",
    )


def two_rounds() -> list[Round]:
    """Four pairs, one of them too long, then two fresh ones."""
    pairs = tuple(made_pairs(6))
    fresh = Fresh(pairs[4:], 3, 0.9, Spread(3, 1, 0.5, 1.0), (("margin too small", 1),))
    return [
        Round(plan(1, "champion"), pairs[:4], "first", trained(2, (1,))),
        Round(plan(2, "first"), pairs[4:], "second", trained(3), fresh),
    ]


def plan(number: int, begun: str) -> PolicyPlan:
    """That of a round."""
    champion, output = Path("champion"), Path(f"run-{number}")
    return PolicyPlan(
        base=champion, output=output, seed=0, dpo=DpoConfig(rounds=2), reference="champion", begun=begun, round=number
    )


@given(most=st.integers(1, 500), rounds=st.integers(1, 9))
def test_all_rounds_together_get_all_that_a_cycle_may_learn_from(most: int, rounds: int) -> None:
    used, shares = 0, []
    for number in range(1, rounds + 1):
        shares.append(room(most, used, number, rounds))
        used += shares[-1]
    assert used == most and max(shares) - min(shares) <= 1


def test_what_an_early_round_leaves_is_for_the_later_ones() -> None:
    assert room(80, 10, 2, 3) == 35 and room(80, 45, 3, 3) == 35


def test_steps_count_on_and_tell_their_round() -> None:
    rounds = two_rounds()
    assert [(step["step"], step["round"]) for step in history(rounds)] == [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)]
    assert history(rounds[:1]) == list(rounds[0].trained.history), "one round is told as ever"


def test_lessons_are_those_that_were_trained_on() -> None:
    rounds = two_rounds()
    assert lessons(rounds) == {f"talk{at}#1#rewrite" for at in (0, 2, 3, 4, 5)}
    assert [(row.round, row.sampler, row.pair.key) for row in fresh_rows(rounds)] == [
        (2, "first", "key4"), (2, "first", "key5"),
    ]  # fmt: skip
    record = told(rounds[1])
    assert (record["start"], record["reference"], record["weights"]) == ("first", "champion", "second")
    assert record["fresh"] == {
        "requests": 3, "distinct_share": 0.9, "groups": 3, "flat_groups": 1, "deviation": 0.5, "best_to_worst": 1.0,
        "dropped": {"margin too small": 1},
    }  # fmt: skip


def test_a_round_is_planned_from_where_the_one_before_ended_in_a_folder_of_its_own() -> None:
    first, second = two_rounds()
    whole = first.plan.model_copy(update={"output": Path("runs"), "champion": "v0.1.0"})
    one, two = planned(whole, first.rows, None), planned(whole, second.rows, first)
    assert (one.begun, one.start, one.round, one.told_round) == ("champion", None, 1, "round 1 of 2")
    assert (two.begun, two.start, two.round) == ("first", Path("trained"), 2)
    seeded = planned(whole.model_copy(update={"seed": 1}), first.rows, None)
    others = [planned(whole, first.rows[1:], None), seeded, two]
    assert one.output.parent == Path("runs") and len({one.output, *(other.output for other in others)}) == 4
    assert planned(whole, first.rows, None) == one
    assert PolicyPlan.model_validate_json(two.model_dump_json()) == two, "what another process reads is the same plan"
    # Trainings that a former version began are found by this name.
    taught: list[tuple[str, list[str]]] = [(row.key, []) for row in first.rows]
    assert one.output.name == content_key(taught, "v0.1.0", "champion", whole.dpo.model_dump(mode="json"), 0)


def fresh_pairs(given: Counter[str], config: PairsConfig) -> tuple[list[PreferencePair], PairMaker]:
    """Pairs of a user's answers to three requests."""
    turns = tuple(Turn("assistant" if at % 2 else "user", f"Words of turn {at}.") for at in range(6))
    talk = Conversation("t", "u", "real", None, None, None, turns, "test")
    rows = [
        Candidate(f"k{at}{turn}", "t", "u", turn, at, " ".join(["It needs the sun and water."] * (at + 1)), "m", 0)
        for turn in (1, 3, 5)
        for at in (0, 1)
    ]
    personas = {"u": persona("u", "Wants much.")}
    maker = PairMaker({"t": talk}, personas, personas, Longer(), config)
    return list(maker.on_policy(rows, given)), maker


def test_fresh_pairs_say_so_and_a_user_s_share_is_that_of_the_cycle() -> None:
    made, maker = fresh_pairs(Counter(), PairsConfig())
    assert {(pair.source, pair.turn_index, pair.persona) for pair in made} == {
        ("on_policy", at, "Wants much.") for at in (1, 3, 5)
    }
    assert maker.spread.groups == 3
    made, maker = fresh_pairs(Counter({"u": 7}), PairsConfig(max_per_user=8))
    assert len(made) == 1 and maker.dropped.reasons["over the user's share"] == 2
    made, maker = fresh_pairs(Counter({"u": 9}), PairsConfig(max_per_user=8))
    assert made == [] and maker.dropped.reasons["over the user's share"] == 3
