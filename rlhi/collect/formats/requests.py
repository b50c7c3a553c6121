"""Logs with a request to a model a row: chat completions, and LiteLLM's spend log.

Each row holds the whole history up to its answer, so that the rows of one conversation are exports of one that grows:
they need one id. It is the session's where the client named one. A server without sessions is told nothing but the
messages: there it is the hash of the user and of the first exchange, which every later request repeats.
"""

from __future__ import annotations

from rlhi.collect.formats.fields import TIMES, Row, first_moment, first_text, loaded, mapping, text
from rlhi.collect.formats.format import conversation, first_exchange
from rlhi.collect.formats.ids import first_id, identity
from rlhi.collect.formats.instructions import instructed
from rlhi.collect.formats.turns import Dialogue, messages_in, reply, turns_of
from rlhi.contracts import Conversation, content_key
from rlhi.contracts.thoughts import Parted

ANSWERS = ("response", "choices", "completion", "output")
SESSIONS = ("conversation_id", "session_id", "thread_id")
USERS = ("user_id", "user", "safety_identifier")
# The columns of a table of questions and answers, in words.
EXCHANGES = (
    ("question", "answer"), ("prompt", "response"), ("prompt", "completion"), ("prompt", "answer"),
    ("query", "response"), ("query", "answer"), ("question", "response"), ("instruction", "response"),
    ("user_input", "response"),
    ("user_message", "assistant_message"), ("user_message", "bot_message"), ("user_message", "response"),
    ("user_prompt", "model_response"), ("input", "output"), ("instruction", "output"), ("request", "response"),
    ("message", "response"), ("message", "reply"), ("user", "assistant"), ("human", "assistant"),
)  # fmt: skip
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
    parts = [request, response]
    kept = first_id([mapping(part, "conversation") for part in parts], "id") or first_id(parts, "conversation")
    session = first_id(about, *SESSIONS) or kept
    chain = _chain(response, request, (session or "") if kept else "")
    return grown(
        "completions",
        instructed(turns_of(messages).answered(answer).ended(*_ended(row, answer)).marked(*about, response), request),
        session=session,
        user=first_id(about, *USERS),
        created_at=first_moment([row, response, request], *TIMES),
        model=first_text([response, request, row], "model"),
        complete=answer is not None,
        chain=chain,
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
    said = turns_of(messages).answered(answer).ended(*([loaded(row.get("response"))] if answer else ()))
    if any(SHORTENED in turn.content or turn.content.strip() == WITHHELD for turn in said.turns):
        raise ValueError("LiteLLM shortened or withheld the text")
    given = mapping(row, "metadata")
    about = [request, mapping(request, "metadata"), given, mapping(given, "requester_metadata")]
    return grown(
        "litellm",
        instructed(said.marked(row, *about), row, request),
        session=first_id(about, "litellm_session_id", "session_id", "conversation_id"),
        user=identity(row, "end_user") or identity(request, "user") or identity(given, "user_api_key_end_user_id"),
        created_at=first_moment([row], "startTime"),
        model=first_text([row, request], "model_group", "model"),
        complete=answer is not None,
    )


def _columns(row: Row) -> tuple[str, str] | None:
    return next(((q, a) for q, a in EXCHANGES if isinstance(row.get(q), str) and isinstance(row.get(a), str)), None)


def is_exchange(row: Row) -> bool:
    """A question and its answer, each a text."""
    return _columns(row) is not None


def exchange(row: Row) -> Conversation:
    """An exchange a row, as tables have it; those of one session are one conversation.

    Raises:
        ValueError: the question or the answer says nothing.
    """
    asked, answered = _columns(row) or EXCHANGES[0]
    question, answer = text(row, asked), reply(row.get(answered))
    if question is None or answer is None:
        raise ValueError(f"{asked if question is None else answered} says nothing")
    system = text(row, "system_prompt") or text(row, "system")
    context = text(row, "input") if asked == "instruction" else None
    said = [{"role": "system", "content": system}] if system else []
    said.append({"role": "user", "content": f"{question}\n\n{context}" if context else question})
    about = [row, mapping(row, "metadata")]
    return grown(
        "completions",
        turns_of(said).answered(answer).marked(*about),
        session=first_id(about, *SESSIONS, "id"),
        user=first_id(about, *[name for name in USERS if name != asked]),
        created_at=first_moment(about, *TIMES),
        model=first_text(about, "model", "model_name"),
        complete=True,
    )


def grown(
    source: str, said: Dialogue, *, session: str | None, user: str | None,
    created_at: str | None, model: str | None, complete: bool, chain: tuple[str, ...] = (),
) -> Conversation:  # fmt: skip
    """A conversation that goes on in later rows, under an id that all of them share.

    A session's last exchange is given the time and the model of its row: later rows may hold nothing but the next one.

    Raises:
        ValueError: there is neither a session nor an answer, so that later rows cannot be told to belong to it.
    """
    if session is None and not complete and not chain:
        raise ValueError("the answer has no text, as when a tool is called; a later request may hold it")
    name = session or content_key(source, user, first_exchange(said.turns) if complete else chain)
    if session is not None:
        said = said.dated(created_at, model)
    return conversation(
        source, said, conversation_id=name, user_id=user, created_at=created_at, model=model, chain=chain
    )


def _ended(row: Row, answer: Parted | None) -> list[object]:
    """What may say how the answer ended; nothing without one."""
    return [loaded(row.get(name)) if name in row else None for name in ANSWERS] if answer else []


def _chain(response: Row, request: Row, kept: str) -> tuple[str, ...]:
    """What this request goes on from, and the response to it, where a server keeps the turns before."""
    own = first_id([response], "id", "response_id")
    before = first_id([request, response], "previous_response_id")
    if own is None or not (before or kept or isinstance(loaded(response.get("output")), list)):
        return ()
    return (before or kept, own)


def _request(row: Row) -> Row:
    return _body(mapping(row, "request")) or row


def _body(part: Row) -> Row:
    """What was sent, out of the envelope that proxies and batches keep it in."""
    return mapping(part, "body") or part


def _asked(row: Row) -> list[object]:
    """The messages of a call: a list, or the text of a bare prompt."""
    for name in ("messages", "input"):
        value = loaded(row.get(name))
        if isinstance(value, str) and value.strip():
            return [{"role": "user", "content": value}]
        if found := messages_in(value):
            return found
    return []
