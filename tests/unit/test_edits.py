"""Answers edited by program: what comes out meets the check, says nothing new and reads well."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.checks.form import KINDS, Check, satisfies, words
from rlhi.contracts import PairSource
from rlhi.learn.pairs.edits.edit import EDITS, edit_to_meet, edited
from rlhi.learn.pairs.edits.outline import outline, render, split_sentences
from rlhi.learn.pairs.edits.respelled import spelled, without_commas, without_digits
from rlhi.models.base import Sampled
from rlhi.report.words import name_of

PROSE = "Basil needs six hours of sun. It likes moist soil, but not wet feet. Pinch the tips to keep it bushy."
STEPS = (
    "To repot basil, follow these steps:\n\n1. Water the old pot.\n2. Lift the plant out.\n3. Press new soil around it."
)
TIPS = "Here are some tips:\n- Give it plenty of sun\n- Water it every morning"
NAMES = "Good neighbours of basil are:\n- Tomatoes\n- Peppers\n- Oregano"


@pytest.mark.parametrize(
    ("check", "text", "wanted"),
    [
        ("at_most_sentences:1", PROSE, "Basil needs six hours of sun."),
        ("at_most_words:14", PROSE, "Basil needs six hours of sun. It likes moist soil, but not wet feet."),
        ("at_most_words:3", PROSE, None),
        ("at_most_sentences:1", "Sure! Basil needs six hours of sun. It is hardy.", "Basil needs six hours of sun."),
        ("at_most_sentences:2", STEPS, "1. Water the old pot.\n2. Lift the plant out."),
        ("at_most_words:14", "1. Dig a hole.\n2. Water it.\n3. Put the basil in.\n4. Close it.\n5. Wait.",
         "1. Dig a hole.\n2. Water it.\n3. Put the basil in."),
        ("at_most_words:7", "1. Dig a hole.\n2. Water it.\n3. Put the basil in.\n4. Close it.\n5. Wait.", None),
        ("at_most_sentences:1", 'He said: "Basil is good. It is green." That is so.', None),
        ("short_sentences:7", PROSE, "Basil needs six hours of sun."),
        ("bullets", PROSE, "- Basil needs six hours of sun. It likes moist soil, but not wet feet.\n"
                           "- Pinch the tips to keep it bushy."),
        ("bullets", "Basil is green.", None),
        ("bullets", STEPS, "To repot basil, follow these steps:\n- Water the old pot.\n- Lift the plant out.\n"
                           "- Press new soil around it."),
        ("numbered", "Sun - 1. Find a spot. 2. Dig a hole. ", None),
        ("bullets", "1. Find a sunny spot. 2. Dig a hole.", "- Find a sunny spot.\n- Dig a hole."),
        ("numbered", TIPS, "Here are some tips:\n1. Give it plenty of sun\n2. Water it every morning"),
        ("one_paragraph", STEPS, "To repot basil, water the old pot. Lift the plant out. Press new soil around it."),
        ("no_lists", TIPS, "Give it plenty of sun. Water it every morning."),
        ("no_lists", NAMES, "Good neighbours of basil are: Tomatoes, Peppers and Oregano."),
        ("one_paragraph", "- Tomatoes\n- Peppers", None),
        ("one_paragraph", "1. **Soil**:\n- Take good soil.\n- Add sand.\n2. **Sun**:\n- Give it lots.",
         "**Soil**: Take good soil. Add sand. **Sun**: Give it lots."),
        ("no_lists", "Take a pot.\n\n- Take good soil for it.\n- __Sun__:\n\nGive it lots of sun.", None),
        ("no_lists", "- __Soil__:\n- Take good soil for it.", "__Soil__: Take good soil for it."),
        ("one_paragraph", "Basil is good.\n\nIt is green.", "Basil is good. It is green."),
        ("one_paragraph", "Roses are red\nViolets are blue\nBasil is green", None),
        ("no_commas", PROSE, PROSE.replace(",", "")),
        ("no_commas", "Basil is a herb. It is early, you should rest. It is green.", "Basil is a herb."),
        ("no_commas", "Le basilic aime le soleil, la chaleur, et il est vert en toute saison.", None),
        ("no_digits", "1. Water it for 10 minutes.\n2. Wait for 2 days.",
         "- Water it for ten minutes.\n- Wait for two days."),
        ("no_digits", "It came to Europe in 1550 or so.", None),
        ("no_exclamation", "Great question! Basil loves sun! Do you?!", "Basil loves sun. Do you?"),
        ("lower_case", "Basil is Green.", "basil is green."),
        ("ends_with_question", "Basil is green. It wants sun. Have you got some? I do.",
         "Basil is green. It wants sun. Have you got some?"),
        ("ends_with_question", PROSE, None),
        ("bold_keywords", "Basil needs sun. Some basil needs sunshine.",
         "**Basil** needs sun. Some basil needs **sunshine**."),
        ("at_least_words:60", PROSE, None), ("has_example", PROSE, None), ("language:fr", PROSE, None),
        ("summary_first", "Yes. No.", None), ("plain_words:3", PROSE, None), ("contains:mint", PROSE, None),
        ("at_most_words:9", "I cannot help with that. Basil is illegal. Ask somebody.", None),
        ("bullets", "Run this:\n```\nprint(1)\n```\nIt prints.", None),
        ("bullets", "# Basil\nIt is green. It is good.", None),
    ],
)  # fmt: skip
def test_an_answer_becomes_what_is_wished(check: str, text: str, wanted: str | None) -> None:
    assert edited(text, Check.parse(check)) == wanted


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("no_example", "Basil goes with vegetables, such as peppers. For example, try a salad. It is good. Water it.",
         "Basil goes with vegetables. Water it."),
        ("paragraphs", "Basil is green. It is good. Water it daily.", "Basil is green. It is good.\n\nWater it daily."),
        ("capitals", "basil is green. it is good.", "Basil is green. It is good."),
        ("no_bold", "**Basil** is green.", "Basil is green."),
    ],
)  # fmt: skip
def test_the_first_thing_that_an_edit_proposes(kind: str, text: str, wanted: str) -> None:
    assert render(next(EDITS[kind](outline(text) or []))) == wanted


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (Sampled("Basil is green. It wants", cut=True), "Basil is green."),
        (Sampled("1. Water it.\n2. Give it", cut=True), "1. Water it."),
        (Sampled("Basil", cut=True), None),
        ("The Basil House", "The Basil House"),
        ("Basil is green. It wants", "Basil is green."),
        ("Basil is green.\n\nMore tips:\n1. Water", "Basil is green."),
    ],
)
def test_what_had_not_ended_is_left_away(text: str, whole: str | None) -> None:
    assert edited(text, Check("at_most_words", "60")) == whole


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("To grow basil, use a big, sunny pot.", "To grow basil use a big and sunny pot."),
        ("It needs sun, water, and soil.", "It needs sun and water and soil."),
        ("It is a herb, which is grown in pots.", "It is a herb. This is grown in pots."),
        ("However, it costs 1,000 euros.", "But it costs 1000 euros."),
        ("Water it daily, making sure that it drains.", "Water it daily making sure that it drains."),
        ("It is easy, it is quick.", None),
        ("Add a, b, c, d, e, and f.", None),
    ],
)
def test_a_comma_goes_where_the_sentence_still_reads(sentence: str, wanted: str | None) -> None:
    assert without_commas(sentence) == wanted


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("21 of 100 plants died.", "Twenty-one of one hundred plants died."),
        ("In the 18th or 20th century.", "In the eighteenth or twentieth century."),
        ("Use 2-factor login for 5-10 days.", "Use two-factor login for five to ten days."),
        ("Mix it 1:10.", None), ("Use 2FA.", None), ("It costs $5.", None), ("It is 2.5 m.", None),
    ],
)  # fmt: skip
def test_small_numbers_are_spelled(sentence: str, wanted: str | None) -> None:
    assert without_digits(sentence) == wanted


def test_every_number_to_a_hundred_has_words_of_its_own() -> None:
    assert len({spelled(number) for number in range(101)}) == 101
    assert (spelled(0), spelled(40), spelled(99)) == ("zero", "forty", "ninety-nine")


def test_a_beginning_that_refuses_is_no_answer() -> None:
    text = "I cannot give advice. However, here is what basil wants: sun. It also wants water."
    assert edited(text, Check("at_most_sentences", "1")) is None


def test_the_first_text_that_can_meet_all_checks_is_taken() -> None:
    checks = [Check("lower_case"), Check("no_commas"), Check("at_most_sentences", "2")]
    assert edit_to_meet(["Mix it 1:10, it works.", PROSE], checks) == (
        1, "basil needs six hours of sun. it likes moist soil but not wet feet.",
    )  # fmt: skip
    assert edit_to_meet([PROSE], [Check("bullets"), Check("no_lists")]) is None
    assert edit_to_meet([PROSE], [Check("bullets"), Check("language", "fr")]) is None
    assert edit_to_meet([PROSE], []) is None and edit_to_meet([], checks) is None


def test_the_source_has_words_of_its_own_on_the_page_and_in_the_docs() -> None:
    table = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    sources = get_args(PairSource)
    assert "edited" in sources and len({name_of(source) for source in sources}) == len(sources)
    assert all(name_of(source) != source and f"\n| `{source}` |" in table for source in sources)


def test_edits_are_of_known_kinds() -> None:
    assert set(EDITS) <= {*KINDS, "no_example", "paragraphs", "no_question", "capitals", "no_bold"}


PIECES = [
    "Basil likes sun.", "It, too, wants water!", "Use 3 big, old pots, and wait 10 days.", "Here are some:", "Why?",
    "1. Dig a hole", "2. Water it.", "- a leaf", "However, for example, mint grows", "**Sun** is good.",
    '"Yes," he said.', "To grow it, follow these steps:", "Mr. Green etc. agree", "In 1550, it came, saw, and won.",
    "!", "🙂", ",", "3.",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).flatmap(
    lambda pieces: st.sampled_from([" ", "\n", "\n\n"]).map(lambda joint: joint.join(pieces))
) | st.text(st.sampled_from("aAbe .,!?:;-\n1\"*'"), max_size=60)  # fmt: skip
ASKED = st.sampled_from(
    [Check(kind, "12" if KINDS[kind].takes == "count" else "") for kind in EDITS if kind in KINDS]
)  # fmt: skip


@given(TEXTS, ASKED, st.booleans())
def test_what_is_edited_meets_the_check_and_adds_little(text: str, check: Check, cut: bool) -> None:
    found = edited(Sampled(text, cut), check)
    if found is not None:
        assert satisfies(check, found)
        assert 0 < len(words(found)) <= 1.2 * len(words(text))
        assert edited(found, check) in (found, None), "an edited answer is left as it is"


@given(TEXTS, st.lists(ASKED, min_size=1, max_size=3))
def test_all_checks_are_met_together(text: str, checks: list[Check]) -> None:
    found = edit_to_meet([text], checks)
    assert found is None or all(satisfies(check, found[1]) for check in checks)


@given(st.text(max_size=80).filter(str.strip))
def test_sentences_lose_nothing_but_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
