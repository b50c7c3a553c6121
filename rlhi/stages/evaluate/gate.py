"""The stage ``gate``: the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rlhi.config import ConfirmConfig, EvaluateConfig, GateConfig
from rlhi.config.suites import SUITES
from rlhi.contracts import Budget, DriftReport, EvalResult, Measurement, from_record, to_record
from rlhi.contracts.judges import JudgeVerdict
from rlhi.evaluate import suites
from rlhi.evaluate.budget import budget_of
from rlhi.evaluate.gate import GUARD_LEVEL, Evidence, Judge, decide
from rlhi.evaluate.judges.proven import proven
from rlhi.evaluate.judges.verdicts import of_judges
from rlhi.evaluate.kinds import kinds_of
from rlhi.evaluate.people import measured as people_measured
from rlhi.evaluate.statistics import Asked, by_chance, measure
from rlhi.stages import Outcome
from rlhi.stages.collect.personas import read_personas
from rlhi.stages.evaluate.compare import decided_on
from rlhi.stages.evaluate.confirm import CONFIRMED, WHY_SCREENED
from rlhi.stages.evaluate.evaluate import RESULTS
from rlhi.stages.evaluate.judges import VERDICTS, read_report
from rlhi.stages.learn.judge import accuracy_of, has_judge, judge_metrics
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_note, read_table, write_json

KIND_USERS = 12
"""A kind of persona that fewer users have shows nothing of its own."""


def gate(
    space: Workspace, /, *, evaluate: EvaluateConfig, confirm: ConfirmConfig, gate: GateConfig, seed: int
) -> Outcome:  # fmt: skip
    """The verdict, as JSON for people and programs, and as metrics for ``dvc metrics diff``."""
    pin = ledger.pinned(space.root)
    budget = budget_of(gate.budget, pin.decisions, pin.day)
    evidence = _evidence(space, evaluate, confirm, gate, seed, budget)
    decision = decide(evidence, gate)
    record = {"cycle": pin.cycle, "champion": pin.champion, **to_record(decision)}
    write_json(space.path("metrics/decision.json"), record)
    figures = {
        one.suite: {"champion": one.champion.mean, "challenger": one.challenger.mean, "gain": one.gain.mean}
        for one in decision.overall
    }
    promote = {"promote": int(decision.verdict == "promote")}
    write_json(space.path("metrics/metrics.json"), {**promote, **figures, "judge": _of_judge(space)})
    return Outcome(1, 0, {"verdict": decision.verdict, "asked": decision.panel}, "; ".join(decision.reasons))


def _evidence(
    space: Workspace, evaluate: EvaluateConfig, confirm: ConfirmConfig, gate: GateConfig, seed: int, budget: Budget
) -> Evidence:  # fmt: skip
    screened, confirmed = (read_table(space.path(name), EvalResult) for name in (RESULTS, CONFIRMED))
    # What is asked without users is asked once a night; what a decision asked takes the place of the screen's.
    anew = {row.suite for row in confirmed if row.model != "first"}
    results = [*(row for row in screened if row.suite not in anew), *confirmed]
    judges = read_report(space).judges
    results += suites.of_verdicts(of_judges(read_table(space.path(VERDICTS), JudgeVerdict), proven(judges, gate)))
    decided = bool(confirmed) or (confirm.users == 0 and not budget.wait)
    gains = {name: Asked(budget.level, one.margin) for name, one in gate.gains.items()}
    asked = gains | {name: Asked(GUARD_LEVEL) for name in gate.guards}

    def measured(rows: Sequence[EvalResult]) -> tuple[Measurement, ...]:
        return measure(rows, confidence=evaluate.confidence, resamples=evaluate.resamples, seed=seed, asked=asked)

    first = measure(
        results, confidence=evaluate.confidence, resamples=evaluate.resamples, seed=seed, asked=asked, against="first"
    )
    return Evidence(
        measurements=(
            *measured(results), *first, *_by_kind(space, results, measured), *_people(space, evaluate, gate, budget),
        ),
        drift=from_record(DriftReport, read_json(space.path("data/drift/drift.json"))),
        panel="decision" if decided else "screen",
        why_screened=str(read_note(space.path(CONFIRMED)).get(WHY_SCREENED, "")),
        judge=_judge(space),
        judges=judges,
        budget=budget,
        by_chance=_against_itself(results, gate),
        skipped=str(read_note(space.path(RESULTS)).get("skipped", "")),
    )  # fmt: skip


def _people(space: Workspace, evaluate: EvaluateConfig, gate: GateConfig, budget: Budget) -> Iterator[Measurement]:
    """What people said of this very challenger, where the cycle decides anew on that."""
    said = decided_on(space)
    for name in (name for name, suite in SUITES.items() if suite.by_people and name in gate.gains and said):
        one = people_measured(said, budget.level, gate.gains[name].margin, evaluate.confidence) if said else None
        yield from [one] if one else []


def _by_kind(
    space: Workspace, results: Sequence[EvalResult], measured: Callable[[Sequence[EvalResult]], Sequence[Measurement]]
) -> Iterator[Measurement]:
    """Who gained and who lost, for each kind of persona: what most gain may be paid for by one kind of users."""
    told = {name for name, suite in SUITES.items() if suite.by_kind}
    rows = [row for row in results if row.suite in told and row.model != "first"]
    asked = {row.user_id for row in rows}
    says = {
        row.user_id: {claim.check.partition(":")[0] for claim in row.told if claim.check}
        for row in read_personas(space)
        if row.user_id in asked
    }
    for kind, users in kinds_of(says, KIND_USERS).items():
        for one in measured([row for row in rows if row.user_id in users]):
            yield replace(one, group=kind.replace("_", " "))


def _against_itself(results: Sequence[EvalResult], gate: GateConfig) -> float | None:
    """The champion's halves against each other, on the first gain that is no model's word."""
    told = sorted({row.suite for row in results if row.suite in gate.gains and not SUITES[row.suite].judged})
    return by_chance([row for row in results if row.suite == told[0] and row.model == "champion"]) if told else None


def _judge(space: Workspace) -> Judge:
    """How much of what held-out users preferred is ranked right by who tells preference; anything, if none compared."""
    return Judge(accuracy_of(judge_metrics(space)), independent=has_judge(space))


def _of_judge(space: Workspace) -> dict[str, object]:
    """The judge's figures beside "the longer wins", for ``dvc metrics diff``."""
    metrics, judge = judge_metrics(space), _judge(space)
    one = judge.accuracy
    return {
        "accuracy": one.mean, "low": one.low, "high": one.high, "comparisons": one.items, "users": one.clusters,
        "longer_wins": metrics.get("longer_wins"), "independent": int(judge.independent),
    }  # fmt: skip
