"""`rlhi tests`: what users had to ask for, and which version does it. What they wrote is text, never markup."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rlhi.cli.plain import plain
from rlhi.cli.printed import Json

if TYPE_CHECKING:
    from rich.console import Console

    from rlhi.stages.tests import ListedTest

LONGEST = 60
"""Characters of a request in the table."""


def tests(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="[ID]", help="Only this test, with all that was said.")] = "",
    state: Annotated[str | None, typer.Option(help="Only those that are broken, fixed, failing, held, ...")] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many to print; JSON has all.")] = 40,
    as_json: Json = False,
) -> None:
    """List the complaints that became tests of the workspace: what was asked, and in which version it was fixed."""
    from rlhi.stages.tests import find, listed
    from rlhi.workspace.store import Workspace

    if key and state is not None:
        raise typer.BadParameter("give an ID or --state, not both")
    space = Workspace.open(context.obj)
    rows = [find(space, key)] if key else listed(space, state)
    if as_json:
        told = [row.as_json() for row in rows]
        print(json.dumps(told[0] if key else told, ensure_ascii=False))
    elif key:
        _print_one(_console(), rows[0])
    else:
        _print(_console(), rows, number)


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def _print(console: Console, rows: list[ListedTest], number: int) -> None:
    from rich.table import Table

    measured = sum(row.history.test.held_out for row in rows)
    console.print(f"{len(rows):,} tests, {measured:,} of held-out users", markup=False)
    if not rows:
        return
    table = Table("id", "what was asked for", "of the request", "entered", "state", box=None, padding=(0, 2, 0, 0))
    for row in rows[:number]:
        test = row.history.test
        request = plain(" ".join(test.request.split()), LONGEST, "")
        table.add_row(test.key, plain(test.wish), request, _entered(row), plain(row.history.told))
    console.print(table)
    if len(rows) > number:
        console.print(f"{len(rows) - number:,} more: --number, --state or --json", markup=False)


def _print_one(console: Console, row: ListedTest) -> None:
    test = row.history.test
    console.print(f"{test.key}  user {test.user_id}, entered {_entered(row)}: {row.history.told}", markup=False)
    said = [
        ("persona then", test.persona.text), ("request", test.request), ("answer then", test.original),
        ("complaint", row.complaint), ("so asked is", test.wish),
        ("checked by", ", ".join(claim.check for claim in test.asked)),
    ]  # fmt: skip
    for one in row.answers:
        name = f"policy@{one.version}" if one.version else "challenger"
        said.append((f"cycle {one.cycle}, {name}: {one.resolved} of {one.replies} replies do it", one.reply))
    for name, text in said:
        console.print()
        console.print(name, style="bold", markup=False)
        console.print(plain(text))


def _entered(row: ListedTest) -> str:
    return f"{row.entered or 'not finished yet'} (cycle {row.history.test.cycle})"
