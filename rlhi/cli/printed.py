"""What commands share: the option ``--json``, the workspace that was named, and how a report is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rlhi.cli.errors import hinted

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def space_of(context: typer.Context) -> Path:
    """The folder that ``--workspace`` names."""
    workspace: Path = context.obj
    return workspace.resolve()


def say(context: typer.Context, value: dict[str, object], as_json: bool, text: Callable[[], str]) -> None:
    """Print a report as JSON, or as text whose advice names the workspace."""
    print(json.dumps(value, ensure_ascii=False) if as_json else hinted(text(), context.obj))
