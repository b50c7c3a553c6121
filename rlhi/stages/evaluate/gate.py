"""The stage ``gate``: the verdict."""

from __future__ import annotations

from dataclasses import replace

from rlhi.config import EvaluateConfig, GateConfig
from rlhi.contracts import DriftReport, EvalResult, Interval, from_record, to_record
from rlhi.evaluate.gate import decide
from rlhi.evaluate.statistics import measure
from rlhi.stages import Outcome
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_note, read_table, write_json


def _judge(space: Workspace) -> Interval:
    """How much of what held-out users preferred the reward model ranks right; anything, where none was compared."""
    held = read_json(space.path("models/reward/metrics.json")).get("judge")
    return from_record(Interval, held) if isinstance(held, dict) else Interval(0.5, 0.0, 1.0, 0, 0)


def gate(space: Workspace, /, *, evaluate: EvaluateConfig, gate: GateConfig, seed: int) -> Outcome:
    """The verdict, as JSON for people and programs, and as metrics for ``dvc metrics diff``."""
    results = read_table(space.path("data/evaluation"), EvalResult)
    measured = measure(results, confidence=evaluate.confidence, resamples=evaluate.resamples, seed=seed)
    drifted = from_record(DriftReport, read_json(space.path("data/drift/drift.json")))
    decision = decide(measured, drifted, gate, _judge(space))
    skipped = read_note(space.path("data/evaluation")).get("skipped")
    if skipped:
        decision = replace(decision, reasons=(str(skipped), *decision.reasons))
    pin = ledger.pinned(space.root)
    record = {"cycle": pin.cycle, "champion": pin.champion, **to_record(decision)}
    write_json(space.path("metrics/decision.json"), record)
    figures = {
        one.suite: {"champion": one.champion.mean, "challenger": one.challenger.mean, "gain": one.gain.mean}
        for one in measured
    }
    write_json(space.path("metrics/metrics.json"), {"promote": int(decision.verdict == "promote"), **figures})
    return Outcome(1, 0, {"verdict": decision.verdict}, "; ".join(decision.reasons))
