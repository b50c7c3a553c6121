"""Instructions without persona, written for this project: a trained challenger must still follow them.

Each asks one plain thing and sets one condition that a program checks, like IFEval's (arXiv 2311.07911). Subjects
and wordings are kept apart from the simulator's requests and complaints.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlhi.checks.form import Check, share_met
from rlhi.contracts import EvalResult, Message
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import Prompt, Replies


@dataclass(frozen=True, slots=True)
class Instruction:
    """A request with one checkable condition."""

    item: str
    prompt: str
    check: Check


_ITEMS: tuple[tuple[str, str, str], ...] = (
    ("Name three fruits. Use at most ten words.", "at_most_words", "10"),
    ("What is the capital of Japan? Answer in no more than eight words.", "at_most_words", "8"),
    ("Tell me what a hammer is for, in 25 words or fewer.", "at_most_words", "25"),
    ("Describe a walk on the beach in at least 60 words.", "at_least_words", "60"),
    ("Write about why people keep gardens. Your text must have 80 words or more.", "at_least_words", "80"),
    ("Explain what a magnet does in one or two sentences.", "at_most_sentences", "2"),
    ("Why is the sea salty? Reply in a single sentence.", "at_most_sentences", "1"),
    ("List four kinds of weather as bullet points.", "bullets", ""),
    ("What should I pack for a day of hiking? Answer with a bulleted list.", "bullets", ""),
    ("Give me three uses of a spoon. Begin each one with a dash.", "bullets", ""),
    ("How do I make a cup of tea? Give the steps as a numbered list.", "numbered", ""),
    ("List the four seasons and number them 1 to 4.", "numbered", ""),
    ("Say something kind to a tired nurse without using any commas.", "no_commas", ""),
    ("Describe a cat. Do not use commas.", "no_commas", ""),
    ("Write one line about rain, all in lower case letters.", "lower_case", ""),
    ("Greet a new neighbour. Your reply must contain no capital letters.", "lower_case", ""),
    ("How many legs does a spider have? Write the number as a word and use no digits.", "no_digits", ""),
    ("Tell me about the moon landing without writing any digits.", "no_digits", ""),
    ("I would like to learn the guitar. Finish your reply with a question to me.", "ends_with_question", ""),
    ("Suggest a pet for a small flat, and close with a question.", "ends_with_question", ""),
    ("What is a metaphor? Include an example, introduced by 'for example'.", "has_example", ""),
    ("Explain what a mammal is in two sentences and put the key words in **bold**.", "bold_keywords", ""),
    ("What do bees do all day? Answer in plain prose, with no lists.", "no_lists", ""),
    ("How does a bicycle stay upright? Write a short paragraph and do not use a list.", "no_lists", ""),
)

INSTRUCTIONS: tuple[Instruction, ...] = tuple(
    Instruction(f"instruction-{at:02d}", prompt, Check(kind, argument))
    for at, (prompt, kind, argument) in enumerate(_ITEMS, start=1)
)
"""The suite, in a fixed order; an item's name is part of what it measures, so append and never renumber."""


def asked() -> list[Prompt]:
    """The instructions as both models are asked: without persona and without system message."""
    return [(each.item, (Message("user", each.prompt),)) for each in INSTRUCTIONS]


def instructions(*, prompted: Replies) -> list[EvalResult]:
    """Whether replies to the built-in instructions follow them: a guard against forgetting. Each is its own cluster.

    Raises:
        KeyError: a reply's ``user_id`` names no instruction.
    """
    by_id = {instruction.item: instruction.check for instruction in INSTRUCTIONS}
    return [
        EvalResult("instructions", reply.item, reply.user_id, model, share_met((by_id[reply.user_id],), reply.text))
        for model, said in prompted.items()
        for reply in said
    ]


MEASURES = (Measure(instructions, prompts=asked),)
