"""`rlhi compare`: a person's blind choice between both models' replies. What users and models wrote is text."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rlhi.cli.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

    from rlhi.evaluate.replies import SideBySide
    from rlhi.stages.evaluate.compare import Session

SAID = {"a": "left", "b": "right", "t": "tie", "n": "neither", "1": "left", "2": "right", "0": "tie"}
"""What is typed for each answer; digits are the keys of the page, too."""
QUESTION = "Which is better?  a / b, t tie, n neither is an answer, q stop: "


def compare(
    context: typer.Context,
    pairs: Annotated[int | None, typer.Option("--pairs", min=1, help="Ask at most so many; else all.")] = None,
    page: Annotated[bool, typer.Option("--page", help="Ask on a page of this machine, for a browser on it.")] = False,
    rater: Annotated[str | None, typer.Option("--rater", help="Who answers; else this account's name.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; else that of params.yaml.")] = None,
) -> None:
    """Choose blind between champion's and challenger's replies to held-out users; the next cycle decides on it.

    Each answer is kept at once, and the same command goes on where it stopped.
    """
    from rlhi.stages.evaluate.compare import after, before, session
    from rlhi.workspace.store import Workspace

    space = Workspace.open(context.obj)
    of = session(space, _named(rater), space.params.seed if seed is None else seed)
    todo = of.todo()
    for line in before(of):
        print(line)
    done = len(of.pairs) - len(todo)
    print(f"{of.rater} has answered {done} of {len(of.pairs)}." + ("" if todo else " None is left."), flush=True)
    if todo and page:
        from rlhi.cli.compare_page import ask

        ask(of, todo[:pairs])
    elif todo:
        _ask(of, todo[:pairs])
    print()
    for line in after(of):
        print(line)


def _named(rater: str | None) -> str:
    name = (rater if rater is not None else getpass.getuser()).strip()
    if not name or not name.isprintable():
        raise typer.BadParameter("a name of letters, such as --rater ana")
    return name


def _ask(of: Session, todo: Sequence[SideBySide]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    for at, row in enumerate(todo, 1):
        _show(console, of, row, f"{at} of {len(todo)}")
        said = _answer(console)
        if not said:
            return
        of.keep(row, said)


def _answer(console: Console) -> str:
    """What was chosen; empty to stop, as at the end of the input."""
    while True:
        try:
            typed = console.input(plain(QUESTION)).strip().lower()
        except (EOFError, KeyboardInterrupt):
            return ""
        if typed == "q":
            return ""
        if typed in SAID:
            return SAID[typed]
        console.print(plain(f"{typed!r} is none of a, b, t, n and q."))


def _show(console: Console, of: Session, row: SideBySide, head: str) -> None:
    from rich.padding import Padding
    from rich.rule import Rule
    from rich.text import Text

    console.print()
    console.print(Rule(plain(head), align="left", style="dim"))
    for name, text in (("persona", row.persona), ("request", row.request)):
        console.print(Text(name, style="bold"), Padding(plain(text), (0, 0, 1, 2), expand=False))
    for name, text in zip("AB", of.sides(row), strict=True):
        console.print(Text(name, style="bold cyan"), Padding(plain(text), (0, 0, 1, 2), expand=False))
