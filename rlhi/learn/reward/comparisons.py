"""What a log itself says of better and worse answers: the comparisons that a reward model learns from and is tested on.

- ``explicit_choice``: the user chose between two answers. ``edit``: the user changed the answer.
- ``observed_revision``: the assistant's next try, which its user accepted, beats the answer complained of.
- ``rating``: of two answers in one conversation, the one with the better mark (stars, thumbs).
- ``feedback``: an answer that a user went on from beats one that the same user complained of, whatever was asked. Who
  goes on right after a complaint has mostly given up: that is no sign of liking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Literal, get_args

from rlhi.contracts import (
    REATTEMPTS,
    Conversation,
    FeedbackLabel,
    FeedbackTurn,
    Message,
    Profile,
    Rewrite,
    Turn,
    content_key,
)
from rlhi.contracts.turns import NOWHERE, asked, beside, exchanges, followed
from rlhi.models.base import Scored

ComparisonSource = Literal["explicit_choice", "edit", "observed_revision", "rating", "feedback"]
COMPARISON_SOURCES: tuple[ComparisonSource, ...] = get_args(ComparisonSource)

PersonaAt = Callable[[Conversation, int], Profile]
"""What is told of a user as it may be used for the answer at a turn of a conversation."""

# Weight of an answer that its user asked something else after: they may have liked it, or given up.
MOVED_ON = 0.3
WENT_ON: frozenset[FeedbackLabel] = frozenset({"new_request", "continuation"})
# A user who talks all day must not be the only one the head listens to.
COMPARISONS_PER_USER = 12


@dataclass(frozen=True, slots=True)
class Comparison:
    """This user prefers ``better`` to ``worse``. The two may answer different requests, each with its own persona.

    ``weight`` is 1 for what was said outright, less where a user only went on.
    """

    user_id: str
    better: Scored
    worse: Scored
    source: ComparisonSource = "explicit_choice"
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A comparison before its personas are looked up: an answer's text and its place, on either side."""

    source: ComparisonSource
    better: tuple[Conversation, int, str]
    worse: tuple[Conversation, int, str]
    weight: float = 1.0


def comparisons(
    conversations: Iterable[Conversation],
    feedback: Sequence[FeedbackTurn],
    rewrites: Iterable[Rewrite],
    persona_at: PersonaAt,
) -> list[Comparison]:
    """At most ``COMPARISONS_PER_USER`` a user, drawn by hash; what was said outright of one request comes first."""
    by_id = {conversation.conversation_id: conversation for conversation in conversations}
    by_user: dict[str, list[_Found]] = {}
    for one in (*_marked(by_id.values()), *_revised(by_id, feedback, rewrites), *_crossed(by_id, feedback)):
        by_user.setdefault(one.better[0].user_id, []).append(one)

    def scored(conversation: Conversation, at: int, text: str) -> Scored:
        return Scored(persona_at(conversation, at), prompt_before(conversation, at), text)

    return [
        Comparison(user_id, scored(*one.better), scored(*one.worse), one.source, one.weight)
        for user_id in sorted(by_user)
        for one in sorted(by_user[user_id], key=_place)[:COMPARISONS_PER_USER]
    ]


def halves(rows: Iterable[Comparison]) -> tuple[list[Comparison], list[Comparison]]:
    """Those that choose between two models, and those that the chosen one is tested on: by hash of the user."""
    both: tuple[list[Comparison], list[Comparison]] = ([], [])
    for row in rows:
        both[int(content_key("halves", row.user_id), 16) % 2].append(row)
    return both


def prompt_before(conversation: Conversation, turn_index: int) -> tuple[Message, ...]:
    """What was said up to the request whose answer stands at ``turn_index``, as the log has it: nobody's persona."""
    return tuple(Message(turn.role, turn.content) for turn in asked(conversation.turns, turn_index) if turn.has_text)


def preferred(turn: Turn) -> Iterator[tuple[Literal["explicit_choice", "edit"], str, str]]:
    """(how, the answer preferred, the other one) for each choice between answers and each edit marked on a turn."""
    for signal in turn.signals:
        if not signal.text or signal.text == turn.content:
            continue
        if signal.kind == "edit":
            yield "edit", signal.text, turn.content
        elif signal.kind == "choice" and signal.value:
            both = (turn.content, signal.text) if signal.value > 0 else (signal.text, turn.content)
            yield "explicit_choice", *both


def choices(conversation: Conversation) -> Iterator[tuple[int, Literal["explicit_choice", "edit"], str, str]]:
    """The place of each answer on which a choice or an edit is marked, with what :func:`preferred` says of it.

    What answers a picture is left out: no prompt in words asks for it.
    """
    for one in exchanges(conversation.turns):
        for how, better, worse in preferred(conversation.turns[one.answer]):
            yield one.answer, how, better, worse


def mark(turn: Turn) -> float | None:
    """The mean of the thumbs and stars on a turn, in [-1, 1]; None without any."""
    values = [signal.value for signal in turn.signals if signal.kind in ("thumbs", "stars")]
    return sum(values) / len(values) if values else None


def _place(one: _Found) -> tuple[int, str]:
    sides = [(conversation.conversation_id, at, text) for conversation, at, text in (one.better, one.worse)]
    return COMPARISON_SOURCES.index(one.source), content_key(sides)


def _marked(conversations: Iterable[Conversation]) -> Iterator[_Found]:
    for conversation in conversations:
        for at, source, better, worse in choices(conversation):
            yield _Found(source, (conversation, at, better), (conversation, at, worse))
        answers = (one.answer for one in exchanges(conversation.turns))
        rated = [(value, at) for at in answers if (value := mark(conversation.turns[at])) is not None]
        for (one, at), (other, then) in combinations(rated, 2):
            if one != other:
                high, low = (at, then) if one > other else (then, at)
                yield _Found("rating", _answer(conversation, high), _answer(conversation, low))


def _revised(
    by_id: Mapping[str, Conversation], feedback: Sequence[FeedbackTurn], rewrites: Iterable[Rewrite]
) -> Iterator[_Found]:
    labels = {(row.conversation_id, row.turn_index): row for row in feedback}
    for row in rewrites:
        if row.source == "observed_revision" and row.conversation_id in by_id:
            conversation, at = by_id[row.conversation_id], row.turn_index
            # The answer complained of, the complaint, the revision, and what its user said to that.
            after = labels.get((row.conversation_id, _said_to_revision(conversation, at)))
            weight = max(after.weight, MOVED_ON) if after else MOVED_ON
            yield _Found("observed_revision", (conversation, at, row.text), (conversation, at, row.original), weight)


def _crossed(by_id: Mapping[str, Conversation], feedback: Iterable[FeedbackTurn]) -> Iterator[_Found]:
    sides: dict[str, tuple[list[FeedbackTurn], list[FeedbackTurn]]] = {}
    labels = {(row.conversation_id, row.turn_index): row.label for row in feedback}
    for row in feedback:
        # What a jailbreak or abuse says of an answer is not that it was bad.
        if row.conversation_id in by_id and row.label != "other" and not row.unsafe:
            if row.label in WENT_ON and labels.get(_said_before(by_id[row.conversation_id], row)) in REATTEMPTS:
                continue
            sides.setdefault(row.user_id, ([], []))[row.label in REATTEMPTS].append(row)
    for both in sides.values():
        # Drawn before they are crossed: a user of a thousand turns has a million crossings.
        liked, disliked = (
            sorted(side, key=lambda row: content_key(row.key))[: 2 * COMPARISONS_PER_USER] for side in both
        )
        for one, other in product(liked, disliked):
            better, worse = (_answer_before(by_id[row.conversation_id], row.turn_index) for row in (one, other))
            yield _Found("feedback", better, worse, max(one.weight, MOVED_ON))


def _said_to_revision(conversation: Conversation, at: int) -> int:
    """Where its user spoke of the revision of the answer at ``at``."""
    every = list(exchanges(conversation.turns))
    after = next((then for one, then in pairwise(every) if one.answer == at), None)
    return after.follow_up if after else NOWHERE


def _said_before(conversation: Conversation, row: FeedbackTurn) -> tuple[str, int]:
    """The place of what the user said before this, of the answer before that."""
    found = followed(conversation.turns).get(row.turn_index)
    return conversation.conversation_id, found.request if found else NOWHERE


def _answer_before(conversation: Conversation, at: int) -> tuple[Conversation, int, str]:
    return _answer(conversation, beside(conversation.turns, at, -1))


def _answer(conversation: Conversation, at: int) -> tuple[Conversation, int, str]:
    return conversation, at, conversation.turns[at].content
