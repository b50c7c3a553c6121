"""`rlhi trace`: one conversation through the loop."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rlhi.cli.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from rlhi.stages.trace import Trace, TracedPair, TracedTurn

SHOWN = 4
"""Texts and pairs of each kind that a terminal shows; JSON has all."""
SHORT = 300


def trace(
    context: typer.Context,
    conversation: Annotated[
        str | None, typer.Argument(help="Its id, or the beginning of it; else one with pairs is drawn by seed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text: all of it.")] = False,
) -> None:
    """Follow one conversation through the loop.

    How its follow-ups were read, what its user's persona took from it, which rewrites, candidates and pairs were made
    of it, and which pairs the challenger learned.
    """
    from rlhi.stages.trace import trace as read

    found = read(context.obj, conversation)
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        _print(found)


def _print(found: Trace) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    kept = "judges: trains the judge of evaluations alone" if found.judges else "learned from"
    role = "held out: measured, never learned from" if found.held_out else kept
    console.print(plain(f"conversation {found.conversation_id} of user {found.user_id}, {role}"))
    console.print(Text.assemble(("persona ", "bold"), plain(found.persona or "says nothing")))
    if found.rests_here:
        console.print(Text.assemble(("of it rests here: ", "dim"), plain(" ".join(found.rests_here))))
    for turn in found.turns:
        _print_turn(console, turn)
    if not any(turn.pairs for turn in found.turns):
        console.print("no pair was made of it")


def _print_turn(console: Console, turn: TracedTurn) -> None:
    from rich.text import Text

    console.print()
    console.print(Text.assemble((f"{turn.place} {turn.role}  ", "bold"), _line(turn.text)))
    if turn.label:
        asks = f"; asks for: {' '.join(turn.asks_for)}" if turn.asks_for else ""
        console.print(Text.assemble("  read as ", (f"{turn.label} ", "cyan"), plain(f"({turn.probability:.0%}){asks}")))
    for name, texts in (("rewrite", turn.rewrites), ("revision", turn.revisions), ("candidate", turn.candidates)):
        for text in texts[:SHOWN]:
            console.print(Text.assemble((f"  {name}: ", "dim"), _line(text)))
        if len(texts) > SHOWN:
            console.print(f"  and {len(texts) - SHOWN} more {name}s: --json")
    _print_pairs(console, turn.pairs)


def _print_pairs(console: Console, pairs: Sequence[TracedPair]) -> None:
    from rich.text import Text

    own_first = sorted(pairs, key=lambda one: (not one.own, not one.learned_by))
    for one in own_first[:SHOWN]:
        whose = "its user" if one.own else "another user"
        learned = f"learned by the {one.learned_by}" if one.learned_by else "not learned yet"
        head = f"  pair ({one.source}) for {whose}, {learned}: "
        console.print(Text.assemble((head, "bold"), plain(one.persona or "no persona")))
        console.print(Text.assemble(("    chosen:   ", "green"), _line(one.chosen)))
        console.print(Text.assemble(("    rejected: ", "red"), _line(one.rejected)))
    if len(pairs) > SHOWN:
        console.print(f"  and {len(pairs) - SHOWN} more pairs: --json")


def _line(text: str) -> Text:
    """A text on one line, its breaks as signs."""
    return plain(
        " \N{RETURN SYMBOL} ".join(" ".join(line.split()) for line in text.splitlines() if line.strip()), SHORT
    )
