"""What a model's chat template takes, and conversations as it takes them.

Some templates know no system message (Gemma) or only a first one, some no tools, some want users and assistants to
alternate (Mistral), base models have none. What a template refuses or leaves out is found by asking it, once for each
tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from rlhi.contracts import Message, Role
from rlhi.contracts.turns import BETWEEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PLAIN = (
    "{% for message in messages %}{{ message['role'] | capitalize }}:\n{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}"
)
"""For tokenizers without a template: who speaks, in words, and the token that ends a text behind each answer."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a template renders whole: a system message, neighbours of one role, an assistant who speaks first, system
    messages further on, what tools answered."""

    system: bool = True
    neighbours: bool = True
    assistant_first: bool = True
    later_system: bool = True
    tools: bool = True


EVERYTHING = Takes()


def taken(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> tuple[Message, ...]:
    """The messages as the tokenizer's template takes them; as they are, where it takes everything.

    A system message that it does not know goes into the user's first turn, and stands for it where the assistant speaks
    first. Without one an answer to nothing is left out. Documents and tools' results that it does not know are the
    user's. Neighbours of one role become one message.
    """
    form = takes(tokenizer)
    if form == EVERYTHING:
        return tuple(messages)
    found = [Message("user", one.content) if at and not _known(one, form) else one for at, one in enumerate(messages)]
    late = next((one.role for one in found if one.role != "system"), "user") == "assistant"
    if found and found[0].role == "system" and (not form.system or (late and not form.assistant_first)):
        found[0] = Message("user", found[0].content)
        if not late:
            found = [*_joined(found[:2]), *found[2:]]
    if not form.assistant_first:
        first = next((at for at, one in enumerate(found) if one.role == "user"), 0)
        found = [one for at, one in enumerate(found) if at >= first or one.role != "assistant"]
    return tuple(found if form.neighbours else _joined(found))


@lru_cache(maxsize=8)
def takes(tokenizer: PreTrainedTokenizerBase) -> Takes:
    """What the tokenizer's template renders.

    A system message that stands in the last request alone, and nowhere once that is answered, counts as none: what is
    trained would lack it, and what is served would not.
    """
    system = renders(tokenizer, "system", "user") and renders(tokenizer, "system", "user", "assistant")
    before: tuple[Role, ...] = ("system",) if system else ()
    return Takes(
        system,
        renders(tokenizer, "user", "user") and renders(tokenizer, "user", "assistant", "assistant", "user"),
        renders(tokenizer, *before, "assistant", "user"),
        renders(tokenizer, *before, "user", "assistant", "system", "user")
        and renders(tokenizer, *before, "user", "system"),
        renders(tokenizer, *before, "user", "tool", "assistant", "user", "tool"),
    )


def renders(tokenizer: PreTrainedTokenizerBase, *roles: Role) -> bool:
    """Whether the template renders all of a conversation of these roles."""
    return _shows(tokenizer, [Message(role, f"Word{at}") for at, role in enumerate(roles)])


def renders_talk(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a conversation of a user of whom something is known comes out whole."""
    roles: tuple[Role, ...] = ("system", "user", "assistant", "user")
    return _shows(tokenizer, taken([Message(role, f"Word{at}") for at, role in enumerate(roles)], tokenizer))


def _shows(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> bool:
    from jinja2 import TemplateError

    rows = [{"role": one.role, "content": one.content} for one in messages]
    try:
        text = str(tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=True))
    except (TemplateError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return False
    return all(part in text for one in messages for part in one.content.split())


def _known(one: Message, form: Takes) -> bool:
    """Whether a message that is not the first may keep its role."""
    return one.speaks or (form.tools if one.role == "tool" else form.later_system)


def _joined(messages: Sequence[Message]) -> list[Message]:
    groups = ((role, list(group)) for role, group in groupby(messages, key=lambda one: one.role))
    return [Message(role, BETWEEN.join(one.content for one in group)) for role, group in groups]
