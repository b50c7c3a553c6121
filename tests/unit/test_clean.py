"""Bounds, harmless characters, languages, redaction, templates; one row for a conversation however often exported."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.clean.accept import accept, clean, merge
from rlhi.collect.clean.identify import _classified, _identifier
from rlhi.collect.clean.templates import skeleton, spam
from rlhi.collect.formats import read_log
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Quarantined, Signal, Turn
from rlhi.models.base import ModelError

TURNS = tuple(Turn("user" if at % 2 == 0 else "assistant", f"turn {at}") for at in range(8))
ROW = Conversation("c1", "u1", "real", "2024-05-01T12:00:00Z", "demo", "en", TURNS, "demo")


def test_bounds_and_empty_conversations_are_quarantined() -> None:
    silent = replace(ROW, turns=(Turn("assistant", "Hello?"), Turn("user", " \n")))
    long = replace(ROW, turns=(Turn("user", "x" * 101),))
    many = replace(ROW, turns=TURNS * 2)
    before = Quarantined("log", 3, "not JSON", "{")
    config = IngestConfig(max_characters=100, max_turns=8)
    rows = list(clean([ROW, silent, before, long, many], config))
    assert rows[0] == ROW
    assert rows[2] == before
    reasons = [row.reason for row in rows if isinstance(row, Quarantined)]
    assert ["no user turn" in reasons[0], "max_characters" in reasons[2], "max_turns" in reasons[3]] == [True] * 3


def test_harmful_characters_are_dropped() -> None:
    dirty = replace(ROW, user_id="u\x001", model="de\ud800mo", turns=(Turn("user", "a\x00b\udfffc \U0001f600"),))
    cleaned = accept(dirty, IngestConfig())
    assert (cleaned.user_id, cleaned.model, cleaned.turns[0].content) == ("u1", "demo", "abc \U0001f600")
    cleaned.turns[0].content.encode("utf-8")
    with pytest.raises(ValueError, match="id is empty"):
        accept(replace(ROW, user_id="\x00"), IngestConfig())


@given(st.text(), st.text(min_size=1))
def test_what_is_accepted_can_be_written_and_is_accepted_again(content: str, name: str) -> None:
    row = replace(ROW, conversation_id=name, turns=(*TURNS, Turn("user", content)))
    try:
        once = accept(row, IngestConfig())
    except ValueError:
        return
    assert accept(once, IngestConfig()) == once
    (once.conversation_id + once.turns[-1].content).encode("utf-8")


def test_a_reason_holds_no_personal_data() -> None:
    config = IngestConfig(max_characters=10)
    row = next(clean([replace(ROW, turns=(Turn("user", "I am anna@mailhaus-nord.de"),))], config))
    assert isinstance(row, Quarantined) and "I am <EMAIL>" in row.raw


def test_personal_data_is_replaced_and_told() -> None:
    said = replace(ROW, turns=(Turn("user", "Mail anna@mailhaus-nord.de or call 07700 900461"),), toxic=True)
    row = accept(said, IngestConfig())
    assert (row.turns[0].content, row.changes) == ("Mail <EMAIL> or call <PHONE>", ("email x1", "phone x1"))
    assert (row.toxic, row.redacted) == (True, False)
    assert accept(row, IngestConfig()) == row
    assert accept(said, IngestConfig(redact=())) == said


def test_names_need_a_recogniser() -> None:
    # Not a ValueError: that would quarantine every row instead of ending the command.
    with pytest.raises(ModelError, match="no_such_pipeline"):
        accept(ROW, IngestConfig(names="no_such_pipeline"))


LANGUAGES = [
    ("Kannst du mir bitte erklären, wie das funktioniert?", "de"),
    ("Can you explain to me how this works, please?", "en"),
    ("¿Puedes explicarme cómo funciona esto, por favor?", "es"),
    ("Peux-tu m'expliquer comment cela fonctionne ?", "fr"),
    ("Можешь объяснить, как это работает?", "ru"),
    ("请帮我写一封简短的求职信，应聘一家图书馆的管理员职位。", "zh"),
    ("ok thanks", None),
    ("x = [1, 2, 3]; y = {4: 5}; z = (6, 7)", None),
]


@pytest.mark.parametrize(("text", "language"), LANGUAGES)
def test_the_language_is_the_users(text: str, language: str | None) -> None:
    turns = (Turn("user", text), Turn("assistant", "Dies ist eine lange Antwort auf Deutsch, die nichts verrät."))
    silent = replace(ROW, language=None, turns=turns)
    assert accept(silent, IngestConfig()).language == language
    assert accept(silent, IngestConfig(identify_language=False)).language is None
    assert accept(replace(silent, language="la"), IngestConfig()).language == "la"


def test_many_texts_at_once_are_told_as_the_model_tells_each() -> None:
    texts = [text for text, _ in LANGUAGES] + ["SHOUTED IN CAPITALS, ALL OF IT", "", "é" * 30, "naïve ﬁ", "\n" * 9]
    languages, sure = _classified(texts)
    one_by_one = [_identifier().classify(text) for text in texts]
    assert languages == [language for language, _ in one_by_one]
    assert sure == pytest.approx([probability for _, probability in one_by_one], abs=1e-4)


def opening(text: str, at: int = 0) -> Conversation:
    return replace(ROW, conversation_id=f"c{at}", turns=(Turn("system", "s"), Turn("user", text), *TURNS))


def test_a_skeleton_is_what_a_template_leaves() -> None:
    one = opening('Write  12 image prompts for the\nconcept "red barn", each of 80 words, in English')
    other = opening("write 7 image prompts for the concept “a very long night”, each of 200 words, in english")
    assert skeleton(one) == skeleton(other) == 'write # image prompts for the concept "", each of # words, in english'
    assert skeleton(opening("Hello there, how are you?")) == "", "what everybody says is no template"
    assert skeleton(opening(f"{'word ' * 200} 1")) == skeleton(opening(f"{'word ' * 200} and more"))


@given(st.lists(st.sampled_from("abcd"), max_size=40), st.randoms())
def test_templates_are_a_function_of_the_set_of_conversations(names: list[str], random: object) -> None:
    rows = [opening(f"Please act as a generator of pictures of kind {name}", at) for at, name in enumerate(names)]
    config = IngestConfig(spam_repeats=5)
    whole = spam(Counter(map(skeleton, rows)), config)
    random.shuffle(rows)  # type: ignore[attr-defined]
    parts = [Counter(map(skeleton, part)) for part in (rows[:7], rows[7:])]
    assert spam(parts[0] + parts[1], config) == whole
    assert len(whole) == sum(names.count(name) > 5 for name in "abcd")


def test_an_empty_skeleton_is_no_template() -> None:
    assert spam(Counter({"": 1000, "a": 51, "b": 50}), IngestConfig()) == {"a"}


def test_real_conversations_are_accepted_in_their_language(real_data: Path) -> None:
    rows = [row for row in read_log(real_data / "conversations.jsonl.gz") if not isinstance(row, Quarantined)]
    found = [accept(replace(row, language=None), IngestConfig()).language for row in rows]
    told = [(one, row.language) for one, row in zip(found, rows, strict=True) if one is not None]
    assert len(told) > 0.9 * len(rows)
    assert sum(one == other for one, other in told) > 0.97 * len(told)


exports = st.builds(
    lambda size, toxic, redacted, signals: replace(
        ROW,
        turns=tuple(replace(turn, signals=signals) for turn in TURNS[:size]),
        toxic=toxic,
        redacted=redacted,
    ),
    st.integers(1, 8),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(), (Signal("thumbs", 1.0),)]),
)
conflicts = exports.map(lambda row: replace(row, turns=(Turn("user", "another branch"), *row.turns[1:])))
landed = st.builds(
    lambda last, batch, reason: replace(
        ROW, turns=(*TURNS[:-1], Turn("assistant", last)), batch=batch, set_aside=reason
    ),
    st.sampled_from("xyz"),
    st.sampled_from("abc"),
    st.sampled_from(["", "template"]),
)


def said(row: Conversation) -> Conversation:
    return replace(row, batch="", set_aside="")


@given(st.lists(landed, min_size=1, max_size=6), st.randoms())
def test_which_of_two_equally_long_exports_wins_does_not_hang_on_their_batches(
    rows: list[Conversation], random: object
) -> None:
    merged = reduce(merge, rows, None)
    others = [replace(row, batch=other.batch) for row, other in zip(rows, reversed(rows), strict=True)]
    random.shuffle(others)  # type: ignore[attr-defined]
    again = reduce(merge, others, None)
    assert merged is not None and again is not None
    assert said(merged) == said(again)


@given(st.lists(exports, min_size=1, max_size=6), st.randoms())
def test_exports_in_any_order_and_number_give_the_longest(rows: list[Conversation], random: object) -> None:
    merged = reduce(merge, rows, None)
    shuffled = [*rows, rows[0]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reduce(merge, shuffled, None) == merged
    assert merged is not None
    assert len(merged.turns) == max(len(row.turns) for row in rows)
    assert merged.toxic == any(row.toxic for row in rows)


@given(st.one_of(exports, conflicts), st.one_of(exports, conflicts), st.one_of(exports, conflicts))
def test_merge_is_commutative_associative_and_idempotent(a: Conversation, b: Conversation, c: Conversation) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a == merge(None, a)


def test_strangers_are_never_merged() -> None:
    for other in (replace(ROW, conversation_id="c2"), replace(ROW, user_id="u2")):
        with pytest.raises(ValueError, match="one conversation of one user"):
            merge(ROW, other)
