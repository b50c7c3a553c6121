"""How a user reacts to an answer: the next message, or silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from rlhi.checks import LANGUAGES, Check, satisfies
from rlhi.contracts import FeedbackLabel
from rlhi.simulate.arithmetic import CORRECTIONS
from rlhi.simulate.complaints import COMPLAINTS
from rlhi.simulate.phrasings import CONTINUATIONS, RETRIES, THANKS, choose
from rlhi.simulate.requests import requests_of
from rlhi.simulate.users import SimulatedUser, SimulatorConfig

SAID = {**COMPLAINTS, "number": CORRECTIONS}
Intent = Literal["complain", "retry", "thank", "continue", "ask", "leave"]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A user's next message and what it truly says of the answer before it.

    ``wish`` is the place of the wish it complains of in the user's wishes, -1 for none. ``contrary`` marks
    noise: the opposite of what the answer deserved. ``request`` is the new request in it, if any; ``last`` tells
    that nothing is said after it.
    """

    text: str
    label: FeedbackLabel
    held_out_phrasing: bool = False
    wish: int = -1
    contrary: bool = False
    request: str = ""
    last: bool = False


def react(
    user: SimulatedUser, answer: str, request: str, fresh: str, complaints: int, config: SimulatorConfig, random: Random
) -> FollowUp | None:
    """What the user says to ``answer``; None to leave.

    Args:
        request: what the user last asked for, repeated by some bare retries.
        fresh: what the user asks next when moving on.
        complaints: how often the user has complained in this conversation.
    """
    unmet = [at for at, wish in enumerate(user.wishes) if not satisfies(wish, answer)]
    contrary = random.random() < config.noise or (user.colludes and config.attack == "turned")
    discontent = bool(unmet) != contrary
    match _intent(discontent, complaints, config, random):
        case "complain":
            # A contrary user complains of something that the answer did.
            wish = random.choice(unmet or range(len(user.wishes)))
            said = choose(SAID[user.wishes[wish].kind], user.held_out, random)
            text = fill(said.text, user.wishes[wish], requests_of(config.task).reasons.get(request, ""))
            return FollowUp(text, "reattempt_with_feedback", said.held_out, wish, contrary)
        case "retry":
            said = choose(RETRIES, user.held_out, random)
            text = said.text.format(request=request)
            return FollowUp(text, "reattempt_without_feedback", said.held_out, contrary=contrary)
        case "thank":
            said = choose(THANKS, user.held_out, random)
            if random.random() >= config.stay:
                return FollowUp(said.text, "positive_feedback", said.held_out, contrary=contrary, last=True)
            text = f"{said.text} {fresh}"
            return FollowUp(text, "positive_feedback", said.held_out, contrary=contrary, request=fresh)
        case "continue":
            said = choose(CONTINUATIONS, user.held_out, random)
            return FollowUp(said.text, "continuation", said.held_out, contrary=contrary)
        case "ask":
            return FollowUp(fresh, "new_request", contrary=contrary, request=fresh)
        case "leave":
            return None


def fill(template: str, wish: Check, why: str = "") -> str:
    """A complaint with its wish's argument in it: a number, or a language's English name; and the working, if any."""
    return template.format(n=wish.argument, language=LANGUAGES.get(wish.argument, wish.argument), why=why)


def _intent(discontent: bool, complaints: int, config: SimulatorConfig, random: Random) -> Intent:
    moves_on: Intent = "ask" if random.random() < config.stay else "leave"
    if discontent and complaints >= config.max_complaints:
        return moves_on
    choices: Sequence[tuple[Intent, float]] = (
        (("complain", config.complaint), ("retry", config.retry))
        if discontent
        else (("thank", config.thanks), ("continue", config.continuation))
    )
    draw = random.random()
    for intent, share in choices:
        if draw < share:
            return intent
        draw -= share
    return moves_on
