"""Training fails loudly: each cause is provoked in a real run, and is one line that names it; so ends its process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rlhi.config import DpoConfig
from rlhi.contracts import to_record
from rlhi.learn.pairs.lessons import Row
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.run import TrainingError, weights_hash
from tests.support.training import PLAIN, WORDS, made_judged, made_pairs, make_pair, plan_of, run, run_here, trained

FAST = {"batch": 2, "accumulation": 1, "epochs": 2, "lora_rank": 0, "precision": "fp32", "max_length": 256, **PLAIN}
EQUAL = [*made_pairs(15), make_pair(15, "the same words", "the same words")]
LIKED = [row for row in made_judged() if row.wanted]
SHORT_LIKED = [*LIKED, *(replace(row, response=f"{row.response} {'so ' * 300}") for row in made_judged()[1:8:2])]
ONE_ANSWER = [make_pair(at, "Always this one.", f"{WORDS[at % 8]} {at}") for at in range(16)]


@pytest.mark.parametrize(
    ("config", "rows", "said"),
    [
        ({}, EQUAL, "1 of 16 pairs have equal answers"),
        ({}, ONE_ANSWER, "16 of 16 pairs have the same chosen answer (3 words long)"),
        ({"method": "kto"}, LIKED, "all 8 judged answers are wanted: KTO compares"),
        ({"method": "kto"}, SHORT_LIKED, "all 8 judged answers are wanted: KTO compares"),
        ({"method": "kto", "limits": {"too_long": 0.1}}, SHORT_LIKED, "4 of 12 pairs and judged answers do not fit"),
        ({"max_length": 32}, None, "none of 16 pairs fits dpo.max_length=32 tokens"),
        ({"learning_rate": 1e30}, None, "loss is nan at step 3: lower dpo.learning_rate"),
        ({"learning_rate": 30.0, "method": "sft"}, None, "it explodes, lower dpo.learning_rate"),
        ({"learning_rate": 1e39, "epochs": 0.125}, None, "weights hold no numbers"),
        ({"beta": 1e-40}, None, "the gradient is 0 at 3 steps in a row"),
        ({"learning_rate": 1.0, "beta": 0.5}, None, "the chosen answers collapse: rewards/chosen is -"),
    ],
    ids=["equal", "one answer", "one kind", "one kind fits", "too long for KTO", "too long", "NaN", "explosion",
         "last step", "no gradient", "collapse"],
)  # fmt: skip
def test_training_stops_with_a_named_reason(
    tmp_path: Path, tiny_policy: Path, config: dict[str, object], rows: list[Row] | None, said: str
) -> None:
    with pytest.raises(TrainingError) as error:
        run_here(tiny_policy, tmp_path, DpoConfig.model_validate(FAST | config), rows)
    told = str(error.value)
    assert said in told and "\n" not in told
    assert not (tmp_path / "model").exists()


def failure(base: Path, output: Path, config: DpoConfig, rows: Sequence[Row] | None = None) -> str:
    """The one line that a training's own process ends with."""
    with pytest.raises(TrainingError) as error:
        run(base, output, config, rows)
    told = str(error.value)
    assert "training ended with code 1: rlhi: training stopped: " in told and "\n" not in told
    return told


def test_a_process_that_cannot_begin_says_why(tmp_path: Path, tiny_policy: Path) -> None:
    told = failure(tiny_policy, tmp_path, DpoConfig.model_validate(FAST), ONE_ANSWER)
    assert "16 of 16 pairs have the same chosen answer (3 words long)" in told
    assert not (tmp_path / "model").exists()


def test_a_stopped_training_leaves_no_checkpoints_to_go_on_from(tmp_path: Path, tiny_policy: Path) -> None:
    config = DpoConfig.model_validate(FAST | {"learning_rate": 1e30, "save_steps": 1})
    assert "loss is nan at step 3: lower dpo.learning_rate" in failure(tiny_policy, tmp_path, config)
    assert len((tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) >= 2
    assert not (tmp_path / "trainer").exists()


def test_a_template_that_outgrows_the_estimate_is_found_before_it_cuts_answers(
    tmp_path: Path, tiny_policy: Path
) -> None:
    from transformers import AutoTokenizer

    base = tmp_path / "base"
    shutil.copytree(tiny_policy, base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    wordy = "{% if message['role'] == 'assistant' %}" + "one two three " * 8 + "{% endif %}<|im_end|>"
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", wordy)
    tokenizer.save_pretrained(base)
    longest = max(len(tokenizer.encode(pair.rejected)) for pair in made_pairs())
    prompts = [[to_record(message) for message in pair.prompt] for pair in made_pairs()]
    prompt = max(len(tokenizer.apply_chat_template(one)["input_ids"]) for one in prompts)
    config = DpoConfig.model_validate(FAST | {"max_length": prompt + longest + 10})
    with pytest.raises(TrainingError, match=r"truncation would cut \d+ of 16 answers \(rejected_ids\)"):
        run_here(base, tmp_path / "out", config)


def test_fewer_processes_than_asked_for_do_not_train(tmp_path: Path, tiny_policy: Path) -> None:
    plan = PolicyPlan(base=tiny_policy, output=tmp_path, seed=0, dpo=DpoConfig(processes=2))
    plan.rows.write_text("")
    plan.file.write_text(plan.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "rlhi.learn.training.policy", "--config", str(plan.file)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "1 processes joined, dpo.processes asks for 2" in done.stderr.splitlines()[-1]


def test_a_training_started_in_another_checkout_runs_the_code_that_started_it(
    tmp_path: Path, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rlhi").mkdir()
    (tmp_path / "rlhi" / "__init__.py").write_text("raise SystemExit('the wrong package')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = run(tiny_policy, tmp_path / "out", DpoConfig.model_validate(FAST | {"epochs": 0.25}))
    assert (done.model / "config.json").is_file()


def test_a_reference_other_than_the_champion_does_not_train(tmp_path: Path, tiny_policy: Path) -> None:
    config = DpoConfig.model_validate(FAST)
    with pytest.raises(TrainingError, match="the reference is not the champion: the weights in .* hash to"):
        trained(plan_of(tiny_policy, tmp_path, config, reference="0" * 64))
    resolved = json.loads((tmp_path / "resolved.json").read_text(encoding="utf-8"))
    assert resolved["reference"] == "0" * 64
    assert weights_hash(tiny_policy) == weights_hash(tiny_policy) != "0" * 64
