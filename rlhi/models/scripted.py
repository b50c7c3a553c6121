"""A chat model that answers from a script: deterministic, for tests and dry runs of a workspace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rlhi.contracts import Message, content_key
from rlhi.models.base import ModelError, Sampled, Sampling, sampled


class ScriptedChatModel:
    """``ChatModel`` whose replies are drawn from a fixed list by a hash of the prompt, the seed and the number."""

    def __init__(self, replies: Sequence[str], name: str = "scripted") -> None:
        if not replies:
            raise ModelError("a scripted model needs at least one reply")
        self.replies = list(replies)
        self.name = name

    @classmethod
    def load(cls, path: Path) -> ScriptedChatModel:
        """Read a JSON list of replies."""
        try:
            loaded = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"scripted:{path} cannot be read: {error}") from None
        if not isinstance(loaded, list):
            raise ModelError(f"scripted:{path} should hold a JSON list of replies")
        return cls([str(reply) for reply in loaded], f"scripted:{path.name}")

    def fits(self, messages: Sequence[Message]) -> bool:
        """Always."""
        return True

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        """``sampling.n`` replies a conversation; neighbours differ as long as the script has other lines."""
        starts = [int(content_key([m.content for m in messages], sampling.seed), 16) for messages in batch]
        return [
            [sampled(self.replies[(start + at) % len(self.replies)]) for at in range(sampling.n)] for start in starts
        ]
