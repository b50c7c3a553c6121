"""Answers in a given shape from an OpenAI-compatible endpoint: asked for by schema, validated, asked again if wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rlhi.contracts import Message, to_record
from rlhi.contracts.thoughts import parted
from rlhi.models.base import Answer, Usage
from rlhi.models.openai_api import PARALLEL, OpenAIChatModel, refuses

if TYPE_CHECKING:
    from openai import OpenAI

TRIES = 3
MOST_TOKENS = 200


class OpenAIStructuredModel(OpenAIChatModel):
    """``StructuredModel`` over ``URL#MODEL`` (see :class:`OpenAIChatModel`); at most ``tries`` replies an answer.

    The schema goes along as ``response_format``; an endpoint that does not know it (HTTP 400) is asked without. The
    client itself repeats calls that failed on the way. ``usage`` counts every reply, the useless ones too.
    """

    def __init__(self, address: str, tries: int = TRIES, most_tokens: int = MOST_TOKENS) -> None:
        super().__init__(address)
        self.tries, self.most_tokens = tries, most_tokens
        self.usage = Usage()
        self._lock = Lock()
        self._knows_schemas = True

    def structured(self, batch: Sequence[Sequence[Message]], shape: type[Answer]) -> list[Answer | None]:
        """One validated answer for each conversation, several at a time.

        ``None`` after ``tries`` wrong replies, and for a conversation that the endpoint refuses (:func:`refuses`).

        Raises:
            EndpointTimeout: the endpoint gives no answer in time.
            ModelError: the endpoint does not answer.
        """
        with self.client() as client, ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(lambda messages: self._answer(client, messages, shape), batch))

    def _answer(self, client: OpenAI, messages: Sequence[Message], shape: type[Answer]) -> Answer | None:
        asked = list(messages)
        for _ in range(self.tries):
            reply = self._reply(client, asked, shape)
            if reply is None:
                break
            try:
                return shape.model_validate_json(_object(reply))
            except ValidationError as error:
                wrong = "; ".join(
                    f"{'.'.join(map(str, one['loc'])) or 'reply'}: {one['msg']}" for one in error.errors()
                )
            with self._lock:
                self.usage.failed += 1
            asked = [
                *messages,
                Message("assistant", reply),
                Message("user", f"Not valid ({wrong}). Only the JSON object."),
            ]
        return None

    def _reply(self, client: OpenAI, messages: Sequence[Message], shape: type[Answer]) -> str | None:
        from openai import BadRequestError, OpenAIError, omit

        schema = {"name": shape.__name__, "strict": True, "schema": _strict(shape.model_json_schema())}
        try:
            reply = client.chat.completions.create(
                model=self.name,
                messages=[to_record(message) for message in messages],  # type: ignore[misc]
                temperature=0,
                max_tokens=self.most_tokens,
                response_format={"type": "json_schema", "json_schema": schema} if self._knows_schemas else omit,  # type: ignore[arg-type]
            )
        except BadRequestError as error:
            if refuses(error):
                with self._lock:
                    self.usage.failed += 1
                return None
            if not self._knows_schemas:
                raise self.told(error) from None
            self._knows_schemas = False
            return self._reply(client, messages, shape)
        except OpenAIError as error:
            raise self.told(error) from None
        with self._lock:
            self.usage.calls += 1
            if reply.usage is not None:
                self.usage.prompt_tokens += reply.usage.prompt_tokens
                self.usage.completion_tokens += reply.usage.completion_tokens
        return (reply.choices[0].message.content or "") if reply.choices else ""


def _object(reply: str) -> str:
    """The outermost JSON object of a reply: models like to wrap it in a fence or in words, and to think before it."""
    reply = parted(reply).answer
    start, end = reply.find("{"), reply.rfind("}")
    return reply[start : end + 1] if 0 <= start < end else reply or "null"


def _strict(schema: dict[str, object]) -> dict[str, object]:
    """The schema as OpenAI's strict mode wants it: no other properties, every property required."""
    copy: dict[str, object] = json.loads(json.dumps(schema))
    properties = copy.get("properties")
    if isinstance(properties, dict):
        copy |= {"additionalProperties": False, "required": list(properties)}
    return copy
