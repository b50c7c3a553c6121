"""`rlhi ...`: every command works on a workspace. Heavy imports wait until a command needs them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rlhi.cli.bench import bench_app, experiment
from rlhi.cli.compare import compare
from rlhi.cli.errors import explain, hinted
from rlhi.cli.log import ingest, label, quarantine
from rlhi.cli.persona import persona_app
from rlhi.cli.printed import Json, say, space_of
from rlhi.cli.prompt import prompt
from rlhi.cli.replies import replies
from rlhi.cli.tests import tests
from rlhi.cli.trace import trace
from rlhi.cli.training import export_app, join
from rlhi.cli.workspace import init, rollback, run, stages, status

app = typer.Typer(
    name="rlhi",
    help="A conversational model that learns from the people who talk to it, every night, behind a gate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
model_app = typer.Typer(help="The embedded models.", no_args_is_help=True)


def main() -> None:
    """Entry point: a known error is one line and exit code 1 (2 for wrong usage), never a traceback."""
    given = [Path(".")]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal of another alphabet is no reason to stop
    try:
        app(obj=given)
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        print(f"rlhi: {hinted(told, given[-1])}", file=sys.stderr)
        sys.exit(1)


@app.callback()
def options(
    context: typer.Context,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="The workspace to work on.")] = Path("."),
) -> None:
    """Options of every command."""
    if context.obj is not None:
        context.obj.append(workspace)  # for `main`, which outlives the context
    context.obj = workspace


def cycle(context: typer.Context, as_json: Json = False) -> None:
    """One pass of the loop: collect, learn, evaluate, and promote if the gate says so."""
    from rlhi.cli.cycle import improve

    report = improve(space_of(context))
    say(context, report.as_json(), as_json, report.as_text)


def score(
    context: typer.Context,
    rows: Annotated[Path, typer.Argument(help="jsonl rows with `persona`, `prompt` and `response`.")],
    out: Annotated[Path, typer.Argument(help="The same rows with `reward`.")],
) -> None:
    """Score answers with the workspace's reward model."""
    from rlhi.stages.files import score_file

    done = score_file(space_of(context), rows, out)
    print(f"{done} rows scored: {out}")


def up(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the Prefect server and its UI.")] = 4200,
) -> None:
    """Start the Prefect server, pools, deployments and workers on this machine; Ctrl-C stops all of it.

    The UI and the API ask for the workspace's password: a terminal shows it, and .rlhi/prefect/auth keeps it.
    """
    from rlhi.orchestrate.server import up as start

    start(space_of(context), port)


def simulate(
    context: typer.Context,
    users: Annotated[int, typer.Option(min=1, help="Simulated users.")] = 80,
    seed: Annotated[int, typer.Option(help="Seed of their wishes and words.")] = 0,
) -> None:
    """Let simulated users, the demo's, with hidden wishes talk to the champion; their log lands for the next cycle."""
    from rlhi.cli.demo import talked

    print(talked(space_of(context), users, seed))


def demo(
    directory: Annotated[Path, typer.Argument(help="Where to make the demo's workspace.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the simulated users and of all draws.")] = 0,
    cycles: Annotated[int, typer.Option(min=1, help="Passes of the loop.")] = 1,
    as_json: Json = False,
) -> None:
    """One cycle with simulated users on the embedded model: watch it learn, and see the gate decide."""
    from rlhi.cli.demo import demo as show

    show(directory.resolve(), seed, cycles, as_json)


@model_app.command()
def prepare() -> None:
    """Fetch and convert the embedded language model and sentence embedder into the user's cache."""
    from rlhi.models.prepare import prepare as make

    make(print)


# A workspace and its nights, what is in it, its stages and machines, users who are made up.
COMMANDS: tuple[Callable[..., None], ...] = (
    init, ingest, cycle, status, rollback, quarantine, label, score, prompt, replies, compare, tests, trace, run,
    stages, up, join, simulate, demo, experiment,
)  # fmt: skip
for _command in COMMANDS:
    app.command()(_command)
for _group, _name in ((persona_app, "persona"), (export_app, "export"), (bench_app, "bench"), (model_app, "model")):
    app.add_typer(_group, name=_name)
