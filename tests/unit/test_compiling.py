"""A compiler that was killed leaves a lock; who trains next must not wait for it."""

from __future__ import annotations

from pathlib import Path

from rlhi.learn.training.build_locks import free_dead_locks


def test_a_lock_that_nobody_holds_is_removed_and_one_that_is_held_stays(tmp_path: Path) -> None:
    dead, held = tmp_path / "py311_cpu" / "one" / "lock", tmp_path / "py311_cpu" / "other" / "lock"
    for lock in (dead, held):
        lock.parent.mkdir(parents=True)
        lock.touch()
    with held.open("w"):
        assert free_dead_locks(tmp_path) == [dead]
        assert held.exists() and not dead.exists()
    assert free_dead_locks(tmp_path) == [held]
    assert free_dead_locks(tmp_path / "no such folder") == []
