"""`rlhi persona ...`: what is known of a user, why, and how to mend it. Users' words are escaped before a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rlhi.cli.errors import hinted
from rlhi.cli.printed import Json

if TYPE_CHECKING:
    from rlhi.contracts import Claim, Persona
    from rlhi.stages.collect.personas import Change

persona_app = typer.Typer(
    help="What is known of a user, on what evidence; a person's edit beats it.", no_args_is_help=True
)

User = Annotated[str, typer.Argument(help="The user's id in the log, or as `rlhi persona export` lists it.")]
Kind = Literal["topic", "expertise", "style", "format", "language", "constraint"]
SHOWN_EVIDENCE = 3  # turns that a row of the table names
ORIGINS = {
    "inferred": "inferred from the turns below",
    "prior": "nothing is known of this user: the text says what most users are like",
    "edited": "edited by a person; edits beat inference until `rlhi persona edit USER --reset`",
}


@persona_app.command()
def show(
    context: typer.Context,
    user: User,
    as_json: Json = False,
) -> None:
    """A user's persona: its text, and each claim with kind, confidence, first and last seen, and its turns."""
    from rlhi.contracts import to_record
    from rlhi.stages.collect.personas import find
    from rlhi.workspace.store import Workspace

    row = find(Workspace.open(context.obj), user)
    if as_json:
        print(json.dumps(to_record(row), ensure_ascii=False))
    else:
        _print(row, context.obj)


@persona_app.command()
def edit(
    context: typer.Context,
    user: User,
    text: Annotated[str | None, typer.Option("--set", help="Say this and nothing else; empty says nothing.")] = None,
    added: Annotated[str | None, typer.Option("--add", help="Add a claim in these words.")] = None,
    kind: Annotated[Kind, typer.Option(help="The kind of the added claim.")] = "constraint",
    removed: Annotated[int | None, typer.Option("--remove", help="Remove the claim with this number.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Take back all edits of this user.")] = False,
) -> None:
    """Edit a user's persona, one change a command. It holds at once, beats inference and survives new turns."""
    from rlhi.stages.collect.personas import edit as change

    chosen = _change(text, added, kind, removed, reset)
    if sum((text is not None, added is not None, removed is not None, reset)) != 1:
        raise typer.BadParameter("give one of --set, --add, --remove and --reset")
    _print(change(context.obj, user, chosen), context.obj)


@persona_app.command()
def export(
    context: typer.Context,
    out: Annotated[Path | None, typer.Argument(help="A jsonl file; standard output without one.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's persona, by either id.")] = None,
) -> None:
    """Write personas as JSON lines: text, claims with their evidence, version and origin."""
    from rlhi.stages.collect.personas import exported
    from rlhi.workspace.store import Workspace, write_output

    lines = [f"{line}\n" for line in exported(Workspace.open(context.obj), user)]
    if out is None:
        sys.stdout.writelines(lines)
        return
    write_output(out, "".join(lines).encode())
    print(f"{len(lines)} personas: {out}")


def _change(text: str | None, added: str | None, kind: Kind, removed: int | None, reset: bool) -> Change | None:
    from rlhi.collect.persona import edits

    if text is not None:
        return lambda before, now: edits.set_text(before, text)
    if added is not None:
        return lambda before, now: edits.add(before, kind, added)
    if removed is not None:
        return lambda before, now: edits.remove(before, now.claims, removed)
    return None


def _print(row: Persona, workspace: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rlhi.collect.persona.build import said_claims

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(f"user           {_safe(row.user_id)}")
    console.print(f"version        {row.version}, of {row.conversations} conversations")
    console.print(f"origin         {_safe(hinted(ORIGINS[row.origin], workspace))}")
    console.print(f"text           {_safe(row.text) or '(says nothing)'}")
    if not row.claims:
        return
    told = said_claims(row)
    table = Table("", "kind", "claim", "confidence", "first seen", "last seen", "evidence")
    for number, claim in enumerate(row.claims, 1):
        said = "" if claim in told else " (not in the text)"
        seen = (claim.first_seen or "", claim.last_seen or "")
        table.add_row(
            str(number), claim.kind, _safe(claim.text) + said, f"{claim.confidence:.2f}", *seen, _evidence(claim, row)
        )
    console.print(table)


def _evidence(claim: Claim, row: Persona) -> str:
    if not claim.evidence:
        return "a person" if row.origin == "edited" else f"{claim.confidence:.0%} of users"
    more = len(claim.evidence) - SHOWN_EVIDENCE
    named = ", ".join(map(_safe, claim.evidence[:SHOWN_EVIDENCE]))
    return named + (f" and {more} more" if more > 0 else "")


def _safe(text: str) -> str:
    """Users' text for a terminal: no markup, no control characters."""
    from rich.markup import escape

    return escape("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text))
