"""Judges that are scripted: what each is shown of a pair, and how it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rlhi.contracts import Message
from rlhi.models.base import Answer, Usage

Names = Callable[[str, str], str]
"""From the replies that are shown as a and b to "a", "b" or "tie"."""


def first(a: str, b: str) -> str:
    """Whatever stands first."""
    return "a"


def longer(a: str, b: str) -> str:
    """The longer one."""
    return "tie" if len(a) == len(b) else "a" if len(a) > len(b) else "b"


def by_key(word: str) -> Names:
    """The one with a word in it."""
    return lambda a, b: "tie" if (word in a) == (word in b) else "a" if word in a else "b"


def answered(names: Names, asked: str) -> str:
    """The JSON that a judge answers to what it is shown."""
    shown = json.loads(asked)
    said = names(shown["a"], shown["b"])
    return json.dumps({"personalisation": said, "instructions": "tie", "overall": said})


def says(names: Names) -> Callable[[dict[str, Any]], str]:
    """The same for :class:`tests.support.endpoint.Endpoint`."""
    return lambda body: answered(names, body["messages"][1]["content"])


class ScriptedJudge:
    """A ``StructuredModel`` that answers by a rule; ``None`` where it is shown a reply in ``odd``."""

    def __init__(self, names: Names, name: str = "judge", odd: Sequence[str] = ()) -> None:
        self.name, self.usage, self.asked = name, Usage(), list[str]()
        self._names, self._odd = names, odd

    def structured(self, batch: Sequence[Sequence[Message]], shape: type[Answer]) -> list[Answer | None]:
        """An answer to each."""
        self.asked += [messages[-1].content for messages in batch]
        return [self._one(messages[-1].content, shape) for messages in batch]

    def _one(self, asked: str, shape: type[Answer]) -> Answer | None:
        if any(json.loads(asked)["a"] == reply for reply in self._odd):
            return None
        return shape.model_validate_json(answered(self._names, asked))
