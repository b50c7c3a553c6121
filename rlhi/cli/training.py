"""`rlhi export pairs` and `rlhi join`: what training reads, for other programs; and more machines for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rlhi.contracts.options import Method

export_app = typer.Typer(help="Data of the workspace in the formats of other tools.", no_args_is_help=True)


@export_app.command("pairs")
def export_pairs(
    context: typer.Context,
    out: Annotated[Path | None, typer.Argument(help="A jsonl file; standard output without one.")] = None,
    method: Annotated[Method, typer.Option(help="TRL's rows, as this method's trainer reads them.")] = "dpo",
) -> None:
    """Write the preference pairs as TRL's conversational rows, with columns that tell where each comes from. For KTO
    also what users judged singly.
    """
    from rlhi.stages.learn.dpo import exported
    from rlhi.workspace.store import Workspace, write_output

    lines = [f"{line}\n" for line in exported(Workspace.open(context.obj), method)]
    if out is None:
        sys.stdout.writelines(lines)
        return
    write_output(out, "".join(lines).encode())
    print(f"{len(lines)} rows: {out}")


def join(
    context: typer.Context,
    rank: Annotated[int, typer.Option(min=1, help="This machine's number; the one that runs the cycle is 0.")],
    patience: Annotated[float, typer.Option(help="Seconds to wait for a training to begin.")] = 3600.0,
) -> None:
    """Be one more machine of the workspace's next training (`dpo.nodes`), on a file system that all of them share."""
    from rlhi.stages.learn.dpo import join as take_part
    from rlhi.workspace.store import Workspace

    folders = take_part(Workspace.open(context.obj), rank, patience)
    print(f"trained as node {rank}: {', '.join(map(str, folders))}")
