"""An endpoint that hangs ends a command with one line that names it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from rlhi.contracts import Message
from rlhi.errors import explain
from rlhi.models.base import ModelError, Sampling
from rlhi.models.openai_api import EndpointTimeout, OpenAIChatModel
from rlhi.models.openai_structured import OpenAIStructuredModel
from tests.support.endpoint import Endpoint

ASKED = [[Message("user", "Hello?")]]


class Verdict(BaseModel):
    """What a judge is asked for."""

    better: str


@pytest.fixture
def hanging() -> Iterator[Endpoint]:
    """An endpoint that takes a second for every answer."""
    endpoint = Endpoint('{"better": "first"}')
    endpoint.delay = 1.0
    yield endpoint
    endpoint.close()


def address(endpoint: Endpoint) -> str:
    """Without the scheme that names the backend."""
    return endpoint.name.removeprefix("openai:")


def test_a_model_that_hangs_is_named_and_the_error_is_one_line(hanging: Endpoint) -> None:
    model = OpenAIChatModel(address(hanging), timeout=0.2, retries=1)
    with pytest.raises(EndpointTimeout, match=r"127.0.0.1.* gave no answer within 0.2 s, 2 times") as error:
        model.chat(ASKED, Sampling())
    assert len(hanging.asked) == 2
    told = explain(error.value)
    assert told is not None and "\n" not in told and "reader" in told


def test_a_judge_that_hangs_is_named(hanging: Endpoint) -> None:
    judge = OpenAIStructuredModel(address(hanging))
    judge.timeout, judge.retries = 0.2, 0
    with pytest.raises(EndpointTimeout, match="gave no answer within 0.2 s, 1 times"):
        judge.structured(ASKED, Verdict)


def test_a_slow_model_in_time_answers_and_another_error_is_no_timeout(hanging: Endpoint) -> None:
    assert OpenAIChatModel(address(hanging), timeout=20).chat(ASKED, Sampling()) == [['{"better": "first"}']]
    hanging.status = 400
    with pytest.raises(ModelError) as error:
        OpenAIChatModel(address(hanging), timeout=20).chat(ASKED, Sampling())
    assert not isinstance(error.value, EndpointTimeout)


@pytest.mark.parametrize(
    "why",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
        "the request exceeds the available context size, try increasing it",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    ],
    ids=["vLLM", "llama.cpp", "Azure"],
)
def test_a_conversation_that_the_endpoint_will_never_take_stops_nobody(why: str) -> None:
    endpoint = Endpoint("Basil likes sun \ud800.")
    endpoint.refused["whole book"] = why
    asked = [*ASKED, [Message("user", "Here is my whole book.")]]
    replies = OpenAIChatModel(address(endpoint)).chat(asked, Sampling())
    assert replies == [["Basil likes sun ?."], [""]], "and a lone surrogate is no text"
    endpoint.refused["whole book"] = "n must be 1"
    with pytest.raises(ModelError, match="n must be 1"):
        OpenAIChatModel(address(endpoint)).chat(asked, Sampling())
    endpoint.close()
