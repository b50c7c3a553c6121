"""The documents agree with the code: commands, links, formats, stages, modules and parameters.

``python -m tests.unit.test_docs`` writes anew what follows from the code: docs/cli.md, the table of stages in
docs/architecture.md, and dvc.yaml.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

from rlhi.cli.app import app
from rlhi.collect.formats.known import FORMATS
from rlhi.config import Params, Section
from rlhi.config.suites import SUITES
from rlhi.stages import STAGES
from rlhi.stages.dvc import dvc_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
PAGES += sorted((ROOT / "docs").glob("**/*.md"))
OPERATED = [ROOT / "docs" / name for name in ("operations.md", "serving.md")]
"""What is typed at night: here commands in sentences are checked, too."""
CLI, MAP = ROOT / "docs" / "cli.md", ROOT / "docs" / "architecture.md"
SOURCES = sorted((ROOT / "rlhi").rglob("*.py"))

INTRODUCTION = """# Commands

<!-- Written by `python -m tests.unit.test_docs` from the commands' own help. Edit the help, not this page. -->

Every command works on a workspace: the current folder, or the one that `rlhi --workspace DIR COMMAND` names. Results go
to standard output, progress to standard error. With `--json` a command prints JSON for programs.

| exit code | meaning |
|---|---|
| 0 | done; for `cycle` also when the gate refused |
| 1 | something that a person can mend, said in one line |
| 2 | wrong usage |
| 3 | `ingest` took in what it could, and quarantined or refused the rest |
"""

# Typer's own classes carry no public types.
Command = Any


def commands(command: Command, *path: str) -> Iterator[tuple[str, Command]]:
    """A command with all below it, each with its full name, in the order of the help."""
    yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)


COMMANDS = dict(commands(get_command(app), "rlhi"))


def names_of(param: Command) -> list[str]:
    """What a person types: an option's names, an argument's metavar."""
    many = "..." if param.nargs == -1 else ""
    return list(param.opts) if param.param_type_name == "option" else [param.name.upper() + many]


def usage(name: str, command: Command) -> str:
    """``rlhi init [OPTIONS] DIRECTORY``"""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    typed = [names_of(param)[0] if param.required else f"[{names_of(param)[0]}]" for param in arguments]
    options = ["[OPTIONS]"] if len(arguments) < len(command.params) else []
    return " ".join([name, *options, *typed, *(["COMMAND"] if getattr(command, "commands", None) else [])])


def shown(text: str | None) -> str:
    """A help text as the terminal shows it, in one line: the help is markup of Rich's."""
    return " ".join(Text.from_markup(text or "").plain.split())


def row(param: Command) -> str:
    """A parameter as a row of a table: its names, its default, its help."""
    names = ", ".join(f"`{name}`" for name in names_of(param))
    default = "required" if param.required else "" if param.default in (None, False) else f"`{param.default}`"
    return f"| {names} | {default} | {shown(param.help)} |"


def section(name: str, command: Command) -> str:
    """A command's part of the page."""
    lines = [f"## `{name}`", "", shown(command.help), "", "```", usage(name, command), "```"]
    if command.params:
        lines += ["", "| | default | |", "|---|---|---|", *map(row, command.params)]
    return "\n".join(lines) + "\n"


def page() -> str:
    """docs/cli.md as it should be."""
    return "\n".join([INTRODUCTION, *(section(name, command) for name, command in COMMANDS.items())])


def test_the_page_of_the_gate_tells_of_every_suite() -> None:
    text = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    rows = {name: role for name, role in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.M)}
    for name, suite in SUITES.items():
        assert f"`{name}`" in text
        if suite.rule is not None:
            assert rows[name].startswith(suite.role) and ("required" in rows[name]) == suite.rule.required, name


def test_the_page_of_commands_is_up_to_date() -> None:
    assert CLI.read_text(encoding="utf-8") == page(), "run `python -m tests.unit.test_docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_named(name: str) -> None:
    text = CLI.read_text(encoding="utf-8").split(f"## `{name}`\n")[1].split("\n## ")[0]
    for param in COMMANDS[name].params:
        assert param.help, f"{name} says nothing of {param.name}"
        assert all(f"`{typed}`" in text for typed in names_of(param)), f"{name}: {names_of(param)}"


@pytest.mark.parametrize("words", [["bench", "--help"], ["bench", "ingest", "--help"]])
def test_the_help_and_the_page_both_name_the_extra(words: list[str]) -> None:
    """Rich takes `[bench]` for markup and drops it."""
    wide = CliRunner().invoke(app, words, env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"}).stdout
    assert "pip install 'rlhi[bench]'" in wide
    assert "pip install 'rlhi[bench]'" in CLI.read_text(encoding="utf-8")


def anchor(heading: str) -> str:
    """What GitHub calls a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(file: Path) -> list[str]:
    """The headings of a page, code blocks left out."""
    plain = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"^#+ (.+)$", plain, re.M)


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        if target.startswith(("https://", "http://")):
            continue
        name, _, part = target.partition("#")
        there = (file.parent / name).resolve() if name else file
        assert there.exists() and there.is_relative_to(ROOT), target
        if part:
            assert part in map(anchor, headings(there)), target


def code(file: Path) -> Iterator[str]:
    """The command lines in a page's bash blocks, comments left out."""
    for block in re.findall(r"^```bash\n(.*?)^```", file.read_text(encoding="utf-8"), re.M | re.S):
        yield from filter(None, (re.sub(r"(^|\s+)#.*", "", line).strip() for line in block.splitlines()))


def calls(line: str) -> Iterator[list[str]]:
    """The commands that a line of the shell calls one after another, each as its words."""
    words: list[str] = []
    for word in [*shlex.split(line), ";"]:
        if word not in ("&&", "||", "|", ";"):
            words.append(word)
        elif words:
            yield words
            words = []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(file: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for line in code(file):
        for first, *rest in calls(line):
            if first == "make":
                assert rest[0] in targets, line
            elif first == "rlhi":
                check_usage(line, rest)
            elif first == "dvc":
                check_dvc(line, rest)


@pytest.mark.parametrize("file", OPERATED, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_that_is_named_in_a_sentence_exists(file: Path) -> None:
    plain = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.M | re.S)
    named = [" ".join(span.split()) for span in re.findall(r"`(rlhi\s[^`]+)`", plain)]
    assert named, "no command is named: has the form of one changed?"
    for line in named:
        check_usage(line, shlex.split(line)[1:])


def check_dvc(line: str, words: list[str]) -> None:
    """DVC's own parser has to take the words."""
    cli = import_module("dvc.cli")  # it has no types
    try:
        cli.parse_args(words)
    except cli.DvcParserError:
        pytest.fail(f"{line}: dvc knows no such command or option")


def check_usage(line: str, words: list[str]) -> None:
    """Follow a command line down the groups; every option on it has to be known where it stands."""
    name, command = "rlhi", COMMANDS["rlhi"]
    while words:
        word = words.pop(0)
        options = {typed: param for param in command.params for typed in param.opts if typed.startswith("-")}
        if word.startswith("-"):
            assert word in options, f"{line}: no option {word} in {name}"
            if not options[word].is_flag:
                words.pop(0)
        elif getattr(command, "commands", None):
            name = f"{name} {word}"
            assert name in COMMANDS, f"{line}: no command {name}"
            command = COMMANDS[name]
    assert not getattr(command, "commands", None), f"{line}: {name} needs a command"


@pytest.mark.parametrize("name", [format.name for format in FORMATS])
def test_every_format_has_its_row(name: str) -> None:
    label = next(format.label for format in FORMATS if format.name == name)
    assert f"\n| `{name}`: {label} |" in (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def with_stages(text: str) -> str:
    """The map with the table of stages as they are."""

    def cell(names: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in names)

    cells = [
        [f"`{one.name}`", one.flow, *map(cell, (one.params, one.inputs, (*one.outputs, *one.metrics)))]
        for one in STAGES.values()
    ]
    head = text[: text.index("| stage | flow |")]
    rest = text[len(head) :]
    title = "".join(rest.splitlines(keepends=True)[:2])
    table = "".join(f"| {' | '.join(row)} |\n" for row in cells)
    return f"{head}{title}{table}{rest[rest.index(chr(10) * 2) + 1 :]}"


def test_the_table_of_stages_is_the_stages() -> None:
    text = MAP.read_text(encoding="utf-8")
    assert text == with_stages(text), "run `python -m tests.unit.test_docs`"


def test_every_module_is_on_the_map() -> None:
    text = MAP.read_text(encoding="utf-8")
    text = text[: text.index("## Layers")]
    modules = [path.name for path in (ROOT / "rlhi").glob("*.py") if path.stem != "__init__"]
    modules += [f"{path.parent.name}/" for path in (ROOT / "rlhi").glob("*/__init__.py")]
    modules += [path.name for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__"]
    assert not [name for name in modules if not re.search(rf"(?<!\w){re.escape(name)}", text)]


def test_what_the_code_refers_to_is_there() -> None:
    found = 0
    for file in SOURCES:
        for name, heading in re.findall(r"(docs/\w+\.md), \"([^\"]+)\"", file.read_text(encoding="utf-8")):
            assert heading in headings(ROOT / name), f"{file.name} refers to {name}, {heading!r}"
            found += 1
    assert found, "nothing refers to the documents: has the form of a reference changed?"


PATHS = re.compile(r"(?<![\w.])(?:rlhi|flows|tests|infra|docs|examples)/[\w./-]*\w\.(?:py|md|jsonl|csv|yaml|json)\b")
TEXTS = [file for file in PAGES if file.parent.name != "log"] + SOURCES + [ROOT / "params.yaml", ROOT / "Makefile"]


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_path_that_is_named_exists(file: Path) -> None:
    """Of entries of the log it need not: they name the modules of their day."""
    named = set(PATHS.findall(file.read_text(encoding="utf-8")))
    patterns = {name for name in named if "NAME" in name or "FLOW" in name}
    assert not [name for name in named - patterns if not (ROOT / name).exists()]


def known(tree: type[Section], path: list[str]) -> bool:
    """Whether params.yaml has this parameter."""
    inner = tree.model_fields.get(path[0])
    if inner is None:
        return False
    kind = inner.annotation
    if len(path) == 1 or not (isinstance(kind, type) and issubclass(kind, Section)):
        return True
    return known(kind, path[1:])


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_parameter_that_is_named_exists(file: Path) -> None:
    sections = "|".join(Params.model_fields)
    for name in re.findall(rf"`((?:{sections})\.[a-z_.]+)", file.read_text(encoding="utf-8")):
        assert known(Params, name.split(".")), name


if __name__ == "__main__":
    CLI.write_text(page(), encoding="utf-8")
    MAP.write_text(with_stages(MAP.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / "dvc.yaml").write_text(dvc_yaml(), encoding="utf-8")
