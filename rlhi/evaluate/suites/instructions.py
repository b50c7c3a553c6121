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
    ("Give a synonym of the word happy. One to five words, please.", "at_most_words", "5"),
    ("What colour is a ripe tomato? Say it in at most six words.", "at_most_words", "6"),
    ("Define the word harvest in no more than 20 words.", "at_most_words", "20"),
    ("In 30 words or fewer, say why people wear hats.", "at_most_words", "30"),
    ("Sum up what a lighthouse does, using at most 15 words.", "at_most_words", "15"),
    ("Tell me about the desert at night in 50 words or more.", "at_least_words", "50"),
    ("Describe the sound of a train station. At least 70 words.", "at_least_words", "70"),
    ("Write not less than 60 words about a morning at a bakery.", "at_least_words", "60"),
    ("What is ice made of? One sentence only.", "at_most_sentences", "1"),
    ("Explain in two sentences at most how a candle burns.", "at_most_sentences", "2"),
    ("Say in three sentences or fewer what a museum is.", "at_most_sentences", "3"),
    ("Who wrote Romeo and Juliet? Keep it to a single sentence.", "at_most_sentences", "1"),
    ("Name five animals of the farm, each on a bullet point.", "bullets", ""),
    ("Which tools does a carpenter need? Use bullets.", "bullets", ""),
    ("Make a bulleted list of three things that float.", "bullets", ""),
    ("List the primary colours with a dash before each.", "bullets", ""),
    ("Put three reasons to read books into bullet points.", "bullets", ""),
    ("How do you boil an egg? Number your steps.", "numbered", ""),
    ("Give a numbered list of three planets.", "numbered", ""),
    ("Explain how to wash your hands in numbered steps.", "numbered", ""),
    ("Rank gold, silver and bronze. Number the lines 1 to 3.", "numbered", ""),
    ("Write down a plan for a picnic as a list with numbers.", "numbered", ""),
    ("Describe a river, and leave out all commas.", "no_commas", ""),
    ("Tell a child what a cloud is. No commas, please.", "no_commas", ""),
    ("Wish somebody a good journey without a comma.", "no_commas", ""),
    ("What do carpenters do? Write it with no commas in it.", "no_commas", ""),
    ("Write a line about the sea and use lower case only.", "lower_case", ""),
    ("what is a nest? answer without capital letters.", "lower_case", ""),
    ("Name a fruit in small letters, no capitals at all.", "lower_case", ""),
    ("SHOUT a greeting: write all of it in capital letters.", "capitals", ""),
    ("Name two oceans in capitals only.", "capitals", ""),
    ("Say what the sun is, in capital letters from beginning to end.", "capitals", ""),
    ("How many days has a week? Use words and no digits.", "no_digits", ""),
    ("When was the steam engine invented? Do not write any digit.", "no_digits", ""),
    ("Describe a dozen eggs without digits.", "no_digits", ""),
    ("Tell me about owls, and ask me something at the end.", "ends_with_question", ""),
    ("Recommend an instrument for a beginner. Your last sentence has to be a question.", "ends_with_question", ""),
    ("I feel like painting. Reply and end on a question mark.", "ends_with_question", ""),
    ("Congratulate a friend who passed an exam, without any exclamation mark.", "no_exclamation", ""),
    ("Welcome guests to an inn. No exclamation marks.", "no_exclamation", ""),
    ("What is an adjective? Give an example, beginning with 'for example'.", "has_example", ""),
    ("Explain recycling, and include an example ('for example ...').", "has_example", ""),
    ("What is a mineral? Put the most important words in **bold**.", "bold_keywords", ""),
    ("Explain what a compass is, with its key terms in **bold** type.", "bold_keywords", ""),
    ("What is a harbour? Prose only: no list of any kind.", "no_lists", ""),
    ("Which coins does a purse hold? Answer in sentences and do not make a list.", "no_lists", ""),
    ("Describe spring in one paragraph.", "one_paragraph", ""),
    ("What does a librarian do? Reply in a single paragraph.", "one_paragraph", ""),
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
