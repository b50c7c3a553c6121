"""`rlhi ...`: every command works on a workspace. Heavy imports wait until a command needs them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from rlhi.cli.bench import bench_app, experiment
from rlhi.cli.errors import explain, hinted
from rlhi.cli.persona import persona_app
from rlhi.cli.replies import replies
from rlhi.cli.trace import trace
from rlhi.cli.training import register

app = typer.Typer(
    name="rlhi",
    help="A conversational model that learns from the people who talk to it, every night, behind a gate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
model_app = typer.Typer(help="The embedded models.", no_args_is_help=True)
app.add_typer(model_app, name="model")
app.add_typer(bench_app, name="bench")
app.add_typer(persona_app, name="persona")
app.command()(experiment)
app.command()(replies)
app.command()(trace)
register(app)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


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


def _space(context: typer.Context) -> Path:
    workspace: Path = context.obj
    return workspace.resolve()


def _say(context: typer.Context, value: dict[str, object], as_json: bool, text: Callable[[], str]) -> None:
    print(json.dumps(value, ensure_ascii=False) if as_json else hinted(text(), context.obj))


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The folder to make; new or empty.")],
    policy: Annotated[str, typer.Option(help="First champion: `embedded`, or a folder of safetensors.")] = "embedded",
    log: Annotated[
        str | None, typer.Option(help="Size params.yaml by this log (not taken in yet) and by this machine's speed.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.1, help="Hours of a night that the sizes of --log should fit.")] = 8.0,
) -> None:
    """Make a workspace: a git and DVC repository with parameters, stages and its first champion."""
    from rlhi.models.prepare import checked_policy
    from rlhi.workspace import ledger

    champion, talks = checked_policy(policy), []
    if log:
        from rlhi.stages.sizes import look, size

        talks = look(log)
    made = ledger.init(directory.resolve(), champion)
    print(f"{directory}: " + ("workspace made, champion policy@v0.1.0" if made else "is a workspace already"))
    if talks:
        sized = size(directory.resolve(), champion, talks, hours) if made else "sized already: params.yaml is as it was"
        print(sized)
    if made:
        print(f"next: rlhi --workspace {directory} ingest {log or 'YOUR_LOG.jsonl'}")


@app.command()
def ingest(
    context: typer.Context,
    logs: Annotated[list[str], typer.Argument(help="Files, folders, - for standard input, s3:// and the like.")],
    as_json: Json = False,
) -> None:
    """Take in logs of conversations. What cannot be read is quarantined with file, line and reason (exit code 3)."""
    from rlhi.stages.collect.landing import take_in

    report = take_in(_space(context), logs)
    _say(context, report.as_json(), as_json, report.as_text)
    if report.refused or report.quarantined:
        raise typer.Exit(3)


@app.command()
def cycle(context: typer.Context, as_json: Json = False) -> None:
    """One pass of the loop: collect, learn, evaluate, and promote if the gate says so."""
    from rlhi.cli.cycle import improve

    report = improve(_space(context))
    _say(context, report.as_json(), as_json, report.as_text)


@app.command()
def run(context: typer.Context, stage: Annotated[str, typer.Argument(help="A stage of `rlhi stages`.")]) -> None:
    """Run one stage; this is what dvc.yaml calls."""
    from rlhi import stages
    from rlhi.workspace import ledger
    from rlhi.workspace.store import Workspace

    space, known = Workspace.open(context.obj), stages.STAGES.get(stage)
    if known and "cycle.json" in known.inputs and not space.path("cycle.json").exists():
        # First: a cycle that begins pins the split for good.
        stages.check_inputs(known, space, given=("cycle.json",))
        ledger.begin(space.root)
    report = stages.run(stage, space.root)
    print(report.as_text())


@app.command("stages")
def list_stages(
    dvc: Annotated[bool, typer.Option("--dvc", help="Print them as dvc.yaml instead.")] = False,
) -> None:
    """The stages in order, with what they read and write."""
    from rlhi.stages import STAGES

    if dvc:
        from rlhi.stages.dvc import dvc_yaml

        print(dvc_yaml(), end="")
        return
    for stage in STAGES.values():
        outputs = ", ".join((*stage.outputs, *stage.metrics))
        print(f"{stage.flow:9} {stage.name:11} {', '.join(stage.inputs)} -> {outputs}")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """What the workspace holds: conversations, feedback, pairs, champion, and the last decision with its reasons."""
    from rlhi.stages.status import status as read

    found = read(_space(context))
    _say(context, found.as_json(), as_json, found.as_text)


@app.command()
def quarantine(
    context: typer.Context,
    changes: Annotated[bool, typer.Option("--changes", help="Also what was changed, such as redacted text.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="First read all landed logs again, after a fix.")] = False,
    as_json: Json = False,
) -> None:
    """What could not be accepted (file, line, reason), and what is set aside as a copy or a template."""
    from rlhi.stages.collect import quarantine as stage

    space = _space(context)
    if replay:
        print(stage.replay(space).note, file=sys.stderr)
    empty = True
    for row in stage.held(space, changes):
        empty = False
        print(json.dumps(asdict(row), ensure_ascii=False) if as_json else row.as_text())
    if empty and not as_json:
        print("the quarantine is empty")


@app.command()
def label(
    rows: Annotated[
        Path,
        typer.Argument(help="jsonl: `context` (request, answer, follow_up), or conversations as for `ingest`."),
    ],
    out: Annotated[
        Path | None, typer.Argument(help="The same rows with `label` and `probability`; without it they are shown.")
    ] = None,
    labeller: Annotated[
        Literal["local", "accurate"], typer.Option(help="`accurate`: embeddings decide what is unclear; slower.")
    ] = "local",
) -> None:
    """Label follow-up messages: what do they say of the answer before them?"""
    from rlhi.stages.files import label_file

    done = label_file(rows, out, labeller)
    if out is not None:
        print(f"{len(done)} rows labelled: {out}")
        return
    from rlhi.cli.labels import show

    show(done)


@app.command()
def score(
    context: typer.Context,
    rows: Annotated[Path, typer.Argument(help="jsonl rows with `persona`, `prompt` and `response`.")],
    out: Annotated[Path, typer.Argument(help="The same rows with `reward`.")],
) -> None:
    """Score answers with the workspace's reward model."""
    from rlhi.stages.files import score_file

    done = score_file(_space(context), rows, out)
    print(f"{done} rows scored: {out}")


@app.command()
def rollback(
    context: typer.Context,
    version: Annotated[str | None, typer.Argument(help="Such as v0.1.0; else the one before the champion.")] = None,
) -> None:
    """Make a former version champion again; the history stays."""
    from rlhi.workspace import ledger
    from rlhi.workspace.store import Workspace

    space = Workspace.open(context.obj).root
    before = ledger.champion(space)
    print(f"champion: policy@{before} -> policy@{ledger.rollback(space, version)}")


@app.command()
def up(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the Prefect server and its UI.")] = 4200,
) -> None:
    """Start the Prefect server, pools, deployments and workers on this machine; Ctrl-C stops all of it.

    The UI and the API ask for the workspace's password: a terminal shows it, and .rlhi/prefect/auth keeps it.
    """
    from rlhi.orchestrate.server import up as start

    start(_space(context), port)


@app.command()
def simulate(
    context: typer.Context,
    users: Annotated[int, typer.Option(min=1, help="Simulated users.")] = 80,
    seed: Annotated[int, typer.Option(help="Seed of their wishes and words.")] = 0,
) -> None:
    """Let simulated users, the demo's, with hidden wishes talk to the champion; their log lands for the next cycle."""
    from rlhi.cli.demo import talked

    print(talked(_space(context), users, seed))


@app.command()
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
