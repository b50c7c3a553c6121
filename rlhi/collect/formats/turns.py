"""Messages of foreign rows -> :class:`~rlhi.contracts.Turn`, and the text of a model's answer in what wraps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rlhi.collect.formats.contents import Words, answer_of, is_thought, item_thought, thought_of, words_of
from rlhi.collect.formats.endings import was_cut
from rlhi.collect.formats.fields import DEPTH, Row, first_moment, loaded, rows_in, text
from rlhi.collect.formats.results import results_in
from rlhi.collect.formats.roles import is_tools, role_named, speaker_of
from rlhi.collect.formats.signals import Scale, rating_in, scale_of, signals_of
from rlhi.collect.formats.streams import are_chunks, events_in, put_together
from rlhi.contracts import Role, Signal, Turn
from rlhi.contracts.thoughts import Parted, may_hold_thought, parted, together

# The fields of a turn whose content says all: no tools, no thoughts.
PLAIN = frozenset({"role", "content", "created_at", "timestamp", "model", "signals", "rating", "candidates"})
# Where an answer lies in what chat APIs and tracers keep of it, the likeliest first.
WRAPPINGS = ("body", "choices", "message", "content", "output", "text", "completion", "answer", "response")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The turns of a conversation; ``unread`` are the roles of those that could not be read."""

    turns: tuple[Turn, ...]
    unread: tuple[str, ...] = ()

    def answered(self, answer: Parted | None) -> Dialogue:
        """The history with its answer, which some loggers have put there already."""
        if answer is None:
            return self
        last = self.turns[-1] if self.turns else None
        if last is not None and (last.role, last.content) == ("assistant", answer.answer):
            told = last if last.thought else replace(last, thought=answer.thought)
            return replace(self, turns=(*self.turns[:-1], told))
        return replace(self, turns=(*self.turns, Turn("assistant", answer.answer, thought=answer.thought)))

    def ended(self, *responses: object) -> Dialogue:
        """With what the response says of how its answer ended: it is the last turn."""
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != "assistant" or last.cut or not any(map(was_cut, responses)):
            return self
        return replace(self, turns=(*self.turns[:-1], replace(last, cut=True)))

    def dated(self, created_at: str | None, model: str | None) -> Dialogue:
        """With the time and the model of its row on the last exchange, where its turns say none themselves."""
        last = max((at for at, turn in enumerate(self.turns) if turn.role == "user"), default=0)
        exchange = [
            replace(
                turn,
                created_at=turn.created_at or created_at,
                model=turn.model or (model if turn.role == "assistant" else None),
            )
            for turn in self.turns[last:]
        ]
        return replace(self, turns=(*self.turns[:last], *exchange))

    def marked(self, *rows: Row) -> Dialogue:
        """With a mark that stands beside the turns: it is of the answer that they end with, unless turns have marks."""
        last = self.turns[-1] if self.turns else None
        if last is None or last.role != "assistant" or any(turn.signals for turn in self.turns):
            return self
        signals = next((found for row in rows if (found := rating_in(row))), ())
        return replace(self, turns=(*self.turns[:-1], replace(last, signals=signals))) if signals else self


def role_of(row: Row, at: int) -> Role | None:
    """Who speaks, None for tools.

    Raises:
        ValueError: an unknown role.
    """
    speaker = speaker_of(row)
    if speaker is None:
        raise ValueError(f"turn {at + 1} has the unknown role {role_named(row)!r}")
    return None if speaker == "tool" or speaker == "thought" else speaker


def turns_of(rows: Sequence[object]) -> Dialogue:
    """Turns from ``role`` or ``from`` and ``content`` or ``value``.

    What a tool answered is a turn, before the answer that was made of it; what it was asked is left out. What nobody
    says whom we know is left out and counted.

    Raises:
        ValueError: a signal that is none.
    """
    messages = [row for row in rows if type(row) is dict or isinstance(row, Mapping)]
    scale = scale_of(rating for row in messages if isinstance(rating := row.get("rating"), int | float))
    turns: list[Turn] = []
    thoughts: list[str] = []
    marks: tuple[Signal, ...] = ()
    unread = [type(row).__name__ for row in rows if not isinstance(row, Mapping)]
    for row in messages:
        speaker = speaker_of(row)
        if speaker == "thought" or (speaker == "tool" and is_thought(row)):
            thoughts.append(item_thought(row))
        elif speaker is None:
            unread.append(role_named(row))
        elif speaker == "tool":
            turns += results_in(row, whole=True)
        else:
            if type(row.get("content")) is not str:
                turns += results_in(row)
            if (turn := _turn(row, speaker, scale)) is None:
                continue
            if turn.role == "user":
                marks, thoughts = turn.signals, []
                turn = replace(turn, signals=()) if marks else turn
            elif turn.role == "assistant":
                turn = _with(turn, thoughts, marks) if thoughts or marks else turn
                marks, thoughts = (), []
            turns.append(turn)
    return Dialogue(tuple(turns), tuple(unread))


def _turn(row: Row, role: Role, scale: Scale | None) -> Turn | None:
    """The turn of a message; None where there is nothing in it but tools."""
    content, thought, cut = row.get("content"), "", False
    if type(content) is str and PLAIN.issuperset(row) and not (role == "assistant" and _may_hold_more(content)):
        said = content  # as nearly all turns
    else:
        words = words_of(row)
        said = words.said
        if role == "assistant":
            if (events := events_in(said)) is not None:
                words = Words(*put_together(events), words.tools)
            found = answer_of(words)
            said, thought, cut = found.answer, found.thought, was_cut(row)
        if words.tools and not said.strip():
            return None
    signals = signals_of(row, said, scale) if role != "system" else ()
    return Turn(role, said, first_moment([row], "created_at", "timestamp"), text(row, "model"), signals, thought, cut)


def _may_hold_more(content: str) -> bool:
    """Whether something of an answer's text may be no answer: a thought, or what streamed it."""
    return may_hold_thought(content) or content.startswith(("data:", "event:"))


def _with(turn: Turn, thoughts: Sequence[str], marks: tuple[Signal, ...]) -> Turn:
    """An answer with what was thought before it, and with the marks that its request carries."""
    return replace(turn, thought=together([*thoughts, turn.thought]), signals=turn.signals or marks)


def messages_in(value: object) -> list[object] | None:
    """A list with objects in it, whatever else it holds, or what :func:`rows_in` reads as one; None for none."""
    found = rows_in(value)
    if found is not None:
        return list(found)
    value = loaded(value)
    return value if isinstance(value, list) and any(isinstance(one, Mapping) for one in value) else None


def messages(row: Row, name: str) -> Dialogue:
    """The turns in a field.

    Raises:
        ValueError: it holds no list of objects.
    """
    found = messages_in(row.get(name))
    if found is None:
        raise ValueError(f"{name} is not a list of objects")
    return turns_of(found)


def reply(value: object) -> Parted | None:
    """What a model answered and thought, out of a chat completion, a message, its parts or plain text.

    None where there is no answer, be there a thought or not.

    >>> reply({"choices": [{"message": {"role": "assistant", "content": "Yes."}}, {"message": {"content": "No."}}]})
    Parted(thought='', answer='Yes.')
    """
    said, thoughts = _reply(value, DEPTH)
    if said is None:
        return None
    found = parted(said)
    return Parted(together([*thoughts, found.thought]), found.answer) if found.answer else None


def _reply(value: object, depth: int) -> tuple[str | None, list[str]]:
    if isinstance(value, str):
        if (events := events_in(value)) is not None:
            return _streamed(events, depth)
        return (value if value.strip() else None), []
    if depth == 0:
        return None, []
    if isinstance(value, Mapping):
        return _reply_in(value, depth)
    if isinstance(value, list) and are_chunks(value):
        return _streamed(value, depth)
    if isinstance(value, list):
        found = [_reply(part, depth - 1) for part in value]
        said = "\n".join(text for text, _ in found if text)
        return said or None, [thought for _, thoughts in found for thought in thoughts]
    return None, []


def _streamed(chunks: Sequence[object], depth: int) -> tuple[str | None, list[str]]:
    """What was streamed; of a stream without pieces the last event that holds an answer."""
    said, thought = put_together(chunks)
    if said.strip() or thought or depth == 0:
        return said if said.strip() else None, [thought] if thought else []
    whole = (_reply(one, depth - 1) for one in reversed(chunks))
    return next((found for found in whole if found[0]), (None, []))


def _reply_in(value: Row, depth: int) -> tuple[str | None, list[str]]:
    if is_thought(value):
        return None, [item_thought(value)]
    if is_tools(text(value, "type") or "") or value.get("role") in ("tool", "function"):
        return None, []
    thoughts = [thought_of(value)] if "message" not in value and "choices" not in value else []
    for name in WRAPPINGS:
        inner = value.get(name)
        if name == "choices" and isinstance(inner, list):
            inner = inner[:1]
        said, found = _reply(inner, depth - 1)
        thoughts += found
        if said:
            return said, thoughts
    return None, thoughts
