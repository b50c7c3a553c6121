"""The gate promotes only when everything it asks for was shown."""

from __future__ import annotations

import dataclasses
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.config import GainConfig, GateConfig, GuardConfig
from rlhi.contracts import DriftColumn, DriftReport, GateDecision, Interval, Measurement, from_record, to_record
from rlhi.contracts.options import DriftDoes
from rlhi.evaluate.gate import decide

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
    return GateConfig(gains=gains, guards=guards, drift=draw(st.sampled_from(("refuse", "report"))))


drifts = st.sampled_from([drift("stable"), drift("drifted", 5), drift("no_reference")])


def allowed(measured: list[Measurement], report: DriftReport, config: GateConfig) -> bool:
    """The rules once more, written as one condition."""
    by_suite = {each.suite: each.gain for each in measured}
    gains = [by_suite[name].low > config.gains[name].margin for name in GAINS if name in by_suite]
    guards = []
    for name in GUARDS:
        if name in by_suite:
            guard, gain = config.guards[name], by_suite[name]
            by_mean = gain.clusters < config.few_users and not guard.required and gain.high >= 0
            guards.append((gain.mean if by_mean else gain.low) > -guard.max_drop)
    required = [name for name in GAINS if config.gains[name].required]
    required += [name for name in GUARDS if config.guards[name].required]
    complete = all(name in by_suite for name in required)
    return (
        bool(gains)
        and all(gains)
        and all(guards)
        and complete
        and not (report.status == "drifted" and config.drift == "refuse")
    )


@settings(deadline=None)
@given(measurements(), drifts, configs())
def test_promotes_exactly_when_every_rule_holds(
    measured: list[Measurement], report: DriftReport, config: GateConfig
) -> None:
    decision = decide(measured, report, config)
    assert (decision.verdict == "promote") == allowed(measured, report, config)
    listed = {*config.gains, *config.guards} - {each.suite for each in measured}
    assert listed == set(decision.not_measured) - {"drift: no_reference"}
    assert decision.reasons or decision.not_measured


@settings(deadline=None)
@given(measurements(), drifts, configs(), st.randoms(use_true_random=False))
def test_order_does_not_matter(
    measured: list[Measurement], report: DriftReport, config: GateConfig, rng: random.Random
) -> None:
    decision = decide(measured, report, config)
    rng.shuffle(measured)
    assert decide(measured, report, config) == decision


@settings(deadline=None)
@given(measurements(), drifts, configs(), st.sampled_from(("mean", "low", "high")), st.data())
def test_a_figure_that_is_no_number_always_refuses(
    measured: list[Measurement], report: DriftReport, config: GateConfig, figure: str, data: st.DataObject
) -> None:
    measured = measured or [measurement("extra", 0, 0, 0)]
    at = data.draw(st.integers(0, len(measured) - 1))
    side = data.draw(st.sampled_from(("champion", "challenger", "gain")))
    broken = dataclasses.replace(getattr(measured[at], side), **{figure: math.nan})
    measured[at] = dataclasses.replace(measured[at], **{side: broken})
    assert decide(measured, report, config).verdict == "refuse"


def good() -> list[Measurement]:
    shown = [measurement(name, 0.15, 0.08, 0.22) for name in GAINS]
    return [*shown, *(measurement(name, -0.01, -0.04, 0.02) for name in GUARDS)]


def test_the_default_gate_promotes_good_evidence_without_a_drift_reference() -> None:
    decision = decide(good(), drift("no_reference"), GateConfig())
    assert (decision.verdict, decision.not_measured) == ("promote", ("drift: no_reference",))
    assert "satisfaction gains +15.0 points (interval 8.0 to 22.0, n = 40), above the margin of 0.0 points." in (
        decision.reasons
    )


def test_unlisted_and_optional_suites_do_not_refuse() -> None:
    without = [each for each in good() if each.suite not in ("satisfaction", "choices")]
    decision = decide([*without, measurement("extra", -0.9, -1, -0.8)], drift(), GateConfig())
    assert decision.verdict == "promote"
    assert set(decision.not_measured) == {"satisfaction", "choices"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (measurement("satisfaction", 0.04, 0.0, 0.08), "not shown to be above the margin of 0.0 points"),
        (measurement("nearness", -0.36, -0.44, -0.3), "beyond the allowed drop of 10.0 points"),
        (measurement("fluency", -0.08, -0.1, -0.06), "beyond the allowed drop of 5.0 points"),
    ],
)
def test_a_bound_at_the_margin_or_a_fallen_guard_refuses_with_figures(change: Measurement, reason: str) -> None:
    evidence = [each for each in good() if each.suite != change.suite] + [change]
    decision = decide(evidence, drift(), GateConfig())
    assert decision.verdict == "refuse"
    assert any(change.suite in text and reason in text for text in decision.reasons)


@pytest.mark.parametrize("missing", ["instructions", "knowledge", "fluency", "nearness"])
def test_a_required_measurement_that_is_missing_refuses(missing: str) -> None:
    decision = decide([each for each in good() if each.suite != missing], drift(), GateConfig())
    assert decision.verdict == "refuse"
    assert f"{missing} is required and was not measured." in decision.reasons


def test_no_gain_at_all_refuses() -> None:
    guards = [each for each in good() if each.suite in GUARDS]
    optional = GateConfig(gains={name: GainConfig() for name in GAINS})
    assert decide(guards, drift(), optional).verdict == "refuse"
    assert decide(good(), drift(), GateConfig(gains={})).verdict == "refuse"


def test_drift_refuses_or_is_only_recorded() -> None:
    assert decide(good(), drift("drifted", 4), GateConfig()).verdict == "refuse"
    recorded = decide(good(), drift("drifted", 4), GateConfig(drift="report"))
    assert recorded.verdict == "promote"
    assert any("4 of 6 columns" in reason and "column0" in reason for reason in recorded.reasons)
    few = decide(good(), drift("too_few"), GateConfig())
    assert (few.verdict, few.not_measured) == ("promote", ("drift: too_few",))
    unknown = dataclasses.replace(drift(), share=math.nan)
    assert decide(good(), unknown, GateConfig()).verdict == "refuse"


@pytest.mark.parametrize(
    ("does", "verdict", "said"),
    [
        ("block", "refuse", "Conversations drifted in 1 of 6 columns (column0)."),
        ("ask", "refuse", "a person has to look; `drift.columns.column0.does: note` in params.yaml lets it pass"),
        ("note", "promote", "Conversations drifted in column0: noted, for a promotion is meant to move these."),
    ],
)
def test_a_drifted_column_does_what_it_says(does: DriftDoes, verdict: str, said: str) -> None:
    column = DriftColumn("column0", "ks", 100, 100, 0.4, 0.001, 0.2, does, drifted=True)
    report = dataclasses.replace(drift("drifted", 1), found=(column,))
    decision = decide(good(), report, GateConfig())
    assert decision.verdict == verdict and said in decision.reasons[-1]
    assert decide(good(), report, GateConfig(drift="report")).verdict == "promote"


def test_a_report_of_an_earlier_version_is_read_and_blocks_as_it_did() -> None:
    former = {"status": "drifted", "share": 0.6, "columns": ["turns", "code"], "failed": ["turns", "code"]}
    report = from_record(DriftReport, {**former, "current": 40, "reference": 50})
    assert report.failed_that("block") == ("turns", "code") and decide(good(), report, GateConfig()).verdict == "refuse"
    some = dataclasses.replace(report, status="stable", failed=("turns",))
    assert decide(good(), some, GateConfig()).verdict == "promote", "a share below the former limit"


def test_a_suite_measured_twice_refuses() -> None:
    assert decide([*good(), measurement("fluency", 0.1, 0, 0.2)], drift(), GateConfig()).verdict == "refuse"


def test_a_decision_survives_json() -> None:
    decision = decide(good(), drift("no_reference"), GateConfig())
    assert from_record(GateDecision, json.loads(json.dumps(to_record(decision)))) == decision


@pytest.mark.parametrize(("low", "verdict"), [(math.nextafter(-0.25, 1), "promote"), (-0.25, "refuse")])
def test_a_guard_is_shown_not_to_fall_to_its_limit(low: float, verdict: str) -> None:
    """By its interval: a mean above the line may hide a fall below it."""
    config = GateConfig(guards={"fluency": GuardConfig(max_drop=0.25)})
    evidence = [*(each for each in good() if each.suite in GAINS), measurement("fluency", -0.01, low, 0.1)]
    decision = decide(evidence, drift(), config)
    assert decision.verdict == verdict
    assert any("not shown to be within" in reason for reason in decision.reasons) == (verdict == "refuse")


def test_a_guard_of_few_users_is_held_to_its_mean_unless_it_is_required() -> None:
    """Thirteen users' intervals are wider than any drop that is allowed: nothing could ever be promoted."""
    gains = [each for each in good() if each.suite in GAINS]

    def verdict(few: Measurement, required: bool = False) -> GateDecision:
        config = GateConfig(guards={"choices": GuardConfig(max_drop=0.2, required=required)})
        return decide([*gains, few], drift(), config)

    wide = measurement("choices", 0.0, -0.247, 0.247, users=13)
    assert verdict(wide).verdict == "promote" and any("fewer than 30 users" in one for one in verdict(wide).reasons)
    assert verdict(wide, required=True).verdict == "refuse"
    assert verdict(measurement("choices", 0.0, -0.247, 0.247, users=30)).verdict == "refuse"
    assert verdict(measurement("choices", -0.21, -0.4, 0.1, users=13)).verdict == "refuse", (
        "it falls too far in the mean"
    )
    assert verdict(measurement("choices", -0.1, -0.3, -0.01, users=13)).verdict == "refuse", "a fall is shown"


@given(measurements(), configs(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 40))
def test_preference_counts_where_its_judge_is_proven_and_no_verdict_gets_milder_by_asking(
    measured: list[Measurement], config: GateConfig, one: float, other: float, users: int
) -> None:
    judge = Interval((one + other) / 2, min(one, other), max(one, other), users, users)
    told, free = decide(measured, drift(), config, judge), decide(measured, drift(), config)
    judged = any(each.suite == "preference" for each in measured)
    if judged and judge.low <= config.judge:
        assert "preference" in told.not_measured and any("does not count" in reason for reason in told.reasons)
        assert told.verdict == "refuse" or not config.gains["preference"].required
    else:
        assert (told.verdict, told.not_measured) == (free.verdict, free.not_measured)
    assert told.measurements == free.measurements, "the figures are told either way"


def test_a_judge_that_is_not_shown_to_be_right_promotes_nothing() -> None:
    """A real log has no other gain; where users' wishes are known, these decide."""

    def judged(judge: Interval, config: GateConfig | None = None) -> GateDecision:
        real = [each for each in good() if each.suite != "satisfaction"]
        return decide(real, drift(), config or GateConfig(), judge)

    assert decide(good(), drift(), GateConfig(), Interval(0.57, 0.48, 0.66, 20, 61)).verdict == "promote"
    unsure = judged(Interval(0.57, 0.48, 0.66, 20, 61))
    assert unsure.verdict == "refuse"
    assert unsure.reasons[0] == (
        "The reward model ranks 57.0% (interval 48.0 to 66.0, n = 20) of held-out users' comparisons right: not shown "
        "to be above 50%, so preference does not count."
    )
    unknown = judged(Interval(0.5, 0.0, 1.0, 0, 0))
    assert unknown.verdict == "refuse" and unknown.reasons[0].startswith("No comparison of a held-out user tells")
    assert judged(Interval(0.7, 0.6, 0.8, 20, 61)).verdict == "promote"
    assert judged(Interval(0.5, 0.0, 1.0, 0, 0), GateConfig(judge=0)).verdict == "promote"
