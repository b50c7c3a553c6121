"""Let simulated users talk to a workspace's champion: their log lands like any other, their wishes stay apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlhi.collect.clean.users import pseudonym
from rlhi.config import SamplingConfig
from rlhi.models.base import Sampling
from rlhi.models.prompts import Prompts
from rlhi.progress import progress
from rlhi.simulate import (
    SimulatorConfig,
    TruthRow,
    WishRow,
    make_users,
    simulate,
    wish_rows,
    write_log,
)  # fmt: skip
from rlhi.simulate.log import user_key
from rlhi.simulate.requests import requests_of
from rlhi.stages.backends import local_model
from rlhi.stages.collect import incoming
from rlhi.stages.collect.personas import read_personas
from rlhi.stages.collect.salt import salt_of
from rlhi.stages.simulator.recovery import TRUTH
from rlhi.stages.simulator.truth import EVALUATION_REQUESTS, WISHES
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_json, write_table


@dataclass(frozen=True, slots=True)
class Talked:
    """What one round of simulated talk left: its log, and how many users had how many conversations and messages."""

    log: Path
    users: int
    conversations: int
    messages: int


def talk(workspace: Path, config: SimulatorConfig, sampling: Sampling) -> Talked:
    """Everybody talks to the champion, served with their personas; a WildChat log is landed for the coming cycle."""
    space = Workspace.open(workspace)
    params = space.params
    cycle = ledger.upcoming(space.root)
    salt = salt_of(space, params.ingest)

    def known_as(name: str) -> str:
        """The id that the workspace will know a simulated user by."""
        return pseudonym(user_key(name), salt)

    users = make_users(config, lambda name: params.split.holds_out(known_as(name)), cycle - 1)
    known = {row.user_id: row.text for row in read_personas(space)}
    personas = {user.user_id: known.get(known_as(user.user_id), "") for user in users}
    version = ledger.champion(space.root)
    folder = ledger.policy_path(space.root, version)
    read = SamplingConfig(context_tokens=params.candidates.sampling.context_tokens)
    # Users leave as they like: the most that can be said is the total.
    with progress("users talk to the champion", len(users) * config.conversations * config.max_messages) as advance:
        model = local_model(folder, f"policy@{version}", read, params.models, lambda count: advance(count, ""))
        simulated = simulate(model, users, personas, sampling, config, cycle - 1, Prompts(params.prompt))
    log = space.path(f".rlhi/simulated/cycle-{cycle:04d}.jsonl.gz")
    log.parent.mkdir(parents=True, exist_ok=True)
    write_log(log, simulated)
    wishes = [WishRow(known_as(row.user_id), row.kind, row.argument) for row in wish_rows(users)]
    write_table(space.path(WISHES), WishRow, wishes, user=lambda row: row.user_id)
    before = {(row.conversation_id, row.turn_index): row for row in read_table(space.path(TRUTH), TruthRow)}
    truth = {**before, **{(row.conversation_id, row.turn_index): row for one in simulated for row in one.truth}}
    write_table(space.path(TRUTH), TruthRow, truth.values(), user=lambda row: row.conversation_id)
    asked = requests_of(config.task)
    right = {text: str(asked.checks[text]) for text in asked.evaluation if text in asked.checks}
    keys = {text: str(asked.keys[text]) for text in asked.evaluation if text in asked.keys}
    write_json(space.path(EVALUATION_REQUESTS), {"requests": list(asked.evaluation), "checks": right, "keys": keys})
    incoming.land(space, log, cycle + ledger.under_way(space.root))
    return Talked(log, len(users), len(simulated), sum(turn.role == "user" for one in simulated for turn in one.turns))
