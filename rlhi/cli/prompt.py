"""`rlhi prompt`: what to send a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rlhi.cli.printed import space_of

REQUEST = "What is DNS?"


def prompt(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="The user's id in the log, or as `rlhi persona export` lists it.")],
    request: Annotated[str, typer.Option(help="What the user asks.")] = REQUEST,
    messages: Annotated[
        Path | None, typer.Option(help="JSON: the application's own messages, from its system turn to the request.")
    ] = None,
    as_text: Annotated[bool, typer.Option("--text", help="Print the text that the chat template makes of it.")] = False,
) -> None:
    """Print what a server has to be sent for a user: the messages that training, sampling and evaluation build.

    As the champion's chat template takes them, with the user's persona, within evaluate.sampling.context_tokens.
    """
    from rlhi.cli.plain import plain
    from rlhi.contracts import Turn
    from rlhi.stages.serving import read_messages, served_prompt

    said = read_messages(messages) if messages else (Turn("user", request),)
    found = served_prompt(space_of(context), user, said)
    if not as_text:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        print(plain(found.text, len(found.text)).plain if sys.stdout.isatty() else found.text)
