"""`rlhi init --log`: measure a log and this machine, and write sizes that fit both into a new params.yaml."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rlhi.collect.formats import read_log
from rlhi.collect.formats.sources import expand
from rlhi.config import Params, SamplingConfig, load_params
from rlhi.config.edit import with_values
from rlhi.contracts import Conversation, Message
from rlhi.contracts.turns import asked, exchanges
from rlhi.evaluate.suites import MEASURES
from rlhi.learn.sizes import Bounds, LogSizes, Proposal, Speed, lengths, night
from rlhi.models.base import Sampling
from rlhi.models.prompts import Prompts, chat_tokens, prompt_tokens, tokenizer_of
from rlhi.stages.backends import local_model
from rlhi.workspace.store import StoreError, read_json, write_atomic

READ = 20_000
"""Conversations of a log that are looked at, at most, from its beginning."""
SAMPLE = 2_000
"""Answers among them whose tokens are counted, drawn by seed."""
POSITIONS, VOCABULARY = 2048, 50_000
"""What a policy is taken to read and to know where its configuration does not say."""
_PROMPTS, _REPLIES, _TOKENS, _CONTEXT = 2, 8, 13, 1024
"""Prompts (their last tokens), replies to each and tokens of each that tell how fast a machine is: seconds with a
small model."""

Place = tuple[Conversation, int]
"""An answer: its conversation and its turn."""


def look(log: str) -> list[Conversation]:
    """The conversations to size a workspace by.

    Raises:
        StoreError, LogError: the log holds no answer, or cannot be read.
    """
    logged = list(islice(conversations(log), READ))
    if not any(_answers(conversation) for conversation in logged):
        raise StoreError(f"{log} holds no answer to size a workspace by")
    return logged


def size(root: Path, policy: Path, logged: Sequence[Conversation], hours: float) -> str:
    """Write sizes into the workspace's params.yaml; what was proposed, with the figures behind it.

    Raises:
        ModelError: the policy cannot be loaded.
    """
    file = root / "params.yaml"
    text, params = file.read_text(encoding="utf-8"), load_params(file)
    places = [place for conversation in logged for place in _answers(conversation)]
    drawn = random.Random(params.seed).sample(places, min(SAMPLE, len(places)))
    follow_ups = sum(_follow_ups(conversation) for conversation in logged)
    measured = counted(drawn, policy, Prompts(params.prompt), len(places), follow_ups)
    long = lengths(measured, bounds(policy), params)
    text = _written(file, with_values(text, long.values))
    params = load_params(file)
    pace = speed(policy, drawn, params)
    fitting = night(measured, pace, hours, params, sum(len(one.prompts()) for one in MEASURES.values()))
    _written(file, with_values(text, fitting.values))
    return told(len(logged), [long, fitting])


def conversations(log: str) -> Iterator[Conversation]:
    """The conversations of a log that can be read."""
    for source in expand(log):
        with source.local() as path:
            yield from (row for row in read_log(path, source.name) if isinstance(row, Conversation))


def counted(places: Sequence[Place], policy: Path, told: Prompts, requests: int, follow_ups: int) -> LogSizes:
    """The tokens of these answers, and of the chat up to each, by the policy's own tokenizer and template."""
    tokenizer = tokenizer_of(policy)

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    answers = tuple(tokens(conversation.turns[at].content) for conversation, at in places)
    prompts = tuple(len(chat_tokens(_prompt(told, *place), tokenizer)) for place in places)
    return LogSizes(answers, prompts, requests, follow_ups)


def bounds(policy: Path) -> Bounds:
    """What a policy reads by its configuration, and the memory of the GPU, or of the machine where there is none."""
    import torch

    held = read_json(policy / "config.json")

    def figure(name: str, otherwise: int) -> int:
        value = held.get(name)
        return value if isinstance(value, int) and value > 0 else otherwise

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
    return Bounds(figure("max_position_embeddings", POSITIONS), figure("vocab_size", VOCABULARY), memory)


def speed(policy: Path, places: Sequence[Place], params: Params) -> Speed:
    """What the policy reads and writes in a second here: a short real call, after one that loads and warms it."""
    context = min(params.candidates.sampling.context_tokens, _CONTEXT)
    model = local_model(policy, policy.name, SamplingConfig(context_tokens=context), params.models)
    prompts = [_prompt(Prompts(params.prompt), *place) for place in places[:_PROMPTS]]
    model.chat(prompts[:1], Sampling(n=1, max_new_tokens=2))
    begun = time.perf_counter()
    model.chat(prompts, Sampling(n=_REPLIES, max_new_tokens=1))
    read = time.perf_counter() - begun
    said = model.chat(prompts, Sampling(n=_REPLIES, max_new_tokens=_TOKENS))
    wrote = max(time.perf_counter() - begun - 2 * read, 1e-3)
    count = sum(max(0, one.tokens - 1) for replies in said for one in replies)
    model.release()
    tokenizer = tokenizer_of(policy)
    return Speed(sum(len(prompt_tokens(one, tokenizer, context)) for one in prompts) / read, max(1, count) / wrote)


def told(logged: int, proposals: Sequence[Proposal]) -> str:
    """What was proposed, a line each."""
    lines = [f"sizes by {logged:,} conversations of the log and by this machine, written to params.yaml:"]
    for one in proposals:
        lines += [f"  {reason}" for reason in (*one.reasons, one.cannot) if reason]
    return "\n".join(lines)


def _written(file: Path, text: str) -> str:
    write_atomic(file, text.encode())
    return text


def _answers(conversation: Conversation) -> list[Place]:
    return [(conversation, one.answer) for one in exchanges(conversation.turns)]


def _prompt(told: Prompts, conversation: Conversation, at: int) -> tuple[Message, ...]:
    return told.told(asked(conversation.turns, at), "")


def _follow_ups(conversation: Conversation) -> int:
    return max(0, sum(turn.role == "user" for turn in conversation.turns) - 1)
