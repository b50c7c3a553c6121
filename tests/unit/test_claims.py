"""Standing wishes are read from varied words; complaints about content are left alone."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.collect.wishes.claims import claims_in

DATA = Path(os.environ.get("RLHI_DATA", Path(__file__).parents[3] / "shared" / "data"))

# Claim -> ways to ask for it, written for this test.
WISHES = {
    "Answer in French.": (
        "Can you speak French?",
        "en français s'il te plaît",
    ),
    "Answer in German.": ("Bitte auf Deutsch antworten",),
    "Answer in Japanese.": ("I'd prefer this in Japanese",),
    "Answer in Portuguese.": ("could we do this in Portuguese?",),
    "Answer in Spanish.": ("In Spanish.",),
    "Answer in Turkish.": ("I only understand Turkish",),
    "Begin with a one-sentence summary.": (
        "Lead with the takeaway",
        "what's the main point? say that first",
        "don't bury the point, open with it",
        "Summary first, details later",
    ),
    "Do not apologise.": (
        "no need to apologise every time",
        "stop saying sorry",
    ),
    "Do not use emojis.": ("those smiley faces are silly, leave them out",),
    "End with a question.": (
        "wrap up with a question so I can keep thinking",
        "could you end on a question?",
        "finish with a question please",
    ),
    "End with a short summary.": ("close with a summary",),
    "Include an example.": (
        "you never gave me an example",
        "with an example this would be clearer",
        "It needs an example",
        "give a real life example next time",
        "Could you illustrate that with an example?",
        "examples, please",
        "I learn better from examples",
        "show me a concrete example",
    ),
    "Keep answers short.": (
        "Your answers are always too long",
        "that should fit on my watch",
        "too long, didn't read",
        "Whoa, that's a lot of text. Trim it.",
        "Could you shorten that?",
        "half the length would do",
        "Less is more, keep it tight and brief",
        "Nobody is going to read all of that",
        "Ugh, so wordy",
        "Just give me the essentials",
    ),
    "Spell numbers out in words.": (
        "I'd rather see numbers written out as words",
        "no digits, use words for numbers",
    ),
    "Start right away, without introductions or pleasantries.": ("cut the small talk",),
    "Use a table.": ("a table would be clearer",),
    "Use bullet points.": (
        "A bulleted list would be easier to read",
        "I prefer bullets",
        "lay it out as bullet points so I can skim",
        "Please format your answers with bullet points",
        "you forgot the bullet points again",
        "Make it bulleted",
        "Bullets, please",
    ),
    "Write at least 150 words.": ("write 150 words or more",),
    "Keep answers to at most 15 words.": ("fifteen words is enough",),
    "Keep answers to at most 2 lines.": ("two lines max",),
    "Keep answers to at most 20 words.": ("I said twenty words maximum",),
    "Keep answers to at most 3 sentences.": ("Not more than three sentences.",),
    "Keep answers to at most 35 words.": ("Stay below 35 words, thanks.",),
    "Keep answers to at most 40 words.": ("Forty words tops.",),
    "Keep answers to at most 45 words.": ("try again but don't go over 45 words",),
    "Keep answers to at most 50 words.": ("please never write more than fifty words",),
    "Keep answers to at most 60 words.": ("Please limit yourself to sixty words",),
    "Keep answers to at most 80 words.": ("Anything above 80 words is too much for me",),
    "Write between 100 and 120 words.": ("a paragraph of 100 to 120 words is what I'm after",),
    "Write in capital letters only.": ("uppercase only please",),
    "Use a casual, friendly tone.": (
        "friendlier please",
        "way too stiff",
    ),
    "Use a formal tone.": (
        "sound more businesslike please",
        "don't talk to me like I'm your buddy",
    ),
    "Put the key points in bold.": ("highlight the important words in bold",),
    "Give longer, more detailed answers.": (
        "can you flesh it out?",
        "that's a bit thin, go into more depth",
    ),
    "Write in lower case only.": (
        "I want lower-case letters only",
        "why the capital letters? lower case!",
        "please stick to lower case",
        "don't capitalize anything",
    ),
    "Do not use bold or Markdown.": (
        "don't use markdown",
        "the stars and hash signs are annoying, plain text please",
    ),
    "Use short paragraphs.": (
        "I need more white space in there",
        "could you separate the ideas with blank lines",
        "one thought per paragraph please",
    ),
    "Do not give examples.": (
        "I already get the idea, no need for an example",
        "enough with the examples",
        "can we skip examples from now on",
        "an example is not necessary",
    ),
    "Use precise technical terms.": (
        "you can use technical language with me",
        "I have a PhD in this, use the scientific terminology",
        "don't oversimplify things",
        "write for experts",
    ),
    "Do not end with a question.": (
        "quit asking me stuff at the end",
        "your replies shouldn't end with questions",
        "just answer, don't ask anything afterwards",
    ),
    "Write numbers as digits.": (
        "please use numerals instead of words",
        "can you add some concrete numbers?",
    ),
    "Use commas.": (
        "there should be commas in there",
        "a few commas would make it readable",
        "you left out all the commas",
    ),
    "Use capital letters where they belong.": (
        "could you capitalize properly?",
        "sentences should start with capital letters",
        "please don't write in all lower case",
    ),
    "Do not begin with a summary.": (
        "no need to summarize at the beginning",
        "don't open with the conclusion",
        "leave the summary out at the start",
        "I'd rather you saved the conclusion for last",
    ),
    "Do not use commas.": (
        "get rid of every comma",
        "write without using a single comma",
        "how about leaving out the commas",
        "There are still commas in it",
        "I asked for zero commas",
        "no commas whatsoever",
    ),
    "Do not use exclamation marks.": (
        "tone down the exclamation points",
        "way too many exclamation marks!!!",
    ),
    "Do not write in all capitals.": ("stop shouting at me in all caps",),
    "Use numbered steps.": (
        "1, 2, 3 style steps please",
        "put numbers before each step",
    ),
    "Use plain, simple words.": (
        "can you put that in everyday language?",
        "what's with all the fancy vocabulary",
        "these words are too hard for me",
        "so a ten year old could understand it",
        "I'm not a scientist, I don't get the terminology",
        "avoid technical jargon",
    ),
    "Write in prose, without lists.": (
        "The bullet points have to go",
        "I can't stand bullet points",
        "can I get flowing text rather than a list?",
        "turn it into a proper paragraph, no bullets",
        "not a list again!",
        "Please don't bullet everything",
    ),
}
CONTENT = (
    "that's wrong, the capital of Australia is Canberra",
    "it still throws a KeyError",
    "The function should return the list in lower case",
    "you forgot the closing bracket",
    "What about Brazil?",
    "thanks, now tell me about Rome",
    "The second paragraph is too long",
    "change the title to Winter Morning",
    "the list is not sorted",
    "remove the commas from the string before parsing",
    "add a column for price to the table",
    "make the main character older",
    "No, I meant the movie not the book",
    "the plot drags on too long in the middle chapter",
    "can you add milk and eggs to the list",
    "this does not compile",
    "where does the example dataset come from?",
    "it is too expensive, find something cheaper",
    "my flight was too long",
    "it takes too long to run",
    "I asked about the French revolution",
    "he speaks Spanish in the film",
    "how many words are in that poem?",
    "Is it true that bullets were used in 1400?",
    "the table in the database has no primary key",
    "Add more detail about how Xavier escapes",
    "the answer should be 42",
    "you mixed up the dates of the two wars",
    "please include the phone number 555 0199",
    "that quote is not by Einstein",
    "write the next chapter",
    "include a brief mention of the storm",
    "i need it for python 3.8",
    "use a dictionary instead of a list",
    "the summary of the court case is missing the verdict",
    "make the shoes red",
)


def test_wishes_are_recovered_in_varied_words() -> None:
    asked = [(sentence, claim) for claim, sentences in WISHES.items() for sentence in sentences]
    missed = [sentence for sentence, claim in asked if claim not in {text for _, text in claims_in(sentence)}]
    assert len(asked) >= 60
    assert len(missed) <= len(asked) // 10, missed


def test_a_wish_brings_no_other_with_it() -> None:
    several = [sentence for sentences in WISHES.values() for sentence in sentences if len(claims_in(sentence)) > 1]
    assert len(several) <= 5, several


def test_complaints_about_content_are_no_claims() -> None:
    assert len(CONTENT) >= 25
    assert {sentence: claims_in(sentence) for sentence in CONTENT if claims_in(sentence)} == {}


@pytest.mark.parametrize(
    ("message", "claims"),
    [
        ("No bullets. Max thirty words!", {"Write in prose, without lists.", "Keep answers to at most 30 words."}),
        ("Too long. At most 1,000 words.", {"Keep answers to at most 1000 words."}),
        ("You didn't use bullet points", {"Use bullet points."}),
        ("You haven't asked me anything back", {"End with a question."}),
        ("you forgot to close with a question", {"End with a question."}),
        ("Don't ask me anything at the end", {"Do not end with a question."}),
        ("Ninety words and up, please", {"Write at least 90 words."}),
        ("80 words or longer", {"Write at least 80 words."}),
        ("Please don't be so brief with me", {"Give longer, more detailed answers."}),
        ("melt it into one long paragraph", {"Write a single paragraph."}),
        ("that was one long paragraph", {"Use short paragraphs."}),
        ("I didn't want bullet points", {"Write in prose, without lists."}),
        ("be less formal", {"Use a casual, friendly tone."}),
        ("this is not clear, use bullet points", {"Use bullet points."}),
        ('change it to "please write in Spanish and keep it short"', set()),
        ("Always write as if whispering.", {'The user asked: "Always write as if whispering."'}),
        ("Don't start with a summary", {"Do not begin with a summary."}),
        ("There is no summary at the top", {"Begin with a one-sentence summary."}),
        ("I don't need examples", {"Do not give examples."}),
        ("It needs examples", {"Include an example."}),
        ("I don't get the technical terms", {"Use plain, simple words."}),
        ("too many scientific terms", {"Use plain, simple words."}),
        ("use the scientific terms", {"Use precise technical terms."}),
        ("there are no capitals in it", {"Use capital letters where they belong."}),
        ("no capitals please", {"Write in lower case only."}),
        ("it is hard to read without commas", {"Use commas."}),
        ("write it without commas", {"Do not use commas."}),
        ("rewrite this with no commas in it", {"Do not use commas."}),
        ("That doesn't answer my question", set()),
        ("Please answer what I asked.", set()),
        ("use **bold** for the key terms", {"Put the key points in bold."}),
        ("Nothing in **bold** please, no bold", {"Do not use bold or Markdown."}),
        ("", set()),
        ("?!", set()),
    ],
)  # fmt: skip
def test_negation_numbers_and_quotes(message: str, claims: set[str]) -> None:
    assert {text for _, text in claims_in(message)} == claims


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for _, claim in claims_in(text):
        assert claim.strip()
        assert "\n" not in claim


def test_long_messages_are_read_in_time() -> None:
    for text in ("a" * 300_000, "use the " * 50_000, "one hundred and " * 20_000, '"' * 100_000, "9" * 100_000):
        claims_in(text)


def test_real_complaints_about_content_seldom_become_claims() -> None:
    path = DATA / "followup_labels.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no labelled follow-ups at {DATA}: set RLHI_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    said = [row["context"][-1]["content"] for row in rows if row["label"] == "reattempt_with_feedback"]
    with_claim = sum(bool(claims_in(text)) for text in said)
    assert 10 <= with_claim <= 25  # of 145; read by eye, most ask for another sentence, fact or fix
