"""Tests of the workspace in an evaluation: which are asked, and how both models did, kept cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rlhi.config import EvaluateConfig, SplitConfig
from rlhi.contracts import AnsweredTest, EvalResult, Profile, WorkspaceTest, content_key
from rlhi.evaluate.history import answered_tests
from rlhi.evaluate.said import Reply, Said
from rlhi.models.base import Policy
from rlhi.models.prompts import Prompts
from rlhi.stages.collect.personas import personas_told, read_personas
from rlhi.stages.collect.tests import read_tests
from rlhi.stages.evaluate.questions import Questions
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_table

TESTED = "data/tested"


def of_tests(
    space: Workspace, config: EvaluateConfig, prompts: Prompts, split: SplitConfig, seed: int, reader: Policy
) -> Questions:
    """At most ``evaluate.tests`` requests of held-out users' tests: one of each user before a second one of any, drawn
    by seed. A prompt that ``reader`` does not read whole is left out."""
    tests = read_tests(space) if config.tests else []
    personas = _personas(space, config, split, tests)
    asked: list[Reply] = []
    for one in drawn([test for test in tests if split.holds_out(test.user_id)], seed):
        prompt = prompts.told(one.prompt, (persona := personas[one.key]).text)
        if len(asked) < config.tests and reader.fits(prompt):
            asked.append(Reply(one.key, one.user_id, persona, prompt, ""))
    chosen = {one.item for one in asked}
    return Questions(tests={one.key: one for one in tests if one.key in chosen}, tested=asked)


def drawn(tests: Sequence[WorkspaceTest], seed: int) -> list[WorkspaceTest]:
    """Tests in an order drawn by seed, in which each user has one before any has a second."""
    ordered = sorted(tests, key=lambda one: (one.user_id, content_key(seed, "tests", one.key)))
    placed = [
        (place, content_key(seed, "tests", one.key), one)
        for _, own in groupby(ordered, key=lambda one: one.user_id)
        for place, one in enumerate(own)
    ]
    return [one for *_, one in sorted(placed, key=lambda row: row[:2])]


def keep_tested(space: Workspace, said: Said | None, results: Sequence[EvalResult]) -> None:
    """Put this cycle's outcomes beside the former ones; those of tests that are gone go too."""
    pin, standing = ledger.pinned(space.root), {one.key for one in read_tests(space)}
    former = [row for row in read_tested(space) if row.test in standing and row.cycle != pin.cycle]
    tested = said.tested if said else None
    rows = answered_tests(tested, results, pin.cycle, pin.champion) if tested else ()
    write_table(space.path(TESTED), AnsweredTest, [*former, *rows], user=lambda row: row.user_id)


def read_tested(space: Workspace) -> list[AnsweredTest]:
    """How models did on tests of the workspace, in all cycles so far."""
    return read_table(space.path(TESTED), AnsweredTest)


def _personas(
    space: Workspace, config: EvaluateConfig, split: SplitConfig, tests: Sequence[WorkspaceTest]
) -> dict[str, Profile]:
    """What is told with each test: what was known before its request, else the prior; or what a control tells."""
    rows = personas_told(read_personas(space), config.persona, split.holds_out)
    if config.persona != "own":
        return {one.key: rows[one.user_id].profile if one.user_id in rows else Profile() for one in tests}
    prior = next((row.profile for row in rows.values() if row.origin == "prior"), Profile())
    return {one.key: one.persona if one.persona.text else prior for one in tests}
