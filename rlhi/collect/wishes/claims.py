"""What one message says of its author's standing wishes.

Only wishes that hold for every answer count: a complaint about a part of one answer ("the second paragraph"), about
code, or about what was said is left to the learner. What a wish is about and what a program can check of it is known
here, where it is read, and travels with the claim.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rlhi.checks.demands import canonical
from rlhi.collect.wishes.rules import CHECKS, RULES, Kind, Rule
from rlhi.collect.wishes.words import normalise
from rlhi.contracts import Claim, Profile, ToldClaim
from rlhi.lexicons import lexicon
from rlhi.lexicons.languages import NAMES

READING = 2  # raised when the way of reading changes; the rules have a version of their own
LONG_MESSAGE, MAX_QUOTE = 60, 120  # words, characters
SENTENCE_WORDS, LONG_MESSAGE_SENTENCE_WORDS = 35, 15

_WORDS = lexicon("en").wishes
PART = re.compile(
    rf"\b(?:the|this|that|your|my|in) (?:\w+ )?(?:{_WORDS.places})(?: \w+)? (?:{_WORDS.pieces})\b"
    rf"|\b(?:the|this|my|his|her|their) (?:{_WORDS.things})\b"
    r"|\b(?:paragraph|section|chapter|step|part|line|question|row|slide) \d"
)
CODE_TALK = re.compile(rf"[{{}};=<>\\]|\w\(|\bdef \w|\b(?:{_WORDS.code})\b")
_WISH = re.compile(rf"\b(?:{_WORDS.standing})\b")
_MANNER = re.compile(rf"\b(?:{_WORDS.manner})\b")
_SENTENCES = re.compile(r"(?<=[.!?\"])\s+(?=[A-Z\"])")
_BARE = re.compile(
    r"^(?:way |a bit |a little |far |much |just |still |that is |this is |it is )*too \w+(?:y|al|ic|ish|ive|ous|ful)$"
)
_CONTENT = re.compile(
    r"\b(?:(?:my|the|this|that|our) (?:\w+ )?question|what i (?:asked|said|wanted|want)|answer me"
    r"|wrong|incorrect|error|mistake|about|because|bug|works?|fact|story|character|he|she|they|price|cost)\b|[\d\":]"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """A standing wish as one message tells it, with the rule's topic and pole, and its check if there is one."""

    topic: str
    pole: str
    kind: Kind
    text: str
    check: str = ""
    vague: bool = False
    quoted: bool = False


def claims_in(text: str) -> tuple[tuple[Kind, str], ...]:
    """Kind and text of each standing wish in a message, in the order of the rules.

    >>> claims_in("Way too long! Max forty words, and no commas please.")
    (('constraint', 'Do not use commas.'), ('constraint', 'Keep answers to at most 40 words.'))
    """
    return tuple((wish.kind, wish.text) for wish in wishes_in(text))


def wishes_in(text: str) -> tuple[Wish, ...]:
    """The standing wishes in a message, at most one a topic; a quoted one where no rule understands a wish."""
    sentences = normalise(text)
    pasted = sum(len(sentence.split()) for sentence in sentences) > LONG_MESSAGE
    if pasted:
        sentences = [*sentences[:2], *sentences[2:][-2:]]
    limit = LONG_MESSAGE_SENTENCE_WORDS if pasted else SENTENCE_WORDS  # wishes are short; a pasted text is not
    found: dict[str, Wish] = {}
    for sentence in sentences:
        if len(sentence.split()) <= limit:
            for wish in _in_sentence(sentence):
                known = found.get(wish.topic)
                if known is None or (known.vague and known.pole == wish.pole):
                    found[wish.topic] = wish
    order = {rule.topic: at for at, rule in enumerate(RULES)}
    return tuple(sorted(found.values(), key=lambda wish: order[wish.topic])) or _quoted(text, sentences)


def read_claim(text: str) -> tuple[tuple[str, ...], str]:
    """What a claim that no rule wrote is about, and its check: of a language model's words, or of a person's.

    Asked once, where the claim is made. Only the words that a rule writes have a check: the rules read complaints, and
    of a sentence about a user ("Hates bullet points.") they would take the contrary.

    >>> read_claim("Keep answers to at most 40 words."), read_claim("Complains of bullet points.")
    ((('length',), 'at_most_words:40'), (('lists',), ''))
    """
    topics, check = _written(text)
    read = {wish.topic for wish in wishes_in(text) if not wish.quoted}
    return tuple(sorted(topics | read)), check


def read_profile(text: str) -> Profile:
    """A persona that somebody wrote, sentence by sentence: what each is about is not asked.

    >>> [claim.check for claim in read_profile("Use bullet points. Be kind. Do not use commas.").claims]
    ['bullets', '', 'no_commas']
    """
    return Profile(text, tuple(ToldClaim(part, _written(part)[1]) for part in _parts(text)))


def told_as(claim: Claim) -> tuple[ToldClaim, ...]:
    """A claim as a persona's text tells it: whole, or by its sentences where somebody wrote several."""
    if claim.check or len(_parts(claim.text)) == 1:
        return (ToldClaim(claim.text, claim.check),)
    return read_profile(claim.text).claims


def _parts(text: str) -> list[str]:
    return [part for part in _SENTENCES.split(text.strip()) if part]


def _written(text: str) -> tuple[set[str], str]:
    """Topics of the rules that write these very words, and their check if they agree in one."""
    written = [(rule, found) for rule in RULES if (found := _template(rule.text).fullmatch(text))]
    checks = {_check(rule, found.groups()) for rule, found in written}
    return {rule.topic for rule, _ in written}, checks.pop() if len(checks) == 1 else ""


@cache
def _template(text: str) -> re.Pattern[str]:
    """The texts that a rule can write: any word where its pattern fills one in."""
    return re.compile(re.sub(r"\\\{\d\\\}", r"(\\w+)", re.escape(text)))


def _in_sentence(sentence: str) -> list[Wish]:
    narrow = bool(PART.search(sentence) or CODE_TALK.search(sentence))
    wishes = []
    for rule in RULES:
        if narrow and not rule.anywhere:
            continue
        for pattern in rule.compiled:
            if match := pattern.search(sentence):
                wishes.append(_wish(rule, match))
                sentence = f"{sentence[: match.start()]} ; {sentence[match.end() :]}"
                break
    return wishes


def _wish(rule: Rule, match: re.Match[str]) -> Wish:
    groups, pole = [group or "" for group in match.groups()], rule.pole
    if rule.topic == "language":
        groups = [NAMES[groups[0]]]
        pole = groups[0]  # French is no support for German
    return Wish(rule.topic, pole, rule.kind, _agree(rule.text.format(*groups)), _check(rule, groups), rule.vague)


def _check(rule: Rule, groups: Sequence[str]) -> str:
    return canonical(CHECKS.get(rule.text, "").format(*groups))


def _agree(text: str) -> str:
    """Units in the plural, but for one.

    >>> _agree("Keep answers to at most 2 sentence.")
    'Keep answers to at most 2 sentences.'
    >>> _agree("Write a single paragraph.")
    'Write a single paragraph.'
    """
    text = re.sub(r"(?<!\bsingle )\b(word|sentence|line|paragraph|character)\b(?=\.$)", r"\1s", text)
    return re.sub(r"(?<=\b1 )(word|sentence|line|paragraph|character|bullet point)s\b", r"\1", text)


def _quoted(text: str, sentences: list[str]) -> tuple[Wish, ...]:
    if len(text) > MAX_QUOTE or len(sentences) != 1:
        return ()
    sentence = sentences[0]
    manner = _MANNER.search(sentence) and _WISH.search(sentence) and not _CONTENT.search(sentence)
    if PART.search(sentence) or CODE_TALK.search(sentence) or not (manner or _BARE.search(sentence)):
        return ()
    said = " ".join(text.replace('"', "'").split())
    return (Wish(f"quote:{sentence}", "quote", "style", f'The user asked: "{said}"', quoted=True),)
