"""An endpoint that hangs ends a command with one line that names it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from rlhi.cli.errors import explain
from rlhi.config import SamplingConfig
from rlhi.contracts import Message, Sample
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.learn.pairs.sampling import sample
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


REFUSALS = {
    "vLLM": "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    "llama.cpp": "the request exceeds the available context size, try increasing it",
    "Azure": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
}
BOOK = [Message("user", "Here is my whole book.")]


@pytest.mark.parametrize("server", REFUSALS)
def test_a_conversation_that_the_endpoint_will_never_take_gets_no_reply(server: str) -> None:
    endpoint = Endpoint("Basil likes sun \ud800.")
    endpoint.refused["whole book"] = REFUSALS[server]
    model = OpenAIChatModel(address(endpoint))
    assert model.chat([*ASKED, BOOK], Sampling()) == [["Basil likes sun ?."], []], "and a lone surrogate is no text"
    judge = OpenAIStructuredModel(address(endpoint))
    endpoint.replies = ['{"better": "first"}']
    assert judge.structured([BOOK, *ASKED], Verdict) == [None, Verdict(better="first")]
    endpoint.refused["whole book"] = "n must be 1, not 'too long, please'"
    with pytest.raises(ModelError, match="n must be 1"):
        model.chat([*ASKED, BOOK], Sampling())
    endpoint.close()


def test_what_an_endpoint_refuses_is_not_asked_again_unless_it_takes_nothing() -> None:
    endpoint = Endpoint("Basil likes sun.")
    endpoint.refused["whole book"] = REFUSALS["vLLM"]
    asked = [SampleRequest(f"k{at}", "t", "u", 1, tuple(said)) for at, said in enumerate((BOOK, BOOK, ASKED[0], BOOK))]
    kept: list[Sample] = []
    model, config = OpenAIChatModel(address(endpoint)), SamplingConfig(batch=1)
    sample(asked, model, 1, config, 0, 1, kept.extend)
    assert [(one.request, one.texts) for one in kept] == [
        ("k0", ()), ("k1", ()), ("k2", ("Basil likes sun.",)), ("k3", ()),
    ]  # fmt: skip
    kept.clear()
    with pytest.raises(ModelError, match="took none of 2 requests"):
        sample(asked[:2], model, 1, config, 0, 1, kept.extend)
    assert not kept
    sample(asked[:2], model, 1, config, 0, 1, kept.extend, answered=True)
    assert [one.texts for one in kept] == [(), ()], "what is left of a run that was killed, say"
    endpoint.close()


@pytest.mark.parametrize("said", ["", "Only one completion choice is allowed"], ids=["ignores n", "refuses n"])
def test_a_server_of_one_reply_a_request_is_asked_one_by_one(said: str) -> None:
    endpoint = Endpoint("Basil likes sun.")
    endpoint.most, endpoint.over = 1, said
    model = OpenAIChatModel(address(endpoint), retries=0)
    (replies,) = model.chat(ASKED, Sampling(n=3, seed=5))
    assert replies == ["Basil likes sun."] * 3 and not any(one.cut for one in replies)
    endpoint.finish = "length"
    assert [one.cut for one in model.chat(ASKED, Sampling())[0]] == [True]
    asked = [(body["n"], body["seed"]) for body in endpoint.asked[:-1]]
    assert [n for n, _ in asked] == ([3, 1, 1, 1] if said else [3, 1, 1])
    assert len({seed for _, seed in asked}) == 3, "equal seeds would give equal replies"
    assert model.chat(ASKED, Sampling(n=2)) == [["Basil likes sun."] * 2]
    assert [body["n"] for body in endpoint.asked[len(asked) + 1 :]] == [1, 1], "and not asked for more again"
    endpoint.close()


def test_thoughts_in_replies_are_no_answers() -> None:
    endpoint = Endpoint("<think>\nSay hi.\n</think>\n\nHi there.")
    try:
        model = OpenAIChatModel(address(endpoint))
        assert model.chat(ASKED, Sampling()) == [["Hi there."]]
        endpoint.replies = ["<think>\nSay"]
        assert model.chat(ASKED, Sampling()) == [[""]]
        endpoint.replies = ['{"better": "no"} would be wrong.\n</think>\n{"better": "first"}']
        assert OpenAIStructuredModel(address(endpoint)).structured(ASKED, Verdict) == [Verdict(better="first")]
    finally:
        endpoint.close()
