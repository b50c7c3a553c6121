"""The commands that a user types, as processes of their own: a tiny champion, a simulated log, a real server."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from rlhi.cli.app import app
from rlhi.cli.errors import hinted
from rlhi.contracts import PAST
from tests.support.commands import RLHI, one_line, rlhi
from tests.support.spaces import SHORT, TINY, land_talk, make_space


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A workspace made by `rlhi init` with sizes for tests and one cycle behind it."""
    root = tmp_path_factory.mktemp("e2e") / "w"
    made = rlhi("init", root, "--policy", tiny_policy)
    assert made.returncode == 0 and "champion policy@v0.1.0" in made.stdout, made.stderr
    shrink(root)
    donor = make_space(root.with_name("donor"), tiny_policy)
    log = land_talk(donor)
    first = rlhi("--workspace", root, "ingest", log, "--json")
    assert first.returncode == 0, first.stderr
    counts = json.loads(first.stdout)
    assert counts["new"] == counts["read"] == 60 and counts["quarantined"] == 0
    again = json.loads(rlhi("--workspace", root, "ingest", log, "--json").stdout)
    assert (again["read"], again["new"], again["duplicate"]) == (60, 0, 60)
    cycle = rlhi("--workspace", root, "cycle", "--json")
    assert cycle.returncode == 0, cycle.stderr
    report = json.loads(cycle.stdout)
    assert report["cycle"] == 1 and report["verdict"] in PAST and report["reasons"]
    assert [line.split()[0] for line in cycle.stderr.splitlines() if line.startswith("  ingest")]
    return root


def shrink(root: Path) -> None:
    """Make a workspace's cycle a matter of seconds."""
    file = root / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name in ("rewrites", "candidates", "evaluate"):
        params[name]["sampling"] = {**params[name]["sampling"], **SHORT}
    for name, values in TINY.items():
        params[name] = {**params[name], **values}
    file.write_text(yaml.safe_dump(params), encoding="utf-8")


def test_status_tells_what_is_there(space: Path) -> None:
    told = json.loads(rlhi("--workspace", space, "status", "--json").stdout)
    assert told["conversations"] == 60 and told["users"] == 30 and told["cycles"] >= 1
    assert told["pairs"] > 0 and told["champion"].startswith("policy@v0.")
    assert told["feedback"]["reattempt_with_feedback"] > 0
    assert told["last_decision"]["verdict"] in PAST and told["last_decision"]["reasons"]
    assert "champion" in rlhi("--workspace", space, "status").stdout


def test_a_second_cycle_with_nothing_new_ends_in_seconds_and_says_so(space: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=space, capture_output=True, text=True).stdout
    start = time.monotonic()
    done = rlhi("--workspace", space, "cycle")
    assert done.returncode == 0 and "nothing new" in done.stdout, done.stderr
    assert time.monotonic() - start < 60
    after = subprocess.run(["git", "rev-parse", "HEAD"], cwd=space, capture_output=True, text=True).stdout
    assert after == head


def test_label_and_score_add_their_columns(space: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    context = ["What is DNS?", "DNS maps names to addresses, which computers use.", "make it shorter"]
    turns = [{"role": "user", "content": text} for text in context]
    turns[1]["role"] = "assistant"
    rows.write_text(json.dumps({"context": turns, "id": 7}) + "\n" + json.dumps({"messages": turns}) + "\n")
    done = rlhi("label", rows, tmp_path / "labels.jsonl")
    assert done.returncode == 0, done.stderr
    labelled = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert [row["label"] for row in labelled] == ["reattempt_with_feedback"] * 2 and labelled[0]["id"] == 7
    assert all(0 < row["probability"] <= 1 for row in labelled)
    scored = {"persona": "Use bullet points.", "prompt": "How?", "response": "- one\n- two"}
    rows.write_text(json.dumps(scored) + "\n")
    assert rlhi("--workspace", space, "score", rows, tmp_path / "out.jsonl").returncode == 0
    assert isinstance(json.loads((tmp_path / "out.jsonl").read_text())["reward"], float)
    rows.write_text('{"prompt": "How?"}\n')
    assert f"{rows}:1: needs `prompt`" in one_line(rlhi("--workspace", space, "score", rows, tmp_path / "x.jsonl"))


def test_bad_logs_are_quarantined_or_refused_and_the_rest_comes_in(tmp_path: Path, tiny_policy: Path) -> None:
    root = make_space(tmp_path / "w", tiny_policy).root
    good = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text("\n".join([json.dumps(good), "{broken", '{"unknown": 1}', json.dumps({**good, "id": "two"})]))
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "strange.jsonl").write_text('{"a": 1}\n{"b": 2}\n')
    packed = gzip.compress(json.dumps({**good, "id": "three"}).encode() + b"\n")
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[:-6])
    names = ("mixed.jsonl", "empty.jsonl", "noise.bin", "strange.jsonl", "missing.jsonl", "cut.jsonl.gz")
    done = rlhi("--workspace", root, "ingest", *(tmp_path / name for name in names), "--json")
    counts = json.loads(done.stdout)
    assert done.returncode == 3 and "Traceback" not in done.stderr
    assert counts["new"] >= 2 and counts["quarantined"] >= 2
    for name in ("empty.jsonl", "noise.bin", "strange.jsonl", "missing.jsonl"):
        assert any(name in reason for reason in counts["refused"]), name
    listed = rlhi("--workspace", root, "quarantine").stdout
    assert "mixed.jsonl:2:" in listed and "mixed.jsonl:3:" in listed
    told = json.loads(rlhi("--workspace", root, "status", "--json").stdout)
    assert told["users"] == 0 and told["anonymous"] == told["conversations"] == counts["new"]


def test_errors_are_one_line_with_the_remedy(tmp_path: Path, tiny_policy: Path) -> None:
    root = make_space(tmp_path / "w", tiny_policy).root
    advised = f"run `rlhi --workspace {root} run ingest` first"
    assert advised in one_line(rlhi("--workspace", root, "run", "personas"))
    assert "needs data/" in one_line(rlhi("--workspace", root, "run", "dpo"))
    assert not (root / "cycle.json").exists(), "a refused stage begins no cycle, and pins no split"
    assert "no stage 'nonsense'" in one_line(rlhi("--workspace", root, "run", "nonsense"))
    assert "holds no model" in one_line(rlhi("init", tmp_path / "v", "--policy", tmp_path))
    text = (root / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(text + "\nlearning_rat: 1\n", encoding="utf-8")
    assert "unknown parameter 'learning_rat'" in one_line(rlhi("--workspace", root, "cycle"))
    (root / "params.yaml").write_text(text, encoding="utf-8")
    log = tmp_path / "log.jsonl"
    talk = {"messages": [{"role": "user", "content": "hi " * 9000}, {"role": "assistant", "content": "hello"}]}
    log.write_text(json.dumps(talk) + "\n")
    assert str(root) in one_line(rlhi("--workspace", root, "ingest", log, limit=4096))
    assert rlhi("--workspace", root, "ingest", log).returncode == 0, "with room again, the same command works"


def test_outside_a_workspace_nothing_is_written_and_both_remedies_are_named(tmp_path: Path) -> None:
    empty, log = tmp_path / "empty", tmp_path / "log.jsonl"
    empty.mkdir()
    log.write_text("{}\n")
    told = (
        f"rlhi: {empty} is not a workspace: make one with `rlhi init DIR`, or name one with `rlhi --workspace DIR ...`"
    )
    with socket.socket() as holder:
        # A server that would start all the same ends at once: its port is taken.
        holder.bind(("127.0.0.1", 0))
        for words in (["status"], ["ingest", log], ["rollback"], ["up", "--port", holder.getsockname()[1]]):
            assert one_line(rlhi("--workspace", empty, *words)) == told
    assert not list(empty.iterdir())


@pytest.mark.parametrize(
    "words", ["up --port 0", "up --port 70000", "simulate --users 0", "simulate --users -3", "demo d --cycles 0"]
)
def test_a_number_that_makes_no_sense_is_wrong_usage(words: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--workspace", str(tmp_path), *words.replace("demo d", f"demo {tmp_path}").split()])
    assert done.exit_code == 2 and not list(tmp_path.iterdir())


def test_advised_commands_name_the_workspace_that_was_given() -> None:
    text = "run `rlhi run pairs`; see `rlhi init DIR`, `rlhi model prepare`, `rlhi --workspace DIR ...`, rlhi status"
    assert hinted(text, Path(".")) == text
    assert hinted(text, Path("my w")) == text.replace("`rlhi run", "`rlhi --workspace 'my w' run")
    assert hinted("`rlhi up`", Path(r"a\1")) == r"`rlhi --workspace 'a\1' up`"


def test_help_takes_little_more_than_the_library_that_prints_it() -> None:
    """By what both compute, in turn: what else the machine does is not its fault, nor how fast it is."""
    library = [sys.executable, "-c", "import typer, typer.rich_utils"]
    ours, theirs = ([], [])
    for _ in range(5):
        ours.append(cpu_seconds([*RLHI, "--help"]))
        theirs.append(cpu_seconds(library))
    assert 0 < min(ours) < 1.7 * min(theirs)


def cpu_seconds(command: list[str]) -> float:
    before = os.times()
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])
