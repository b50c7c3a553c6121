"""The shape of the house: dvc.yaml agrees with the stage table, files stay readable, the command line stays light.

The layers themselves are import-linter's contracts in pyproject.toml; `make test` runs them.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from rlhi.config import Params
from rlhi.config.suites import SUITES
from rlhi.stages import STAGES
from rlhi.stages.dvc import dvc_yaml
from rlhi.workspace import ledger

ROOT = Path(__file__).resolve().parents[2]
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
FILES = sorted((ROOT / "rlhi").rglob("*.py"))
PACKAGES = sorted((ROOT / "rlhi").glob("*/__init__.py"))
HEAVY = ("torch", "transformers", "prefect", "evidently", "pandas", "sklearn", "scipy", "pyarrow", "dvc", "pydantic")


def test_dvc_yaml_is_what_the_stage_table_says() -> None:
    assert (ROOT / "dvc.yaml").read_text(encoding="utf-8") == dvc_yaml(), "run: rlhi stages --dvc > dvc.yaml"
    assert list(DVC["stages"]) == list(STAGES), "in the same order"


def test_the_policy_is_an_artifact_of_the_registry() -> None:
    assert DVC["artifacts"]["policy"]["path"] == "models/policy"
    assert DVC["artifacts"]["policy"]["type"] == "model"


def test_a_stage_reads_what_an_earlier_one_wrote_or_what_the_ledger_keeps() -> None:
    made = {"cycle.json", *ledger.TRACKED}
    for stage in STAGES.values():
        assert set(stage.inputs) <= made, stage.name
        assert not made & {*stage.outputs, *stage.metrics}, f"{stage.name} writes what another wrote"
        made |= {*stage.outputs, *stage.metrics}


def test_every_stage_names_sections_that_exist_and_every_section_has_a_stage() -> None:
    named = {section for stage in STAGES.values() for section in stage.params}
    assert named == set(Params.model_fields)


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_given_the_sections_that_the_table_names(name: str) -> None:
    function = STAGES[name].function
    wanted = {key: one for key, one in get_type_hints(function).items() if key not in ("space", "return", "sizes")}
    assert wanted == {section: Params.model_fields[section].annotation for section in STAGES[name].params}
    assert function.__doc__


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_at_most_300_lines(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= 300


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_says_what_it_is_and_is_finished(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert not [word for word in ("NotImplementedError", "TODO", "FIXME", "trust_remote_code=True") if word in text]


@pytest.mark.parametrize("file", sorted((ROOT / "flows").glob("*.py")), ids=lambda file: file.name)
def test_a_flow_is_thin(file: Path) -> None:
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= 100


ORIGINALS = ("dvc.yaml", "params.yaml", "prefect.yaml", *(f"deepspeed/zero{stage}.json" for stage in (1, 2, 3)))


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_originals_are_found(name: str) -> None:
    assert yaml.safe_load(ledger.template(name))


def test_every_module_has_its_layer() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name for layer in layers for name in re.findall(r"rlhi\.(\w+)", layer)}
    there = {path.stem for path in (ROOT / "rlhi").glob("*.py")} | {path.parent.name for path in PACKAGES}
    assert there - {"__init__"} == placed


def imported(file: Path) -> set[str]:
    """The modules that a file imports from, wherever in it."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plain = {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
    return plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_an_engine_is_chosen_in_one_place() -> None:
    """Whoever builds ``LocalChatModel`` goes on with it when there is another; a benchmark measures a certain one."""
    builders = {file for file in FILES if "rlhi.models.local" in imported(file)}
    outside = {file.relative_to(ROOT / "rlhi").as_posix() for file in builders}
    assert {name for name in outside if not name.startswith(("models/", "bench/"))} == {"stages/backends.py"}


def test_the_stages_of_an_evaluation_spell_no_suite() -> None:
    for file in (ROOT / "rlhi/stages/evaluate").glob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        assert not {node.value for node in nodes if isinstance(node, ast.Constant)}.intersection(SUITES), file.name


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom rlhi.cli.app import main\nsys.argv = ['rlhi', '--help']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print('\\n'.join(['MODULES', *sys.modules]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    shown, _, modules = done.stdout.partition("MODULES\n")
    assert "cycle" in shown
    loaded = {name.partition(".")[0] for name in modules.split()}
    assert not loaded.intersection(HEAVY), sorted(loaded.intersection(HEAVY))
