"""Language models as judges: both orders, ties, how well each judges people's choices, and how far they agree."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rlhi.config import JudgesConfig
from rlhi.contracts import Interval, Message
from rlhi.contracts.judges import CRITERIA, JudgeRecord, JudgeVerdict, Won
from rlhi.evaluate.judges.compare import Pair, compared
from rlhi.evaluate.judges.length import at_equal_length
from rlhi.evaluate.judges.trial import tried
from rlhi.evaluate.judges.verdicts import agreements, judged, kappa, of_judges, verdicts, win_rates
from rlhi.evaluate.replies import EvaluatedReply, side_by_side
from rlhi.evaluate.said import MODELS
from rlhi.evaluate.suites import of_verdicts
from rlhi.models.base import StructuredModel
from tests.support.judging import Names, ScriptedJudge, by_key, first, longer

ASKED = (Message("user", "How do I keep basil?"),)


def pair(at: int, one: str, other: str, persona: str = "") -> Pair:
    return Pair(f"i{at}", f"u{at % 10}", persona, ASKED, one, other)


def choices(count: int = 40) -> list[Pair]:
    """The chosen side is right, and longer in every second one."""
    return [pair(at, "right " * (1 + at % 2), "wrong" * (3 - 2 * (at % 2)) + str(at)) for at in range(count)]


def accuracy(names: Names, rows: Sequence[Pair]) -> Interval:
    return tried(rows, compared(ScriptedJudge(names), rows), 0.95, 200, 0).accuracy


def test_a_judge_is_asked_in_both_orders_and_told_the_texts_as_data() -> None:
    judge = ScriptedJudge(by_key("sun"))
    (found,) = compared(judge, [pair(0, "In the sun.", 'Say "a"!', persona="Be brief.")])
    assert found and found["overall"].better == "one" and not found["overall"].flipped
    assert found["instructions"].better == "tie"
    shown = [json.loads(text) for text in judge.asked]
    assert [(one["a"], one["b"]) for one in shown] == [("In the sun.", 'Say "a"!'), ('Say "a"!', "In the sun.")]
    assert all(one["known of the user"] == "Be brief." for one in shown)
    assert shown[0]["conversation"] == [{"role": "user", "text": "How do I keep basil?"}]


def test_who_always_names_the_first_ties_everywhere_and_is_as_good_as_chance() -> None:
    rows = choices()
    found = compared(ScriptedJudge(first), rows)
    assert {(one["overall"].better, one["overall"].flipped) for one in found if one} == {("tie", True)}
    trial = tried(rows, found, 0.95, 200, 0)
    assert trial.accuracy.mean == 0.5 and trial.flipped == 1.0


def test_a_perfect_judge_is_always_right_and_one_that_goes_by_length_is_as_the_rule() -> None:
    rows = choices()
    assert accuracy(by_key("right"), rows).mean == 1.0
    trial = tried(rows, compared(ScriptedJudge(longer), rows), 0.95, 200, 0)
    assert trial.accuracy.mean == pytest.approx(trial.longer_wins) and trial.flipped == 0
    assert accuracy(by_key("wrong"), rows).mean == 0.0, "the contrary of a key is worse than chance"


def test_equal_replies_tie_and_cost_nothing_and_answers_that_do_not_fit_leave_the_pair_out() -> None:
    judge = ScriptedJudge(by_key("sun"), odd=["odd"])
    same, odd, told = compared(judge, [pair(0, "Sun.", "Sun."), pair(1, "sun", "odd"), pair(2, "sun", "rain")])
    assert same and all(one.better == "tie" and not one.flipped for one in same.values())
    assert odd is None and told and told["overall"].better == "one" and len(judge.asked) == 4
    assert tried([pair(1, "sun", "odd")], [None], 0.95, 200, 0).accuracy.mean == 0.5, "no answer is no merit"


def test_accuracy_is_averaged_by_user() -> None:
    rows = [Pair(f"i{at}", "talker", "", ASKED, "right", f"wrong{at}") for at in range(9)]
    rows += [Pair("i", "other", "", ASKED, "no", "right")]
    found = accuracy(by_key("right"), rows)
    assert (found.mean, found.clusters, found.items) == (0.5, 2, 10)
    none = tried([], [], 0.95, 200, 0).accuracy
    assert (none.low, none.high, none.clusters) == (0.0, 1.0, 0)
    assert not JudgeRecord("j", none, 0.5, 0.0).is_proven(0.5)


def replies(users: int, requests: int, follow_up: bool = False) -> list[EvaluatedReply]:
    before = (*ASKED, Message("assistant", "In a pot.")) if follow_up else ()
    return [
        EvaluatedReply(f"{at}{'f' * follow_up}/{sample}", f"u{user}", model, "", f"Why {at}?", f"{model} {at}", before)
        for user in range(users)
        for at in range(requests)
        for sample in range(2)
        for model in MODELS
    ]


def test_requests_are_shared_out_among_users_and_each_is_asked_of_once() -> None:
    found = judged(replies(users=5, requests=4), 7, seed=0)
    by_user = [sum(one.pair.user_id == f"u{user}" for one in found) for user in range(5)]
    assert len(found) == 7 and sorted(by_user) == [1, 1, 1, 2, 2]
    assert {one.pair.item.rpartition("/")[2] for one in found} == {"0"} and {one.turn for one in found} == {"first"}
    assert found == judged(replies(users=5, requests=4)[::-1], 7, seed=0), "whatever the order of the rows"
    assert len(judged(replies(users=5, requests=4), 99, seed=0)) == 20
    assert all(one.pair.one.startswith("champion") for one in found)


def test_a_later_message_is_shown_with_what_was_said_before_and_counted_apart() -> None:
    both = [*replies(9, 1), *replies(9, 1, follow_up=True)]
    asked = judged(both, 99, seed=0)
    later = [one for one in asked if one.turn == "follow_up"]
    assert len(later) == 9 and [each.content for each in later[0].pair.prompt] == [
        "How do I keep basil?", "In a pot.", "Why 0?",
    ]  # fmt: skip
    names: Names = lambda a, b: first(a, b) if "0" not in a else by_key("challenger")(a, b)  # noqa: E731
    rows = list(verdicts("j", asked, compared(ScriptedJudge(names), [one.pair for one in asked])))
    rates = {(one.criterion, one.turns): one for one in win_rates(rows, 0.95, 200, 0)}
    assert {turns for _, turns in rates} == {"", "first", "follow_up"} and len(rates) == 9
    assert rates["overall", "follow_up"].raw.items == 9 and rates["overall", ""].raw.items == 18
    assert rates["overall", ""].raw.mean == 1.0 and rates["instructions", ""].ties == 1.0
    assert [one.item for one in side_by_side(both, [])] and not any("f" in one.item for one in side_by_side(both, []))


def row(judge: str, at: int, won: Won, flipped: bool = False, longer: float = 0.0) -> JudgeVerdict:
    return JudgeVerdict(judge, f"i{at}/0", f"u{at}", "first", "overall", won, flipped, longer)


def test_judges_agree_beyond_chance_or_not() -> None:
    cycle: tuple[Won, ...] = ("champion", "challenger", "tie")
    same = [row(name, at, cycle[at % 3]) for name in "ab" for at in range(9)]
    apart = [row("c", at, cycle[at // 3]) for at in range(9)]
    found = {(one.one, one.other): one for one in agreements([*same, *apart])}
    assert found["a", "b"].share == 1.0 and found["a", "b"].kappa == 1.0 and found["a", "b"].items == 9
    assert found["a", "c"].share == pytest.approx(1 / 3) and found["a", "c"].kappa == pytest.approx(0)
    assert kappa([("tie", "tie")] * 4) is None
    assert not list(agreements(same[:9])), "one judge agrees with nobody"


def test_the_suites_are_what_the_judges_say_in_the_mean_and_only_those_that_count() -> None:
    rows = [row("a", 0, "challenger"), row("b", 0, "tie"), row("a", 1, "champion")]
    values = {(one.item, one.model): one.value for one in of_verdicts(rows)}
    assert values == {
        ("i0/0", "champion"): 0.25, ("i0/0", "challenger"): 0.75,
        ("i1/0", "champion"): 1.0, ("i1/0", "challenger"): 0.0,
    }  # fmt: skip
    assert {one.value for one in of_verdicts(of_judges(rows, {"b"}))} == {0.5}
    assert of_judges(rows, set()) == rows, "what decides nothing is told"
    by_criterion = [JudgeVerdict("a", "i/0", "u", "first", one, "challenger", False, 0.0) for one in CRITERIA]
    suites = {one.suite for one in of_verdicts(by_criterion)}
    assert suites == {"usereval", "usereval_personalisation", "usereval_instructions"} and not of_verdicts([])


def test_who_wins_by_length_alone_wins_half_where_both_are_equally_long() -> None:
    rng = np.random.default_rng(0)
    apart = rng.normal(0.4, 0.5, 400)
    won = (rng.random(400) < 1 / (1 + np.exp(-4 * apart))).astype(float).tolist()
    users = [f"u{at // 4}" for at in range(400)]
    rate = at_equal_length(won, apart.tolist(), users, resamples=200)
    assert sum(won) / 400 > 0.65 and rate.low < 0.5 < rate.high and abs(rate.mean - 0.5) < 0.1
    assert (rate.clusters, rate.items) == (100, 400)
    better = [1.0 if at % 5 else 0.0 for at in range(400)]
    kept = at_equal_length(better, apart.tolist(), users, resamples=200)
    assert kept.low > 0.7 and abs(kept.mean - 0.8) < 0.03, "what is won for another reason stays"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from((0.0, 0.5, 1.0)), st.floats(-9, 9)), min_size=1, max_size=30))
def test_the_rate_at_equal_length_is_a_share_and_turns_round_with_the_sides(rows: list[tuple[float, float]]) -> None:
    won, apart = [one for one, _ in rows], [one for _, one in rows]
    users = [str(at) for at in range(len(rows))]
    rate = at_equal_length(won, apart, users, resamples=100)
    other = at_equal_length([1 - one for one in won], [-one for one in apart], users, resamples=100)
    assert 0 <= rate.low <= rate.mean <= rate.high <= 1 and rate.mean == pytest.approx(1 - other.mean, abs=1e-6)
    same = at_equal_length(won, [0.0] * len(won), users, resamples=100)
    assert same.mean == pytest.approx(math.fsum(won) / len(won), abs=1e-3), "equally long: as it is"


def test_judges_have_names_of_their_own_and_are_endpoints() -> None:
    assert JudgesConfig(models=("openai:http://a/v1#m", "openai:http://a/v1#n")).models
    with pytest.raises(ValidationError, match="m is named twice"):
        JudgesConfig(models=("openai:http://a/v1#m", "openai:http://b/v1#m"))
    with pytest.raises(ValidationError, match="no model"):
        JudgesConfig(models=("local:folder",))


def test_a_scripted_judge_is_one() -> None:
    judge: StructuredModel = ScriptedJudge(first)
    assert judge.name == "judge"
