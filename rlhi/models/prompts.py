"""The one home of persona-conditioned text: training, scoring and serving all build their prompts here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.contracts import Message, Turn
from rlhi.contracts.thoughts import opened_by, thought_marks
from rlhi.models.templates import PLAIN, taken

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BASE_SYSTEM = "You are a helpful assistant."


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """A model folder's tokenizer; its pad token is set, and a plain chat template where it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN
    return tokenizer


def persona_system(persona: str) -> str:
    """The system message for a user with this persona; the plain one for an empty persona.

    >>> persona_system("Wants short answers.")
    'You are a helpful assistant. About this user: Wants short answers.'
    """
    return f"{BASE_SYSTEM} About this user: {persona}" if persona else BASE_SYSTEM


def with_persona(turns: Sequence[Turn | Message], persona: str) -> tuple[Message, ...]:
    """A conversation as a chat prompt that begins with the persona's system message."""
    said = (turn for turn in turns if turn.role != "system" and turn.content.strip())
    dialogue = tuple(Message(turn.role, turn.content) for turn in said)
    return (Message("system", persona_system(persona)), *dialogue)


def rewrite_request(turns: Sequence[Turn], feedback: str, persona: str) -> tuple[Message, ...]:
    """The prompt of a user-guided rewrite (paper, UGR): the conversation up to the answer, then the follow-up.

    ``turns`` end with the answer that the user was not content with.
    """
    ask = f"{feedback}\n\nRewrite your answer to my request so that it does this. Reply with the new answer only."
    return (*with_persona(turns, persona), Message("user", ask))


def well_formed(text: str) -> str:
    """Text that every file and tokenizer takes: half a surrogate pair is no character, and becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def plain(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """A text of which nothing is read as a special token of the tokenizer's: people write and paste them.

    What would be one is broken by a space of no width. A logged ``<|im_end|>`` would end the turn that quotes it, and
    what follows could speak for the user or the system.
    """
    for name in _special_tokens(tokenizer):
        if name in text:
            text = text.replace(name, f"{name[:1]}\u200b{name[1:]}")
    return text


@lru_cache(maxsize=8)
def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    return sorted(str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)


def as_taken(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> tuple[Message, ...]:
    """The messages as the model's chat template takes them (:mod:`rlhi.models.templates`)."""
    return taken(messages, tokenizer)


def chat_text(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, add_generation_prompt: bool = False
) -> str:
    """The messages in the model's chat template, as it takes them, their words as words (:func:`plain`)."""
    rows = [{"role": one.role, "content": plain(one.content, tokenizer)} for one in taken(messages, tokenizer)]
    return str(tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=add_generation_prompt))


def chat_tokens(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens of messages that the model is to answer, in its chat template."""
    text = chat_text(messages, tokenizer, add_generation_prompt=True)
    return list(tokenizer.encode(text, add_special_tokens=False))


def reply_text(tokens: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """What a model said in these tokens, with the tags of its thoughts, be they special tokens or in the prompt."""
    opened, marks = _thought_marks(tokenizer)
    if not marks:
        return opened + str(tokenizer.decode(tokens, skip_special_tokens=True)).strip()
    text = str(tokenizer.decode(tokens, skip_special_tokens=False))
    for name in _special_tokens(tokenizer):
        if name not in marks:
            text = text.replace(name, "")
    return opened + text.strip()


@lru_cache(maxsize=8)
def _thought_marks(tokenizer: PreTrainedTokenizerBase) -> tuple[str, frozenset[str]]:
    """The tag with which the chat template opens a thought for the model, and the special tokens that mark thoughts."""
    asked = chat_text([Message("user", "Hi")], tokenizer, add_generation_prompt=True)
    return opened_by(asked), thought_marks(_special_tokens(tokenizer))


def prompt_tokens(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, limit: int) -> list[int]:
    """The same, cut to ``limit`` tokens as :func:`fit_context` says: what an engine reads of a prompt."""
    fitted = fit_context(messages, limit, lambda part: len(chat_tokens(part, tokenizer)))
    if fitted is not None:
        return chat_tokens(fitted, tokenizer)
    # The request alone is too long: its end is what asks.
    return chat_tokens(messages[-1:], tokenizer)[-limit:]


def judged(
    persona: str, prompt: Sequence[Turn | Message], answer: str, limit: int, tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """The tokens of the conversation that ends with the answer to be judged: what a reward model reads.

    The prompt loses its oldest exchanges to come down to ``limit`` tokens, then its request loses its beginning. The
    answer is never cut, so there are more tokens where the answer alone has more.
    """
    messages, end = with_persona(prompt, persona), Message("assistant", answer)

    def encode(part: Sequence[Message]) -> list[int]:
        return list(tokenizer.encode(chat_text((*part, end), tokenizer), add_special_tokens=False))

    fitted = fit_context(messages, limit, lambda part: len(encode(part)))
    if fitted is not None:
        return encode(fitted)
    rest = messages[-1].content if len(messages) > 1 else ""
    while len(ids := encode([messages[0], *([Message("user", rest)] if rest else [])])) > limit and rest:
        rest = rest[len(rest) // 4 + 1 :]
    return ids


def fit_context(
    messages: Sequence[Message], limit: int, count: Callable[[Sequence[Message]], int]
) -> tuple[Message, ...] | None:
    """Drop the oldest exchanges until ``count(messages)`` is at most ``limit`` tokens.

    The system message and the last user message always stay; None when these alone are too long.
    """
    system = [message for message in messages[:1] if message.role == "system"]
    dialogue = list(messages[len(system) :])
    while count([*system, *dialogue]) > limit:
        if len(dialogue) <= 1:
            return None
        following = next((at for at in range(1, len(dialogue)) if dialogue[at].role == "user"), None)
        if following is None:
            return None
        dialogue = dialogue[following:]
    return (*system, *dialogue)
