"""Conversations of simulated users with the live champion: all of them at once, one model call a round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle as endless
from itertools import islice
from random import Random

from rlhi.contracts import FeedbackLabel, Turn, content_key
from rlhi.models.base import ChatModel, Sampling
from rlhi.models.prompts import DEFAULT, Prompts
from rlhi.simulate.reactions import FollowUp, react
from rlhi.simulate.requests import requests_of
from rlhi.simulate.users import SimulatedUser, SimulatorConfig


@dataclass(frozen=True, slots=True)
class TruthRow:
    """What the follow-up at ``turns[turn_index]`` truly is; measures labels and personas, never feeds them.

    ``wish`` is the kind of the wish complained of, empty for none, and ``answer`` where all that is complained of is no
    answer; ``contrary`` marks noise.
    """

    conversation_id: str
    turn_index: int
    label: FeedbackLabel
    held_out_phrasing: bool
    wish: str
    contrary: bool


@dataclass(frozen=True, slots=True)
class SimulatedConversation:
    """A finished conversation, as the log will show it, and the truth about its follow-ups."""

    conversation_id: str
    user_id: str
    model: str
    turns: tuple[Turn, ...]
    truth: tuple[TruthRow, ...]


@dataclass(slots=True)
class _Open:
    """A conversation under way; its draws depend on nothing but its own place in the simulation."""

    conversation_id: str
    user: SimulatedUser
    requests: Iterator[str]
    random: Random
    clock: datetime
    request: str = ""
    complaints: int = 0
    last: bool = False
    turns: list[Turn] = field(default_factory=list)
    truth: list[TruthRow] = field(default_factory=list)


def simulate(
    model: ChatModel,
    users: Sequence[SimulatedUser],
    personas: Mapping[str, str],
    sampling: Sampling,
    config: SimulatorConfig,
    cycle: int = 0,
    served: Prompts = DEFAULT,
) -> list[SimulatedConversation]:
    """One cycle's conversations, in the order of ``users``.

    Args:
        personas: the persona that the champion is served with, by user id; users without one have none yet.
        served: makes what the champion is served.
        cycle: the cycle's number, from 0: the same users ask other requests in each, until all have been asked.
    """
    every = [_open(user, place, config, cycle) for user in users for place in range(config.held_by(user))]
    active = every
    for exchange in range(config.max_messages):
        # 31 bits: what every backend's generator accepts.
        seed = int(content_key(sampling.seed, config.seed, cycle, exchange)[:8], 16) >> 1
        recent = [conversation.turns[-(2 * config.context_exchanges - 1) :] for conversation in active]
        prompts = [
            served.told(turns, personas.get(conversation.user.user_id, ""))
            for conversation, turns in zip(active, recent, strict=True)
        ]
        replies = model.chat(prompts, replace(sampling, n=1, seed=seed)) if prompts else []
        for conversation, reply in zip(active, replies, strict=True):
            _say(conversation, Turn("assistant", reply[0], model=model.name))
        if exchange + 1 < config.max_messages:
            active = [conversation for conversation in active if _follow_up(conversation, config)]
    return [
        SimulatedConversation(
            conversation.conversation_id,
            conversation.user.user_id,
            model.name,
            tuple(conversation.turns),
            tuple(conversation.truth),
        )
        for conversation in every
    ]


def _open(user: SimulatedUser, place: int, config: SimulatorConfig, cycle: int) -> _Open:
    key = content_key("conversation", config.seed, cycle, user.user_id, place)
    random = Random(key)
    day = datetime.fromisoformat(config.start).replace(tzinfo=UTC) + timedelta(days=config.days * cycle)
    clock = day + timedelta(seconds=random.randrange(config.days * 86_400))
    requests = list(requests_of(config.task).conversation)
    Random(content_key("requests", config.seed, user.user_id)).shuffle(requests)
    used = (cycle * config.conversations + place) * config.max_messages % len(requests)
    conversation = _Open(key, user, islice(endless(requests), used, None), random, clock)
    conversation.request = next(conversation.requests)
    _say(conversation, Turn("user", conversation.request))
    return conversation


def _say(conversation: _Open, turn: Turn) -> None:
    conversation.clock += timedelta(
        seconds=conversation.random.randint(2, 8) if turn.role == "assistant" else conversation.random.randint(10, 90)
    )
    conversation.turns.append(replace(turn, created_at=conversation.clock.isoformat()))


def _follow_up(conversation: _Open, config: SimulatorConfig) -> bool:
    """Let the user answer; False when they leave."""
    if conversation.last:
        return False
    fresh = next(conversation.requests)
    user = _who_asked(conversation.user, conversation.request, config)
    said = react(
        user,
        conversation.turns[-1].content,
        conversation.request,
        fresh,
        conversation.complaints,
        config,
        conversation.random,
    )
    if said is None:
        return False
    conversation.truth.append(_truth(conversation, said))
    _say(conversation, Turn("user", said.text))
    conversation.complaints += said.label.startswith("reattempt")
    conversation.last = said.last
    conversation.request = said.request or conversation.request
    return True


def _who_asked(user: SimulatedUser, request: str, config: SimulatorConfig) -> SimulatedUser:
    """The user as they judge the answer to a request: by its right answer where it has one."""
    check = requests_of(config.task).checks.get(request)
    return replace(user, wishes=(check,)) if check else user


def _truth(conversation: _Open, said: FollowUp) -> TruthRow:
    at = len(conversation.turns)
    return TruthRow(conversation.conversation_id, at, said.label, said.held_out_phrasing, said.wish, said.contrary)
