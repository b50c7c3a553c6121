"""Checks by program: each kind says yes and no where it should, and none ever raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.checks.form import KINDS, Check, describe, fluency, is_refusal, language_of, satisfies, sentences, words
from rlhi.learn.reward.features import NAMES, answer_features

PROSE = "Basil needs light, water and warmth. Keep it on a sunny windowsill and water it when the soil feels dry."

CASES: list[tuple[str, str, str]] = [
    ("at_most_words:3", "Just two.", "One two three four."),
    ("at_least_words:3", "It's well-known now.", "Too few."),
    ("at_most_sentences:2", "Use mint, e.g. spearmint. It grows.", "One. Two! Three?"),
    ("short_sentences:4", "This is short. So is this.", "This sentence is rather long."),
    ("plain_words:8", "Put it in the sun.", "Photosynthesis helps."),
    ("long_words:8", "Photosynthesis helps.", "Put it in the sun."),
    ("paragraphs", "One line.\nAnother.", PROSE),
    ("commas", "Water it, then wait.", "Water it and wait."),
    ("digits", "Wait 3 days.", "Wait three days."),
    ("capitals", "Water it.", "water it twice a day."),
    ("no_summary", "Sure! Basil is a Mediterranean herb.", "In short, it needs sun. Basil is a Mediterranean herb."),
    ("no_example", "Use a herb.", "Use a herb such as basil."),
    ("no_question", "Do you? Water it.", "Water it. Do you have a window?"),
    ("no_bold", "Give it full sun.", "Give it **full sun** daily."),
    ("bullets", "Tips:\n- water\n* light", "- only one"),
    ("numbered", "1. water\n2) light", "In 2020. and 2021. it rained."),
    ("no_lists", PROSE, "Do this:\n1. water"),
    ("one_paragraph", PROSE, "One line.\nAnother."),
    ("no_commas", "Water it and wait.", "Water it, then wait."),
    ("no_digits", "Wait three days.", "Wait 3 days."),
    ("no_exclamation", "Great.", "Great!"),
    ("lower_case", "water it twice a day.", "Water it."),
    ("summary_first", "In short, it needs sun. Basil is a Mediterranean herb.", "Sure! Basil is a Mediterranean herb."),
    ("has_example", "Use a herb such as basil.", "Use a herb."),
    ("ends_with_question", "Water it. Do you have a window?", "Do you? Water it."),
    ("bold_keywords", "Give it **full sun** daily.", "Give it ** full sun daily, 2**3."),
    ("number:1072", "30 times 36 less 8 comes to 1,072.", "It is 1072 and not 61."),
    ("size:2-3 lines", "One line.\n\nAnother.", PROSE),
    ("size:2- paragraphs", "One.\n\nAnother.", "One line.\nAnother."),
    ("size:-20 characters", "Basil likes sun.", PROSE),
    ("without:semicolons", "Water it, then wait.", "Water it; then wait."),
    ("contains:Sun", "Give it full sun.", "Give it shade."),
    ("language:fr", "Le basilic a besoin de lumière et d'eau.", "Basil needs light and water every day."),
    ("language:es", "La albahaca necesita luz y agua todos los días.", "Das Basilikum braucht Licht und Wasser."),
    ("language:de", "Das Basilikum braucht Licht und Wasser.", "Le basilic a besoin de lumière."),
]


@pytest.mark.parametrize(("name", "good", "bad"), CASES, ids=[case[0] for case in CASES])
def test_each_kind_tells_good_from_bad(name: str, good: str, bad: str) -> None:
    check = Check.parse(name)
    assert satisfies(check, good)
    assert not satisfies(check, bad)
    assert not satisfies(check, "")
    assert not satisfies(check, " \n--- ...")
    assert str(check) == name


def test_every_kind_has_a_case_and_a_description() -> None:
    assert {Check.parse(name).kind for name, _, _ in CASES} == set(KINDS)
    assert describe(Check("at_most_words", "40")) == "at most 40 words"
    assert describe(Check("language", "fr")) == "written in French"
    assert all("{" not in describe(Check.parse(name)) for name, _, _ in CASES)


@pytest.mark.parametrize(
    "name", ["shorter", "at_most_words", "at_most_words:0", "at_most_words:x", "bullets:2", "language:xx"]
)
def test_a_check_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="check"):
        Check.parse(name)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_no_text_makes_a_check_or_fluency_raise(text: str) -> None:
    for name, _, _ in CASES:
        assert satisfies(Check.parse(name), text) in (True, False)
    assert 0.0 <= fluency(text) <= 1.0


@given(st.lists(st.sampled_from(["water", "it", "3", "days.", "Why?", "- sun", "\n", ","])), st.integers(1, 20))
def test_length_bounds_meet(parts: list[str], bound: int) -> None:
    text = " ".join(parts)
    count = len(words(text))
    assert satisfies(Check("at_most_words", str(bound)), text) == (0 < count <= bound)
    assert satisfies(Check("at_least_words", str(bound)), text) == (count >= bound)
    assert len(sentences(text)) <= max(count, 0)


@given(st.sampled_from([case[0] for case in CASES]), st.text(max_size=40))
def test_a_check_is_written_and_read_back(name: str, text: str) -> None:
    check = Check.parse(name)
    assert Check.parse(str(check)) == check
    assert satisfies(check, text) == satisfies(Check.parse(str(check)), text)


def test_sentences_survive_abbreviations_lists_and_quotes() -> None:
    said = sentences('He said "stop." Then Mr. Fox left, i.e. went home. Etc. So it goes.')
    assert [len(words(sentence)) for sentence in said] == [3, 8, 1, 3]
    assert sentences("1. Water it\n2. Wait") == ["Water it", "Wait"]


def test_language_of_nothing_is_nothing() -> None:
    assert language_of("") == language_of("12 + 30 = 42") == ""
    assert language_of(PROSE) == "en"


FLUENT = [
    PROSE,
    "Paris.",
    "1945",
    "1. Water it.\n2. Give it light.\n3. Turn the pot each week.",
    "def add(a, b):\n    return a + b\n\nprint(add(1, 2))",
    "Le basilic a besoin de lumière et d'eau.",
]
COLLAPSED = [
    "",
    "!!! ... ??? --- ***",
    "no no no no no no",
    "I am sorry. " * 15,
    "the best of " * 12,
    "- a\n" * 8,
    "ha" * 120,
    "3.14 15 92 65 35 89 79 32 38 46 26 43",
]


@pytest.mark.parametrize("text", FLUENT)
def test_normal_text_is_fluent(text: str) -> None:
    assert fluency(text) == 1.0


@pytest.mark.parametrize("text", COLLAPSED)
def test_collapsed_text_is_not(text: str) -> None:
    assert fluency(text) < 0.25


def test_fluency_falls_as_a_text_loops() -> None:
    values = [fluency(f"{PROSE} " * times) for times in (1, 3, 6, 12)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0
    assert values[-1] < 0.2


@pytest.mark.timeout(20)
def test_pages_of_blank_lines_are_read_in_one_go() -> None:
    """A minute and more for each, when a search began anew at every line."""
    blank = "\n " * 50_000
    assert is_refusal(f"I'm sorry, but I can't help with that.{blank}Bye.")
    assert dict(zip(NAMES, answer_features("Why?", f"Hello world.{blank}- one\n- two"), strict=True))["two_bullets"]
