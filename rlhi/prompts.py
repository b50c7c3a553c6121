"""The one home of persona-conditioned text: training, scoring and serving all build their prompts here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.contracts import Message, Turn, to_record

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BASE_SYSTEM = "You are a helpful assistant."


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """A model folder's tokenizer; its pad token is set."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def persona_system(persona: str) -> str:
    """The system message for a user with this persona; the plain one for an empty persona.

    >>> persona_system("Wants short answers.")
    'You are a helpful assistant. About this user: Wants short answers.'
    """
    return f"{BASE_SYSTEM} About this user: {persona}" if persona else BASE_SYSTEM


def with_persona(turns: Sequence[Turn | Message], persona: str) -> tuple[Message, ...]:
    """A conversation as a chat prompt that begins with the persona's system message."""
    dialogue = tuple(Message(turn.role, turn.content) for turn in turns if turn.role != "system")
    return (Message("system", persona_system(persona)), *dialogue)


def rewrite_request(turns: Sequence[Turn], feedback: str, persona: str) -> tuple[Message, ...]:
    """The prompt of a user-guided rewrite (paper, UGR): the conversation up to the answer, then the follow-up.

    ``turns`` end with the answer that the user was not content with.
    """
    ask = f"{feedback}\n\nRewrite your answer to my request so that it does this. Reply with the new answer only."
    return (*with_persona(turns, persona), Message("user", ask))


def judged(
    persona: str, prompt: Sequence[Turn | Message], answer: str, limit: int, tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """The tokens of the conversation that ends with the answer to be judged: what a reward model reads.

    The prompt loses its oldest exchanges to come down to ``limit`` tokens, then its request loses its beginning. The
    answer is never cut, so there are more tokens where the answer alone has more.
    """
    messages, end = with_persona(prompt, persona), Message("assistant", answer)

    def encode(part: Sequence[Message]) -> list[int]:
        text = tokenizer.apply_chat_template([to_record(one) for one in (*part, end)], tokenize=False)
        return list(tokenizer.encode(str(text), add_special_tokens=False))

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
