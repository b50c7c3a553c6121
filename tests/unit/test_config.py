"""params.yaml: all defaults, no other name, no wrong value; and the split that it fixes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import ConfigError, GateConfig, GuardConfig, Params, SplitConfig, load_params
from rlhi.config.learn import Tracker

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = Params().model_dump(mode="json")


def sections(tree: dict[str, object], *path: str) -> Iterator[tuple[str, ...]]:
    """The path of every section, the top first."""
    yield path
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from sections(value, *path, name)


SECTIONS = [path for path in sections(DEFAULTS) if path[-1:] not in (("gains",), ("guards",))]


def nested(path: tuple[str, ...], value: object) -> object:
    for name in reversed(path):
        value = {name: value}
    return value


def refused(folder: Path, text: str) -> str:
    """What load_params says of a text: one line that names the file."""
    file = folder / "params.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_params(file)
    said = str(error.value)
    assert "\n" not in said and str(file) in said
    return said.removeprefix(str(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", " should hold sections by name, and not a list"),
        ("dpo:\n", ": dpo: should hold parameters by name; remove it to have the defaults"),
        ("seed: 1\nmodels: [x\n", " is not valid YAML, line 3: expected ',' or ']', but got '<stream end>'"),
        ("seed: 1\n\tx: 1", " is not valid YAML, line 2: found character '\\t' that cannot start any token"),
        (
            "dpo:\n  batch: 1\nseed: 2\ndpo:\n  epochs: 2\n",
            " is not valid YAML, line 4: 'dpo' stands twice in its section",
        ),
        ("dpo: {batch: 1, batch: 2}", " is not valid YAML, line 1: 'batch' stands twice in its section; merge"),
        ("ingest: {redact: email}", ": ingest.redact: should be a list, such as [one, other] (it is 'email')"),
        ("dpo: {report_to: [wandbb]}", ": dpo.report_to.0: Input should be 'azure_ml', "),
        ("models: {policy: champoin}", ": models.policy: no model 'champoin': champion, local:PATH, openai:http"),
        ("models: {rewriter: 'openai:http://x/v1'}", ": models.rewriter: no model 'openai:http://x/v1': champion, "),
        ("models: {embedder: 'local:'}", ": models.embedder: no model 'local:': embedded or local:PATH"),
        ("feedback: {labeller: llm}", ": feedback: feedback.llm.model should name the model that is asked: openai:"),
        ("personas: {builder: llm}", ": personas: personas.llm.model should name the model that is asked: openai:"),
        ("gate: {guards: {fluency: on}}", ": gate.guards.fluency: should hold parameters by name; `off` takes it "),
        ("dpo: {nodes: 2}", ": dpo: dpo.nodes"),
        (
            "dpo: {max_pairs: 8, min_new_pairs: 7}",
            ": dpo.min_new_pairs=7 is never reached: dpo.max_pairs=8 leaves room ",
        ),
        ("dpo: {user_cap: .inf}", ": dpo.user_cap: Input should be a finite number"),
        ("dpo: {limits: {chosen_reward: -.inf}}", ": dpo.limits.chosen_reward: Input should be a finite number"),
        ("[a]: 1", " is not valid YAML, line 1: found unhashable key"),
        ("seed: -1", ": seed: Input should be greater than or equal to 0"),
        ("seed: 4294967296", ": seed: Input should be less than 4294967296"),
        ("dpo: {rounds: 31}", ": dpo: dpo.rounds=31 leaves a round 7 of dpo.max_pairs=240 pairs, fewer than "),
    ],
)
def test_a_broken_shape_is_told_in_words(tmp_path: Path, text: str, said: str) -> None:
    told = refused(tmp_path, text)
    assert told.startswith(said) and "instance of" not in told and "{" not in told


def test_params_yaml_holds_every_default_and_nothing_else() -> None:
    assert yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) == DEFAULTS
    assert load_params(ROOT / "params.yaml") == Params()


def test_what_a_file_leaves_out_of_the_gate_is_gated_as_by_default(tmp_path: Path) -> None:
    """A short file must not promote unguarded."""

    def gate(text: str) -> GateConfig:
        (tmp_path / "params.yaml").write_text(f"gate: {text}")
        return load_params(tmp_path / "params.yaml").gate

    default = GateConfig()
    stricter = gate("{guards: {fluency: {max_drop: 0.02}}}")
    assert stricter.guards == {**default.guards, "fluency": GuardConfig(max_drop=0.02, required=True)}
    assert stricter.gains == default.gains
    assert gate("{gains: {}, guards: {instructions: {}, choices: }}") == default
    assert set(gate("{guards: {choices: off}}").guards) == set(default.guards) - {"choices"}
    assert set(gate("{gains: {satisfaction: off, choices: {margin: 0.1}}}").gains) == {
        "preference",
        "people",
        "usereval",
        "choices",
    }


def test_what_an_earlier_version_asked_for_is_passed_over_and_a_misspelling_is_not(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("drift: {max_share: 0.5, min_rows: 30, level: 0.02}")
    assert load_params(file).drift.level == 0.02
    file.write_text("drift: {min_row: 30}")
    with pytest.raises(ConfigError, match="min_row"):
        load_params(file)


def test_trackers_are_those_of_transformers() -> None:
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(get_args(Tracker)) == set(INTEGRATION_TO_CALLBACK)


def test_params_yaml_says_what_each_parameter_is_for() -> None:
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    at_gate = lines.index(next(line for line in lines if line.startswith("gate:")))
    bare = [line for line in lines[:at_gate] if ": " in line and "#" not in line]
    assert not bare, "parameters without a comment"


@pytest.mark.parametrize("name", ["openai:http://x/v1#m", "openai:gpt-4", "openai:llama3:8b", "local:p", "scripted:f"])
def test_an_endpoint_s_address_may_be_left_to_the_environment(tmp_path: Path, name: str) -> None:
    (tmp_path / "params.yaml").write_text(f"models: {{rewriter: '{name}'}}")
    assert load_params(tmp_path / "params.yaml").models.rewriter == name


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("# nothing\n")
    assert load_params(tmp_path / "params.yaml") == Params()


@pytest.mark.parametrize("path", SECTIONS, ids=lambda path: ".".join(path) or "top")
def test_an_unknown_name_is_named(tmp_path: Path, path: tuple[str, ...]) -> None:
    said = refused(tmp_path, yaml.safe_dump(nested(path, {"turnz": 3})))
    assert "unknown" in said and repr(".".join((*path, "turnz"))) in said


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dpo: {batch: many}", "dpo.batch"),
        ("gate: {guards: {fluncy: {max_drop: 0.1}}}", "gate.guards.fluncy"),
        ("gate: {gains: {satisfation: {required: true}}}", "gate.gains.satisfation"),
        ("dpo: {batch: 0}", "dpo.batch"),
        ("dpo: {batch: 1.5}", "dpo.batch"),
        ("dpo: {deepspeed: 4}", "dpo.deepspeed"),
        ("dpo: {precision: fp8}", "dpo.precision"),
        ("split: {held_out: 1}", "split.held_out"),
        ("split: {held_out: [0.4]}", "split.held_out"),
        ("candidates: {n: null}", "candidates.n"),
        ("candidates: {sampling: {temperature: -1}}", "candidates.sampling.temperature"),
        ("gate: {gains: {preference: {margin: wide}}}", "gate.gains.preference.margin"),
        ("gate: {drift: ignore}", "gate.drift"),
        ("seed: zero", "seed"),
        ("rewrites: 3", "rewrites"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, name: str) -> None:
    assert refused(tmp_path, text).startswith(f": {name}: ")


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "just words", "\tx: 1", "a: &x *y"])
def test_what_is_no_parameter_file_is_refused(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_binary_garbage_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="YAML"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(ConfigError, match="rlhi init"):
        load_params(tmp_path / "absent.yaml")


def test_parameters_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Params().dpo.batch = 3


@given(st.text(), st.floats(0.01, 0.99))
def test_a_user_held_out_stays_held_out_when_more_are(user: str, share: float) -> None:
    held = SplitConfig(held_out=share).holds_out(user)
    assert held == SplitConfig(held_out=share).holds_out(user)
    if held:
        assert SplitConfig(held_out=0.995).holds_out(user)


def test_the_split_holds_out_its_share_and_the_salt_moves_it() -> None:
    users = [f"user{at}" for at in range(4000)]
    one, other = SplitConfig(held_out=0.3, salt="a"), SplitConfig(held_out=0.3, salt="b")
    drawn = {user for user in users if one.holds_out(user)}
    assert abs(len(drawn) / len(users) - 0.3) < 0.03
    both = {user for user in drawn if other.holds_out(user)}
    assert abs(len(both) / len(users) - 0.09) < 0.03


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_deepspeed_presets(stage: int) -> None:
    preset = json.loads((ROOT / "infra" / "deepspeed" / f"zero{stage}.json").read_text(encoding="utf-8"))
    assert preset["zero_optimization"]["stage"] == stage
    # Without it ZeRO-3 writes no model.safetensors.
    assert preset["zero_optimization"].get("stage3_gather_16bit_weights_on_model_save", False) == (stage == 3)


def test_the_kubernetes_pool_uses_each_of_its_variables() -> None:
    template = json.loads((ROOT / "infra" / "k8s" / "gpu-pool.json").read_text(encoding="utf-8"))
    used = set(re.findall(r"{{ (\w+) }}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])
