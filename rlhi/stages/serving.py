"""`rlhi prompt`: what a server has to be sent for a user, as training, sampling and evaluation build it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlhi.collect.formats.turns import messages_in, turns_of
from rlhi.contracts import Message, Turn, to_record
from rlhi.models.prompts import Prompts, chat_text, served, tokenizer_of
from rlhi.stages import StageError
from rlhi.stages.collect.personas import read_personas
from rlhi.stages.collect.salt import known_as
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace


@dataclass(frozen=True, slots=True)
class Served:
    """The messages of a request, and the text that the champion's chat template makes of them."""

    messages: tuple[Message, ...]
    text: str

    def as_json(self) -> dict[str, object]:
        """For ``--json``, and for the body of a request."""
        return {"messages": [to_record(one) for one in self.messages]}


def served_prompt(root: Path, user: str, said: Sequence[Turn]) -> Served:
    """What the champion is to be sent for a user, by either id, who has come to this point of a conversation.

    A user of whom nothing is known is served the prior, where there is one, else no persona.

    Raises:
        StageError: the system turn and the last request alone are longer than ``evaluate.sampling.context_tokens``.
    """
    space = Workspace.open(root)
    params = space.params
    ids, rows = {user, known_as(space, params.ingest, user)}, read_personas(space)
    own = [row.text for row in rows if row.user_id in ids]
    persona = next(iter([*own, *(row.text for row in rows if row.origin == "prior")]), "")
    tokenizer = tokenizer_of(ledger.policy_path(space.root, ledger.champion(space.root)))
    most = params.evaluate.sampling.context_tokens
    sent = served(Prompts(params.prompt).told(said, persona), tokenizer, most)
    if sent is None:
        raise StageError(
            f"the system turn and the last request alone are longer than evaluate.sampling.context_tokens ({most}): of "
            "such a request only the end was read in evaluation, and no pair was trained on"
        )
    return Served(sent, chat_text(sent, tokenizer, add_generation_prompt=True))


def read_messages(file: Path) -> tuple[Turn, ...]:
    """The messages of a request, or a list of them, in a file of JSON, as a log of them is read.

    Raises:
        StageError: it holds none.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StageError(f"{file} cannot be read: {str(error).splitlines()[0]}") from None
    found = messages_in(held.get("messages") if isinstance(held, dict) else held)
    turns = turns_of(found or []).turns
    if not any(turn.role == "user" and turn.has_text for turn in turns):
        raise StageError(f"{file} holds no messages with a user's words: a list of objects with role and content")
    return turns
