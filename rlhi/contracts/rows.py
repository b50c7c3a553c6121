"""Rows of the log, and of what is read in it.

A ``key`` is the hash of a row's inputs and of the configuration that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["system", "user", "assistant", "tool"]
SPEAKERS: tuple[Role, ...] = ("user", "assistant")
"""Who talks to whom. What the system and tools say is read by the model, and is nobody's turn in a dialogue."""
UserKind = Literal["real", "real_root_only", "conversation_only"]
FeedbackLabel = Literal[
    "reattempt_with_feedback", "reattempt_without_feedback", "positive_feedback", "continuation", "new_request", "other"
]  # fmt: skip
FEEDBACK_LABELS: tuple[FeedbackLabel, ...] = get_args(FeedbackLabel)
REATTEMPTS: tuple[FeedbackLabel, ...] = FEEDBACK_LABELS[:2]
Unsafe = Literal["", "jailbreak", "abuse"]
SignalKind = Literal["thumbs", "stars", "choice", "edit"]


@dataclass(frozen=True, slots=True)
class Message:
    """What a chat model reads and writes: OpenAI's ``{role, content}``."""

    role: Role
    content: str

    @property
    def speaks(self) -> bool:
        """Whether the user or the assistant says it."""
        return self.role in SPEAKERS


@dataclass(frozen=True, slots=True)
class Signal:
    """Feedback that a user gave on an answer outside of the conversation's words; ``value`` in [-1, 1], 1 is praise.

    - ``thumbs``: 1 up, -1 down; ``stars``: from -1, the lowest mark of the log's scale, to 1, its highest. ``text`` is
      the comment that came with either, if any.
    - ``choice``: 1 when this answer was preferred to ``text``, -1 when ``text`` was preferred to it, 0 for a tie.
    - ``edit``: ``text`` is the answer as the user changed it, ``value`` -1.
    """

    kind: SignalKind
    value: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a logged conversation, with what its reader marked on it.

    ``content`` is empty where nothing was said in words: a picture, an answer that never came, one of thoughts alone.
    A turn of the role ``tool`` is what a tool answered: prompts hold it, and nobody is taken to have said it.
    ``thought`` is what the model thought before it answered. No prompt, label, persona or pair is told it. ``cut`` says
    that an answer ran into the limit of tokens: it teaches neither its end nor itself.
    """

    role: Role
    content: str
    created_at: str | None = None
    model: str | None = None
    signals: tuple[Signal, ...] = ()
    thought: str = ""
    cut: bool = False

    @property
    def has_text(self) -> bool:
        """Whether anything was said in words."""
        return bool(self.content.strip())

    @property
    def speaks(self) -> bool:
        """Whether the user or the assistant says it."""
        return self.role in SPEAKERS


@dataclass(frozen=True, slots=True)
class Conversation:
    """A logged conversation; the last growth of it that was seen.

    Attributes:
        user_id_kind: ``real`` when the same id means the same person elsewhere; any other conversation has an anonymous
            user of its own, and no persona.
        language: ISO 639-1, or what the log calls it; None where nobody can tell.
        source: the platform, or the format of the log.
        toxic, redacted: the log says so.
        batch: the hash of the log that brought it.
        changes: what cleaning changed in its text (``email x2``).
        set_aside: why nothing is learned from it: ``template``, or ``duplicate of`` a row's name; empty for the others.
        chain: where the server keeps what was said: the id that the first request goes on from, empty for a beginning,
            and the ids of the responses since (:mod:`rlhi.collect.clean.chains`); empty where logs hold the history.

    >>> said = (Turn("user", "How do tides work?"), Turn("assistant", "The moon pulls."), Turn("user", "Longer."))
    >>> Conversation("talk-1", "u1", "real", None, None, "en", said, "wildchat").has_user
    True
    """

    conversation_id: str
    user_id: str
    user_id_kind: UserKind
    created_at: str | None
    model: str | None
    language: str | None
    turns: tuple[Turn, ...]
    source: str
    toxic: bool = False
    redacted: bool = False
    batch: str = ""
    changes: tuple[str, ...] = ()
    set_aside: str = ""
    chain: tuple[str, ...] = ()

    @property
    def has_user(self) -> bool:
        """True when the id names a person whose history may be put together."""
        return self.user_id_kind == "real"


@dataclass(frozen=True, slots=True)
class FeedbackTurn:
    """What the follow-up at ``turns[turn_index]`` says of the answer before it.

    Attributes:
        instruction: of a re-attempt with feedback, what is to be changed, in the user's words where they are told.
        about_refusal: the complaint is that the assistant would not answer.
        unsafe: ``jailbreak`` or ``abuse``; empty for neither.
        weight: 1 for what is said outright, less for who builds on the answer, 0 for what says nothing of it.

    >>> FeedbackTurn("k", "talk-1", "u1", 2, "reattempt_with_feedback", 0.9, "Longer.").weight
    1.0
    """

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    label: FeedbackLabel
    probability: float
    instruction: str = ""
    about_refusal: bool = False
    unsafe: Unsafe = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing a persona says of its user, with the turns (``conversation_id#turn``) it rests on, and their times.

    ``topics`` are what it is about: of inferred wishes about one thing the surest is kept, and one that a person wrote
    stands in place of all. ``check`` is what a program can see of it in an answer, empty for nothing
    (:mod:`rlhi.checks.demands`): ``Claim("constraint", "Keep answers to at most 40 words.", 0.8, ("talk-1#2",),
    topics=("length",), check="at_most_words:40")``.
    """

    kind: Literal["topic", "expertise", "style", "format", "language", "constraint"]
    text: str
    confidence: float
    evidence: tuple[str, ...]
    first_seen: str | None = None
    last_seen: str | None = None
    topics: tuple[str, ...] = ()
    check: str = ""


@dataclass(frozen=True, slots=True)
class ToldClaim:
    """A claim as a model is told it; ``check`` as in :class:`Claim`."""

    text: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A persona as a model is told it: the text, and the claims that it says; both empty for nobody in particular."""

    text: str = ""
    claims: tuple[ToldClaim, ...] = ()


@dataclass(frozen=True, slots=True)
class Persona:
    """A natural-language summary of a user's history (paper, section 3). ``version`` names its text.

    ``claims`` are all that was found, ``told`` those that the text says. ``origin`` is ``prior`` where the text only
    says what most users are like, ``edited`` where a person changed it.
    """

    key: str
    user_id: str
    version: str
    text: str
    claims: tuple[Claim, ...]
    conversations: int
    origin: Literal["inferred", "prior", "edited"] = "inferred"
    told: tuple[ToldClaim, ...] = ()

    @property
    def profile(self) -> Profile:
        """What a model is told of the user."""
        return Profile(self.text, self.told)


@dataclass(frozen=True, slots=True)
class WorkspaceTest:
    """A complaint that a program understood, as a test: does an answer do what its user had to ask for afterwards?

    Attributes:
        key: the hash of the conversation and of the complaint's place, ``turn_index``.
        held_out: its user is measured on. A test of anybody else was learned from: it is told and never asked.
        request_index: the place of the request: the last one before the complaint that asked for no answer again.
        prompt: what was said up to that request; the complaint is no part of it.
        persona: what was known of a held-out user before the request; empty for the others.
        original: the answer complained of.
        asked: what the complaint asks of an answer; a program can check each (:mod:`rlhi.checks.demands`).
        cycle: the first one that it was news to.
    """

    key: str
    conversation_id: str
    user_id: str
    turn_index: int
    request_index: int
    held_out: bool
    prompt: tuple[Message, ...]
    persona: Profile
    original: str
    asked: tuple[ToldClaim, ...]
    cycle: int

    @property
    def request(self) -> str:
        """What its user asked."""
        return self.prompt[-1].content

    @property
    def wish(self) -> str:
        """What the complaint asks for, in the words of the rules that read it."""
        return " ".join(one.text for one in self.asked)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that could not be accepted: where it stood, why, and what it said (cut at 2,000 characters)."""

    file: str
    line: int
    reason: str
    raw: str
