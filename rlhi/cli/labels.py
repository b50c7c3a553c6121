"""`rlhi label` without a file to write: what each follow-up says, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from rlhi.cli.plain import plain
from rlhi.stages.files import Read


def show(rows: Sequence[Read]) -> None:
    """Print them; users' text is text, and no markup or escape sequence of the terminal."""
    table = Table("what the user said next", "read as", "sure", "what it asks for")
    table.columns[1].no_wrap = table.columns[2].no_wrap = True
    for row in rows:
        claims = " ".join(row.claims)
        table.add_row(
            plain(row.follow_up, hint=""),
            row.label or "no words to read",
            "" if row.probability is None else f"{row.probability:.0%}",
            plain(claims, hint="") if claims else "",
        )
    console = Console()
    console.width = max(console.width, 100) if not console.is_terminal else console.width
    console.print(table)
