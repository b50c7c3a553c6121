"""Folders of training runs: what is left of others goes, what still runs stays."""

from __future__ import annotations

import fcntl
from pathlib import Path

from rlhi.learn.training.run import RESULT
from rlhi.stages.learn.runs import discard, keep_only


def test_another_run_s_folder_goes_unless_it_still_runs(tmp_path: Path) -> None:
    for name in ("mine", "left", "running"):
        (tmp_path / name / "trainer").mkdir(parents=True)
    with (tmp_path / "running" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        keep_only(tmp_path, tmp_path / "mine")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "running"]
    keep_only(tmp_path)
    assert not list(tmp_path.iterdir())
    keep_only(tmp_path / "of no runs")


def test_a_result_goes_before_its_model(tmp_path: Path) -> None:
    run, stuck = tmp_path / "run", tmp_path / "stuck"
    (run / "model").mkdir(parents=True)
    (run / RESULT).write_text("{}", encoding="utf-8")
    # shutil removes no folder through a link: the removal ends here.
    stuck.symlink_to(run)
    discard(stuck)
    assert (run / "model").exists() and not (run / RESULT).exists()
    discard(run)
    discard(run)
    assert not run.exists()
