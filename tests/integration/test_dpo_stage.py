"""The stage around training: what it leaves when it fails, what it resumes, and what a challenger carries."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rlhi import stages
from rlhi.cli.errors import explain
from rlhi.config import DpoConfig
from rlhi.contracts import JudgedAnswer, PreferencePair
from rlhi.learn.pairs.lessons import lesson
from rlhi.learn.training.launch import OPEN
from rlhi.learn.training.resume import COMPLETE
from rlhi.learn.training.run import TrainingError, weights_hash
from rlhi.stages.learn.dpo import TRAINING, join
from rlhi.stages.learn.draw import Champion, Draw
from rlhi.stages.learn.runs import RUNS
from rlhi.workspace import ledger
from rlhi.workspace.locks import alone
from rlhi.workspace.store import Workspace, read_json, write_table
from tests.support.cycles import digest
from tests.support.spaces import configure, make_space
from tests.support.training import made_pairs, make_pair

FAST = {"min_new_pairs": 4, "max_pairs": 16, "batch": 2, "accumulation": 1, "epochs": 1, "lora_rank": 4}
FORMER = {"champion": "v0.0.9", "lessons": []}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A workspace in a cycle, with pairs and a former challenger; copied by every test."""
    root = tmp_path_factory.mktemp("spaces") / "made"
    space = make_space(root, tiny_policy)
    ledger.begin(root)
    write_table(space.path("data/pairs"), PreferencePair, made_pairs(), user=lambda row: row.user_id)
    write_table(space.path("data/judged"), JudgedAnswer, [], user=lambda row: row.user_id)
    for name in ("data/conversations", "data/feedback", "data/personas", "models/reward", "models/challenger"):
        space.path(name).mkdir(parents=True)
    (root / "models/challenger" / "weights").write_text("the former challenger")
    return root


@pytest.fixture
def space(made: Path, tmp_path: Path) -> Workspace:
    """A copy of it."""
    root = tmp_path / "space"
    shutil.copytree(made, root, symlinks=True)
    return Workspace(root)


def failure(space: Workspace) -> str:
    """What the stage says when it fails; the former challenger is still there."""
    with pytest.raises(TrainingError) as error:
        stages.run("dpo", space.root)
    told = explain(error.value)
    assert told is not None and "\n" not in told and "Traceback" not in told
    assert space.path("models/challenger/weights").read_text() == "the former challenger"
    return told


def test_a_failed_training_is_one_line_and_leaves_the_former_challenger(space: Workspace) -> None:
    configure(space, "dpo", FAST, learning_rate=1e30, lora_rank=0)
    assert "rlhi: training stopped: loss is nan at step 2: lower dpo.learning_rate" in failure(space)
    pairs = [make_pair(at, "Always this one.", f"Not number {at}.") for at in range(8)]
    write_table(space.path("data/pairs"), PreferencePair, pairs, user=lambda row: row.user_id)
    assert "8 of 8 pairs have the same chosen answer" in failure(space)


def test_a_champion_whose_weights_are_not_those_that_were_promoted_is_refused(space: Workspace) -> None:
    configure(space, "dpo", FAST)
    champion = ledger.policy_path(space.root, "v0.1.0")
    (champion / TRAINING).write_text('{"weights": "' + "0" * 64 + '"}', encoding="utf-8")
    assert "the reference is not the champion" in failure(space)


def test_the_challenger_carries_its_origin_and_the_work_is_cleaned_up(space: Workspace) -> None:
    configure(space, "dpo", FAST, save_steps=2)
    left = space.path(RUNS) / "of-other-pairs"
    left.mkdir(parents=True)
    report = stages.run("dpo", space.root)
    folder = space.path("models/challenger")
    record, card = read_json(folder / TRAINING), (folder / "README.md").read_text(encoding="utf-8")
    weights = weights_hash(ledger.policy_path(space.root, "v0.1.0"))
    assert (record["champion"], record["method"], record["reference"]) == ("v0.1.0", "dpo", weights)
    assert record["weights"] == weights_hash(folder) != weights
    assert weights in card and "verdict | not yet" in card
    assert not (folder / "weights").exists() and not any(space.path(RUNS).iterdir())
    assert ("resumed from step", "0") in report.counts
    from transformers import AutoModelForCausalLM

    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 0


@pytest.mark.long
def test_a_stage_killed_in_training_is_resumed_and_makes_the_same_challenger(space: Workspace, tmp_path: Path) -> None:
    configure(space, "dpo", FAST, save_steps=2, batch=1)
    other = Workspace(tmp_path / "undisturbed")
    shutil.copytree(space.root, other.root, symlinks=True)
    stages.run("dpo", other.root)
    program = "import sys; from pathlib import Path; from rlhi import stages; stages.run('dpo', Path(sys.argv[1]))"
    killed = subprocess.Popen(
        [sys.executable, "-c", program, str(space.root)], start_new_session=True, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 120
    while not any(space.path(RUNS).glob(f"*/trainer/checkpoint-*/{COMPLETE}")):
        assert killed.poll() is None and time.monotonic() < until, "no checkpoint was written"
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert space.path("models/challenger/weights").read_text() == "the former challenger"
    report = stages.run("dpo", space.root)
    assert int(dict(report.counts)["resumed from step"]) >= 2
    assert digest(space.root, "models/challenger") == digest(other.root, "models/challenger")
    assert not any(space.path(RUNS).iterdir())


LONG = make_pair(90, "Water it. " * 120, "Leave it. " * 120)


def drawn(
    space: Workspace, rows: list[PreferencePair], record: dict[str, object], dpo: DpoConfig | None = None
) -> Draw:
    """A draw for the workspace's champion, of whose training ``record`` tells."""
    version = ledger.pinned(space.root).champion
    champion = Champion(version, ledger.policy_path(space.root, version), record)
    return Draw(list(rows), champion, dpo or space.params.dpo, space.params.pairs.replay, 0)


def test_a_pair_that_does_not_fit_takes_no_room_and_is_no_lesson_learned(space: Workspace) -> None:
    others = [replace(LONG, key=f"long{at}", conversation_id=f"long{at}") for at in range(5)]
    write_table(space.path("data/pairs"), PreferencePair, [*made_pairs(), *others], user=lambda row: row.user_id)
    configure(space, "dpo", FAST, max_pairs=len(made_pairs()), max_length=384)
    report = stages.run("dpo", space.root)
    record = read_json(space.path("models/challenger") / TRAINING)
    assert str(record["too_long"]) == dict(report.counts)["too long"]
    assert record["new_pairs"] == len(made_pairs()), "those that fit fill the room"
    assert record["lessons"] == sorted(map(lesson, made_pairs()))
    left_out = record["not_learned"]
    assert isinstance(left_out, dict) and len(left_out) == record["too_long"]
    assert left_out.keys() <= {row.key for row in others} and set(left_out.values()) == {384}


def test_what_did_not_fit_one_night_is_asked_again_when_more_fits(space: Workspace) -> None:
    known: dict[str, object] = {"not_learned": {LONG.key: 384, "gone": 384}}

    def made(limit: int) -> int:
        dpo = space.params.dpo.model_copy(update={"max_length": limit})
        return len(drawn(space, [LONG], known, dpo).made)

    assert [made(limit) for limit in (256, 384, 385, 1024)] == [0, 0, 1, 1]
    other = drawn(space, [replace(LONG, key="another text")], known)
    assert len(other.made) == 1 and other.not_learned == {}


def test_what_was_learned_and_fits_no_more_stops_nothing(space: Workspace) -> None:
    others = [replace(LONG, key=f"long{at}", conversation_id=f"long{at}") for at in range(60)]
    configure(space, "dpo", FAST, max_length=384)
    draw = drawn(space, [*made_pairs(), *others], {"lessons": list(map(lesson, others))})
    new, replayed = draw.rows(64)
    assert len(new) == len(made_pairs()) and not replayed and not draw.too_long and not draw.not_learned


def test_what_does_not_fit_is_counted_in_one_draw_however_many_rounds_there_are(space: Workspace) -> None:
    """A round draws less than there is: of that, what the whole draw left out would be more than may be."""
    ours = made_pairs()
    others = [replace(LONG, key=f"long{at}", conversation_id=f"long{at}") for at in range(len(ours) * 2 // 3)]
    configure(space, "dpo", FAST, max_length=384)
    draw = drawn(space, [*ours, *others], {})
    new, _ = draw.rows(len(ours))
    draw.check(new)
    assert len(draw.rows(len(ours) // 3)[0]) == len(ours) // 3
    with pytest.raises(TrainingError, match="new pairs do not fit"):
        draw.check(new[: len(ours) // 3])


def test_a_training_of_one_step_learns_and_one_that_changes_nothing_is_an_error(space: Workspace) -> None:
    configure(space, "dpo", FAST, learning_rate=1e-30)
    assert "8 steps changed no weight, as saved in bf16: raise dpo.learning_rate=1e-30" in failure(space)
    configure(space, "dpo", FAST, learning_rate=5e-3, accumulation=64)
    stages.run("dpo", space.root)
    record: dict[str, Any] = read_json(space.path("models/challenger") / TRAINING)
    assert len(record["history"]) == 1 and record["weights"] != record["reference"]


def test_most_of_the_new_pairs_do_not_fit(space: Workspace) -> None:
    others = [replace(LONG, key=f"long{at}", conversation_id=f"long{at}") for at in range(60)]
    write_table(space.path("data/pairs"), PreferencePair, [*made_pairs(), *others], user=lambda row: row.user_id)
    configure(space, "dpo", FAST, max_pairs=64, max_length=384)
    with pytest.raises(TrainingError, match="of .* new pairs do not fit dpo.max_length=384 tokens"):
        stages.run("dpo", space.root)
    configure(space, "dpo", FAST, max_pairs=700, max_length=384, min_new_pairs=500)
    report = stages.run("dpo", space.root)
    assert "new pairs that fit dpo.max_length (60 do not), dpo.min_new_pairs is 500" in report.note
    assert space.path("models/challenger").is_dir()


def test_a_second_process_waits_and_finds_the_stage_done(space: Workspace) -> None:
    configure(space, "dpo", FAST)
    program = "import sys; from rlhi.cli.app import main; sys.argv[0] = 'rlhi'; main()"
    arguments = [sys.executable, "-c", program, "--workspace", str(space.root), "run", "dpo"]
    with alone(space, "dpo"):
        second = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert second.stderr is not None
        assert "waiting for another command that runs the stage dpo" in second.stderr.readline()
        stages.run("dpo", space.root)
        assert second.poll() is None
    said, _ = second.communicate(timeout=120)
    assert second.returncode == 0 and "up to date: nothing new" in said


def test_a_node_that_finds_no_training_says_so(space: Workspace) -> None:
    dead = space.path(RUNS) / "killed"
    dead.mkdir(parents=True)
    (dead / OPEN).touch()  # what a killed run leaves: nobody holds its lock
    with pytest.raises(TrainingError, match="no training began in .* within 0.1 s"):
        join(space, 1, 0.1)
