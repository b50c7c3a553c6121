"""Workspaces with a tiny champion, tiny sizes and a simulated log."""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import yaml

from rlhi.config import SplitConfig
from rlhi.contracts import Conversation, Signal, Turn, to_record
from rlhi.models.base import Sampling
from rlhi.models.scripted import ScriptedChatModel
from rlhi.simulate import SimulatorConfig, make_users, simulate, wish_rows, write_log
from rlhi.simulate.log import user_key
from rlhi.simulate.requests import requests_of
from rlhi.simulate.users import WishRow
from rlhi.stages.collect import incoming
from rlhi.stages.simulator.truth import EVALUATION_REQUESTS, WISHES
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, write_json, write_table
from tests.support.training import PLAIN

REPLIES = [
    "Basil needs sun and water.",
    "- Put it in the sun\n- Water it daily\n- Cut the tips",
    "1. Buy a pot\n2. Fill it with soil\n3. Water it",
    "In short, it depends. There are many things, which one can do, in order, to keep a plant alive for a long time.",
    "you can put it near a window and it will grow",
    "For example, a **window** that faces south is good. Do you have one?",
    "There are several considerations regarding this particular subject, and understanding them takes time. " * 4,
]

ANYBODY = {"answers": 0.0, "ended": 0.0, "language": 0.0}
"""Limits of competence that a model of random weights meets."""
TINY: dict[str, dict[str, object]] = {
    "split": {"judges": 0},  # few talk in them, and all of these teach
    "ingest": {"hash_users": False},  # workspaces are compared with each other, and each has a salt of its own
    "rewrites": {"turns": 12, "tries": 2, "competence": {**ANYBODY}},
    "candidates": {"prompts": 12, "n": 4, "competence": {**ANYBODY}},
    # A tiny model speaks no language: what it says is near no request.
    "pairs": {"min_margin": 0.0, "least_near": -1.0, "max_less_near": 2.0},
    "dpo": {"min_new_pairs": 4, "max_pairs": 16, "epochs": 1, "batch": 4, "accumulation": 1, "lora_rank": 4, **PLAIN},
    "evaluate": {"users": 6, "requests": 2, "samples": 1, "instruction_samples": 1, "pairs": 10, "tests": 0},
    # Who is screened decides, on every cycle.
    "confirm": {"users": 0},
    "gate": {"min_users": 2, "budget": {"decisions": 2, "days": 0}},
}
SHORT = {"max_new_tokens": 12, "context_tokens": 256, "batch": 16}


@cache
def _new(policy: Path) -> Path:
    """A workspace in which nothing ran, for this process to copy: making one starts DVC and GTO five times."""
    folder = Path(mkdtemp(prefix="rlhi-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ledger.init(folder / "w", policy)
    return folder / "w"


def make_space(root: Path, policy: Path, **sections: Mapping[str, object]) -> Workspace:
    """A workspace around ``policy`` with sizes for tests; ``sections`` override parameters."""
    shutil.copytree(_new(policy), root, symlinks=True)
    file = root / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name in ("rewrites", "candidates", "evaluate"):
        params[name]["sampling"] = {**params[name]["sampling"], **SHORT}
    for name, values in [*TINY.items(), *sections.items()]:
        params[name] = {**params[name], **values}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    return Workspace(root)


def configure(space: Workspace, section: str, given: Mapping[str, object], **values: object) -> None:
    """Change a section of a workspace's params.yaml: what is ``given``, and further values over it."""
    file = space.path("params.yaml")
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params[section] = {**params[section], **given, **values}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def land_talk(
    space: Workspace, cycle: int = 1, users: int = 30, seed: int = 0, weights: tuple[tuple[str, int], ...] = ()
) -> Path:
    """Simulated users talk to a scripted champion; the log is landed, their wishes lie where ``evaluate`` looks.

    The script answers nothing, so these users want a form alone.
    """
    config = SimulatorConfig(users=users, conversations=2, seed=seed, weights=weights, answers=False)
    split = SplitConfig()
    people = make_users(config, lambda name: split.holds_out(user_key(name)), cycle - 1)
    talks = simulate(ScriptedChatModel(REPLIES), people, {}, Sampling(), config, cycle - 1)
    log = space.path(f".rlhi/simulated/cycle-{cycle:04d}.jsonl.gz")
    log.parent.mkdir(parents=True, exist_ok=True)
    write_log(log, talks)
    wishes = [WishRow(user_key(row.user_id), row.kind, row.argument) for row in wish_rows(people)]
    write_table(space.path(WISHES), WishRow, wishes, user=lambda row: row.user_id)
    asked = requests_of("style")
    keys = {text: str(asked.keys[text]) for text in asked.evaluation}
    write_json(space.path(EVALUATION_REQUESTS), {"requests": list(asked.evaluation), "keys": keys})
    incoming.land(space, log, cycle)
    return log


def land_choices(space: Workspace, cycle: int, users: int = 40) -> Path:
    """Users choose lists and no sentences, each once: what any reward model can learn of them, and hold of others."""
    rows = []
    for at in range(users):
        answer = Turn(
            "assistant",
            f"- Sun {at}\n- Water\n- Soil",
            signals=(Signal("choice", 1.0, f"It wants sun {at}, water, soil."),),
        )
        turns = Turn("user", f"How do I keep plant {at}?"), answer
        rows.append(Conversation(f"chosen-{at}", f"chooser-{at}", "real", None, None, "en", turns, "ours"))
    log = space.path(f".rlhi/simulated/choices-{cycle:04d}.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(json.dumps(to_record(row)) + "\n" for row in rows), encoding="utf-8")
    incoming.land(space, log, cycle)
    return log
