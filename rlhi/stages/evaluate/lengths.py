"""How long replies are, and what a persona costs in every prompt: told beside an evaluation, and deciding nothing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rlhi.checks.form import length
from rlhi.contracts import Message
from rlhi.evaluate.said import Replies, Reply
from rlhi.models.prompts import Prompts, chat_tokens, tokenizer_of
from rlhi.stages.table import Counts
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace


def lengths(space: Workspace, prompts: Prompts, replies: Replies, asked: Sequence[Reply]) -> Counts:
    """The median words of each model's replies to users, and the median of the tokens that their personas add.

    Empty where nobody was asked.
    """
    if not asked:
        return {}
    words = {f"{model}'s words": median(length(reply.text) for reply in said) for model, said in replies.items()}
    return {**words, "persona's tokens": median(persona_tokens(space, prompts, asked))}


def persona_tokens(space: Workspace, prompts: Prompts, asked: Sequence[Reply]) -> list[int]:
    """For each request: how many more tokens the champion reads with the user's persona than without."""
    tokenizer = tokenizer_of(ledger.policy_path(space.root, ledger.pinned(space.root).champion))

    def read(messages: Sequence[Message]) -> int:
        return len(chat_tokens(messages, tokenizer))

    return [read(one.prompt) - read(prompts.told(one.prompt, "")) for one in asked]
