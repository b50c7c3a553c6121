"""`rlhi ingest`, `rlhi quarantine`, `rlhi label`: what comes in, what of it was not accepted, how it is read."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from rlhi.cli.printed import Json, say, space_of


def ingest(
    context: typer.Context,
    logs: Annotated[list[str], typer.Argument(help="Files, folders, - for standard input, s3:// and the like.")],
    as_json: Json = False,
) -> None:
    """Take in logs of conversations. What cannot be read is quarantined with file, line and reason (exit code 3)."""
    from rlhi.stages.collect.landing import take_in

    report = take_in(space_of(context), logs)
    say(context, report.as_json(), as_json, report.as_text)
    if report.refused or report.quarantined:
        raise typer.Exit(3)


def quarantine(
    context: typer.Context,
    changes: Annotated[bool, typer.Option("--changes", help="Also what was changed, such as redacted text.")] = False,
    replay: Annotated[bool, typer.Option("--replay", help="First read all landed logs again, after a fix.")] = False,
    as_json: Json = False,
) -> None:
    """What could not be accepted (file, line, reason), and what is set aside as a copy or a template."""
    from rlhi.stages.collect import quarantine as stage

    space = space_of(context)
    if replay:
        print(stage.replay(space).note, file=sys.stderr)
    empty = True
    for row in stage.held(space, changes):
        empty = False
        print(json.dumps(asdict(row), ensure_ascii=False) if as_json else row.as_text())
    if empty and not as_json:
        print("the quarantine is empty")


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
