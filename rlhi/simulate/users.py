"""Simulated users: who they are, what they secretly wish, and the row that tells ``evaluate`` of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from rlhi.checks.form import Check
from rlhi.contracts import content_key
from rlhi.simulate.requests import Task
from rlhi.simulate.wishes import deal, second_wish

Attack = Literal["turned", "asked"]
COLLUDED: Mapping[Attack, Check] = {"turned": Check("at_most_words", "40"), "asked": Check("at_least_words", "60")}
"""The one wish of all who collude: what they turn round, or ask for."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Who talks, how often, and how they react.

    Attributes:
        users: users in cycle 0; ``new_users`` join in each cycle after it.
        conversations: conversations a user has in one cycle.
        max_messages: user messages in a conversation, at most.
        max_complaints: complaints and bare retries in a conversation, at most: of no answer, then of its form.
        two_wishes: share of users with a second wish.
        noise: probability that a reaction is the opposite of what the answer deserves.
        colluders: share of the users who are not held out that collude, in ``collusion`` times as many conversations.
        attack: ``turned``: they praise what is bad and complain of what is good, all by one wish (short answers, turned
            round); ``asked``: they ask for long answers, which nearly everybody else dislikes.
        complaint, retry: what an unmet wish leads to; the rest is silence (the user moves on).
        both: share of complaints of no answer that go on to an unmet wish ("... And in bullet points, please.").
        thanks, continuation: what a good answer leads to; the rest moves on.
        stay: probability that a user who moves on does so in the same conversation.
        answers: whether users want an answer, as the requests' keys tell; else form is all they want.
        context_exchanges: how many of the last requests, with the answers between them, the champion sees.
        task: ``style``: users hide a wish for a form of answers; ``arithmetic``: they know what each answer should be.
        weights: cards a deck by kind of wish, where they differ from ``rlhi.simulate.wishes``.
        start: the first day (ISO date); each cycle is ``days`` later.
    """

    users: int = 80
    new_users: int = 0
    conversations: int = 3
    max_messages: int = 3
    max_complaints: int = 2
    two_wishes: float = 0.2
    noise: float = 0.05
    colluders: float = 0.0
    collusion: int = 4
    attack: Attack = "turned"
    complaint: float = 0.75
    retry: float = 0.1
    both: float = 0.5
    thanks: float = 0.25
    continuation: float = 0.15
    stay: float = 0.6
    answers: bool = True
    context_exchanges: int = 2
    task: Task = "style"
    weights: tuple[tuple[str, int], ...] = ()
    seed: int = 0
    start: str = "2026-01-05"
    days: int = 7

    def held_by(self, user: SimulatedUser) -> int:
        """How many conversations a user has in one cycle."""
        return self.conversations * (self.collusion if user.colludes else 1)


@dataclass(frozen=True, slots=True)
class SimulatedUser:
    """A user and the wishes that only they know; none where a request has a right answer of its own."""

    user_id: str
    wishes: tuple[Check, ...]
    held_out: bool
    colludes: bool = False


@dataclass(frozen=True, slots=True)
class WishRow:
    """One hidden wish of one user; ``rlhi.checks.form.Check(kind, argument)``. Only ``evaluate`` opens these."""

    user_id: str
    kind: str
    argument: str


def make_users(config: SimulatorConfig, held_out: Callable[[str], bool], cycle: int = 0) -> tuple[SimulatedUser, ...]:
    """Everybody who is there in ``cycle`` (from 0). Those of an earlier cycle come first, and stay as they are."""
    weights, colluders = dict(config.weights), _colluders(config, held_out)
    decks = {side: deal(weights, config.seed) for side in (False, True)}
    users = []
    for number in range(config.users + cycle * config.new_users):
        user_id = _name(number)
        side = held_out(user_id)
        if config.task != "style":
            users.append(SimulatedUser(user_id, (), side))
            continue
        first = next(decks[side])
        random = Random(content_key("user", config.seed, user_id))
        second = second_wish(first, weights, random) if random.random() < config.two_wishes else None
        if user_id in colluders:
            users.append(SimulatedUser(user_id, (COLLUDED[config.attack],), side, colludes=True))
        else:
            users.append(SimulatedUser(user_id, (first, second) if second else (first,), side))
    return tuple(users)


def _colluders(config: SimulatorConfig, held_out: Callable[[str], bool]) -> set[str]:
    """The share of those who are there from the first and not held out, and one at least where there are to be any."""
    learners = [name for name in map(_name, range(config.users)) if not held_out(name)]
    order = sorted(learners, key=lambda name: content_key("colludes", config.seed, name))
    return set(order[: max(1, round(config.colluders * len(order)))] if config.colluders else ())


def _name(number: int) -> str:
    return f"sim-{number:04d}"


def wish_rows(users: Iterable[SimulatedUser]) -> list[WishRow]:
    """The wishes of all users, one row each."""
    return [WishRow(user.user_id, wish.kind, wish.argument) for user in users for wish in user.wishes]
