"""The stage ``confirm``: where a decision may be taken, all held-out users are asked anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rlhi.config import (
    ConfirmConfig,
    EvaluateConfig,
    GateConfig,
    ModelsConfig,
    PersonasConfig,
    PromptConfig,
    SplitConfig,
)  # fmt: skip
from rlhi.contracts import EvalResult
from rlhi.evaluate import suites
from rlhi.evaluate.budget import budget_of
from rlhi.evaluate.gate import unpromising
from rlhi.evaluate.said import Said
from rlhi.evaluate.statistics import measure
from rlhi.models.prompts import Prompts
from rlhi.stages import Outcome
from rlhi.stages.collect.personas import persona_before
from rlhi.stages.evaluate.asking import Asking, write_replies
from rlhi.stages.evaluate.evaluate import RESULTS
from rlhi.stages.evaluate.questions import Draw, Questions, held_out_conversations, of_suites, of_users
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.simulator.truth import truth_of
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_table

CONFIRMED = "data/confirmation"
CONFIRMED_REPLIES = "data/confirmed_replies"
"""What both models said to held-out users for the last decision."""
WHY_SCREENED = "screened"
"""In the table's note: why no decision is taken tonight."""


def confirm(
    space: Workspace,
    /,
    *,
    confirm: ConfirmConfig,
    evaluate: EvaluateConfig,
    gate: GateConfig,
    personas: PersonasConfig,
    prompt: PromptConfig,
    split: SplitConfig,
    models: ModelsConfig,
    seed: int,
) -> Outcome:
    """Ask for a decision, of requests and with seeds that are drawn for this cycle, where the budget allows one."""
    why = _why_screened(space, confirm, evaluate, gate, split, seed)
    if why:
        _write(space, [], {WHY_SCREENED: why})
        write_replies(space, CONFIRMED_REPLIES, {})
        return Outcome(0, 0, {}, f"no decision: {why}")
    pin, truth, known = ledger.pinned(space.root), truth_of(space), persona_before(space, personas, split)
    draw = Draw(seed, pin.cycle)
    asking = Asking(space, evaluate, confirm, models, draw, truth)
    asked = of_users(space, evaluate, confirm, Prompts(prompt), split, draw, known, truth)
    said = asking.both(asking.version(pin.champion), asking.challenger(), asked)
    results = suites.results(said)
    if pin.champion != ledger.FIRST_VERSION:
        results += against_first(asking, asked, sorted(gate.guards))
    _write(space, results, {})
    write_replies(space, CONFIRMED_REPLIES, said.replies, said.follow_ups)
    users = {reply.user_id for reply in asked.requests}
    note = f"{len(users)} held-out users, {len(asked.requests)} new requests, {confirm.samples} samples by each model"
    return Outcome(len(results), 0, {"held-out users": len(users)}, note)


def against_first(asking: Asking, asked: Questions, guards: Sequence[str]) -> Iterator[EvalResult]:
    """The guards' rows of the workspace's first champion: what is lost a little at a time is lost in the end."""
    fixed = of_suites(guards)
    asked = replace(asked, swapped=(), follow_ups=(), prompts=fixed.prompts, questions=fixed.questions)
    said: Said = asking.both(asking.version(ledger.FIRST_VERSION), asking.challenger(), asked)
    for row in suites.results(said, guards):
        if row.model == "champion":
            yield replace(row, model="first")


def _why_screened(
    space: Workspace, confirm: ConfirmConfig, evaluate: EvaluateConfig, gate: GateConfig, split: SplitConfig, seed: int
) -> str:  # fmt: skip
    """Why there is nothing to ask; empty where there is."""
    if skipped := read_json(space.path("models/challenger") / TRAINING).get("skipped"):
        return str(skipped)
    pin = ledger.pinned(space.root)
    if wait := budget_of(gate.budget, pin.decisions, pin.day).wait:
        return wait
    if confirm.users == 0:
        return "the screen's replies decide (confirm.users is 0)"
    users = {row.user_id for row in held_out_conversations(space, split)}
    asked = min(len(users), confirm.users) if confirm.users else len(users)
    if asked < gate.min_users:
        return f"a decision asks {gate.min_users} held-out users (gate.min_users), and {asked} are to be asked"
    screened = read_table(space.path(RESULTS), EvalResult)
    measured = measure(screened, confidence=evaluate.confidence, resamples=evaluate.resamples, seed=seed)
    return unpromising(measured, gate)


def _write(space: Workspace, results: Sequence[EvalResult], note: dict[str, str]) -> None:
    write_table(space.path(CONFIRMED), EvalResult, results, user=lambda row: row.user_id, note=note)
