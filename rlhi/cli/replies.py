"""`rlhi replies`: champion and challenger side by side. What users and models wrote is text, never markup."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rlhi.cli.errors import hinted
from rlhi.cli.plain import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from rlhi.evaluate.replies import SideBySide
    from rlhi.stages.evaluate.replies import Replies

WIDE = 100
"""From this many columns on replies stand beside each other, below it one under the other."""


def replies(
    context: typer.Context,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many to print; JSON has all.")] = 6,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; else that of params.yaml.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's, by either id.")] = None,
    gained: Annotated[bool, typer.Option("--won", help="Not drawn: those whose figures rose most.")] = False,
    fell: Annotated[bool, typer.Option("--lost", help="Not drawn: those whose figures fell most.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text: all, not a draw.")] = False,
) -> None:
    """Read what champion and challenger replied to held-out users, side by side, with what each measure says of it.

    Which ones is drawn by seed, not picked.
    """
    from rlhi.evaluate.replies import drawn, lost, won
    from rlhi.stages.evaluate.replies import last_replies
    from rlhi.workspace.store import Workspace

    if gained and fell:
        raise typer.BadParameter("give one of --won and --lost")
    space = Workspace.open(context.obj)
    found = last_replies(space, user)
    if found.why_none:
        print(hinted(found.why_none, context.obj), file=sys.stderr if as_json else sys.stdout)
    chosen = won(found.rows) if gained else lost(found.rows) if fell else []
    seed = space.params.seed if seed is None else seed
    chosen = chosen if gained or fell else drawn(found.rows, seed)
    if as_json:
        print(json.dumps([row.as_json() for row in chosen], ensure_ascii=False, allow_nan=False))
    elif found.rows:
        why = f", drawn by seed {seed}" if not (gained or fell) else f" whose figures {'rose' if gained else 'fell'}"
        _print(chosen[:number], found, f"{min(number, len(chosen))} of {len(chosen)} pairs of replies{why}")


def _print(rows: list[SideBySide], found: Replies, head: str) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    wide = sys.stdout.isatty() and console.width >= WIDE
    console.print("; ".join(filter(None, (head, found.of))), markup=False)
    for at, row in enumerate(rows, 1):
        _print_one(console, at, row, wide)


def _print_one(console: Console, at: int, row: SideBySide, wide: bool) -> None:
    from rich.rule import Rule

    console.print()
    console.print(Rule(plain(f"{at}  user {row.user_id}"), align="left", style="dim"))
    for name, text in (("persona", row.persona), ("request", row.request)):
        console.print(_labelled(name, text))
    console.print()
    said = ("champion", row.champion), ("challenger", row.challenger)
    sides = [(name, text, _figures(row, name)) for name, text in said]
    console.print(_beside(sides) if wide else _below(sides))


def _beside(sides: list[tuple[str, str, Text]]) -> RenderableType:
    from rich.table import Table

    table = Table(expand=True, show_lines=True)
    for name, _, _ in sides:
        table.add_column(name, ratio=1, overflow="fold")
    table.add_row(*(plain(said) for _, said, _ in sides))
    table.add_row(*(figures for *_, figures in sides))
    return table


def _below(sides: list[tuple[str, str, Text]]) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = []
    for name, said, figures in sides:
        inner = Group(plain(said), figures)
        parts += [Text(name, style="bold"), Padding(inner, (0, 0, 1, 2), expand=False)]
    return Group(*parts)


def _labelled(name: str, text: str) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text(name, style="bold"), plain(text))
    return grid


def _figures(row: SideBySide, model: str) -> Text:
    """What each measure says of this model's reply; the challenger's in green or red where it rose or fell."""
    from rich.text import Text

    shown = []
    for one in row.figures:
        value = one.champion if model == "champion" else one.challenger
        change = one.challenger - one.champion if model == "challenger" else 0.0
        style = "green" if change > 0 else "red" if change < 0 else "dim"
        share = f"{100 * value:.0f}%" if value == value else "unknown"
        shown.append(Text(f"{one.name.replace('_', ' ')} {share}", style=style))
    return Text(", ").join(shown) if shown else Text("nothing was measured", style="dim")
