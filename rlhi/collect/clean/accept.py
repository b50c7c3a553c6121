"""What is accepted of a log: bounds, harmless characters, a language, no personal data; and one row for a conversation
that grows. What cleaning does is told in docs/formats.md, "What cleaning does"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from rlhi.collect.clean.chains import waits
from rlhi.collect.clean.identify import identify
from rlhi.collect.pii.person_names import person_names
from rlhi.collect.pii.redact import redact, redact_conversation
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, Turn, to_record

EMPTIED = "result of a tool too long x"
HARMFUL = re.compile("[\x00\ud800-\udfff]")  # NUL and lone surrogates: no file and no tokenizer takes them


def clean(rows: Iterable[Conversation | Quarantined], config: IngestConfig) -> Iterator[Conversation | Quarantined]:
    """Pass on what :func:`accept` takes; what it refuses is quarantined under its source and id (line 0).

    Give :func:`accept` to :func:`rlhi.collect.formats.read_log` where the line is wanted in the quarantine.
    """
    for row in rows:
        if isinstance(row, Quarantined):
            yield row
            continue
        try:
            yield accept(row, config)
        except ValueError as error:
            raw, _ = redact(HARMFUL.sub("", json.dumps(to_record(row), ensure_ascii=False))[:2000], config.redact)
            name = HARMFUL.sub("", row.conversation_id)
            yield Quarantined(HARMFUL.sub("", row.source), 0, f"conversation {name}: {error}", raw)


def accept(conversation: Conversation, config: IngestConfig) -> Conversation:
    """The conversation without harmful characters and personal data, and with its language where that can be told.

    For many, :func:`harmless`, :func:`with_languages` and :func:`impersonal` do the same faster.

    Raises:
        ValueError, ModelError: as these.
    """
    [told] = with_languages([harmless(conversation, config)], config)
    return impersonal(told, config)


def harmless(conversation: Conversation, config: IngestConfig) -> Conversation:
    """The conversation without harmful characters.

    Raises:
        ValueError: it is out of bounds, or no user says anything in it.
    """
    turns, left = _within(tuple(_harmless(turn) for turn in conversation.turns), config.max_characters)
    if not any(turn.role == "user" and turn.has_text for turn in turns) and not waits(conversation):
        raise ValueError("no user turn with text")
    if (count := talk(turns)) > config.max_turns:
        raise ValueError(f"{count} turns, more than ingest.max_turns ({config.max_turns})")
    if (characters := sum(len(turn.content) for turn in turns)) > config.max_characters:
        raise ValueError(f"{characters} characters, more than ingest.max_characters ({config.max_characters})")
    cleaned = conversation
    names = (conversation.conversation_id, conversation.user_id, conversation.source)
    about = (*names, conversation.model or "", conversation.language or "")
    if turns != conversation.turns or any(map(_harmful, about)):
        cleaned = replace(
            conversation,
            conversation_id=_text(conversation.conversation_id),
            user_id=_text(conversation.user_id),
            model=_maybe(conversation.model),
            language=_maybe(conversation.language),
            source=_text(conversation.source),
            turns=turns,
            changes=(*conversation.changes, f"{EMPTIED}{left}") if left else conversation.changes,
        )
    if not cleaned.conversation_id or not cleaned.user_id:
        raise ValueError("an id is empty")
    return cleaned


def emptied_in(conversation: Conversation) -> int:
    """How many results of tools were emptied."""
    return sum(int(one.removeprefix(EMPTIED)) for one in conversation.changes if one.startswith(EMPTIED))


def talk(turns: Sequence[Turn]) -> int:
    """How many turns there are, those of tools left aside: an answer may take any number of them."""
    return sum(turn.role != "tool" for turn in turns)


def _within(turns: tuple[Turn, ...], most: int) -> tuple[tuple[Turn, ...], int]:
    """The turns, and how many results of tools were emptied, the longest first: what they say costs no conversation.

    Such a turn stays, for rows name turns by their places.
    """
    tools = [at for at, turn in enumerate(turns) if turn.role == "tool"]
    over = sum(len(turn.content) for turn in turns) - most if tools else 0
    emptied = set[int]()
    for at in sorted(tools, key=lambda at: (-len(turns[at].content), at)):
        if over <= 0:
            break
        emptied.add(at)
        over -= len(turns[at].content)
    if not emptied:
        return turns, 0
    return tuple(replace(turn, content="") if at in emptied else turn for at, turn in enumerate(turns)), len(emptied)


def with_languages(conversations: Sequence[Conversation], config: IngestConfig) -> list[Conversation]:
    """The conversations, each with its language where that can be told, in their order."""
    told = list(conversations)
    silent = (
        [at for at, conversation in enumerate(told) if not conversation.language] if config.identify_language else []
    )
    for at, language in zip(silent, identify([told[at].turns for at in silent]), strict=True):
        told[at] = replace(told[at], language=language)
    return told


def impersonal(conversation: Conversation, config: IngestConfig) -> Conversation:
    """The conversation without personal data.

    Raises:
        ModelError: ``config.names`` asks for a pipeline that is not installed.
    """
    return redact_conversation(conversation, config.redact, person_names(config.names) if config.names else None)


def merge(old: Conversation | None, new: Conversation) -> Conversation:
    """One row for two exports of one conversation: the one that went on longer.

    The greater of a total order (turns, those with words, signals, time, content) wins whole, and a flag that either
    carries stays, so that any order and any repetition of exports give the same row. Only the ``batch`` of two that say
    the same is that of the first.

    Raises:
        ValueError: the two are not the same conversation of the same user.
    """
    if old is None:
        return new
    if (old.conversation_id, old.user_id) != (new.conversation_id, new.user_id):
        raise ValueError("only exports of one conversation of one user can be merged")
    winner = max(old, new, key=_progress)
    return replace(winner, toxic=old.toxic or new.toxic, redacted=old.redacted or new.redacted)


def _progress(row: Conversation) -> tuple[int, int, int, str, str]:
    signals = sum(len(turn.signals) for turn in row.turns)
    latest = max((turn.created_at or "" for turn in row.turns), default="")
    # Neither what the winner is given anyway, nor which log brought it, nor what other rows make of it.
    bare = replace(row, toxic=False, redacted=False, batch="", set_aside="")
    content = json.dumps(to_record(bare), ensure_ascii=False, sort_keys=True)
    return len(row.turns), sum(turn.has_text for turn in row.turns), signals, latest, content


def _harmless(turn: Turn) -> Turn:
    if not (turn.thought or turn.model or turn.signals or _harmful(turn.content)):
        return turn
    said = (turn.content, turn.thought, turn.model or "", *[signal.text for signal in turn.signals])
    if not any(map(_harmful, said)):
        return turn
    signals = tuple(replace(signal, text=_text(signal.text)) for signal in turn.signals)
    content, thought = _text(turn.content), _text(turn.thought)
    return replace(turn, content=content, model=_maybe(turn.model), signals=signals, thought=thought)


def _harmful(text: str) -> bool:
    """Whether anything is to be dropped; most text is ASCII, and asking that first is many times faster."""
    return "\0" in text or not (text.isascii() or HARMFUL.search(text) is None)


def _text(value: str) -> str:
    return HARMFUL.sub("", value) if _harmful(value) else value


def _maybe(value: str | None) -> str | None:
    return None if value is None else _text(value)
