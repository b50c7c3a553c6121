"""The ledger on real git, DVC and GTO with files of a few bytes: what is recorded, and what a kill leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.contracts import Spending
from rlhi.stages import stages_of
from rlhi.workspace import ledger
from rlhi.workspace.repository import IGNORED
from rlhi.workspace.store import read_json, write_json

PIPELINE = """\
artifacts:
  policy: {path: models/policy, type: model}
stages:
  ingest:
    cmd: "true"
    deps: [data/incoming]
    outs: [{data/conversations: {persist: true}}]
  feedback:
    cmd: "true"
    deps: [data/conversations]
    outs: [{data/feedback: {persist: true}}]
  personas:
    cmd: "true"
    deps: [data/feedback]
    outs: [{data/personas: {persist: true}}]
  dpo:
    cmd: "true"
    deps: [cycle.json, data/personas]
    outs: [models/challenger]
  gate:
    cmd: "true"
    deps: [models/challenger]
    metrics: [{metrics/decision.json: {cache: false}}]
"""


def put(root: Path, files: dict[str, str]) -> None:
    """Write small files by moving them into place, as stages do."""
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.fresh")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(target)


def collected(root: Path, what: str) -> None:
    """What a collect would have made of one more batch."""
    put(root, {f"data/{name}/{what}.txt": what for name in ("incoming", "conversations", "feedback", "personas")})


def trained(root: Path, weights: str) -> None:
    """What learn and evaluate would have made."""
    put(root, {"models/challenger/model.safetensors": weights, "metrics/decision.json": json.dumps({"of": weights})})


def weights(root: Path, version: str) -> str:
    return (ledger.policy_path(root, version) / "model.safetensors").read_text()


def out(root: Path, *command: str) -> str:
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def dvc_status(root: Path) -> str:
    return out(root, sys.executable, "-m", "dvc", "status")


def cycled(root: Path, what: str, weights: str, verdict: str) -> None:
    """A whole cycle: one more batch, a challenger, and how it ended."""
    collected(root, what)
    ledger.begin(root)
    trained(root, weights)
    ledger.record(root, verdict, [])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of one small file."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "model.safetensors").write_text("base")
    return folder


@pytest.fixture(scope="module")
def made(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a pipeline of empty commands; tests work on copies of it."""
    root = tmp_path_factory.mktemp("made") / "w"
    ledger.init(root, base)
    (root / "dvc.yaml").write_text(PIPELINE)
    out(root, "git", "commit", "--quiet", "--all", "--message", "A small pipeline")
    return root


@pytest.fixture
def space(made: Path, tmp_path: Path) -> Path:
    """A fresh copy of the workspace."""
    return Path(shutil.copytree(made, tmp_path / "w", symlinks=True))


@pytest.fixture(scope="module")
def once(made: Path) -> Path:
    """The workspace after a cycle that promoted."""
    root = Path(shutil.copytree(made, made.with_name("once"), symlinks=True))
    cycled(root, "one", "better", "promote")
    return root


@pytest.fixture
def promoted(once: Path, tmp_path: Path) -> Path:
    """A fresh copy of that."""
    return Path(shutil.copytree(once, tmp_path / "w", symlinks=True))


def test_init_makes_a_workspace_with_a_champion(made: Path, base: Path) -> None:
    assert ledger.champion(made) == "v0.1.0"
    assert weights(made, "v0.1.0") == "base"
    assert out(made, "git", "status", "--porcelain") == ""
    for name in ("params.yaml", "prefect.yaml"):
        assert (made / name).read_text() == ledger.template(name)


def test_init_again_changes_nothing(space: Path, base: Path) -> None:
    (space / "params.yaml").write_text("seed: 7\n")
    before = out(space, "git", "rev-parse", "HEAD"), out(space, "git", "tag")
    ledger.init(space, base)
    assert (out(space, "git", "rev-parse", "HEAD"), out(space, "git", "tag")) == before
    assert (space / "params.yaml").read_text() == "seed: 7\n"


def test_init_refuses_a_folder_that_holds_something_else(base: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ledger.LedgerError, match="not empty"):
        ledger.init(tmp_path, base)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("reached", ["git", "dvc", "files", "half a policy", "no tags"])
def test_init_goes_on_where_a_killed_one_stopped(base: Path, tmp_path: Path, reached: str) -> None:
    root = tmp_path / "w"
    (root / ".rlhi").mkdir(parents=True)
    out(root, "git", "init", "--quiet", "--initial-branch=main")
    if reached in ("dvc", "files", "half a policy"):
        out(root, sys.executable, "-m", "dvc", "init", "--quiet")
    if reached == "files":
        (root / "params.yaml").write_text(ledger.template("params.yaml"))
    if reached == "half a policy":
        put(root, {"models/.policy.new/model.safetensors": "ba"})
    if reached == "no tags":
        ledger.init(root, base)
        out(root, "git", "tag", "--delete", "policy@v0.1.0", "policy#champion#1")
    ledger.init(root, base)
    assert ledger.champion(root) == "v0.1.0"
    assert weights(root, "v0.1.0") == "base"
    assert out(root, "git", "status", "--porcelain") == ""


def test_a_cycle_is_pinned_until_it_is_recorded(space: Path) -> None:
    collected(space, "one")
    pin = ledger.begin(space)
    assert (pin.cycle, pin.champion) == (1, "v0.1.0")
    assert ledger.begin(space) == pin
    trained(space, "better")
    ledger.record(space, "refuse", ["not shown to be better"])
    assert dvc_status(space) == "Data and pipelines are up to date."
    assert ledger.begin(space).cycle == 2


def test_the_first_cycle_s_split_holds_for_the_workspace_s_life(space: Path) -> None:
    collected(space, "one")
    ledger.begin(space)
    trained(space, "better")
    put(space, {"params.yaml": "split: {salt: other}\n"})
    ledger.record(space, "refuse", ["for a reason"])
    assert ledger.begin(space).cycle == 2
    assert (space / ".dvcignore").read_text() == ".*.tmp\n", "a log half copied is no version"
    said = "split.salt is 'other' in params.yaml, and 'rlhi' in this workspace's cycles: .* put it back"
    with pytest.raises(stages.StageError, match=said):
        stages.run("ingest", space)
    put(space, {"params.yaml": "split: {salt: rlhi}\n"})
    assert stages.run("drift", space).stage == "drift"


def test_a_promotion_moves_the_champion(space: Path) -> None:
    collected(space, "one")
    ledger.begin(space)
    trained(space, "better")
    done = ledger.record(space, "promote", ["satisfaction: +0.2"])
    assert (done.cycle, done.verdict, done.champion, done.promoted) == (1, "promote", "v0.1.0", "v0.2.0")
    assert ledger.champion(space) == "v0.2.0"
    assert (weights(space, "v0.1.0"), weights(space, "v0.2.0")) == ("base", "better")
    assert dvc_status(space) == "Data and pipelines are up to date."
    assert out(space, "git", "status", "--porcelain") == ""
    assert json.loads(out(space, "git", "show", f"{done.revision}:metrics/decision.json")) == {"of": "better"}


def test_versions_come_back_from_the_cache(promoted: Path, tmp_path: Path) -> None:
    shutil.rmtree(promoted / ".rlhi" / "policies")
    assert (weights(promoted, "v0.1.0"), weights(promoted, "v0.2.0")) == ("base", "better")
    out(tmp_path, sys.executable, "-m", "dvc", "artifacts", "get", str(promoted), "policy", "--stage", "champion",
        "--out", "user")  # fmt: skip
    assert (tmp_path / "user" / "model.safetensors").read_text() == "better"


@pytest.mark.parametrize(
    "ignored",
    [
        pytest.param("as init wrote it", marks=pytest.mark.long),
        "/.rlhi/\n/data/*/\n/models/*/\n/reports/\n/mine/\n",
    ],
)
def test_a_backup_by_dvc_and_git_holds_everything(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: str
) -> None:
    """Plain `dvc push` and `dvc pull`; also of a workspace whose patterns hid `data/` and `models/` from DVC.

    The remote is the user's and not the repository's: earlier commits would not know it.
    """
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "config"))
    lake, clone = tmp_path / "lake", tmp_path / "clone"
    if ignored != "as init wrote it":
        (space / ".gitignore").write_text(ignored)
    cycled(space, "first", "better", "promote")
    dvc = [sys.executable, "-m", "dvc"]
    out(space, *dvc, "remote", "add", "--global", "--default", "lake", str(lake))
    out(space, *dvc, "push")
    assert dvc_status(space) == "Data and pipelines are up to date."
    out(tmp_path, "git", "clone", "--quiet", str(space), str(clone))
    out(clone, *dvc, "pull", "--quiet")
    assert (clone / "models/policy/model.safetensors").read_text() == "better"
    assert (clone / "data/incoming/first.txt").read_text() == "first"
    assert out(clone, "git", "status", "--porcelain") == "", "and git holds none of it"
    held = (space / ".gitignore").read_text().splitlines()
    assert sorted(held) == sorted([*IGNORED, *(["/mine/"] if "mine" in ignored else [])])
    # A clone has no `.rlhi` and, on another machine, no name to commit by; former versions come with their tags.
    out(space, *dvc, "push", "--all-tags")
    out(clone, "git", "config", "user.email", "")
    assert ledger.rollback(clone, "v0.1.0") == "v0.1.0" and weights(clone, "v0.1.0") == "base"


def test_the_disk_holds_the_champion_the_one_before_and_no_refused_challenger(promoted: Path) -> None:
    for name in ("good", "best"):
        cycled(promoted, name, name, "promote")
    assert {folder.name for folder in (promoted / ".rlhi" / "policies").iterdir()} == {"v0.3.0", "v0.4.0"}
    assert ledger.rollback(promoted, "v0.2.0") == "v0.2.0", "the others come back from the cache"
    assert weights(promoted, "v0.2.0") == "better"


def test_rollback_keeps_the_history(promoted: Path) -> None:
    assert ledger.rollback(promoted) == "v0.1.0"
    assert ledger.champion(promoted) == "v0.1.0"
    assert ledger.begin(promoted).champion == "v0.1.0"
    assert [one.promoted for one in ledger.history(promoted)] == ["v0.2.0"]
    assert ledger.champion(promoted) == "v0.1.0", "the next cycle must not promote the former challenger again"
    assert ledger.rollback(promoted, "v0.2.0") == "v0.2.0"
    with pytest.raises(ledger.LedgerError, match="v0.1.0, v0.2.0"):
        ledger.rollback(promoted, "v9.9.9")


def pin(root: Path) -> tuple[int, str]:
    begun = ledger.begin(root)
    return begun.cycle, begun.champion


def test_what_decisions_spent_is_pinned_by_the_next_cycle(space: Path) -> None:
    """A cycle that goes on the day after it began decides as it would have."""
    collected(space, "one")
    begun = ledger.begin(space)
    assert begun.decisions == () and begun.day == datetime.now(UTC).date().isoformat()
    trained(space, "one")
    done = ledger.record(space, "hold", ["not shown"], spent=0.05 / 52)
    assert done.verdict == "hold" and done.decided == Spending(begun.day, 0.05 / 52)
    assert "Cycle 1: hold" in out(space, "git", "log", "--format=%s")
    collected(space, "two")
    held = read_json(space / "cycle.json")
    write_json(space / "cycle.json", {name: held[name] for name in ("cycle", "champion", "split")})
    assert ledger.begin(space).decisions == (Spending(begun.day, 0.05 / 52),)
    trained(space, "two")
    assert ledger.record(space, "refuse", ["worse"]).decided is None, "a screened night spends nothing"


def test_a_rollback_during_a_cycle_is_not_undone_by_its_end(promoted: Path) -> None:
    collected(promoted, "two")
    assert pin(promoted) == (2, "v0.2.0")
    trained(promoted, "built on it")
    ledger.rollback(promoted)
    with pytest.raises(ledger.LedgerError, match=r"against policy@v0.2.0, and policy@v0.1.0 is champion since"):
        ledger.record(promoted, "promote", [])
    assert ledger.champion(promoted) == "v0.1.0" and len(ledger.history(promoted)) == 1
    assert pin(promoted) == (2, "v0.1.0"), "the cycle begins anew"
    ledger.record(promoted, "refuse", ["not shown to be better"])
    assert (promoted / "models" / "policy" / "model.safetensors").read_text() == "base"


def test_rollback_puts_the_champion_s_files_back(promoted: Path) -> None:
    ledger.rollback(promoted)
    assert (promoted / "models" / "policy" / "model.safetensors").read_text() == "base"
    assert out(promoted, "git", "status", "--porcelain") == ""


def test_a_log_left_in_the_workspace_stays_out_of_git(space: Path) -> None:
    put(space, {"chats.jsonl": "somebody's words", "data/chats.jsonl": "somebody's words"})
    collected(space, "one")
    ledger.record_collect(space, stages_of("collect"))
    assert "chats.jsonl" not in out(space, "git", "ls-files")


def test_the_next_promotion_after_a_rollback_gets_a_version_of_its_own(promoted: Path) -> None:
    ledger.rollback(promoted)
    cycled(promoted, "two", "best", "promote")
    assert ledger.champion(promoted) == "v0.3.0"
    assert [weights(promoted, f"v0.{minor}.0") for minor in (1, 2, 3)] == ["base", "better", "best"]
    assert [(one.cycle, one.champion, one.promoted) for one in ledger.history(promoted)] == [
        (2, "v0.1.0", "v0.3.0"),
        (1, "v0.1.0", "v0.2.0"),
    ]


def test_a_collect_between_cycles_has_a_commit_of_its_own(space: Path) -> None:
    collected(space, "one")
    assert ledger.record_collect(space, stages_of("collect")) is not None
    assert "RLHI-Collect" in out(space, "git", "log", "-1", "--format=%B")
    assert ledger.record_collect(space, stages_of("collect")) is None, "nothing changed since"
    assert ledger.history(space) == []


def test_a_collect_leaves_what_was_not_trained_anew_out_of_date(space: Path) -> None:
    cycled(space, "one", "better", "refuse")
    collected(space, "two")
    ledger.record_collect(space, stages_of("collect"))
    said = dvc_status(space)
    assert "dpo" in said and "ingest" not in said


@pytest.mark.parametrize("lock", ["index.lock", "HEAD.lock", "refs/heads/main.lock"])
def test_a_dead_process_s_git_lock_does_not_stop_the_next(space: Path, lock: str) -> None:
    (space / ".git" / lock).touch()
    os.utime(space / ".git" / lock, (0, 0))
    collected(space, "one")
    assert ledger.record_collect(space, stages_of("collect")) is not None


def test_a_dead_process_s_dvc_lock_does_not_stop_the_next(space: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (space / ".dvc" / "tmp" / "lock").write_text(f"{gone.pid}\n")
    held = {"write": {str(space / "data/personas"): {"pid": gone.pid, "cmd": "dvc commit"}}}
    (space / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(held))
    collected(space, "one")
    assert ledger.record_collect(space, stages_of("collect")) is not None


@pytest.mark.parametrize("torn", ["", '{"write": {'])
def test_a_torn_dvc_lock_file_does_not_stop_the_next(space: Path, torn: str) -> None:
    (space / ".dvc" / "tmp" / "rwlock").write_text(torn)
    collected(space, "one")
    assert ledger.record_collect(space, stages_of("collect")) is not None


def test_a_live_reader_s_dvc_lock_is_respected(space: Path) -> None:
    held = {"write": {str(space / "data/personas"): {"pid": os.getpid(), "cmd": "dvc repro"}}}
    (space / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(held))
    collected(space, "one")
    with pytest.raises(ledger.LedgerError):
        ledger.record_collect(space, stages_of("collect"))


def tags_lost(space: Path) -> None:
    """Killed after the commit, before the tags."""
    out(space, "git", "tag", "--delete", "policy@v0.2.0", "policy#champion#2")


def stage_tag_lost(space: Path) -> None:
    """Killed after the version's tag, before the champion's."""
    out(space, "git", "tag", "--delete", "policy#champion#2")


@pytest.mark.parametrize("damage", [tags_lost, stage_tag_lost])
def test_a_promotion_killed_before_its_tags_is_finished_by_the_next_command(
    promoted: Path, damage: Callable[[Path], None]
) -> None:
    damage(promoted)
    assert ledger.begin(promoted).champion == "v0.2.0"
    assert len(ledger.history(promoted)) == 1


def test_a_promotion_killed_half_way_through_the_copy_is_done_again(space: Path) -> None:
    collected(space, "one")
    ledger.begin(space)
    trained(space, "better")
    shutil.rmtree(space / "models" / "policy")
    put(space, {"models/.policy.new/model.safetensors": "bet", ".rlhi/policies/.v0.2.0.new/model.safetensors": "b"})
    done = ledger.record(space, "promote", [])
    assert (done.promoted, weights(space, "v0.2.0"), weights(space, "v0.1.0")) == ("v0.2.0", "better", "base")


def writer(space: Path, call: str) -> subprocess.Popen[str]:
    imports = "import sys; from pathlib import Path; from rlhi.workspace import ledger"
    code = f"{imports}; root = Path(sys.argv[1]); print({call})"
    command = [sys.executable, "-c", code, str(space)]
    path = os.pathsep.join([str(Path(ledger.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize(
    "seconds", [pytest.param(0.8, marks=pytest.mark.long), 1.5, pytest.param(3.0, marks=pytest.mark.long)]
)
def test_killed_at_any_time_the_next_record_is_the_same(space: Path, seconds: float) -> None:
    collected(space, "one")
    ledger.begin(space)
    trained(space, "better")
    child = writer(space, "ledger.record(root, 'promote', ['x'])")
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    ledger.begin(space)
    if ledger.under_way(space) and ledger.pinned(space).cycle == 1:
        ledger.record(space, "promote", ["x"])
    assert [(one.cycle, one.promoted) for one in ledger.history(space)] == [(1, "v0.2.0")]
    assert (ledger.champion(space), weights(space, "v0.2.0")) == ("v0.2.0", "better")


def test_parallel_writers_wait_for_each_other(space: Path) -> None:
    collected(space, "one")
    writers = [writer(space, "ledger.record_collect(root, ('ingest', 'feedback', 'personas'))") for _ in range(3)]
    said = [child.communicate()[0].strip() for child in writers]
    assert [child.returncode for child in writers] == [0, 0, 0]
    assert sorted(line == "None" for line in said) == [False, True, True]
    assert out(space, "git", "status", "--porcelain") == ""


def test_another_repository_named_by_the_environment_is_left_alone(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    out(other, "git", "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    collected(space, "one")
    assert ledger.record_collect(space, stages_of("collect")) is not None
    monkeypatch.undo()
    assert "RLHI-Collect" in out(space, "git", "log", "-1", "--format=%B")


def test_what_dvc_refuses_is_told_with_its_cause(space: Path) -> None:
    ledger.begin(space)
    with (space / "params.yaml").open("a") as file:
        file.write("seed: 1\nseed: 2\n")
    with pytest.raises(ledger.LedgerError, match="`dvc .* add .* failed in .*params.yaml.* corrupted") as told:
        ledger.record(space, "refuse", ["why not"])
    assert "\n" not in str(told.value)


def test_a_missing_policy_is_one_line(tmp_path: Path) -> None:
    with pytest.raises((ledger.LedgerError, OSError)) as caught:
        ledger.init(tmp_path / "w", tmp_path / "nowhere")
    assert "\n" not in str(caught.value)
