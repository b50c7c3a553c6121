"""What users said of single answers: which answers are judged, how, by whom, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rlhi.config import PairsConfig
from rlhi.contracts import (
    Conversation,
    FeedbackTurn,
    JudgedAnswer,
    PreferencePair,
    Signal,
    Turn,
)
from rlhi.learn.pairs.build import NOT_DRAWN, OVER_SHARE
from rlhi.learn.pairs.judged import EMPTY, GAVE_UP, IN_A_PAIR, UNSAFE, JudgedMaker
from rlhi.learn.pairs.lessons import Row, lesson, size, training_set
from tests.support.personas import persona as persona_of

PROSE, OTHER = "You should water it and give it sun.", "It wants a pot with holes and good soil."
REFUSAL = "I'm sorry, but I cannot help with that."
BULLETS = "Use bullet points."


def talk(*texts: str, user: str = "u", name: str = "t", **marks: Signal) -> Conversation:
    """A conversation of alternating turns, the user's first; ``at1`` is a mark on turn 1."""
    turns = [Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(texts)]
    for place, signal in marks.items():
        at = int(place.removeprefix("at"))
        turns[at] = replace(turns[at], signals=(*turns[at].signals, signal))
    return Conversation(name, user, "real", None, None, None, tuple(turns), "test")


def label(at: int, kind: str, probability: float = 1.0, weight: float = 1.0, name: str = "t") -> FeedbackTurn:
    """A label of the follow-up at ``at``."""
    return FeedbackTurn(f"{name}{at}", name, "u", at, kind, probability, weight=weight)  # type: ignore[arg-type]


def made(
    talks: Sequence[Conversation],
    labels: Sequence[FeedbackTurn] = (),
    pairs: Sequence[PreferencePair] = (),
    config: PairsConfig | None = None,
    persona: str = "",
) -> tuple[list[JudgedAnswer], dict[str, int]]:
    """The rows, and why others gave none."""
    personas = {"u": persona_of("u", persona, version="v1")} if persona else {}
    maker = JudgedMaker({row.conversation_id: row for row in talks}, personas, config or PairsConfig())
    rows = list(maker.answers(labels, pairs))
    return rows, {reason: count for reason, count in maker.dropped.reasons.items() if count}


def thumb(value: float) -> Signal:
    """Up or down."""
    return Signal("thumbs", value)


def stars(value: float) -> Signal:
    """From -1 to 1."""
    return Signal("stars", value)


@pytest.mark.parametrize(
    ("row", "labels", "expected"),
    [
        (talk("How?", PROSE, at1=thumb(1)), [], ("thumbs", True, 1.0)),
        (talk("How?", PROSE, at1=thumb(-1)), [], ("thumbs", False, 1.0)),
        (talk("How?", PROSE, at1=stars(0.5)), [], ("stars", True, 0.5)),
        (talk("How?", PROSE, at1=stars(-1)), [], ("stars", False, 1.0)),
        (talk("How?", PROSE, at1=stars(0)), [], None),
        (talk("How?", PROSE, "thanks"), [label(2, "positive_feedback", 0.9)], ("positive_feedback", True, 0.9)),
        (talk("How?", PROSE, "as a list"), [label(2, "reattempt_with_feedback", 0.8)], ("complaint", False, 0.8)),
        (talk("How?", PROSE, "again"), [label(2, "reattempt_without_feedback", 0.7)], ("complaint", False, 0.7)),
        (talk("How?", PROSE, "and in May?"), [label(2, "continuation", 0.5, 0.3)], ("continuation", True, 0.15)),
        (talk("How?", PROSE, "and in May?"), [label(2, "continuation", 0.5, 0.0)], None),
        (talk("How?", PROSE, "And roses?"), [label(2, "new_request")], None),
        (talk("How?", PROSE, "hm"), [label(2, "other")], None),
        (talk("How?", PROSE), [], None),
        # What was said outright beats what a follow-up is taken to say; a mark that says nothing does not.
        (talk("How?", PROSE, "again", at1=thumb(1)), [label(2, "reattempt_without_feedback")], ("thumbs", True, 1.0)),
        (talk("How?", PROSE, "ty", at1=stars(0)), [label(2, "positive_feedback")], ("positive_feedback", True, 1.0)),
    ],
)  # fmt: skip
def test_each_source_says_what_it_says(
    row: Conversation, labels: list[FeedbackTurn], expected: tuple[str, bool, float] | None
) -> None:
    rows, _ = made([row], labels)
    assert [(one.source, one.wanted, one.weight) for one in rows] == ([expected] if expected else [])
    assert all((one.response, one.turn_index, one.conversation_id) == (PROSE, 1, "t") for one in rows)


def test_the_prompt_is_a_pair_s_and_a_system_turn_is_no_answer() -> None:
    row = talk("How?", PROSE, "thanks", OTHER, at3=thumb(-1))
    system = Turn("system", "Be kind.")
    row = replace(row, turns=(system, *row.turns[:2], system, *row.turns[2:]))
    rows, _ = made([row], [label(4, "positive_feedback")], persona=BULLETS)
    first, second = sorted(rows, key=lambda one: one.turn_index)
    assert [(one.response, one.turn_index, one.wanted) for one in (first, second)] == [
        (PROSE, 2, True),
        (OTHER, 5, False),
    ]
    assert [message.role for message in second.prompt] == ["system", "user", "assistant", "user"]
    assert second.prompt[0].content.startswith("Be kind. ") and second.prompt[0].content.endswith(BULLETS)
    assert (second.persona, second.persona_version) == (BULLETS, "v1") and made([row])[0][0].persona == ""


@pytest.mark.parametrize(("kind", "kept"), [("jailbreak", []), ("abuse", [5])])
def test_abuse_says_nothing_and_nothing_is_learned_from_what_follows_a_jailbreak(kind: str, kept: list[int]) -> None:
    row = talk("How?", PROSE, "Obey!", OTHER, "thanks", PROSE, "thanks", at3=thumb(1))
    unsafe = replace(label(2, "reattempt_with_feedback"), unsafe=kind)  # type: ignore[arg-type]
    rows, dropped = made([row], [unsafe, label(6, "positive_feedback")])
    assert [one.turn_index for one in rows] == kept, "the complaint is none, its answer got a thumb and is left out"
    assert dropped == {UNSAFE: 2 - len(kept)}
    honest, _ = made([row], [replace(unsafe, unsafe=""), label(6, "positive_feedback")])
    assert sorted((one.turn_index, one.wanted) for one in honest) == [(1, False), (3, True), (5, True)]


def test_refusals_and_scraps_are_not_wanted_but_may_be_unwanted() -> None:
    liked = [
        talk("How?", text, name=name, at1=thumb(1)) for name, text in zip("abc", (REFUSAL, "ok", " "), strict=True)
    ]
    rows, dropped = made(liked)
    assert not rows and dropped == {"chosen is a refusal": 1, "chosen is no language": 1, EMPTY: 1}
    assert len(made(liked, config=PairsConfig(filter=False))[0]) == 2
    disliked = [replace(row, turns=talk("How?", row.turns[1].content, at1=thumb(-1)).turns) for row in liked]
    assert [one.wanted for one in made(disliked)[0]] == [False, False]
    asked = replace(label(2, "reattempt_with_feedback"), about_refusal=True)
    assert not made([talk("How?", PROSE, "Do it.")], [asked])[0], "a complaint of a refusal needs one"
    assert made([talk("How?", REFUSAL, "Do it.")], [asked])[0]


def test_who_goes_on_after_a_complaint_has_given_up() -> None:
    row = talk("How?", PROSE, "Shorter!", OTHER, "And why?", "x")
    labels = [label(2, "reattempt_with_feedback"), label(4, "continuation")]
    rows, dropped = made([row], labels)
    assert [(one.source, one.turn_index) for one in rows] == [("complaint", 1)]
    assert dropped[GAVE_UP] == 1
    rows, _ = made([row], [labels[0], label(4, "positive_feedback")])
    assert [one.turn_index for one in rows] == [1, 3]


def test_an_answer_that_a_pair_holds_is_left_to_the_pair() -> None:
    row = talk("How?", PROSE, "as a list", OTHER, "thanks")
    labels = [label(2, "reattempt_with_feedback"), label(4, "positive_feedback")]
    pair = PreferencePair("k", (), "- sun", PROSE, "u", "t", 1, "rewrite", "", "", 1.0, 0.0)
    rows, dropped = made([row], labels, [pair])
    assert [one.turn_index for one in rows] == [3] and dropped == {IN_A_PAIR: 1}
    assert len(made([row], labels, [replace(pair, rejected="another")])[0]) == 2


def test_a_user_s_share_is_what_weighs_most_and_order_of_arrival_changes_nothing() -> None:
    talks = [talk("How?", f"{PROSE} {at}", name=f"t{at}", at1=stars((at - 4) / 5)) for at in range(10)]
    talks += [talk("How?", f"{PROSE} {at}", user="v", name=f"v{at}", at1=thumb(1)) for at in range(3)]
    rows, dropped = made(talks, config=PairsConfig(max_per_user=4))
    weights = {user: sorted(one.weight for one in rows if one.user_id == user) for user in "uv"}
    assert weights == {"u": [0.6, 0.8, 0.8, 1.0], "v": [1.0, 1.0, 1.0]}
    assert dropped == {OVER_SHARE: 5}
    assert made(talks[::-1], config=PairsConfig(max_per_user=4))[0] == rows
    assert len({one.key for one in rows}) == len(rows)


def test_answers_that_were_learned_take_no_room_from_new_ones() -> None:
    talks = [talk("How?", f"{PROSE} {at}", name=f"t{at}", at1=thumb(1)) for at in range(6)]
    config = PairsConfig(max_per_user=2)
    first, _ = made(talks, config=config)
    learned = frozenset(lesson(row) for row in first)
    again = list(JudgedMaker({row.conversation_id: row for row in talks}, {}, config, learned).answers([], []))
    assert len(first) == 2 and sum(lesson(row) in learned for row in again) == 2 and len(again) == 4


def test_where_users_are_drawn_those_with_pairs_are_among_them() -> None:
    talks = [talk("How?", PROSE, user=user, name=user, at1=thumb(1)) for user in "abcdef"]
    pair = PreferencePair("k", (), "- sun", OTHER, "c", "c", 1, "rewrite", "", "", 1.0, 0.0)
    rows, dropped = made(talks, pairs=[pair], config=PairsConfig(max_users=2))
    assert len({one.user_id for one in rows} | {"c"}) == len(rows) == 2 and dropped == {NOT_DRAWN: 4}


def test_two_judged_answers_are_worth_a_pair_and_a_thumb_turned_round_is_a_new_lesson() -> None:
    rows, _ = made([talk("How?", f"{PROSE} {at}", name=f"t{at}", at1=thumb(1)) for at in range(8)])
    pairs = [
        PreferencePair(f"k{at}", (), "- sun", PROSE, "u", f"p{at}", 1, "rewrite", "", "", 1.0, 0.0) for at in range(4)
    ]
    made_of: list[Row] = [*rows, *pairs]
    assert size(made_of) == 8
    new, replayed = training_set(made_of, frozenset(), 0.0, 5, 0)
    assert size(new) == 5 and not replayed and {type(one) for one in new} == {JudgedAnswer, PreferencePair}
    known = frozenset(lesson(one) for one in new)
    fresh, again = training_set(made_of, known, 1.0, 6, 0)
    assert {lesson(one) for one in fresh} == {lesson(one) for one in made_of} - known
    assert size(again) == 3 and {lesson(one) for one in again} <= known
    turned = replace(rows[0], wanted=False)
    assert training_set([turned], frozenset(map(lesson, rows)), 0.0, 5, 0) == ([turned], [])
