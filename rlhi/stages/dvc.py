"""The stage table as dvc.yaml, so that `dvc repro` gives what the flows give."""

from __future__ import annotations

import yaml

from rlhi.stages.table import STAGES, Stage

HEAD = """\
# Every stage of the loop, so that `dvc repro` gives what the flows give: `rlhi stages --dvc` writes this file from the
# table in rlhi/stages/table.py. `persist` leaves the outputs of an incremental stage in place, for it adds to them; the
# challenger's too, of which DVC's run cache would take a copy all the same.
"""
REGISTRY = """
# The model registry (GTO): versions are tags `policy@v0.2.0`, the champion is the tag `policy#champion#N`.
artifacts:
  policy:
    path: models/policy
    type: model
    desc: the champion, as safetensors that transformers and vLLM load as they are
"""


def dvc_yaml() -> str:
    """The whole file."""
    stages = {"stages": {name: _entry(stage) for name, stage in STAGES.items()}}
    return HEAD + yaml.safe_dump(stages, sort_keys=False, width=120) + REGISTRY


def _entry(stage: Stage) -> dict[str, object]:
    fields: dict[str, object] = {
        "cmd": f"rlhi run {stage.name}",
        "deps": list(stage.inputs),
        "params": list(stage.params),
        "outs": [_output(stage, path) for path in stage.outputs],
        "metrics": [{path: {"cache": False}} for path in stage.metrics],
    }
    return {name: value for name, value in fields.items() if value}


def _output(stage: Stage, path: str) -> str | dict[str, dict[str, bool]]:
    if path in stage.fleeting:
        return {path: {"cache": False, "persist": True}}
    return {path: {"persist": True}} if stage.keeps else path
