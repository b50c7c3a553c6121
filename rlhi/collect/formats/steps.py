"""What a step of a trace was asked and answered, in whichever wrapping an application passes it."""

from __future__ import annotations

from collections.abc import Mapping

from rlhi.collect.formats.fields import DEPTH, Row, loaded
from rlhi.collect.formats.turns import Dialogue, messages_in, reply, turns_of
from rlhi.contracts.thoughts import Parted, parted

# Where an application's input keeps what the user said, when it is no list of messages.
QUESTIONS = (
    "messages", "input", "inputs", "question", "query", "prompt", "message", "text", "content", "user_input",
    "user_query", "user_message", "request", "kwargs", "args",
)  # fmt: skip


def spoken_in(step: Row) -> tuple[Dialogue, bool] | None:
    """The turns of one step's input and output, None where they are no conversation."""
    output = loaded(step.get("output"))
    whole = messages_in(output.get("messages")) if isinstance(output, Mapping) else None
    messages, history = whole or asked_in(step.get("input")), True
    if isinstance(messages, str):
        messages, history = [{"role": "user", "content": messages}], False
    try:
        said = turns_of(messages or []).answered(None if whole else reply(output) or _plain(step.get("output")))
    except ValueError:
        return None
    return (said, history) if any(turn.role == "user" for turn in said.turns) else None


def asked_in(value: object, depth: int = DEPTH) -> list[object] | str | None:
    """A list of messages, or the text of a question, in whichever wrapping an application passes it."""
    value = loaded(value)
    if isinstance(value, str):
        return value if value.strip() else None
    if depth == 0:
        return None
    if isinstance(value, list):
        messages = messages_in(value)
        if messages and any("role" in one or "from" in one for one in messages if isinstance(one, Mapping)):
            return messages
        return asked_in(value[0], depth - 1) if len(value) == 1 else None
    if isinstance(value, Mapping):
        if "role" in value and "content" in value:
            return [value]
        return next((found for name in QUESTIONS if (found := asked_in(value.get(name), depth - 1))), None)
    return None


def _plain(output: object) -> Parted | None:
    """An answer that is JSON by design, and so has none of the wrappings of a message."""
    return parted(output) if isinstance(output, str) and output.strip() else None
