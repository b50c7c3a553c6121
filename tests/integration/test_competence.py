"""A model that cannot do it makes no pairs: it is asked little, and the stage says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rlhi import stages
from rlhi.contracts import Candidate, Rewrite, Sample
from rlhi.stages.learn.teachers import found_wanting
from rlhi.stages.samples import SampleStore
from rlhi.stages.status import status
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table
from tests.support.spaces import ANYBODY, REPLIES, SHORT, configure, land_talk, make_space

SMALL = {"competence": {"answers": 0.5, "ended": 0.0, "language": 0.5}, "sampling": {**SHORT, "batch": 8}}


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    made = make_space(tmp_path / "w", tiny_policy)
    land_talk(made)
    for name in stages.stages_of("collect"):
        stages.run(name, made.root)
    ledger.begin(made.root)
    for name, most in (("rewrites", "turns"), ("candidates", "prompts")):
        sampling = {**made.params.model_dump()[name]["sampling"], **SHORT, "batch": 8}
        configure(made, name, {**SMALL, "sampling": sampling, most: 16})
    return made


def samples(space: Workspace, stage: str) -> dict[str, Sample]:
    return SampleStore(space, stage).samples


def rows(space: Workspace) -> list[Rewrite]:
    return [row for row in read_table(space.path("data/rewrites"), Rewrite) if row.source == "rewrite"]


def test_a_model_of_random_weights_makes_no_pairs_and_is_asked_no_more(space: Workspace) -> None:
    reports = {name: stages.run(name, space.root) for name in ("rewrites", "candidates")}
    assert not rows(space) and not read_table(space.path("data/candidates"), Candidate)
    assert [len(samples(space, name)) for name in reports] == [12, 12], "twelve requests, of sixteen"
    for name, model in (("rewrites", "rewriter"), ("candidates", "policy")):
        note = reports[name].note
        assert (
            f"; no {name} from policy@v0.1.0: " in note
            and f"name a model that can in params.yaml (models.{model})" in note
        )
        assert dict(reports[name].counts)["outputs judged"] == str(12 * (2 if name == "rewrites" else 4))
    told = found_wanting(space)
    assert [one.split(":")[0] for one in told] == ["no rewrites from policy@v0.1.0", "no candidates from policy@v0.1.0"]
    found = status(space.root)
    assert found.wanting == told and told[0] in found.as_text() and found.as_json()["may_not_teach"] == list(told)


def test_a_killed_run_comes_to_the_same_verdict(space: Workspace) -> None:
    note = stages.run("rewrites", space.root).note
    kept = samples(space, "rewrites")
    shutil.rmtree(space.path("data/rewrites"))
    shutil.rmtree(space.path(".rlhi/competence"))
    sorted(space.path("data/samples/rewrites").glob("*.parquet"))[0].unlink()
    assert stages.run("rewrites", space.root).note == note and samples(space, "rewrites") == kept


def test_what_it_said_is_kept_for_other_limits(space: Workspace) -> None:
    stages.run("rewrites", space.root)
    configure(space, "rewrites", {"competence": ANYBODY})
    stages.run("rewrites", space.root)
    assert len(samples(space, "rewrites")) == 16 and len(rows(space)) == 16 * 2
    assert found_wanting(space) == ()


def test_another_model_is_judged_by_what_it_says_itself(space: Workspace, tmp_path: Path) -> None:
    stages.run("rewrites", space.root)
    script = tmp_path / "replies.json"
    script.write_text(json.dumps(REPLIES), encoding="utf-8")
    configure(space, "models", {"rewriter": f"scripted:{script}"})
    configure(space, "rewrites", {"competence": {"answers": 0.0, "ended": 0.5, "language": 0.5}})
    report = stages.run("rewrites", space.root)
    assert {row.model for row in rows(space)} == {"scripted:replies.json"} and len(rows(space)) == 4 * 2
    assert "no rewrites" not in report.note and dict(report.counts)["of them are language"] > "0.5"
