"""`rlhi export pairs`: the files are what `datasets` and TRL's trainers read as they are."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlhi.config import DpoConfig, Method
from rlhi.contracts import PreferencePair
from rlhi.learn.training.methods import METHODS, method_of
from rlhi.learn.training.rows import trl_row
from rlhi.workspace.store import Workspace, write_table
from tests.support.spaces import make_space
from tests.support.training import made_pairs


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    """A workspace with pairs."""
    space = make_space(tmp_path_factory.mktemp("space") / "w", tiny_policy)
    write_table(space.path("data/pairs"), PreferencePair, made_pairs(8), user=lambda row: row.user_id)
    return space


def export(space: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as a person runs it."""
    program = "from rlhi.cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "--workspace", str(space.root), "export", "pairs", *arguments],
        capture_output=True, text=True,
    )  # fmt: skip


FIRST = {"dpo": math.log(2), "kto": 0.5}
"""The first loss where it follows from the method alone."""


@pytest.mark.parametrize("method", METHODS)
def test_trl_reads_the_file_that_was_exported_for_it(
    space: Workspace, tmp_path: Path, tiny_policy: Path, method: Method
) -> None:
    from datasets import load_dataset
    from transformers import AutoConfig

    way, config = method_of(method), DpoConfig(share_prompt=False)
    rows = len(way.rows([trl_row(pair) for pair in made_pairs(8)]))
    out = tmp_path / "pairs.jsonl"
    done = export(space, str(out), "--method", method)
    assert (done.returncode, done.stdout) == (0, f"{rows} rows: {out}\n"), done.stderr
    data = load_dataset("json", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(data) == rows and {"key", "user_id", "source", "persona_version", "reward_chosen"} <= set(
        data.column_names
    )
    # TRL's own, as a script has them.
    kind = way.trainer(config, AutoConfig.from_pretrained(tiny_policy))
    assert kind.__module__.startswith("trl.")
    told: dict[str, Any] = {
        "output_dir": str(tmp_path / "trl"), "per_device_train_batch_size": 4, "max_steps": 1, "use_cpu": True,
        "bf16": False, "logging_steps": 1, "save_strategy": "no", "report_to": "none", "disable_tqdm": True,
    }  # fmt: skip
    arguments = type(way.arguments(config, told))(**told)
    trainer = kind(str(tiny_policy), args=arguments, train_dataset=data)
    trainer.train()
    loss = next(row["loss"] for row in trainer.state.log_history if "loss" in row)
    assert loss == pytest.approx(FIRST[method], abs=0.01) if method in FIRST else 0 < loss < 10


def test_standard_output_has_the_same_rows_and_no_pairs_are_one_line(
    space: Workspace, tmp_path: Path, tiny_policy: Path
) -> None:
    rows = [json.loads(line) for line in export(space).stdout.splitlines()]
    assert {row["key"]: row["chosen"][0]["content"] for row in rows} == {p.key: p.chosen for p in made_pairs(8)}
    assert rows[0]["prompt"][-1]["role"] == "user"
    empty = make_space(tmp_path / "empty", tiny_policy)
    done = export(empty)
    remedy = f"run `rlhi --workspace {empty.root} cycle`"
    assert done.returncode == 1 and done.stderr == f"rlhi: {empty.root} has no data/pairs yet: {remedy}\n"
    done = export(Workspace(tmp_path))
    remedy = "make one with `rlhi init DIR`, or name one with `rlhi --workspace DIR ...`"
    assert done.returncode == 1 and done.stderr == f"rlhi: {tmp_path} is not a workspace: {remedy}\n"
