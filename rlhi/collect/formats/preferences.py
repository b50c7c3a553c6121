"""Rows that say which of several answers somebody preferred, in the shapes that preference data has.

The answer that was preferred is the conversation's, with a choice for each of the others; of a tie the first one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix

from rlhi.collect.formats.fields import (
    TIMES,
    Row,
    first_moment,
    first_text,
    loaded,
    mapping,
    number,
    rows_in,
    text,
)
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.roles import speaker_named
from rlhi.collect.formats.signals import marked
from rlhi.collect.formats.turns import Dialogue, messages_in, turns_of
from rlhi.collect.formats.verdicts import SIDES, Verdict, verdict_of
from rlhi.contracts import Conversation, Signal, content_key
from rlhi.contracts.thoughts import parted

PAIRS = (("chosen", "rejected"), ("preferred_output", "non_preferred_output"), ("chosen_response", "rejected_response"),
         ("preferred", "dispreferred"))  # fmt: skip
LISTS = ("completions", "responses", "candidates", "answers")
TEXTS = ("response", "answer", "text", "content", "completion", "output")
SCORES = ("overall_score", "fine-grained_score", "score", "rating", "pm_score", "reward")
CHOSEN = ("chosen", "if_chosen", "selected", "is_chosen", "preferred")
MARKERS = frozenset({*(other for _, other in PAIRS), *(other for _, other in SIDES), *LISTS, "kto_tag", "label"})
USERS = ("user_id", "user", "judge", "annotator_id", "annotator", "worker_id")
NAMED, ASKED = ("conversation_id", "id"), ("question_id", "prompt_id", "comparison_id")
SPOKEN = re.compile(r"(?:^|\n\n)(Human|Assistant):")


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers to one request: what was said before, who answered, and what somebody found.

    ``sides`` are texts, messages or whole conversations; the first is the better one unless ``value`` is 0. ``turn`` is
    the answer in them that was judged, the last for None.
    """

    before: Sequence[object]
    sides: Sequence[object]
    value: float = 1.0
    models: Sequence[str | None] = ()
    bad: bool = False
    turn: int | None = None


def is_preference(row: Row) -> bool:
    """Two answers of which one is preferred, several with scores, or one that is wanted or not."""
    return not MARKERS.isdisjoint(row) and _shape(row) != ""


def preference(row: Row) -> Conversation:
    """The conversation that ends with the answer that was preferred.

    Raises:
        ValueError: there is no request or no answer in it, or nobody says which was preferred.
    """
    shape = _shape(row)
    if shape == "single":
        said = _single(row)
        model = first_text([row], "model", "model_name")
    else:
        judged = _pair(row) if shape == "pair" else _sides(row) if shape == "sides" else _listed(row)
        said = _told(judged)
        model = next((one for one in judged.models if one), None) or first_text([row], "model", "model_name")
    about = [row, mapping(row, "metadata")]
    user = first_id(about, *USERS)
    if user and speaker_named(user) == "assistant":  # a model judged
        user = None
    flagged = rows_in(row.get("openai_moderation")) or [mapping(row, "openai_moderation")]
    return conversation(
        "preferences",
        said,
        conversation_id=_name(about, user, said),
        user_id=user,
        created_at=first_moment(about, "tstamp", *TIMES),
        model=model,
        language=first_text(about, "language"),
        toxic=any(one.get("flagged") is True for one in flagged),
    )


def _name(about: Sequence[Row], user: str | None, said: Dialogue) -> str:
    """The row's own id; one of all that it says where it has none, for rows of one prompt and answer may be many."""
    name = first_id(about, *NAMED)
    key = content_key(user, [(turn.content, [(one.value, one.text) for one in turn.signals]) for turn in said.turns])
    asked = None if name else first_id(about, *ASKED)
    return name or (f"{asked}-{key[:8]}" if asked else key)


def _shape(row: Row) -> str:
    if any(row.get(one) is not None and row.get(other) is not None for one, other in PAIRS):
        return "pair"
    if any(row.get(one) is not None and row.get(other) is not None for one, other in SIDES):
        return "sides"
    if any(_scored(row.get(name)) for name in LISTS):
        return "list"
    kept = row.get("completion") is not None and "prompt" in row and "label" in row
    return "single" if "kto_tag" in row or kept else ""


def _pair(row: Row) -> Judged:
    better, worse = next(pair for pair in PAIRS if row.get(pair[0]) is not None and row.get(pair[1]) is not None)
    chosen, rejected = loaded(row[better]), loaded(row[worse])
    sides = [chosen, *(rejected if isinstance(rejected, list) and _texts(rejected) else [rejected])]
    models = [first_text([row], f"{better}_model", f"{better}-model", "model_chosen")]
    if any(map(_asks, sides)):
        return Judged((), [spoken(side) if isinstance(side, str) else side for side in sides], models=models)
    before = _before(row)
    if not before and isinstance(chosen, str) and isinstance(rejected, str):  # the prompt is what both begin with
        begin = commonprefix([chosen, rejected]).rpartition(" ")[0]
        before = [{"role": "user", "content": begin}] if begin.strip() else []
        sides = [chosen[len(begin) :].strip(), rejected[len(begin) :].strip()] if before else sides
    return Judged(before, sides, models=models)


def _sides(row: Row) -> Judged:
    names = next(pair for pair in SIDES if row.get(pair[0]) is not None and row.get(pair[1]) is not None)
    found: Verdict = verdict_of(row, names)
    order = (1, 0) if found == "second" else (0, 1)
    sides = [loaded(row[names[at]]) for at in order]
    both = [first_text([row], f"model_{sign}", f"model{sign}") for sign in ("a", "b")]
    whole = all(messages_in(side) for side in sides)
    before = () if whole else _before(row)
    if not whole and all(_texts(side) for side in sides):  # Kaggle's arena: requests and answers in lists
        asked = loaded(row.get("prompt"))
        before, sides = (), [_zipped(asked, side) for side in sides]
    turn = number(row, "turn") if whole else None
    return Judged(
        before,
        sides,
        1.0 if found in ("first", "second") else 0.0,
        [both[order[0]]],
        found == "bad",
        int(turn) if turn and turn >= 1 else None,
    )


def _listed(row: Row) -> Judged:
    """Of several answers the best: chosen, of the lowest rank, or of the highest score; others as good are left."""
    options = next(found for name in LISTS if (found := _scored(row.get(name))))
    worth = [_worth(one) for one in options]
    best = max(worth)
    first = worth.index(best)
    others = [_text_of(one) for one, value in zip(options, worth, strict=True) if value < best]
    model = first_text([options[first]], "model", "model_name")
    return Judged(_before(row), [_text_of(options[first]), *others], models=[model])


def _scored(value: object) -> list[Row]:
    """Answers that are told apart by a score, a rank or a choice; empty where they are not."""
    options = rows_in(value) or []
    told = len(options) > 1 and all(isinstance(_text_of(one), str) for one in options)
    return options if told and all(_worth(one) > float("-inf") for one in options) else []


def _text_of(option: Row) -> object:
    return next((option[name] for name in TEXTS if isinstance(option.get(name), str)), None)


def _worth(option: Row) -> float:
    chosen = next((option[name] for name in CHOSEN if isinstance(option.get(name), bool)), None)
    if chosen is not None:
        return float(chosen is True)
    rank = number(option, "rank")
    if rank is not None:
        return -rank
    found = (number(option, name) for name in SCORES)
    return next((score for score in found if score is not None), float("-inf"))


def _single(row: Row) -> Dialogue:
    """One answer and whether it is wanted: TRL's unpaired preference, LLaMA-Factory's ``kto_tag``."""
    wanted = row.get("kto_tag", row.get("label"))
    field = next((name for name in ("messages", "conversations") if messages_in(row.get(name))), None)
    if field:
        said = turns_of(messages_in(row.get(field)) or [])
    else:
        answer = next((row[name] for name in ("completion", "output", "response") if row.get(name)), None)
        said = _told(Judged(_before(row), [answer]))
    last = said.turns[-1] if said.turns else None
    if last is None or last.role != "assistant":
        raise ValueError("no answer in it")
    label = bool(wanted) if wanted in (0, 1) else wanted
    return replace(said, turns=(*said.turns[:-1], replace(last, signals=marked(label, None))))


def _before(row: Row) -> list[object]:
    """What was said up to the request, in the fields that preference rows have for it."""
    given = mapping(row, "input")
    held = (
        given.get("messages"),
        *(row.get(name) for name in ("prompt", "context", "conversations", "messages", "history")),
    )
    listed = next((found for one in held if (found := messages_in(one))), None)
    system = text(row, "system") or text(row, "system_prompt")
    lead: list[object] = [{"role": "system", "content": system}] if system else []
    if listed is not None:
        return [*(lead if not _asks(listed) or not system else []), *listed]
    asked = next(
        (said for name in ("prompt", "instruction", "question", "query", "history") if (said := text(row, name))), ""
    )
    if SPOKEN.search(asked):
        return [*lead, *spoken(asked)]
    more = text(row, "input")
    request = f"{asked}\n\n{more}" if asked and more and "instruction" in row else asked or more
    return [*lead, *_earlier(row.get("history")), *([{"role": "user", "content": request}] if request else [])]


def _earlier(history: object) -> list[object]:
    """``[[question, answer], ...]``, as Alpaca rows have it."""
    held = loaded(history)
    pairs = [one for one in held if isinstance(one, list) and len(one) == 2] if isinstance(held, list) else []
    return [
        {"role": role, "content": said}
        for pair in pairs
        for role, said in zip(("user", "assistant"), pair, strict=True)
    ]


def spoken(said: str) -> list[object]:
    """The messages of a text with ``Human:`` and ``Assistant:`` in it, as in HH-RLHF; the text alone without."""
    _, *parts = SPOKEN.split(said)
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [{"role": name.lower(), "content": words.strip()} for name, words in pairs if words.strip()]


def _asks(side: object) -> bool:
    """Whether an answer comes with its whole conversation."""
    if isinstance(side, str):
        return len(SPOKEN.findall(side)) > 1
    return any(turn.role == "user" for turn in turns_of(messages_in(side) or []).turns)


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _zipped(asked: object, answers: object) -> list[object]:
    requests = asked if isinstance(asked, list) else [asked]
    said = answers if isinstance(answers, list) else [answers]
    return [
        {"role": role, "content": one}
        for pair in zip(requests, said, strict=False)
        for role, one in zip(("user", "assistant"), pair, strict=True)
    ]


def _whole(before: Sequence[object], side: object) -> Dialogue:
    """What was said, up to and with one side's answer."""
    if isinstance(side, str):
        return turns_of([*before, {"role": "assistant", "content": side.strip()}])
    if isinstance(side, Mapping):
        return turns_of([*before, {"role": "assistant", **side} if "from" not in side else side])
    return turns_of([*before, *(messages_in(side) or [])])


def _told(judged: Judged) -> Dialogue:
    said, *rest = (_whole(judged.before, side) for side in judged.sides)
    if not any(turn.role == "user" for turn in said.turns):
        raise ValueError("no request in it")
    answers = [at for at, turn in enumerate(said.turns) if turn.role == "assistant"]
    if not answers:
        raise ValueError("no answer in it")
    nth = min(judged.turn or len(answers), len(answers)) - 1
    place = answers[nth]
    kept = said.turns[place]
    others = dict.fromkeys(
        found for other in rest if (found := _nth(other, nth, judged.turn)) and found != kept.content
    )
    signals = [Signal("choice", judged.value, other) for other in others]
    signals += [Signal("thumbs", -1.0)] if judged.bad else []
    return replace(said, turns=(*said.turns[:place], replace(kept, signals=tuple(signals)), *said.turns[place + 1 :]))


def _nth(said: Dialogue, nth: int, turn: int | None) -> str:
    answers = [one.content for one in said.turns if one.role == "assistant" and one.has_text]
    if not answers:
        return ""
    return parted(answers[min(nth, len(answers) - 1)] if turn else answers[-1]).answer
