"""Real conversations through the loop, on the embedded model. The longest test: a module of its own, to begin first."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import yaml

from tests.support.commands import rlhi
from tests.support.spaces import ANYBODY


# On two slow cores that other tests share it took more than a quarter of an hour; alone some minutes.
@pytest.mark.timeout(3000)
def test_real_conversations_go_through_the_loop_on_the_embedded_model(tmp_path: Path, real_data: Path) -> None:
    root, part = tmp_path / "w", tmp_path / "part.jsonl"
    with gzip.open(real_data / "conversations.jsonl.gz", "rt", encoding="utf-8") as log:
        lines = [line for line in log if '"ifllm"' in line or '"simulatorarena"' in line]
    part.write_text("".join(lines[:110]), encoding="utf-8")
    assert rlhi("init", root).returncode == 0
    sizes: dict[str, dict[str, object]] = {
        "rewrites": {"turns": 3, "tries": 2, "competence": {**ANYBODY}},
        "candidates": {"prompts": 8, "n": 3, "competence": {**ANYBODY}}, "pairs": {"min_margin": 0.0},
        "dpo": {"min_new_pairs": 4, "max_pairs": 6, "epochs": 1, "max_length": 384},
        "evaluate": {"users": 4, "requests": 1, "samples": 1, "instruction_samples": 1, "pairs": 4},
    }  # fmt: skip
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    for name, values in sizes.items():
        params[name] = {**params[name], **values}
        if "limits" in params[name]:
            params[name]["limits"] |= {"too_long": 0.95}  # most of what people wrote here is longer
        if "sampling" in params[name]:
            params[name]["sampling"] = {**params[name]["sampling"], "max_new_tokens": 24, "context_tokens": 256}
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    assert rlhi("--workspace", root, "ingest", part).returncode == 0
    done = rlhi("--workspace", root, "cycle", "--json", seconds=2700)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["stages"]["candidates"] and "used " in done.stderr
    decision = json.loads((root / "metrics/decision.json").read_text(encoding="utf-8"))
    assert "satisfaction" in decision["not_measured"]
    assert {one["suite"] for one in decision["measurements"]} >= {"preference", "fluency", "instructions"}
    assert (root / "reports/index.html").is_file()
