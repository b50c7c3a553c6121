"""A world for the forecast: simulated users, and scripted models of which it is known how good they are.

A reply is made from the request's key (what an answer names) and sentences that fit anything, in a form that is drawn.
A model differs from another by how often it answers, how often it does what the persona or a complaint asks for, how
many sentences it writes, and how often it says nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

from rlhi.checks.answers import AnswerKey, answers
from rlhi.checks.form import Check
from rlhi.collect.persona import build as building
from rlhi.collect.persona.builder import LocalBuilder
from rlhi.collect.persona.history import History
from rlhi.collect.wishes.claims import read_profile
from rlhi.config import PersonasConfig, SplitConfig
from rlhi.contracts import Conversation, FeedbackTurn, Message, Profile, content_key
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.learn.pairs.edits.edit import edit_to_meet
from rlhi.models.base import Sampled, Sampling, sampled
from rlhi.models.prompts import DEFAULT
from rlhi.simulate import SimulatorConfig, make_users, simulate
from rlhi.simulate.requests import requests_of

SPLIT = SplitConfig(held_out=0.45, judges=0)
PREFIXES = 6  # requests of a held-out user that both models answer
_FILLER = (
    "Small steps are enough, and a little patience helps",
    "Most people get used to it within a week or so",
    "There are many ways to go about this, so take the one that suits you",
    "For example, somebody with little time starts with the part that matters most",
    "It is worth trying twice!",
    "Keep what works, drop what does not, and note the difference",
    "A quiet hour is all that it takes",
    "In 3 days you will see a difference",
    "Would you like to know more about it?",
)
_DEBRIS = ("Sour, no.", "the the the the", "Nothing.")


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a scripted model is: shares of its replies, and sentences beyond what answers (at least, at most)."""

    answers: float = 0.75
    heeds: float = 0.15
    nothing: float = 0.0
    sentences: tuple[int, int] = (0, 6)
    listed: float = 0.25


class QualityModel:
    """A ``ChatModel`` of a known quality; its replies follow from the prompt and the seed."""

    def __init__(self, name: str, quality: Quality) -> None:
        self.name = name
        self.quality = quality

    def fits(self, messages: Sequence[Message]) -> bool:
        """Always."""
        return True

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        """``sampling.n`` replies a conversation."""
        return [[sampled(self._reply(one, f"{sampling.seed}/{at}")) for at in range(sampling.n)] for one in batch]

    def _reply(self, messages: Sequence[Message], seed: str) -> str:
        random = Random(content_key(self.name, [one.content for one in messages], seed))
        if random.random() < self.quality.nothing:
            return random.choice(_DEBRIS)
        sentences = [*self._answer(messages, random), *random.sample(_FILLER, random.randint(*self.quality.sentences))]
        text = " ".join(one if one[-1] in ".!?" else f"{one}." for one in sentences or [_FILLER[0]])
        if random.random() < self.quality.heeds:
            return _heeded(messages, text)
        return "\n".join(f"- {one}" for one in sentences) if random.random() < self.quality.listed else text

    def _answer(self, messages: Sequence[Message], random: Random) -> list[str]:
        """Sentences that name what an answer to the last request has to, or nothing of it."""
        request, key = _asked(messages)
        if key is None or random.random() >= self.quality.answers:
            return []
        terms = [_word(idea.terms[0]) for idea in sorted(key.ideas, key=lambda one: (not one.enough, random.random()))]
        for count in range(1, len(terms) + 1):
            said = [f"Think of {term} here" for term in terms[:count]]
            if answers(key, request, " ".join(f"{one}." for one in said)):
                return [f"Think of {term} here" for term in terms[: count + 1]]
        return []


@dataclass(frozen=True, slots=True)
class Night:
    """What users and a model said, and what follow-ups truly are."""

    conversations: tuple[Conversation, ...]
    labels: tuple[FeedbackTurn, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Users who have talked to a champion for two nights, of which the second knew them by the first.

    Attributes:
        histories: by user, both nights.
        last: the second night.
        personas: what the third night is told of everybody.
    """

    config: SimulatorConfig
    histories: Mapping[str, History]
    last: Night
    personas: Mapping[str, str]

    def known(self, conversation: Conversation, at: int) -> Profile:
        """A user's persona as it was known before a turn."""
        config = PersonasConfig()
        history = self.histories[conversation.user_id]
        return building.persona_for(
            history, conversation.conversation_id, at, config, builder=LocalBuilder(config)
        ).profile

    def night(self, model: QualityModel) -> Night:
        """The third night, on which ``model`` serves."""
        return _night(model, self.config, self.personas, 2)

    def replies(self, champion: QualityModel, challenger: QualityModel) -> list[EvaluatedReply]:
        """Both models' replies to held-out users' prefixes."""
        pool, found = requests_of("style").evaluation, []
        for user in sorted(filter(SPLIT.holds_out, self.histories)):
            for text in Random(content_key("prefixes", self.config.seed, user)).sample(pool, PREFIXES):
                persona = self.personas.get(user, "")
                prompt = DEFAULT.told([Message("user", text)], persona)
                for side, model in (("champion", champion), ("challenger", challenger)):
                    (said,) = model.chat([prompt], Sampling(seed=7))[0]
                    item = content_key(user, text)
                    found.append(EvaluatedReply(item, user, side, persona, text, str(said)))  # type: ignore[arg-type]
        return found


def make_world(champion: QualityModel, users: int, seed: int) -> World:
    """Two nights of a champion."""
    config = SimulatorConfig(users=users, seed=seed)
    first = _night(champion, config, {}, 0)
    last = _night(champion, config, _personas(_histories((first,))), 1)
    both = _histories((first, last))
    return World(config, both, last, _personas(both))


def _night(model: QualityModel, config: SimulatorConfig, personas: Mapping[str, str], cycle: int) -> Night:
    users = make_users(config, SPLIT.holds_out)
    talks = simulate(model, users, personas, Sampling(), config, cycle)
    rows = tuple(
        Conversation(
            one.conversation_id, one.user_id, "real", one.turns[0].created_at, one.model, "en", one.turns, "ours"
        )
        for one in talks
    )  # fmt: skip
    labels = tuple(
        FeedbackTurn(content_key(said.conversation_id, said.turn_index), said.conversation_id, one.user_id,
                     said.turn_index, said.label, 1.0)
        for one in talks
        for said in one.truth
    )  # fmt: skip
    return Night(rows, labels)


def _histories(nights: Sequence[Night]) -> dict[str, History]:
    rows = sorted((row for night in nights for row in night.conversations), key=lambda row: row.user_id)
    labels = [row for night in nights for row in night.labels]
    return {
        user: History(user, tuple(own), tuple(row for row in labels if row.user_id == user))
        for user, own in groupby(rows, key=lambda row: row.user_id)
    }


def _personas(histories: Mapping[str, History]) -> dict[str, str]:
    config = PersonasConfig()
    builder = LocalBuilder(config)
    return {user: building.persona(one, config, builder=builder).text for user, one in histories.items()}


def _asked(messages: Sequence[Message]) -> tuple[str, AnswerKey | None]:
    """The request that is to be answered, with its key: the last one that was made, also behind thanks."""
    keys = requests_of("style").keys
    for message in reversed(messages):
        if message.role == "user":
            for request, key in keys.items():
                if message.content.endswith(request):
                    return request, key
    return "", None


def _heeded(messages: Sequence[Message], text: str) -> str:
    """The text edited to what the persona asks for, and the last message, as far as a program can; else as it is."""
    told = "" if messages[0].role != "system" else messages[0].content
    claims = (*read_profile(told.partition("About this user: ")[2]).claims, *read_profile(messages[-1].content).claims)
    checks = []
    for claim in claims:
        try:
            checks.append(Check.parse(claim.check))
        except ValueError:
            continue
    made = edit_to_meet([text], list(dict.fromkeys(checks)))
    return made[1] if made else text


def _word(term: str) -> str:
    """A key's term as somebody would write it."""
    return " ".join(part.split("/")[0] for part in term.replace("$", "").replace('"', "").split()).replace(
        "<name>", "Marigold"
    )
