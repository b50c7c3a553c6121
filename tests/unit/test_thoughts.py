"""What models think before they answer is cut from answers, in all spellings; answers about the tags stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.contracts.thoughts import Parted, holds_thought, opened_by, parted

SPELLINGS = {
    "<think>{}</think>{}", "<think>\n{}\n</think>\n\n{}", "<thinking>{}</thinking>\n{}", "<THINK>{}</THINK>{}",
    "<thought>\n{}\n</thought>\n{}", "<reasoning>\n{}\n</reasoning>\n{}", "<seed:think>{}</seed:think>{}",
    "<think>{}</thinking>{}", "{}\n</think>\n\n{}", "{}</think>{}", "[THINK]{}[/THINK]{}", "◁think▷{}◁/think▷{}",
    "<chain_of_thought>{}</chain_of_thought>{}", "<inner_monologue>{}</inner_monologue>\n{}",
    "<|begin_of_thought|>\n\n{}\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n{}\n\n<|end_of_solution|>",
    "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
    "<reasoning>\n{}\n</reasoning>\n<answer>\n{}\n</answer>", "<unused94>thought\n{}<unused95>{}",
    "<|channel>thought\n{}<channel|>{}",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "<|start|>assistant<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}",
    "analysis{}assistantfinal{}", "Here is my thought process:\n\n{}\n\nHere is my response:\n\n{}",
}  # fmt: skip
CUT_OFF = {
    "<think>\n{}", "<think>{}", "[THINK]{}", "<|begin_of_thought|>\n{}", "<|channel|>analysis<|message|>{}",
    "<|START_THINKING|>{}", "<think>\n{}\n</think>\n", "analysis{}",
}  # fmt: skip
ABOUT = [
    "Models think between `<think>` and `</think>`.",
    "The tag <think> opens a thought and </think> closes it.",
    "Models write <think>reasoning</think> before they answer.",
    "```xml\n<think>a</think>\n```\nis how it looks.",
    "~~~\n<think>\n~~~",
    "<think> is a tag that reasoning models use.",
    "<think> and </think> are tags.",
    'Use "</think>" to end it.',
    "It ends with </think>.",
    "- `<think>`: opens\n- `</think>`: closes",
    "analysis of the data shows a rise",
    "[thinking] Hm, said the bear.",
    "if a < b and c[0] > d: pass",
    "Here is my response: no.",
]
WORDS = st.text(st.characters(categories=["L", "Nd"], include_characters=" .,!?\n`*-"), min_size=1, max_size=60)


@pytest.mark.parametrize("spelling", sorted(SPELLINGS))
def test_a_thought_is_cut_from_its_answer(spelling: str) -> None:
    assert parted(spelling.format("Two and two.", "Four.")) == Parted("Two and two.", "Four.")
    assert holds_thought(spelling.format("Two and two.", "Four."))


@pytest.mark.parametrize("spelling", sorted(CUT_OFF))
def test_a_thought_that_was_cut_off_is_no_answer(spelling: str) -> None:
    assert parted(spelling.format("Two and two is")) == Parted("Two and two is", "")


@pytest.mark.parametrize("text", ABOUT)
def test_an_answer_about_the_tags_stays_as_it_is(text: str) -> None:
    assert parted(text) == Parted("", text)


def test_a_thought_may_speak_of_tags_and_hold_code() -> None:
    assert parted("<think>Say `</think>` or </think>?</think>\n\nb").answer.endswith("b")
    assert parted("The user asks about <think> here.\n</think>\n\nb").answer == "b"
    assert parted("<think>```py\nx = 1\n</think>\n\nb") == Parted("```py\nx = 1", "b")
    assert parted("<think>a</think>\n```xml\n<think>x</think>\n```").answer == "```xml\n<think>x</think>\n```"


def test_thoughts_between_parts_of_an_answer_are_cut() -> None:
    assert parted("Sure.\n<think>\nc\n</think>\nDone.") == Parted("c", "Sure.\n\nDone.")
    assert parted("<think>a</think>b<think>c</think>d") == Parted("a\n\nc", "bd")
    assert parted("First.\n<think>\nand then") == Parted("and then", "First.")


def test_the_last_defence_doubts_what_is_only_spoken_of() -> None:
    assert holds_thought("Models write <think>reasoning</think> before they answer.")
    assert not holds_thought("Models think between `<think>` and `</think>`.")


def test_a_prompt_that_opens_a_thought_is_told() -> None:
    assert opened_by("<|im_start|>assistant\n<think>\n") == "<think>"
    assert opened_by("<|im_start|>assistant\n<think>\n\n</think>\n\n") == opened_by("assistant\n") == ""


@given(st.sampled_from(sorted(SPELLINGS)), WORDS, WORDS)
def test_no_word_of_a_thought_is_left_in_the_answer(spelling: str, thought: str, answer: str) -> None:
    found = (
        parted(spelling.format(f"Ⓣ{thought.replace('`', '')}Ⓣ.", f"Ⓐ{answer}Ⓐ"))
        if "analysis{" not in spelling
        else None
    )
    if found is not None:
        assert "Ⓣ" not in found.answer and "Ⓐ" not in found.thought
        assert found.answer == f"Ⓐ{answer}Ⓐ"


@given(st.text())
def test_what_is_left_of_an_answer_has_no_thought_to_cut(text: str) -> None:
    once = parted(text).answer
    assert once == text or len(once) < len(text)


@given(WORDS)
def test_text_without_signs_is_its_own_answer(text: str) -> None:
    assert parted(text) == Parted("", text)
