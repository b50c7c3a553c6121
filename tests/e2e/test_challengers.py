"""Challengers with real weights that learned one bad habit are refused, for the right reason.

On 2026-11-29 the demo promoted a model that answered "Use numbered steps" to a question, with every figure green.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlhi import stages
from rlhi.contracts import Message
from rlhi.evaluate.suites.knowledge import questions
from rlhi.models.prepare import policy_path
from rlhi.models.prompts import Prompts
from rlhi.simulate.requests import requests_of
from rlhi.stages.evaluate.decision import read_decision
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace
from tests.support.spaces import ANYBODY, configure, land_talk, make_space
from tests.support.taught import Habit, teach

# Nearly everyone is answered otherwise than before: a few users show it. Knowledge has one size, 164 questions.
FEW: dict[str, object] = {
    "users": 8, "requests": 2, "samples": 1, "instruction_samples": 1, "recognised": 0, "lift_samples": 0, "pairs": 0,
}  # fmt: skip
MANY = {**FEW, "users": 14, "requests": 3, "recognised": 1}
PERSONAS = ("Use numbered steps.", "Do not use commas.", "Keep answers to at most 40 words.", "Use bullet points.")


def echoes() -> Habit:
    """The persona said again in place of an answer, as the promoted model did."""
    asked = requests_of("style").conversation[:64]
    told = [(text, PERSONAS[at % 4]) for at, text in enumerate(asked)]
    return [(Prompts().told([Message("user", text)], persona), persona) for text, persona in told]


def shortens() -> Habit:
    """Some words on the topic and nothing in them, whoever asks."""
    asked = requests_of("style").conversation[:64]
    said = "It depends on what you need."
    return [
        (Prompts().told([Message("user", text)], PERSONAS[at % 4] if at % 2 else ""), said)
        for at, text in enumerate(asked)
    ]


def forgets() -> Habit:
    """A wrong answer to every question of fact."""
    return [((Message("user", one.question),), one.answers[1 + at % 3]) for at, one in enumerate(questions())]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Forty simulated users of whom the embedded model's reward model has heard."""
    made = make_space(tmp_path_factory.mktemp("challengers") / "w", policy_path())
    land_talk(made, users=40)
    for name in ("rewrites", "candidates"):
        sizes = {"turns": 0} if name == "rewrites" else {"prompts": 0}
        configure(made, name, sizes, competence={**ANYBODY})
    sampling = {**made.params.evaluate.sampling.model_dump(), "max_new_tokens": 40, "context_tokens": 320, "batch": 48}
    configure(made, "evaluate", FEW, sampling=sampling)
    for name in stages.stages_of("collect"):
        stages.run(name, made.root)
    ledger.begin(made.root)
    for name in ("rewrites", "candidates", "reward"):
        stages.run(name, made.root)
    return made


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("habit", "taught", "sizes", "reason"),
    [
        pytest.param(echoes, {"steps": 8, "rate": 1e-4}, FEW, "nearness", id="echoes the persona"),
        pytest.param(shortens, {}, MANY, "answers", id="only shortens", marks=pytest.mark.long),
        pytest.param(forgets, {}, FEW, "knowledge", id="forgets", marks=pytest.mark.long),
    ],
)
def test_a_bad_habit_is_refused_by_its_name(
    space: Workspace, habit: Callable[[], Habit], taught: dict[str, Any], sizes: dict[str, object], reason: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    challenger = teach(policy_path(), habit(), tmp_path / "challenger", **taught)
    configure(space, "evaluate", sizes)
    shutil.rmtree(space.path("models/challenger"), ignore_errors=True)
    shutil.copytree(challenger, space.path("models/challenger"))
    for name in stages.stages_of("evaluate"):
        stages.run(name, space.root)
    decision = read_decision(space)
    assert decision.verdict == "refuse"
    (said,) = (text for text in decision.reasons if text.startswith(f"{reason} "))
    assert "beyond the allowed drop" in said, decision.reasons
