"""A challenger with real weights that is better, where too few are asked and where a figure is missing.

Users talk to a scripted champion and three of four wish for bullet points, one for prose. The champion is the embedded
model, and so is what the challenger begins as. What a challenger is taught are the champion's own answers to requests
that are never asked in an evaluation, edited or spoilt.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rlhi import stages
from rlhi.checks.form import Check
from rlhi.config import ModelsConfig, ServedConfig
from rlhi.contracts import EvalResult, GateDecision, Message
from rlhi.learn.pairs.edits.edit import edited
from rlhi.models.base import Sampled, Sampling
from rlhi.models.prepare import policy_path
from rlhi.models.prompts import DEFAULT
from rlhi.simulate.requests import requests_of
from rlhi.simulate.wishes import only
from rlhi.stages.backends import local_model
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.evaluate import RESULTS
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_table
from tests.support.spaces import ANYBODY, configure, land_talk, make_space
from tests.support.taught import teach

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

LISTS, PROSE = "Use bullet points.", "Write in prose, without lists."
WISHED = {LISTS: Check("bullets"), PROSE: Check("no_lists")}
MOST_WISH_LISTS = (*only("lists"), ("bullets", 9), ("numbered", 0))
TAUGHT: dict[str, Any] = {"steps": 24, "rate": 1e-4, "precision": "auto"}
USERS, FEWEST = 160, 40
SCREEN: dict[str, object] = {"users": 0, "instruction_samples": 1, "pairs": 0}
DECISION: dict[str, object] = {"requests": 2, "samples": 1, "recognised": 0}
Answers = Sequence[tuple[str, Sampled]]
"""Requests, each with what the champion says to it."""


def as_wished(answers: Answers) -> Iterator[tuple[Sequence[Message], str]]:
    """Each answer in the form that whoever asks wishes for."""
    for request, answer in answers:
        for persona, wish in WISHED.items():
            if said := edited(answer, wish):
                yield DEFAULT.told([Message("user", request)], persona), said


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Everything before the evaluation; a decision may be taken whenever it is asked for."""
    made = make_space(tmp_path_factory.mktemp("verdicts") / "w", policy_path())
    land_talk(made, users=USERS, weights=MOST_WISH_LISTS)
    configure(made, "rewrites", {"turns": 0}, competence={**ANYBODY})
    configure(made, "candidates", {"prompts": 0}, competence={**ANYBODY})
    sampling = {**made.params.evaluate.sampling.model_dump(), "max_new_tokens": 64, "context_tokens": 320, "batch": 48}
    configure(made, "evaluate", SCREEN, sampling=sampling)
    configure(made, "confirm", DECISION, users=None)
    configure(made, "gate", {"min_users": FEWEST})
    for name in stages.stages_of("collect"):
        stages.run(name, made.root)
    ledger.begin(made.root)
    for name in ("rewrites", "candidates", "reward"):
        stages.run(name, made.root)
    return made


@pytest.fixture(scope="module")
def answers() -> Answers:
    """What the champion says, at length enough to be edited."""
    asked = requests_of("style").conversation[:64]
    served = ServedConfig(max_new_tokens=80, context_tokens=320, batch=32)
    model = local_model(policy_path(), "champion", served, ModelsConfig())
    prompts = [(Message("user", request),) for request in asked]
    said = model.chat(prompts, Sampling(temperature=0.4, max_new_tokens=80))
    return [(request, replies[0]) for request, replies in zip(asked, said, strict=True)]


def decided(space: Workspace, challenger: Path) -> GateDecision:
    """The verdict of a decision about a challenger."""
    shutil.rmtree(space.path("models/challenger"), ignore_errors=True)
    shutil.copytree(challenger, space.path("models/challenger"))
    for name in stages.stages_of("evaluate"):
        stages.run(name, space.root)
    return read_decision(space)


@pytest.fixture(scope="module")
def better(answers: Answers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A challenger that learned to heed the wish."""
    return teach(policy_path(), list(as_wished(answers)), tmp_path_factory.mktemp("better") / "m", **TAUGHT)


def test_with_too_few_users_it_is_held_and_the_number_that_is_lacking_told(space: Workspace, better: Path) -> None:
    configure(space, "gate", {"min_users": 192})
    try:
        decision = decided(space, better)
    finally:
        configure(space, "gate", {"min_users": FEWEST})
    assert decision.verdict == "hold"
    assert any("192" in text for text in decision.reasons), decision.reasons


def test_with_a_required_figure_missing_it_is_invalid(space: Workspace, better: Path) -> None:
    decided(space, better)
    rows = [row for row in read_table(space.path(RESULTS), EvalResult) if row.suite != "knowledge"]
    write_table(space.path(RESULTS), EvalResult, rows, user=lambda row: row.user_id)
    stages.run("gate", space.root)
    decision = read_decision(space)
    assert decision.verdict == "invalid"
    assert "knowledge" in decision.not_measured
