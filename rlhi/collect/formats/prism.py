"""PRISM (Kirk et al. 2024): people rated several answers to each of their messages and went on with one."""

from __future__ import annotations

from rlhi.collect.formats.fields import Row, first_moment, items, number, text
from rlhi.collect.formats.format import conversation
from rlhi.collect.formats.ids import first_id
from rlhi.collect.formats.roles import speaker_of
from rlhi.collect.formats.signals import stars
from rlhi.collect.formats.turns import Dialogue
from rlhi.contracts import Conversation, Signal, Turn
from rlhi.contracts.thoughts import parted

RATED = (1.0, 100.0)  # from "terrible" to "perfect"


def is_prism(row: Row) -> bool:
    """A conversation with all answers of each turn, or one of these answers."""
    return "conversation_history" in row or ("if_chosen" in row and "model_response" in row)


def prism(row: Row) -> Conversation:
    """The messages and the answers that its user chose, with the others of each turn as choices.

    Raises:
        ValueError: it is one answer of several, or has no history.
    """
    if "conversation_history" not in row:
        raise ValueError("one of several answers: conversations.jsonl holds them all")
    history = items(row, "conversation_history")
    turns: list[Turn] = []
    options: list[Row] = []
    for one in [*history, {"role": "user"}]:
        if speaker_of(one) == "assistant":
            options.append(one)
            continue
        turns += [_chosen(options)] if options else []
        options = []
        if said := text(one, "content"):
            turns.append(Turn("user", said))
    return conversation(
        "prism",
        Dialogue(tuple(turns)),
        conversation_id=first_id([row], "conversation_id"),
        user_id=first_id([row], "user_id"),
        created_at=first_moment([row], "generated_datetime", "created_at"),
        model=next((turn.model for turn in reversed(turns) if turn.model), None),
    )


def _chosen(options: list[Row]) -> Turn:
    best = next((one for one in options if one.get("if_chosen") is True), None)
    kept = best or max(options, key=lambda one: number(one, "score") or 0.0)
    answer = parted(text(kept, "content") or "")
    others = dict.fromkeys(parted(text(one, "content") or "").answer for one in options if one is not kept)
    choices = [Signal("choice", 1.0, said) for said in others if best and said and said != answer.answer]
    score = number(kept, "score")
    rated = stars(score, *RATED) if score is not None else ()
    return Turn("assistant", answer.answer, None, text(kept, "model_name"), (*choices, *rated), answer.thought)
