"""Who speaks, in the many words that logs have for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from rlhi.collect.formats.fields import Row
from rlhi.contracts import Role

Speaker = Literal["system", "user", "assistant", "tool", "thought"]
"""A role; or what is no turn: a model's thought in a turn of its own."""

PLAIN: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
WORDS: dict[Speaker, str] = {
    "system": "system developer instruction instructions",
    "user": "user human prompter customer client enduser person visitor guest questioner asker requester caller",
    "assistant": (
        "assistant gpt chatgpt bing bard model bot chatbot ai llm agent claude gemini llama mistral copilot grok qwen "
        "deepseek robot responder"
    ),
    "tool": (
        "tool tools function functions observation ipython environment interpreter python plugin retriever retrieval "
        "action api browser execution"
    ),
    "thought": "reasoning thought thoughts thinking",
}
SPEAKERS: dict[str, Speaker] = {word: speaker for speaker, words in WORDS.items() for word in words.split()}
# What says nothing of who speaks: HumanMessage, AIMessageChunk, ROLE_USER, end_user.
EMPTY = frozenset({"message", "messages", "msg", "chunk", "role", "chat", "end", "the", "turn", "virtual", "prompt"})
# What calls of tools and their results end with, whichever the tool: web_search_call, mcp_call_output, tool_result.
ENDINGS = frozenset({"call", "calls", "output", "outputs", "result", "results", "use", "response", "request"})
# What ends the names of calls alone: what a model asks of a tool.
CALLS = frozenset({"call", "calls", "use", "request", "action"})
NAMES = ("role", "from", "type", "speaker", "sender", "author")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def speaker_of(row: Row) -> Speaker | None:
    """Who speaks; None where the word for it is not known.

    An item with a type and no speaker is no turn: APIs keep their own things between turns.

    >>> speaker_of({"role": "END_USER"}), speaker_of({"from": "gpt-4o"}), speaker_of({"type": "web_search_call"})
    ('user', 'assistant', 'tool')
    """
    if isinstance(role := row.get("role"), str) and role in PLAIN:  # as nearly every log writes it
        return PLAIN[role]
    name = _field(row)
    return speaker_named(_said(row.get(name)), item=name == "type")


def role_named(row: Row) -> str:
    """The word that a row has for who speaks, empty for none."""
    return _said(row.get(_field(row)))[:40]


def _field(row: Row) -> str:
    return next((name for name in NAMES if _said(row.get(name))), "")


@lru_cache(maxsize=4096)
def speaker_named(said: str, item: bool = False) -> Speaker | None:
    """The speaker that a word names; of an item's type, a tool where it names nobody."""
    words = [word for word in re.findall(r"[a-z]+", _HUMP.sub(" ", said[:200]).lower()) if len(word) > 1]
    told = [word for word in words if word not in EMPTY]
    found = {SPEAKERS[word] for word in told if word in SPEAKERS}
    if "tool" in found or (not found and len(words) > 1 and words[-1] in ENDINGS):
        return "tool"
    if len(found) == 1:
        return found.pop()
    return "tool" if item and told and not found else None


def is_call(row: Row) -> bool:
    """Whether a tool's turn or part is what the model asked of it, and not what it answered.

    >>> is_call({"from": "function_call"}), is_call({"type": "tool_result"}), is_call({"role": "tool"})
    (True, False, False)
    """
    words = re.findall(r"[a-z]+", _HUMP.sub(" ", role_named(row)).lower())
    return bool(words) and words[-1] in CALLS


def may_answer(row: Row) -> bool:
    """Whether a tool's message or item may hold what a tool said: one without a speaker only where its type says so."""
    name = _field(row)
    return name != "type" or is_tools(_said(row.get(name)))


def is_tools(kind: str) -> bool:
    """Whether a part of this type is a call of a tool, or what one said.

    >>> is_tools("mcp_tool_result"), is_tools("output_text"), is_tools("web_search_call")
    (True, False, True)
    """
    words = kind.lower().replace("-", "_").split("_")
    return words[-1] in ENDINGS and len(words) > 1 or bool({"tool", "function"} & set(words))


def _said(value: object) -> str:
    if isinstance(value, Mapping):  # ChatGPT's export: {"author": {"role": "user"}}
        value = value.get("role") or value.get("name")
    return value.strip() if isinstance(value, str) else ""
