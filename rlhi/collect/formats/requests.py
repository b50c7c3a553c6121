"""Logs with a request to a model a row: chat completions, and LiteLLM's spend log.

Each row holds the whole history up to its answer, so that the rows of one conversation are exports of one that grows:
they need one id. It is the session's where the client named one. A server without sessions is told nothing but the
messages: there it is the hash of the user and of the first exchange, which every later request repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rlhi.collect.formats.fields import TIMES, Row, first_moment, first_text, loaded, mapping, rows_in, text
from rlhi.collect.formats.format import conversation, first_exchange
from rlhi.collect.formats.ids import first_id, identity
from rlhi.collect.formats.turns import reply, turns_of
from rlhi.contracts import Conversation, Turn, content_key

ANSWERS = ("response", "choices", "completion", "output")
SESSIONS = ("conversation_id", "session_id", "thread_id")
USERS = ("user_id", "user", "safety_identifier")
# What LiteLLM writes in place of text that it shortens or keeps to itself.
SHORTENED, WITHHELD = "(litellm_truncated skipped", "redacted-by-litellm"


def is_completion(row: Row) -> bool:
    """``messages``, in the row or in its ``request`` (where they may be called ``input``), beside an answer."""
    request = _request(row)
    asked = isinstance(request.get("messages"), list) or (request is not row and "input" in request)
    return asked and any(name in row for name in ANSWERS)


def completion(row: Row) -> Conversation:
    """A chat completion's request and response."""
    request, response = _request(row), _body(mapping(row, "response"))
    messages = _asked(request)
    if not messages:
        raise ValueError("messages is not a list of objects")
    answer = next((found for name in ANSWERS if (found := reply(loaded(row.get(name))))), None)
    about = [row, request, mapping(row, "metadata"), mapping(request, "metadata")]
    return grown(
        "completions",
        answered(turns_of(messages), answer),
        session=first_id(about, *SESSIONS),
        user=first_id(about, *USERS),
        created_at=first_moment([row, response, request], *TIMES),
        model=first_text([response, request, row], "model"),
        complete=answer is not None,
    )


def is_litellm(row: Row) -> bool:
    """A row of LiteLLM's spend log, or its standard logging payload."""
    return "call_type" in row and any(name in row for name in ("startTime", "end_user", "proxy_server_request"))


def litellm(row: Row) -> Conversation:
    """A call through LiteLLM's proxy.

    ``session_id`` and ``trace_id`` of the row are no session: the proxy invents one for each request that names none.
    ``user`` is whose key it was, often an application's: the end user is ``end_user``.
    """
    if text(row, "status") == "failure":
        raise ValueError("the request failed")
    request = _body(mapping(row, "proxy_server_request"))
    messages = _asked(row) or _asked(request)
    if not messages:
        raise ValueError("no messages: LiteLLM keeps them when store_prompts_in_spend_logs is on")
    answer = reply(loaded(row.get("response")))
    turns = answered(turns_of(messages), answer)
    if any(SHORTENED in turn.content or turn.content.strip() == WITHHELD for turn in turns):
        raise ValueError("LiteLLM shortened or withheld the text")
    given = mapping(row, "metadata")
    about = [request, mapping(request, "metadata"), given, mapping(given, "requester_metadata")]
    return grown(
        "litellm",
        turns,
        session=first_id(about, "litellm_session_id", "session_id", "conversation_id"),
        user=identity(row, "end_user") or identity(request, "user") or identity(given, "user_api_key_end_user_id"),
        created_at=first_moment([row], "startTime"),
        model=first_text([row, request], "model_group", "model"),
        complete=answer is not None,
    )


def grown(
    source: str, turns: Sequence[Turn], *, session: str | None, user: str | None,
    created_at: str | None, model: str | None, complete: bool,
) -> Conversation:  # fmt: skip
    """A conversation that goes on in later rows, under an id that all of them share.

    A session's last exchange is given the time and the model of its row: later rows may hold nothing but the next one.

    Raises:
        ValueError: there is neither a session nor an answer, so that later rows cannot be told to belong to it.
    """
    if session is None and not complete:
        raise ValueError("the answer has no text, as when a tool is called; a later request may hold it")
    name = session or content_key(source, user, first_exchange(turns))
    if session is not None:
        turns = dated(turns, created_at, model)
    return conversation(source, turns, conversation_id=name, user_id=user, created_at=created_at, model=model)


def dated(turns: Sequence[Turn], created_at: str | None, model: str | None) -> tuple[Turn, ...]:
    """The turns, the last exchange of them with its time and its model where it says none itself."""
    last = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=0)
    exchange = [
        replace(
            turn,
            created_at=turn.created_at or created_at,
            model=turn.model or (model if turn.role == "assistant" else None),
        )
        for turn in turns[last:]
    ]
    return (*turns[:last], *exchange)


def answered(turns: tuple[Turn, ...], answer: str | None) -> tuple[Turn, ...]:
    """The history with its answer, which some loggers have put there already."""
    if answer is None or (turns and turns[-1].role == "assistant" and turns[-1].content == answer):
        return turns
    return (*turns, Turn("assistant", answer))


def _request(row: Row) -> Row:
    return _body(mapping(row, "request")) or row


def _body(part: Row) -> Row:
    """What was sent, out of the envelope that proxies and batches keep it in."""
    return mapping(part, "body") or part


def _asked(row: Row) -> list[Row]:
    """The messages of a call: a list, or the text of a bare prompt."""
    for name in ("messages", "input"):
        value = loaded(row.get(name))
        if isinstance(value, str) and value.strip():
            return [{"role": "user", "content": value}]
        if found := rows_in(value):
            return found
    return []
