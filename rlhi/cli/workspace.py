"""`rlhi init`, `status`, `stages`, `run`, `rollback`: a workspace, its stages one by one, and its versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlhi.cli.printed import Json, say, space_of


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

    champion, logged = checked_policy(policy), []
    if log:
        from rlhi.stages.sizes import look, size

        logged = look(log)
    made = ledger.init(directory.resolve(), champion)
    print(f"{directory}: " + ("workspace made, champion policy@v0.1.0" if made else "is a workspace already"))
    if logged:
        sized = (
            size(directory.resolve(), champion, logged, hours) if made else "sized already: params.yaml is as it was"
        )
        print(sized)
    if made:
        print(f"next: rlhi --workspace {directory} ingest {log or 'YOUR_LOG.jsonl'}")


def status(context: typer.Context, as_json: Json = False) -> None:
    """What the workspace holds: conversations, feedback, pairs, champion, and the last decision with its reasons."""
    from rlhi.stages.status import status as read

    found = read(space_of(context))
    say(context, found.as_json(), as_json, found.as_text)


def stages(
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


def run(context: typer.Context, stage: Annotated[str, typer.Argument(help="A stage of `rlhi stages`.")]) -> None:
    """Run one stage; this is what dvc.yaml calls."""
    from rlhi import stages as engine
    from rlhi.workspace import ledger
    from rlhi.workspace.store import Workspace

    space, known = Workspace.open(context.obj), engine.STAGES.get(stage)
    if known and "cycle.json" in known.inputs and not space.path("cycle.json").exists():
        # First: a cycle that begins pins the split for good.
        engine.check_inputs(known, space, given=("cycle.json",))
        ledger.begin(space.root)
    report = engine.run(stage, space.root)
    print(report.as_text())


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
