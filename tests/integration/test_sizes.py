"""`rlhi init --log`: a new workspace's sizes follow its log and this machine; nothing else of params.yaml changes."""

from __future__ import annotations

from pathlib import Path

from rlhi.models.base import Sampling
from rlhi.models.prompts import tokenizer_of
from rlhi.models.scripted import ScriptedChatModel
from rlhi.simulate import SimulatorConfig, make_users, simulate, write_log
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace
from tests.support.commands import rlhi
from tests.support.spaces import REPLIES


def test_a_log_sizes_a_new_workspace(tmp_path: Path, tiny_policy: Path) -> None:
    config = SimulatorConfig(users=6)
    users = make_users(config, lambda name: False, 0)
    log = tmp_path / "log.jsonl.gz"
    write_log(log, simulate(ScriptedChatModel(REPLIES), users, {}, Sampling(), config, 0))
    done = rlhi("init", str(tmp_path / "w"), "--policy", str(tiny_policy), "--log", str(log), "--hours", "1000")
    assert done.returncode == 0, done.stderr
    params = Workspace(tmp_path / "w").params
    longest = max(len(tokenizer_of(tiny_policy).encode(reply)) for reply in REPLIES)
    assert params.candidates.sampling.max_new_tokens in range(32, longest + 32) and longest > 96
    assert params.dpo.max_length == sum(
        (params.rewrites.sampling.max_new_tokens, params.rewrites.sampling.context_tokens)
    )
    assert f"max_new_tokens {params.candidates.sampling.max_new_tokens}" in done.stdout
    assert "tokens a second here" in done.stdout and f"ingest {log}" in done.stdout
    file = tmp_path / "w" / "params.yaml"
    kept = file.read_text(encoding="utf-8")
    comments = [
        [line.partition("#")[2] for line in text.splitlines()] for text in (kept, ledger.template("params.yaml"))
    ]
    assert comments[0] == comments[1]
    again = rlhi("init", str(tmp_path / "w"), "--policy", str(tiny_policy), "--log", str(log))
    assert again.returncode == 0 and "params.yaml is as it was" in again.stdout
    assert file.read_text(encoding="utf-8") == kept


def test_a_log_that_cannot_be_read_makes_no_workspace(tmp_path: Path, tiny_policy: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing\n", encoding="utf-8")
    done = rlhi("init", str(tmp_path / "w"), "--policy", str(tiny_policy), "--log", str(tmp_path / "notes.txt"))
    assert done.returncode == 1 and "notes.txt" in done.stderr and not (tmp_path / "w").exists()
