"""The gate promotes only when everything it asks for was shown."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.config import GainConfig, GateConfig, GuardConfig, ProvenConfig
from rlhi.contracts import (
    Budget,
    DriftColumn,
    DriftReport,
    GateDecision,
    Interval,
    Measurement,
    Verdict,
    from_record,
    to_record,
)
from rlhi.contracts.judges import JudgeRecord
from rlhi.contracts.options import DriftDoes
from rlhi.evaluate.gate import Evidence, Judge, decide, unpromising
from rlhi.evaluate.judges.proven import proven
from rlhi.evaluate.kinds import kinds_of

GAINS = ("satisfaction", "preference")
GUARDS = tuple(GateConfig().guards)


def measurement(suite: str, mean: float, low: float, high: float, users: int = 40) -> Measurement:
    level = Interval(0.5, 0.4, 0.6, users, 320)
    return Measurement(suite, level, level, Interval(mean, low, high, users, 320))


def drift(status: str = "stable", failed: int = 0) -> DriftReport:
    columns = tuple(f"column{at}" for at in range(6))
    return DriftReport(status, failed / 6, columns, columns[:failed], 100, 100)  # type: ignore[arg-type]


@st.composite
def measurements(draw: st.DrawFn, names: tuple[str, ...] = (*GAINS, *GUARDS, "extra")) -> list[Measurement]:
    made = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        low, mean, high = sorted(draw(st.tuples(*[st.floats(-1, 1)] * 3)))
        made.append(measurement(name, mean, low, high, draw(st.sampled_from((13, 40)))))
    return made


@st.composite
def configs(draw: st.DrawFn) -> GateConfig:
    gains = {name: GainConfig(margin=draw(st.floats(-0.1, 0.3)), required=draw(st.booleans())) for name in GAINS}
    guards = {name: GuardConfig(max_drop=draw(st.floats(0, 0.3)), required=draw(st.booleans())) for name in GUARDS}
    drift: Literal["refuse", "report"] = draw(st.sampled_from(("refuse", "report")))
    return GateConfig(gains=gains, guards=guards, drift=drift, min_users=draw(st.sampled_from((2, 40, 41))))


DEFAULT = GateConfig(min_users=40)
"""The default gate for so many users as are made up here."""


def verdict_of(
    measured: list[Measurement], report: DriftReport, config: GateConfig, judge: Judge | None = None
) -> GateDecision:
    return decide(Evidence(measured, report, judge=judge), config)


drifts = st.sampled_from([drift("stable"), drift("drifted", 5), drift("no_reference")])


def expected(measured: list[Measurement], report: DriftReport, config: GateConfig) -> Verdict:
    """The rules once more, written as conditions on the whole."""
    by_suite = {each.suite: each.gain for each in measured}
    gains = {name: by_suite[name] for name in GAINS if name in by_suite}
    guards = {name: by_suite[name] for name in GUARDS if name in by_suite}
    required = [name for name in GAINS if config.gains[name].required]
    required += [name for name in GUARDS if config.guards[name].required]
    if not all(name in by_suite for name in required):
        return "invalid"
    worse = any(gain.high < 0 and not gain.low > config.gains[name].margin for name, gain in gains.items())
    broken = any(gain.high < -config.guards[name].max_drop for name, gain in guards.items())
    if worse or broken or (report.status == "drifted" and config.drift == "refuse"):
        return "refuse"
    shown = bool(gains) and all(
        gain.low > config.gains[name].margin and gain.clusters >= config.min_users for name, gain in gains.items()
    )
    return "promote" if shown and all(_kept(config, name, gain) for name, gain in guards.items()) else "hold"


def _kept(config: GateConfig, name: str, gain: Interval) -> bool:
    guard = config.guards[name]
    by_mean = gain.clusters < config.few_users and not guard.required and gain.high >= 0
    return (gain.mean if by_mean else gain.low) > -guard.max_drop


@settings(deadline=None)
@given(measurements(), drifts, configs())
def test_the_verdict_is_what_the_rules_come_to(
    measured: list[Measurement], report: DriftReport, config: GateConfig
) -> None:
    decision = verdict_of(measured, report, config)
    assert decision.verdict == expected(measured, report, config)
    listed = {*config.gains, *config.guards} - {each.suite for each in measured}
    assert listed == set(decision.not_measured) - {"drift: no_reference"}
    assert decision.reasons or decision.not_measured


@settings(deadline=None)
@given(measurements(), drifts, configs(), st.randoms(use_true_random=False))
def test_order_does_not_matter(
    measured: list[Measurement], report: DriftReport, config: GateConfig, rng: random.Random
) -> None:
    decision = verdict_of(measured, report, config)
    rng.shuffle(measured)
    assert verdict_of(measured, report, config) == decision


@settings(deadline=None)
@given(measurements(), drifts, configs(), st.sampled_from(("mean", "low", "high")), st.data())
def test_a_figure_that_is_no_number_is_always_invalid(
    measured: list[Measurement], report: DriftReport, config: GateConfig, figure: str, data: st.DataObject
) -> None:
    measured = measured or [measurement("extra", 0, 0, 0)]
    at = data.draw(st.integers(0, len(measured) - 1))
    side = data.draw(st.sampled_from(("champion", "challenger", "gain")))
    broken = dataclasses.replace(getattr(measured[at], side), **{figure: math.nan})
    measured[at] = dataclasses.replace(measured[at], **{side: broken})
    assert verdict_of(measured, report, config).verdict == "invalid"


@settings(deadline=None)
@given(measurements(), drifts, configs())
def test_a_screen_never_promotes_and_is_else_as_strict(
    measured: list[Measurement], report: DriftReport, config: GateConfig
) -> None:
    screened = decide(Evidence(measured, report, "screen", "the last decision was on 2026-11-29"), config)
    whole = expected(measured, report, _nothing_required(config))
    assert screened.verdict == ("hold" if whole == "promote" else whole)
    assert any("not decided: the last decision was on 2026-11-29." in reason for reason in screened.reasons)


def _nothing_required(config: GateConfig) -> GateConfig:
    """What is missing of a screen may be measured for the decision."""
    few = {name: guard.model_copy(update={"required": False}) for name, guard in config.guards.items()}
    gains = {name: gain.model_copy(update={"required": False}) for name, gain in config.gains.items()}
    return config.model_copy(update={"guards": few, "gains": gains})


def good() -> list[Measurement]:
    shown = [measurement(name, 0.15, 0.08, 0.22) for name in GAINS]
    return [*shown, *(measurement(name, -0.01, -0.04, 0.02) for name in GUARDS)]


def without(*suites: str) -> list[Measurement]:
    return [each for each in good() if each.suite not in suites]


def test_the_default_gate_promotes_good_evidence_without_a_drift_reference() -> None:
    decision = verdict_of(good(), drift("no_reference"), DEFAULT)
    assert (decision.verdict, decision.not_measured) == ("promote", ("people", "usereval", "drift: no_reference"))
    assert "satisfaction gains +15.0 points (interval 8.0 to 22.0, n = 40), above the margin of 1.0 points." in (
        decision.reasons
    )


def test_a_gain_is_read_at_the_level_of_one_decision_and_says_what_would_have_shown_it() -> None:
    """Its interval is for people: at one in a thousand a bound lies lower."""
    one = measurement("satisfaction", 0.06, 0.02, 0.1, users=200)
    at_level = dataclasses.replace(one, level=0.05 / 52, above=-0.005, below=0.125, least=0.09)
    decision = verdict_of([*without("satisfaction"), at_level], drift(), GateConfig(min_users=40))
    assert decision.verdict == "hold"
    assert (
        "satisfaction gains +6.0 points (interval 2.0 to 10.0, n = 200): not shown to be above the margin of 1.0 "
        "points with an error of 0.10%; with this spread a true gain of 9.0 points would have been seen, and 339 users "
        "would show this one." in decision.reasons
    )
    shown = dataclasses.replace(at_level, above=0.011)
    assert verdict_of([*without("satisfaction"), shown], drift(), GateConfig(min_users=40)).verdict == "promote"


def test_few_users_hold_whatever_they_show() -> None:
    decision = verdict_of(good(), drift(), GateConfig())
    assert decision.verdict == "hold"
    assert "satisfaction was measured on 40 users, and 192 are asked for." in decision.reasons


def test_unlisted_and_optional_suites_do_not_refuse() -> None:
    evidence = [*without("satisfaction", "choices"), measurement("extra", -0.9, -1, -0.8)]
    decision = verdict_of(evidence, drift(), DEFAULT)
    assert decision.verdict == "promote"
    assert set(decision.not_measured) == {"satisfaction", "people", "usereval", "choices"}


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        (measurement("satisfaction", 0.05, 0.01, 0.09), "hold", "not shown to be above the margin of 1.0 points"),
        (measurement("satisfaction", -0.05, -0.09, -0.01), "refuse", "shown worse"),
        (measurement("nearness", -0.36, -0.44, -0.3), "refuse", "beyond the allowed drop of 10.0 points"),
        (measurement("nearness", -0.06, -0.14, 0.02), "hold", "not shown to be within the allowed drop of 10.0"),
        (measurement("fluency", -0.08, -0.1, -0.06), "refuse", "beyond the allowed drop of 5.0 points"),
    ],
)
def test_what_is_not_shown_holds_and_what_is_shown_refuses_with_figures(
    change: Measurement, verdict: str, reason: str
) -> None:
    decision = verdict_of([*without(change.suite), change], drift(), DEFAULT)
    assert decision.verdict == verdict
    assert any(change.suite in text and reason in text for text in decision.reasons)


def test_what_is_lost_against_the_first_champion_counts_too() -> None:
    """Four drops of four points pass one after the other, and sixteen are lost."""
    lost = dataclasses.replace(measurement("answers", -0.2, -0.24, -0.16), against="first")
    decision = verdict_of([*good(), lost], drift(), DEFAULT)
    assert decision.verdict == "refuse"
    assert any(one.startswith("answers against the first champion changes by -20.0") for one in decision.reasons)
    assert {one.against for one in decision.measurements} == {"champion", "first"}
    assert all(one.against == "champion" for one in decision.overall)


def test_a_kind_of_users_that_is_shown_to_lose_refuses_and_one_that_may_have_does_not() -> None:
    one = dataclasses.replace(measurement("kept", -0.4, -0.6, -0.2, users=14), group="no lists")
    decision = verdict_of([*good(), one], drift(), DEFAULT)
    assert decision.verdict == "refuse"
    assert any("kept of users who ask for no lists changes by -40.0" in reason for reason in decision.reasons)
    unsure = dataclasses.replace(one, gain=Interval(-0.2, -0.5, 0.0, 14, 14))
    assert verdict_of([*good(), unsure], drift(), DEFAULT).verdict == "promote"


def test_kinds_are_what_enough_users_say() -> None:
    says = {"u1": ["brief", "plain"], "u2": ["brief"], "u3": ["long"]}
    assert kinds_of(says, 2) == {"brief": frozenset({"u1", "u2"})}


@pytest.mark.parametrize("missing", ["instructions", "knowledge", "fluency", "nearness"])
def test_a_required_measurement_that_is_missing_is_invalid(missing: str) -> None:
    decision = verdict_of(without(missing), drift(), DEFAULT)
    assert decision.verdict == "invalid"
    assert f"{missing} is required and was not measured." in decision.reasons


def test_no_gain_at_all_holds() -> None:
    assert verdict_of(without(*GAINS), drift(), DEFAULT).verdict == "hold"
    assert verdict_of(good(), drift(), GateConfig(gains={})).verdict == "hold"


def test_without_a_challenger_there_is_nothing_to_measure() -> None:
    decision = decide(Evidence((), drift("no_reference"), skipped="no new pairs"), GateConfig())
    assert (decision.verdict, decision.reasons) == ("hold", ("no new pairs",))
    assert {*GAINS, *GUARDS} < set(decision.not_measured)


def test_drift_refuses_or_is_only_recorded() -> None:
    assert verdict_of(good(), drift("drifted", 4), DEFAULT).verdict == "refuse"
    recorded = verdict_of(good(), drift("drifted", 4), GateConfig(drift="report", min_users=40))
    assert recorded.verdict == "promote"
    assert any("4 of 6 columns" in reason and "column0" in reason for reason in recorded.reasons)
    few = verdict_of(good(), drift("too_few"), DEFAULT)
    assert (few.verdict, few.not_measured) == ("promote", ("people", "usereval", "drift: too_few"))
    unknown = dataclasses.replace(drift(), share=math.nan)
    assert verdict_of(good(), unknown, DEFAULT).verdict == "invalid"


@pytest.mark.parametrize(
    ("does", "verdict", "said"),
    [
        ("block", "refuse", "Conversations drifted in 1 of 6 columns (column0)."),
        ("ask", "hold", "a person has to look; `drift.columns.column0.does: note` in params.yaml lets it pass"),
        ("note", "promote", "Conversations drifted in column0: noted, for a promotion is meant to move these."),
    ],
)
def test_a_drifted_column_does_what_it_says(does: DriftDoes, verdict: str, said: str) -> None:
    column = DriftColumn("column0", "ks", 100, 100, 0.4, 0.001, 0.2, does, drifted=True)
    report = dataclasses.replace(drift("drifted", 1), found=(column,))
    decision = verdict_of(good(), report, DEFAULT)
    assert decision.verdict == verdict and said in decision.reasons[-1]
    assert verdict_of(good(), report, GateConfig(drift="report", min_users=40)).verdict == "promote"


def test_a_report_of_an_earlier_version_is_read_and_blocks_as_it_did() -> None:
    former = {"status": "drifted", "share": 0.6, "columns": ["turns", "code"], "failed": ["turns", "code"]}
    report = from_record(DriftReport, {**former, "current": 40, "reference": 50})
    assert report.failed_that("block") == ("turns", "code") and verdict_of(good(), report, DEFAULT).verdict == "refuse"
    some = dataclasses.replace(report, status="stable", failed=("turns",))
    assert verdict_of(good(), some, DEFAULT).verdict == "promote", "a share below the former limit"


def test_a_suite_measured_twice_is_invalid() -> None:
    assert verdict_of([*good(), measurement("fluency", 0.1, 0, 0.2)], drift(), DEFAULT).verdict == "invalid"


def test_a_decision_survives_json_and_one_of_before_is_read() -> None:
    budget = Budget(0.001, 3, 0.003, 0.047, 0.003, "2026-11-01", "")
    decision = decide(Evidence(good(), drift("no_reference"), budget=budget, by_chance=0.4), DEFAULT)
    record = json.loads(json.dumps(to_record(decision)))
    assert from_record(GateDecision, record) == decision
    for name in ("panel", "budget", "by_chance"):
        record.pop(name)
    for one in record["measurements"]:
        for name in ("against", "group", "level", "above", "below", "least"):
            one.pop(name)
    former = from_record(GateDecision, record)
    assert former.panel == "decision" and former.budget is None
    assert [one.lower for one in former.measurements] == [one.gain.low for one in former.measurements]


@pytest.mark.parametrize(("low", "verdict"), [(math.nextafter(-0.25, 1), "promote"), (-0.25, "hold")])
def test_a_guard_is_shown_not_to_fall_to_its_limit(low: float, verdict: str) -> None:
    """By its bound: a mean above the line may hide a fall below it."""
    config = GateConfig(guards={"fluency": GuardConfig(max_drop=0.25)}, min_users=40)
    evidence = [*(each for each in good() if each.suite in GAINS), measurement("fluency", -0.01, low, 0.1)]
    decision = verdict_of(evidence, drift(), config)
    assert decision.verdict == verdict
    assert any("not shown to be within" in reason for reason in decision.reasons) == (verdict == "hold")


def test_a_guard_of_few_users_is_held_to_its_mean_unless_it_is_required() -> None:
    """Thirteen users' intervals are wider than any drop that is allowed: nothing could ever be promoted."""
    gains = [each for each in good() if each.suite in GAINS]

    def verdict(few: Measurement, required: bool = False) -> GateDecision:
        guards = {"choices": GuardConfig(max_drop=0.2, required=required)}
        return verdict_of([*gains, few], drift(), GateConfig(guards=guards, min_users=40))

    wide = measurement("choices", 0.0, -0.247, 0.247, users=13)
    assert verdict(wide).verdict == "promote" and any("fewer than 30 users" in one for one in verdict(wide).reasons)
    assert verdict(wide, required=True).verdict == "hold"
    assert verdict(measurement("choices", 0.0, -0.247, 0.247, users=30)).verdict == "hold"
    assert verdict(measurement("choices", -0.21, -0.4, 0.1, users=13)).verdict == "hold", "it falls too far in the mean"
    assert verdict(measurement("choices", -0.1, -0.3, -0.01, users=13)).verdict == "hold", "a fall is shown"


@given(measurements(), configs(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 40), st.booleans())
def test_preference_counts_where_its_judge_is_proven_and_chose_no_pairs(
    measured: list[Measurement], config: GateConfig, one: float, other: float, users: int, independent: bool
) -> None:
    accuracy = Interval((one + other) / 2, min(one, other), max(one, other), users, users)
    told = verdict_of(measured, drift(), config, Judge(accuracy, independent))
    free = verdict_of(measured, drift(), config)
    judged = any(each.suite == "preference" for each in measured)
    if judged and not (independent and accuracy.low > config.judge):
        assert "preference" in told.not_measured
        assert any("does not count" in reason or "does not decide" in reason for reason in told.reasons)
    else:
        assert (told.verdict, told.not_measured) == (free.verdict, free.not_measured)
    assert told.measurements == free.measurements, "the figures are told either way"


def test_the_word_of_a_judge_that_is_not_proven_or_chose_the_pairs_promotes_nothing() -> None:
    """A real log has no other gain; where users' wishes are known, these decide."""

    def judged(accuracy: Interval, independent: bool = True, config: GateConfig = DEFAULT) -> GateDecision:
        return verdict_of(without("satisfaction"), drift(), config, Judge(accuracy, independent))

    unsure, proven = Interval(0.57, 0.48, 0.66, 20, 61), Interval(0.7, 0.6, 0.8, 20, 61)
    assert verdict_of(good(), drift(), DEFAULT, Judge(unsure, True)).verdict == "promote"
    assert judged(unsure).verdict == "hold"
    assert judged(unsure).reasons[0] == (
        "The reward model ranks 57.0% (interval 48.0 to 66.0, n = 20) of held-out users' comparisons right: not shown "
        "to be above 50%, so preference does not count."
    )
    unknown = Interval(0.5, 0.0, 1.0, 0, 0)
    assert judged(unknown).verdict == "hold" and judged(unknown).reasons[0].startswith("No comparison of a held-out")
    assert judged(proven).verdict == "promote"
    chose = judged(proven, independent=False)
    assert chose.verdict == "hold" and "preference nominates and does not decide" in chose.reasons[0]
    assert judged(unknown, False, GateConfig(judge=0, min_users=40)).verdict == "promote"


def language_judge(name: str, low: float, users: int = 40) -> JudgeRecord:
    return JudgeRecord(name, Interval(min(1, low + 0.1), low, min(1, low + 0.2), users, users), 0.6, 0.1)


JUDGED_GAINS = (*GAINS, "usereval")
least_accuracies = st.floats(0.5, 0.9)


@given(
    measurements((*JUDGED_GAINS, *GUARDS)),
    least_accuracies,
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from((0, 40))), max_size=3),
)
def test_usereval_counts_where_a_judge_is_proven_and_nowhere_else(
    measured: list[Measurement], least: float, lows: list[tuple[float, int]]
) -> None:
    config = DEFAULT.model_copy(update={"judges": ProvenConfig(min_accuracy=least)})
    judges = [language_judge(f"j{at}", low, users) for at, (low, users) in enumerate(lows)]
    told = decide(Evidence(measured, drift(), judges=judges), config)
    without_it = [one for one in measured if one.suite != "usereval"]
    shown = [one for one in judges if one.accuracy.clusters and one.accuracy.low > least]
    assert proven(judges, config) == {one.name for one in shown}
    if shown or without_it == measured:
        always = decide(Evidence(measured, drift(), judges=[language_judge("sure", 0.95)]), config)
        assert (told.verdict, told.not_measured) == (always.verdict, always.not_measured)
    else:
        blind = decide(Evidence(without_it, drift()), config)
        assert (told.verdict, told.not_measured) == (blind.verdict, blind.not_measured)
        assert "usereval" in told.not_counted and told.measurements != blind.measurements, "the figures are told"


def test_the_word_of_a_weak_language_judge_neither_promotes_nor_refuses() -> None:
    """However sure it is: only what is shown to judge as people do decides."""
    others = without(*GAINS)

    def judged(mean: float, *judges: JudgeRecord) -> GateDecision:
        one = measurement("usereval", mean, mean - 0.05, mean + 0.05)
        return decide(Evidence([*others, one], drift(), judges=judges), DEFAULT)

    weak, strong = language_judge("weak", 0.6), language_judge("strong", 0.7)
    assert judged(0.4, weak).verdict == judged(-0.4, weak).verdict == judged(0.4).verdict == "hold"
    assert judged(0.4, strong).verdict == judged(0.4, weak, strong).verdict == "promote"
    assert judged(-0.4, strong).verdict == "refuse"
    assert judged(0.4, weak).reasons[:2] == (
        "The judge weak finds 70.0% (interval 60.0 to 80.0, n = 40) of held-out users' choices right: not shown to be "
        "above 65%.",
        "No judge is proven, so usereval does not count.",
    )
    untried = judged(0.4, JudgeRecord("new", Interval(0.5, 0.0, 1.0, 0, 0), 0.5, 0.0))
    assert untried.verdict == "hold" and untried.reasons[0].startswith(
        "No choice of a held-out user tells how well new"
    )


def test_a_screen_is_promising_where_something_rises_and_nothing_is_broken() -> None:
    assert unpromising((), GateConfig()) == "", "nobody was screened: nothing speaks against a decision"
    assert unpromising(good(), GateConfig()) == ""
    flat = [measurement(name, 0.005, -0.1, 0.1) for name in GAINS]
    assert unpromising(flat, GateConfig()) == "the screen has no gain in preference and satisfaction"
    assert unpromising([flat[0], *without("satisfaction")], GateConfig()) == "", "one of two rises"
    fallen = [*without("answers"), measurement("answers", -0.4, -0.5, -0.3)]
    assert unpromising(fallen, GateConfig()) == "the screen shows answers broken"
