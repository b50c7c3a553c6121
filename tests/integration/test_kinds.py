"""The stage ``gate`` tells who gained and who lost, by what users' personas ask for."""

from __future__ import annotations

from pathlib import Path

from rlhi.contracts import DriftReport, EvalResult, Persona, ToldClaim, to_record
from rlhi.evaluate.said import Model
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.evaluate.gate import KIND_USERS, gate
from rlhi.workspace.store import write_json, write_table
from tests.support.spaces import make_space

MODELS: tuple[Model, Model] = ("champion", "challenger")
KINDS = ("at_most_words", "bullet_list")


def persona(at: int, kind: str) -> Persona:
    claim = ToldClaim("As I ask.", f"{kind}:40")
    return Persona(f"p{at}", f"user-{at}", "v1", claim.text, (), 2, told=(claim,))


def test_every_kind_with_enough_users_is_measured_by_itself(tmp_path: Path, tiny_policy: Path) -> None:
    space = make_space(tmp_path / "w", tiny_policy)
    kinds = [KINDS[at % 2] for at in range(2 * KIND_USERS)] + ["rare"] * (KIND_USERS - 1)
    results = []
    for at, kind in enumerate(kinds):
        gained, lost = float(kind == KINDS[0]), float(kind == KINDS[1])
        for model, values in zip(MODELS, ((lost, 1.0), (gained, 1.0 - lost)), strict=True):
            for suite, value in zip(("satisfaction", "kept", "nearness"), (*values, 1.0), strict=True):
                results.append(EvalResult(suite, "r/0", f"user-{at}", model, value))
    write_json(space.path("cycle.json"), {"cycle": 1, "champion": "v0.1.0"})
    write_json(space.path("data/drift/drift.json"), to_record(DriftReport("no_reference", 0.0, (), (), 9, 0)))
    write_table(space.path("data/evaluation"), EvalResult, results, user=lambda row: row.user_id)
    write_table(space.path("data/confirmation"), EvalResult, [], user=lambda row: row.user_id)
    people = [persona(at, kind) for at, kind in enumerate(kinds)]
    write_table(space.path("data/personas"), Persona, people, user=lambda row: row.user_id)

    params = space.params
    gate(space, evaluate=params.evaluate, confirm=params.confirm, gate=params.gate, seed=0)
    groups = {(one.group, one.suite): one.gain.mean for one in read_decision(space).measurements if one.group}
    assert groups == {
        ("at most words", "satisfaction"): 1.0, ("at most words", "kept"): 0.0,
        ("bullet list", "satisfaction"): -1.0, ("bullet list", "kept"): -1.0,
    }  # fmt: skip
    assert any("kept of users who ask for bullet list" in reason for reason in read_decision(space).reasons)
