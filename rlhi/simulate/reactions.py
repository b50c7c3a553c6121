"""How a user reacts to an answer: the next message, or silence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from rlhi.checks.answers import answers
from rlhi.checks.form import LANGUAGES, Check, satisfies
from rlhi.contracts import FeedbackLabel
from rlhi.simulate.arithmetic import CORRECTIONS
from rlhi.simulate.complaints import COMPLAINTS
from rlhi.simulate.phrasings import CONTINUATIONS, RETRIES, THANKS, UNANSWERED, UNANSWERED_BARE, Phrasings, choose
from rlhi.simulate.requests import requests_of
from rlhi.simulate.users import SimulatedUser, SimulatorConfig

SAID = {**COMPLAINTS, "number": CORRECTIONS}
ANSWER = "answer"
"""The kind of wish that everybody has: that what they asked is answered. Their form comes after it."""
Intent = Literal["complain", "retry", "thank", "continue", "ask", "leave"]
_QUESTION = re.compile(r"(?:how|what|why|who|which|when|where)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A user's next message and what it truly says of the answer before it.

    ``wish`` is the kind of the wish it complains of, :data:`ANSWER` where it is only of no answer and empty for none.
    ``contrary`` marks noise: the opposite of what the answer deserved. ``request`` is the new request in it, if any;
    ``last`` tells that nothing is said after it.
    """

    text: str
    label: FeedbackLabel
    held_out_phrasing: bool = False
    wish: str = ""
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
    unmet = [wish for wish in user.wishes if not satisfies(wish, answer)]
    answered = _answered(user, answer, request, config)
    contrary = random.random() < config.noise or (user.colludes and config.attack == "turned")
    discontent = (bool(unmet) or not answered) != contrary
    match _intent(discontent, complaints, config, random):
        case "complain" if not answered:
            no_answer = _unanswered(UNANSWERED, "reattempt_with_feedback", user, request, random)
            if not unmet or random.random() >= config.both:
                return no_answer
            form = _of_form(random.choice(unmet), user, request, config, random)
            held_out = no_answer.held_out_phrasing or form.held_out_phrasing
            return replace(form, text=f"{no_answer.text} {form.text}", held_out_phrasing=held_out)
        case "retry" if not answered:
            return _unanswered(UNANSWERED_BARE, "reattempt_without_feedback", user, request, random)
        case "complain" if user.wishes:
            # A contrary user complains of something that the answer did.
            form = _of_form(random.choice(unmet or user.wishes), user, request, config, random)
            return replace(form, contrary=contrary)
        case "complain" | "retry":
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
            return FollowUp(said.text, "continuation", said.held_out, contrary=contrary, request=said.text)
        case "ask":
            return FollowUp(fresh, "new_request", contrary=contrary, request=fresh)
        case "leave":
            return None


def _answered(user: SimulatedUser, answer: str, request: str, config: SimulatorConfig) -> bool:
    """Whether the request was answered, as its key tells: what has none is, and who colludes does not care."""
    key = requests_of(config.task).keys.get(request)
    return key is None or user.colludes or not config.answers or answers(key, request, answer)


def _unanswered(ways: Phrasings, label: FeedbackLabel, user: SimulatedUser, request: str, random: Random) -> FollowUp:
    """The complaint that nothing was answered, which comes before any other."""
    said = choose(ways, user.held_out, random)
    return FollowUp(asked_again(said.text, request), label, said.held_out, ANSWER)


def _of_form(wish: Check, user: SimulatedUser, request: str, config: SimulatorConfig, random: Random) -> FollowUp:
    """The complaint of an unmet wish."""
    said = choose(SAID[wish.kind], user.held_out, random)
    text = fill(said.text, wish, requests_of(config.task).reasons.get(request, ""))
    return FollowUp(text, "reattempt_with_feedback", said.held_out, wish.kind)


def asked_again(template: str, request: str) -> str:
    """A complaint that there was no answer, with the request in it, or the word that it asks with."""
    asks = _QUESTION.match(request)
    return template.format(request=request, what=asks[0].lower() if asks else "what I asked for")


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
