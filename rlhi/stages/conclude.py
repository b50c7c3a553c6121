"""The end of a cycle: the evidence page, then one commit; a promotion moves the champion with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rlhi.config import Params
from rlhi.contracts import Account, Conversation, FeedbackTurn, GateDecision, JudgedAnswer, PreferencePair, Spending
from rlhi.contracts.foreseen import Forecasts
from rlhi.contracts.turns import asked_last
from rlhi.evaluate.budget import account_of
from rlhi.evaluate.forecast import track
from rlhi.evaluate.replies import SideBySide, drawn, lost, won
from rlhi.learn.training.card import promoted_card
from rlhi.report import (
    Compared,
    CycleEvidence,
    Drifted,
    Evidence,
    Example,
    Figure,
    Judge,
    LossPoint,
    asked,
    read_evidence,
    render,
    would_change,
    write_evidence,
)  # fmt: skip
from rlhi.stages import RECORDED, CycleReport, StageError, state
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.evaluate.compare import as_line
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.drift import read_examples
from rlhi.stages.evaluate.forecast import foretell, of_cycle, read_forecasts
from rlhi.stages.evaluate.judges import read_report
from rlhi.stages.evaluate.replies import read_replies
from rlhi.stages.learn.dpo import TRAINING, all_pairs
from rlhi.stages.learn.judge import accuracy_of, has_judge, judge_metrics
from rlhi.stages.learn.teachers import found_wanting
from rlhi.stages.tests import of_cycle as tests_of
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import Workspace, read_json, read_table, write_atomic, write_json

EXAMPLES = 6
DRAWN, EXTREME = 6, 3
"""Pairs of replies on the page: drawn by seed, and of those whose figures rose or fell most."""


def conclude(workspace: Path) -> CycleReport:
    """Write the evidence page, record the cycle, promote if the gate said so. Runs again after a kill."""
    space = Workspace.open(workspace)
    decision = read_decision(space)
    pin = ledger.pinned(space.root)
    if ledger.under_way(space.root):
        _write_report(space, decision, foretell(space, decision))
    # Before the commit: killed after it, the next cycle would find this one's stages new.
    write_json(space.path(RECORDED), {"stages": state(space)})
    account, who = _account(space, decision), asked(decision)
    forecast, scored = (one.as_text() if one else "" for one in of_cycle(read_forecasts(space), pin.cycle))
    told = (
        *([f"Asked: {who}"] if who else []), f"Budget: {account.as_text()}",
        *([f"Forecast: {forecast}"] if forecast else []), *([f"The last forecast: {scored}"] if scored else []),
        *decision.reasons,
    )  # fmt: skip
    with alone(space):  # no log lands in a table that is being committed
        done = ledger.record(space.root, decision.verdict, told, _card(space, decision), _spent(decision))
    return CycleReport(
        cycle=pin.cycle,
        verdict=decision.verdict,
        version=ledger.champion(space.root),
        reasons=decision.reasons,
        revision=done.revision,
        asked=who,
        changes=would_change(decision, space.params.gate, account, _held_out(space, conversations(space))),
        budget=account.as_text(),
        forecast=forecast,
        scored=scored,
    )


def _spent(decision: GateDecision) -> float | None:
    """The level of the decision that was taken; None where none was."""
    return decision.budget.level if decision.budget and decision.panel == "decision" else None


def _account(space: Workspace, decision: GateDecision) -> Account:
    """The budget after this cycle, on its day."""
    pin, spent = ledger.pinned(space.root), _spent(decision)
    spendings = (*pin.decisions, *([] if spent is None else [Spending(pin.day, spent)]))
    return account_of(space.params.gate.budget, spendings, pin.day)


def _held_out(space: Workspace, accepted: Sequence[Conversation]) -> int:
    """How many held-out users have talked."""
    return sum(space.params.split.holds_out(user) for user in {row.user_id for row in accepted if row.has_user})


def _card(space: Workspace, decision: GateDecision) -> str:
    """What goes with the version that the challenger becomes; nothing where it becomes none."""
    card = space.path("models/challenger/README.md")
    if decision.verdict != "promote" or not card.is_file():
        return ""
    cycle, version = ledger.pinned(space.root).cycle, ledger.next_version(space.root)
    return promoted_card(card.read_text(encoding="utf-8"), version, cycle, decision)


def _write_report(space: Workspace, decision: GateDecision, foretold: Forecasts) -> None:
    params, folder = space.params, space.path("reports")
    forecast, scored = of_cycle(foretold, ledger.pinned(space.root).cycle)
    evidence = replace(
        _evidence(space, params, decision), forecast=forecast, scored=scored, track=track(foretold.scored)
    )
    write_json(folder / f"cycle-{evidence.number:04d}.json", write_evidence(evidence))
    former = (one for one in recorded(space) if one.number < evidence.number)
    page = render(Evidence(f"RLHI: {space.root.name}", (*former, evidence), params.evaluate.confidence))
    write_atomic(folder / "index.html", page.encode())


def recorded(space: Workspace) -> tuple[CycleEvidence, ...]:
    """What the evidence page shows of each cycle that was concluded, in their order.

    Raises:
        StageError: a record is not one of ours.
    """
    found = []
    for file in sorted(space.path("reports").glob("cycle-*.json")):
        try:
            found.append(read_evidence(read_json(file), space.params.gate))
        except (KeyError, TypeError, ValueError) as error:
            raise StageError(f"{file} cannot be read ({error}): `dvc checkout reports.dvc` brings it back") from None
    return tuple(found)


def _evidence(space: Workspace, params: Params, decision: GateDecision) -> CycleEvidence:
    pin = ledger.pinned(space.root)
    accepted = conversations(space)
    users = {row.user_id for row in accepted if row.has_user}
    cycles = {batch.digest: batch.cycle for batch in incoming.batches(space)}
    training = read_json(space.path("models/challenger") / TRAINING)
    reward = read_json(space.path("models/reward/metrics.json"))
    pairs, replies = all_pairs(space), read_replies(space)
    judged = read_table(space.path("data/judged"), JudgedAnswer) if "new_judged" in training else []
    labels = Counter(row.label for row in read_table(space.path("data/feedback"), FeedbackTurn))
    history = training.get("history")
    loss = tuple(
        LossPoint(int(step["step"]), float(step["loss"])) for step in (history if isinstance(history, list) else ())
    )
    promoted, version = decision.verdict == "promote", ledger.next_version(space.root)
    return CycleEvidence(
        number=pin.cycle,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        champion=f"policy@{pin.champion}",
        challenger=None if "skipped" in training else (f"policy@{version}" if promoted else "challenger"),
        new_conversations=sum(cycles.get(row.batch, pin.cycle) == pin.cycle for row in accepted),
        conversations=len(accepted),
        users=len(users),
        held_out_users=_held_out(space, accepted),
        feedback=tuple(labels.most_common()),
        pairs=tuple(Counter(pair.source for pair in pairs).most_common()),
        judged=tuple(Counter(row.source for row in judged).most_common()),
        reward_accuracy=_number(reward.get("accuracy")),
        longer_wins=_number(reward.get("longer_wins")),
        reward_pairs=int(str(reward.get("comparisons", 0))),
        judge=_judge(space),
        loss=loss,
        examples=tuple(_example(pair) for pair in sorted(pairs, key=lambda pair: (-pair.margin, pair.key))[:EXAMPLES]),
        compared=len(replies),
        drawn=_compared(drawn(replies, params.seed)[:DRAWN]),
        won=_compared(won(replies)[:EXTREME]),
        lost=_compared(lost(replies)[:EXTREME]),
        decision=decision,
        gate=params.gate,
        note=str(training.get("skipped", "")),
        wanting=found_wanting(space),
        drifted=tuple(Drifted(one.column, one.text) for one in read_examples(space)),
        account=_account(space, decision),
        people=as_line(space),
        judges=heard if (heard := read_report(space)).judges else None,
        tests=tests_of(space),
    )


def _judge(space: Workspace) -> Judge | None:
    metrics = judge_metrics(space)
    accuracy, longer_wins = accuracy_of(metrics), _number(metrics.get("longer_wins"))
    return Judge(accuracy, longer_wins, has_judge(space)) if accuracy.clusters and longer_wins is not None else None


def _example(pair: PreferencePair) -> Example:
    return Example(pair.persona, asked_last(pair.prompt), pair.chosen, pair.rejected, pair.source)


def _compared(rows: Sequence[SideBySide]) -> tuple[Compared, ...]:
    return tuple(
        Compared(
            row.persona, row.request, row.champion, row.challenger,
            tuple(Figure(one.name, one.champion, one.challenger) for one in row.figures),
        )
        for row in rows
    )  # fmt: skip


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None
