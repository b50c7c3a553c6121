"""Amazon Bedrock's model invocation log: a request a row, of InvokeModel and Converse, streamed or not."""

from __future__ import annotations

from rlhi.collect.formats.fields import Row, first_moment, loaded, mapping, rows_in, text
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.preferences import spoken
from rlhi.collect.formats.requests import grown
from rlhi.collect.formats.turns import messages_in, reply, turns_of
from rlhi.contracts import Conversation
from rlhi.contracts.thoughts import Parted

BODIES = ("inputBodyJson", "inputBodyS3Path")
PROMPTS = ("prompt", "inputText", "inputs", "message")
USERS = ("user_id", "userId", "user")
SESSIONS = ("session_id", "sessionId", "conversation_id", "conversationId")


def is_bedrock(row: Row) -> bool:
    """A row with its ``modelId`` and the body of a request."""
    return "modelId" in row and any(name in mapping(row, "input") for name in BODIES)


def bedrock(row: Row) -> Conversation:
    """The messages of the request with the answer. Whose role made the call (``identity``) is no user.

    Raises:
        ValueError: the bodies lie elsewhere, or hold no messages.
    """
    asked, answered = mapping(row, "input"), mapping(row, "output")
    request = mapping(asked, "inputBodyJson")
    if not request:
        raise ValueError("the request's body is not in the log (it was too large, or is kept in S3)")
    given = mapping(row, "requestMetadata")
    about = [given, request, mapping(request, "metadata")]
    answer = _answer(loaded(answered.get("outputBodyJson")))
    return grown(
        "bedrock",
        turns_of(_messages(request)).answered(answer).marked(row, given),
        session=first_id(about, *SESSIONS),
        user=first_id(about, *USERS),
        created_at=first_moment([row], "timestamp"),
        model=text(row, "modelId"),
        complete=answer is not None,
    )


def _messages(request: Row) -> list[object]:
    system = request.get("system")
    lead: list[object] = [{"role": "system", "content": system}] if system else []
    if messages := messages_in(request.get("messages")):
        return [*lead, *messages]
    prompt = next((said for name in PROMPTS if (said := text(request, name))), None)
    if prompt is None:
        raise ValueError("no messages in the request's body")
    if "<|" in prompt or "[INST]" in prompt:
        raise ValueError("the request is a rendered prompt: use Converse, or messages")
    return [*lead, *(spoken(prompt) or [{"role": "user", "content": prompt}])]


def _answer(body: object) -> Parted | None:
    """What a model answered, in the bodies of Anthropic, Converse, Titan, Llama, Mistral and Cohere."""
    if isinstance(body, dict):
        for name in ("results", "outputs", "generations"):
            for one in (rows_in(body.get(name)) or [])[:1]:
                return reply(one.get("outputText") or one.get("text"))
        if isinstance(body.get("generation"), str):
            return reply(body["generation"])
    return reply(body)
