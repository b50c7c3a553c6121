"""A chat model behind an OpenAI-compatible endpoint: vLLM, llama.cpp's server, OpenAI itself."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rlhi.contracts import Message, to_record
from rlhi.models.base import ModelError, Sampled, Sampling, sampled
from rlhi.models.prompts import well_formed

if TYPE_CHECKING:
    from openai import BadRequestError, OpenAI, OpenAIError

PARALLEL = 8
# What servers say of a conversation that they will never take: vLLM, llama.cpp, OpenAI, Azure.
_REFUSED = re.compile(r"context.{0,20}(?:length|size|window)|content.?(?:filter|management|policy)", re.I)
# What servers say that give one reply a request: llama.cpp's.
_ONE_ONLY = re.compile(r"one (?:completion )?choice|\bn\b.{0,40}(?:support|must be 1|only 1)", re.I)
# Between the seeds of one conversation's replies, where each is a request of its own.
_APART = 100_003
TIMEOUT_SECONDS = 120.0
RETRIES = 3


class EndpointTimeout(ModelError):
    """An endpoint took a request and gave no answer in time, however often it was asked."""


def refuses(error: BadRequestError) -> bool:
    """Whether an endpoint refused this conversation: too long for it, or stopped by its content filter."""
    body = error.body if isinstance(error.body, dict) else {}
    return bool(_REFUSED.search(f"{body.get('message', '')} {body.get('code', '')}"))


class OpenAIChatModel:
    """``ChatModel`` over ``URL#MODEL``; an empty URL is ``$OPENAI_BASE_URL``. The key is ``$OPENAI_API_KEY``.

    A request is given up after ``timeout`` seconds and sent again ``retries`` times.
    """

    def __init__(self, address: str, timeout: float = TIMEOUT_SECONDS, retries: int = RETRIES) -> None:
        url, _, model = address.rpartition("#")
        self.url = url or os.environ.get("OPENAI_BASE_URL", "")
        self.name = model
        if not self.url or not model:
            raise ModelError(f"openai:{address} should read openai:http://HOST:PORT/v1#MODEL")
        self.timeout, self.retries = timeout, retries
        self._one_by_one = False

    def client(self) -> OpenAI:
        """A client of the endpoint; it retries by itself."""
        from openai import OpenAI

        return OpenAI(
            base_url=self.url, api_key=os.environ.get("OPENAI_API_KEY", "none"), timeout=self.timeout,
            max_retries=self.retries,
        )  # fmt: skip

    def told(self, error: OpenAIError) -> ModelError:
        """An error of the client as one of ours, in one line."""
        from openai import APITimeoutError

        if isinstance(error, APITimeoutError):
            return EndpointTimeout(
                f"{self.url} ({self.name}) gave no answer within {self.timeout:g} s, {self.retries + 1} times: it is "
                "overloaded or hangs, look at it and run the same command again"
            )
        return ModelError(f"{self.url} ({self.name}): {str(error).splitlines()[0]}")

    def fits(self, messages: Sequence[Message]) -> bool:
        """Always: only the endpoint knows, and it refuses what does not fit."""
        return True

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        """``sampling.n`` replies a conversation, several conversations at a time; the client retries.

        A conversation that the endpoint refuses as such (:func:`refuses`) gets no reply. Where it gives one reply a
        request whatever was asked for, it is asked for the others one by one, each with a seed of its own.

        Raises:
            EndpointTimeout: the endpoint gives no answer in time.
            ModelError: the endpoint does not answer, or without a reply.
        """
        with self.client() as client, ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(lambda at: self._one(client, batch[at], sampling, at), range(len(batch))))

    def _one(self, client: OpenAI, messages: Sequence[Message], sampling: Sampling, at: int) -> list[Sampled]:
        from openai import BadRequestError, OpenAIError

        texts: list[Sampled] = []
        while len(texts) < sampling.n:
            asked = 1 if self._one_by_one else sampling.n - len(texts)
            try:
                answer = client.chat.completions.create(
                    model=self.name,
                    messages=[to_record(message) for message in messages],  # type: ignore[misc]
                    n=asked,
                    temperature=sampling.temperature,
                    max_tokens=sampling.max_new_tokens,
                    seed=(sampling.seed + at + _APART * len(texts)) % 2**31,
                )
            except OpenAIError as error:
                if isinstance(error, BadRequestError) and refuses(error):
                    return []
                if asked == 1 or not _ONE_ONLY.search(str(error)):
                    raise self.told(error) from None
                self._one_by_one = True
                continue
            if not answer.choices:
                raise ModelError(f"{self.url} ({self.name}) gave no reply, {asked} were asked for: look at its log")
            self._one_by_one |= len(answer.choices) < asked
            texts += [
                sampled(well_formed(one.message.content or ""), one.finish_reason == "length")
                for one in answer.choices[:asked]
            ]
        return texts
