"""The stages that sample, in a workspace: what cannot be read or had not ended is told, and not learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlhi import stages
from rlhi.contracts import Candidate, PreferencePair, Rewrite
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table
from tests.support.spaces import SHORT, configure, land_talk, make_space


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    made = make_space(tmp_path / "w", tiny_policy)
    land_talk(made)
    for name in stages.stages_of("collect"):
        stages.run(name, made.root)
    ledger.begin(made.root)
    return made


def test_an_answer_that_the_rewriter_cannot_read_whole_is_not_rewritten(space: Workspace) -> None:
    """Asked with the complaint alone, it would write of nothing, and the pair would be learned from."""
    configure(space, "rewrites", {"sampling": {**SHORT, "context_tokens": 64}})
    left_out = dict(stages.run("rewrites", space.root).counts)["too long for the rewriter with the answer"]
    few = [row for row in read_table(space.path("data/rewrites"), Rewrite) if row.source == "rewrite"]
    configure(space, "rewrites", {"sampling": {**SHORT, "context_tokens": 2048}})
    counts = dict(stages.run("rewrites", space.root).counts)
    rows = [row for row in read_table(space.path("data/rewrites"), Rewrite) if row.source == "rewrite"]
    assert int(left_out) > 0 and "too long for the rewriter with the answer" not in counts
    assert len(rows) > len(few) and {row.key for row in few} <= {row.key for row in rows}


def test_what_had_not_ended_is_told_and_not_chosen_beside_what_had(space: Workspace) -> None:
    notes = {name: stages.run(name, space.root).note for name in ("rewrites", "candidates", "reward", "pairs")}
    drawn = read_table(space.path("data/candidates"), Candidate)
    cut = {row.text for row in drawn if row.cut}
    assert 2 * sum(row.cut for row in drawn) > len(drawn)
    assert "tokens and teach no end; a larger sampling.max_new_tokens" in notes["candidates"]
    made = [row for row in read_table(space.path("data/pairs"), PreferencePair) if row.source == "reward"]
    assert made and all(row.rejected in cut for row in made if row.chosen in cut)
