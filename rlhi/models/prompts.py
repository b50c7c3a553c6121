"""The one home of prompts: training, sampling, scoring, evaluation and serving all build theirs here.

:class:`Prompts` makes messages of a conversation and a persona. What a model reads of them is :func:`chat_text`: the
messages as its chat template takes them (:mod:`rlhi.models.templates`), their words as words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.config import PromptConfig
from rlhi.config.prompt import PERSONA
from rlhi.contracts import Message, Turn, content_key
from rlhi.contracts.thoughts import opened_by, thought_marks
from rlhi.contracts.turns import BETWEEN, asked_last
from rlhi.models.templates import PLAIN, taken

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenizer_of(folder: Path) -> PreTrainedTokenizerBase:
    """A model folder's tokenizer; its pad token is set, and a plain chat template where it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN
    return tokenizer


@dataclass(frozen=True, slots=True)
class Prompts:
    """Makes the messages that a model is asked with, as the section ``prompt`` of params.yaml says."""

    config: PromptConfig = PromptConfig()

    def told(self, turns: Sequence[Turn | Message], persona: str) -> tuple[Message, ...]:
        """A conversation as a prompt for a user with this persona, empty for nothing known.

        The application's own system turn comes first, the persona joined to it; what the system says later and what
        tools answered stand where they stood. Turns without text are left out. What was told another persona, in a log
        or here, is told this one instead.

        >>> [one.content for one in Prompts().told([Turn("user", "What is DNS?")], "Wants short answers.")]
        ['You are a helpful assistant. About this user: Wants short answers.', 'What is DNS?']
        """
        said = [Message(turn.role, turn.content) for turn in turns if turn.content.strip()]
        first = bool(said) and said[0].role == "system"
        own = self._untold(said[0].content) if first else ""
        text = self.system(own if self.config.own == "keep" else "", persona)
        rest = self._behind(said[1:] if first else said, {own, self.config.system})
        return (*([Message("system", text)] if text else []), *rest)

    def system(self, own: str, persona: str) -> str:
        """The system turn of an application with the persona; ``prompt.system`` where it has none of its own."""
        text, told = own or self.config.system, self.sentence(persona)
        if text == self.config.system and PERSONA in text:
            return text.replace(PERSONA, told)
        if not told or not text:
            return told or text
        return f"{text} {told}" if self.config.place == "after" else f"{told}{BETWEEN}{text}"

    def sentence(self, persona: str) -> str:
        """What tells the persona; empty for none. Before a system turn it is one paragraph, to be found again."""
        if not persona:
            return ""
        if self.config.place == "before":
            persona = "\n".join(line for line in persona.splitlines() if line.strip())
        return self.config.persona.replace(PERSONA, persona)

    def rewrite(self, turns: Sequence[Turn], feedback: str, persona: str) -> tuple[Message, ...]:
        """The prompt of a user-guided rewrite (paper, UGR): the conversation up to the answer, then the follow-up.

        ``turns`` end with the answer that the user was not content with.
        """
        ask = f"{feedback}\n\nRewrite your answer to my request so that it does this. Reply with the new answer only."
        return (*self.told(turns, persona), Message("user", ask))

    def form(self, turns: Sequence[Turn]) -> str:
        """What tells samples for this prompt from those for the plain one, behind the key of a request.

        Empty where the two are the same: no system turn, no document, no parameter of another value.
        """
        told = self.told(turns, "")
        plainly = DEFAULT.told([turn for turn in turns if turn.speaks], "")
        if told == plainly and self == DEFAULT:
            return ""
        return f"/{content_key(told, self.config.model_dump(mode='json'))[:12]}"

    def _behind(self, said: Sequence[Message], instructions: set[str]) -> Iterator[Message]:
        """What follows the first system turn, without instructions that are repeated: logs of requests do, with the
        persona of the day."""
        for one in said:
            if one.speaks or (one.role == "tool" and self.config.documents == "keep"):
                yield one
            elif one.role == "system" and self.config.documents == "keep":
                text = self._untold(one.content)
                if text and text not in instructions:
                    yield Message("system", text)

    def _untold(self, text: str) -> str:
        """A system turn without the persona that it tells; one that was made of ``prompt.system`` is that again."""
        head, _, tail = self.config.persona.partition(PERSONA)
        before, mark, behind = self.config.system.partition(PERSONA)
        if mark and text.startswith(before) and text.endswith(behind) and len(text) >= len(before) + len(behind):
            middle = text[len(before) : len(text) - len(behind)]
            if not middle or (middle.startswith(head) and middle.endswith(tail)):
                return self.config.system
        if text.startswith(head):
            return text.partition(f"{tail}{BETWEEN}")[2]
        at = text.find(f" {head}")
        return text[:at] if at >= 0 and text.endswith(tail) else text


DEFAULT = Prompts()
"""As params.yaml says by default."""


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


def rendered(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> tuple[Message, ...]:
    """The messages that are put into the chat template: as it takes them, their words as words (:func:`plain`)."""
    return tuple(Message(one.role, plain(one.content, tokenizer)) for one in taken(messages, tokenizer))


def chat_text(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, add_generation_prompt: bool = False
) -> str:
    """The :func:`rendered` messages in the model's chat template."""
    rows = [{"role": one.role, "content": one.content} for one in rendered(messages, tokenizer)]
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
    """The same, cut to ``limit`` tokens as :func:`fit_context` says: what an engine reads of a prompt.

    Where system turn and request alone are too long, it is the end of the request, for that is what asks.
    """
    fitted = fit_context(messages, limit, lambda part: len(chat_tokens(part, tokenizer)))
    if fitted is not None:
        return chat_tokens(fitted, tokenizer)
    return chat_tokens([Message("user", asked_last(messages))], tokenizer)[-limit:]


def served(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, limit: int) -> tuple[Message, ...] | None:
    """What a server has to be sent for the model to read :func:`prompt_tokens`; None where that is no whole message."""
    fitted = fit_context(messages, limit, lambda part: len(chat_tokens(part, tokenizer)))
    return None if fitted is None else rendered(fitted, tokenizer)


def judged(
    persona: str, prompt: Sequence[Turn | Message], answer: str, limit: int, tokenizer: PreTrainedTokenizerBase,
    prompts: Prompts,
) -> list[int]:  # fmt: skip
    """The tokens of the conversation that ends with the answer to be judged: what a reward model reads.

    The prompt comes down to ``limit`` tokens as :func:`fit_context` says, then its request loses its beginning. The
    answer is never cut, so there are more tokens where the answer alone has more.
    """
    messages, end = prompts.told(prompt, persona), Message("assistant", answer)

    def encode(part: Sequence[Message]) -> list[int]:
        return list(tokenizer.encode(chat_text((*part, end), tokenizer), add_special_tokens=False))

    fitted = fit_context(messages, limit, lambda part: len(encode(part)))
    if fitted is not None:
        return encode(fitted)
    system = [one for one in messages[:1] if one.role == "system"]
    rest = asked_last(messages) if len(messages) > len(system) else ""
    while len(ids := encode([*system, *([Message("user", rest)] if rest else [])])) > limit and rest:
        rest = rest[len(rest) // 4 + 1 :]
    return ids


def fit_context(
    messages: Sequence[Message], limit: int, count: Callable[[Sequence[Message]], int]
) -> tuple[Message, ...] | None:
    """Drop what may go until ``count(messages)`` is at most ``limit`` tokens.

    The oldest exchanges go first, then of the last one documents and tools' results, the oldest first. The system
    message and the last user message always stay; None when these alone are too long.
    """
    system = [message for message in messages[:1] if message.role == "system"]
    dialogue: Sequence[Message] | None = messages[len(system) :]
    while dialogue is not None and count([*system, *dialogue]) > limit:
        dialogue = _shorter(dialogue)
    return None if dialogue is None else (*system, *dialogue)


def _shorter(dialogue: Sequence[Message]) -> Sequence[Message] | None:
    """A dialogue without its first exchange; the last one without its first document; None where neither is there.

    An exchange begins with what the system says right before its request.
    """
    starts = (_beginning(dialogue, at) for at in range(1, len(dialogue)) if dialogue[at].role == "user")
    if following := next((at for at in starts if at > 0), 0):
        return dialogue[following:]
    document = next((at for at, one in enumerate(dialogue) if not one.speaks), None)
    return None if document is None else [*dialogue[:document], *dialogue[document + 1 :]]


def _beginning(dialogue: Sequence[Message], at: int) -> int:
    while at and dialogue[at - 1].role == "system":
        at -= 1
    return at
