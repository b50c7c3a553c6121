"""The stage ``evaluate``: champion and challenger are screened, and every suite measures both."""

from __future__ import annotations

from dataclasses import replace

from rlhi.config import EvaluateConfig, ModelsConfig, PersonasConfig, PromptConfig, SplitConfig
from rlhi.contracts import EvalResult
from rlhi.evaluate import suites
from rlhi.models.prompts import Prompts
from rlhi.stages import Outcome
from rlhi.stages.collect.personas import persona_before
from rlhi.stages.evaluate.asking import Asking, write_replies
from rlhi.stages.evaluate.lengths import lengths
from rlhi.stages.evaluate.questions import Draw, of_log, of_suites, of_users
from rlhi.stages.evaluate.tested import keep_tested, of_tests
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.simulator.truth import truth_of
from rlhi.stages.table import Counts
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, write_table

RESULTS = "data/evaluation"
REPLIES = "data/replies"
"""What champion and challenger said to held-out users when they were last screened: ``EvaluatedReply``."""


def evaluate(
    space: Workspace,
    /,
    *,
    evaluate: EvaluateConfig,
    personas: PersonasConfig,
    prompt: PromptConfig,
    split: SplitConfig,
    models: ModelsConfig,
    seed: int,
) -> Outcome:
    """Ask both models what the same held-out users ask every night, and what suites ask without users."""
    skipped = read_json(space.path("models/challenger") / TRAINING).get("skipped")
    if skipped:
        write_table(space.path(RESULTS), EvalResult, [], user=lambda row: row.user_id, note={"skipped": str(skipped)})
        write_replies(space, REPLIES, {})
        keep_tested(space, None, [])
        return Outcome(0, 0, {}, f"nothing to evaluate: {skipped}")
    truth, known, draw = truth_of(space), persona_before(space, personas, split), Draw(seed)
    asking = Asking(space, evaluate, evaluate, models, draw, truth)
    before = asking.version(ledger.pinned(space.root).champion)
    prompts, fixed = Prompts(prompt), of_suites()
    users = of_users(space, evaluate, evaluate, prompts, split, draw, known, truth)
    log = of_log(space, evaluate, prompts, split, seed, known, truth, before.policy)
    own = of_tests(space, evaluate, prompts, split, seed, before.policy)
    asked = replace(
        users, prompts=fixed.prompts, questions=fixed.questions, logged=log.logged, logged_swapped=log.logged_swapped,
        tests=own.tests, tested=own.tested,
    )  # fmt: skip
    said = asking.both(before, asking.challenger(), asked)
    results = suites.results(said)
    write_table(space.path(RESULTS), EvalResult, results, user=lambda row: row.user_id)
    write_replies(space, REPLIES, said.replies, said.follow_ups)
    keep_tested(space, said, results)
    people, met = {reply.user_id for reply in asked.requests}, sorted({row.suite for row in results})
    note = f"{len(people)} held-out users, {len(asked.requests)} requests, {evaluate.samples} samples by each model"
    told: Counts = {
        "suites": ", ".join(met), "logged choices": len(asked.logged), "tests of the workspace": len(own.tests)
    }  # fmt: skip
    return Outcome(len(results), 0, {**told, **lengths(space, prompts, said.replies, asked.requests)}, note)
