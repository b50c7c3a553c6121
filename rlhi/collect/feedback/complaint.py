"""What a follow-up says beyond its label: what to change, whether a refusal is meant, whether it fits, whether it is
unsafe. Rules over the three texts, pure and cheap; English like the labeller's cues.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rlhi.checks.form import is_refusal
from rlhi.contracts import REATTEMPTS, FeedbackLabel, content_key
from rlhi.lexicons import lexicon

Context = tuple[str, str, str]  # request, answer, follow-up
Unsafe = Literal["", "jailbreak", "abuse"]

LONGEST = 200  # characters of an instruction's text
READ = 4000  # characters of a follow-up that are searched

_WORDS = lexicon("en").follow_ups
_ASK = (
    r"(?:(?:can|could|would|will) (?:you|we|u|i) (?:please |also |maybe |just )*|let's (?:also )?|"
    r"(?:i|we)(?:'d| would) (?:also )?like (?:you )?to |(?:i|we) (?:also )?(?:want|need) (?:you )?to )"
)
_CUES: tuple[tuple[int, str], ...] = (
    (3, rf"^(?:please |also |now |just |then |and )*{_ASK}?(?:please )?(?:{_WORDS.instructs})\b"),
    (3, rf"\b{_ASK}(?:{_WORDS.instructs})\b"),
    (2, r"\b(?:way |far |a bit |a little |much )?too \w+|\bnot (?:\w+ )?enough\b"),
    (
        2,
        r"\b(?:without|instead of|rather than|instead|no more than|at (?:most|least))\b|^(?:no|not|only|just|all|"
        r"one) \w+",
    ),
    (2, r"\b(?:should|must|needs? to|has to|have to|supposed to)\b"),
    (2, r"\b(?:don't|do not|never|stop) (?:use|want|like|include|mention|put|make|give|start|repeat|say|write)\b"),
    (
        2,
        r"\bi (?:said|asked|told|meant|mean|wanted|prefer|need|want)\b|\b(?:i|we)(?:'d| would) (?:rather|prefer|"
        r"like)\b",
    ),
    (2, rf"^in [a-z]+(?: please)?$|\bin (?:{_WORDS.languages})\b"),
    (2, rf"\b(?:{_WORDS.faults})\b"),
    (
        2,
        r"\b(?:doesn't|does not|didn't|did not|don't|isn't|won't) (?:work|run|compile|help|match|rhyme|exist|change)\b",
    ),
    (1, rf"\b(?:{_WORDS.degrees})\b"),
)
_SENTENCE = re.compile(r"[^\n;.!?]+(?:[.!?](?!\s|$)[^\n;.!?]*)*[.!?]*")
_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ERROR_LINE = re.compile(r"^.*\b\w*(?:Error|Exception|error)\b:.*$", re.MULTILINE)
_OPENING = re.compile(rf"^(?:(?:{_WORDS.opens})\b(?: start| one)?[,.! ]+)+", re.IGNORECASE)
_CLOSING = re.compile(rf"[\s,.!?]*(?:\b(?:{_WORDS.closes})\b[\s.!?]*)*$", re.IGNORECASE)
_TOO = re.compile(
    r"^(?:(?:it|this|that)(?:'s| is| was)? |they are )?(?:still |way |far |a bit |a little |much )*too (\w+)$", re.I
)
_ENOUGH = re.compile(r"^(?:(?:it|this|that)(?:'s| is| was)? )?not (\w+) enough$", re.I)
_BARE_COMPARATIVE = re.compile(r"^(?:(?:much |a bit |a little )?(?:more|less|\w+er)(?: \w+)?)$", re.I)
_BARE = re.compile(rf"^\W*(?:(?:{_WORDS.bare})\b\W*)+$", re.IGNORECASE)
_REFUSAL_TALK = re.compile(
    r"\brefus(?:e|ed|al|ing)\b|\byou can (?:answer|do|say|write|help)\b|\bwhy (?:can't|won't|can not|cannot) you\b|"
    r"\bas an ai\b|\blanguage model\b|\bdisclaimers?\b|\bnot allowed\b|\btry (?:it )?anyway\b|"
    r"\banyway, (?:just )?try\b|"
    r"\b(?:stop|quit) (?:lecturing|moralis|moraliz|hiding|refusing|apologi)|\b(?:it's|it is|this is) (?:just|only|"
    r"for) (?:a |an |"
    r"my )?(?:\w+ )?(?:story|novel|fiction|game|joke|hypothetical|research|harmless)\b|\bnothing (?:illegal|harmful|"
    r"wrong|"
    r"real)\b|\byou (?:did|could) (?:it )?(?:before|yesterday|earlier)\b",
    re.IGNORECASE,
)
_JAILBREAK = re.compile(
    r"\b(?:ignore|disregard|forget|bypass|override) (?:all |any |the |your |of )*(?:previous|prior|above|earlier|"
    r"former|system|"
    r"safety|content|ethical|openai)[\w ]{0,20}(?:instructions?|rules?|prompts?|guidelines?|polic(?:y|ies)|"
    r"restrictions?|"
    r"filters?)|\bdo anything now\b|\bjailbr(?:eak|oken)|\bdeveloper mode\b|\b(?:with(?:out| no)|have no|has no|"
    r"free (?:of|from)|"
    r"no) (?:any |all |more )?(?:\w+ )?(?:restrictions?|filters?|censorship|guardrails|rules|moral(?:s|ity)?|ethics)\b|"
    r"\b(?:un"
    r"filtered|uncensored|amoral|evil twin|opposite mode)\b|\bstay in character (?:no matter|at all)",
    re.IGNORECASE,
)
_PERSONA_PLAY = re.compile(
    rf"\b(?:{_WORDS.roles})\b|\b(?:rules|instructions|guidelines|prompts?|polic|restrictions|filters)\b", re.IGNORECASE
)
_ABUSE = re.compile(
    r"\b(?:f+u+c*k+ (?:you|u|off)|screw you|go to hell|kill yourself|shut (?:the \w+ )?up|drop dead)\b|\b(?:you(?:'re|"
    r" are)?|u|"
    r"you (?:are )?such an?) (?:a |an |so |such |really |just |complete |total |absolute |fucking |"
    rf"damn )*(?:{_WORDS.insults})\b"
    r"|^\W*(?:stupid|useless|dumb|worthless) (?:ai|bot|robot|machine|thing|program)\b",
    re.IGNORECASE,
)
_REFERS = re.compile(rf"\b(?:{_WORDS.refers})\b|^\W*(?:{_WORDS.joins})\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{4,}")
_COMMON = frozenset(lexicon("en").common.requests)
_SCORED = tuple((points, re.compile(pattern, re.IGNORECASE)) for points, pattern in _CUES)
READING = 1
"""Raised when the code that applies these rules changes, or that of :func:`rlhi.collect.feedback.label.decide`."""
RULES = content_key(
    READING,
    [pattern.pattern for _, pattern in _SCORED],
    {name: found.pattern for name, found in sorted(globals().items()) if isinstance(found, re.Pattern)},
    sorted(_COMMON),
)
"""The hash of all rules in this module: part of a label's key, so that new rules look at old follow-ups again."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the user asked to change: ``follow_up[start:end]`` says it, ``text`` says it shortly.

    Both are empty (``(0, 0)``, ``""``) where the follow-up does not say what to change. Of a long message without any
    cue nothing is taken either: guessing would put words into the user's mouth.
    """

    span: tuple[int, int]
    text: str


def instruction(context: Context) -> Instruction:
    """The part of the follow-up that says what to change in the answer.

    >>> instruction(("A poem.", "Roses are red.", "Thanks, but could you make it shorter please? I have no time."))
    Instruction(span=(0, 45), text='make it shorter')
    """
    return _asked(context[2]) or _whole(context[2])


def _asked(follow_up: str) -> Instruction | None:
    """The sentence with the strongest cues; ``None`` where there is none."""
    if _BARE.match(follow_up):
        return None
    said = follow_up[:READ]
    plain = _CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), said).replace("\u2019", "'")
    error = _ERROR_LINE.search(said)
    parts = [found.span() for found in _SENTENCE.finditer(plain) if found[0].strip()]
    points = [_points(plain[start:end]) for start, end in parts]
    if error is not None and max(points, default=0) < 3:
        return Instruction(error.span(), _cut(f"fix {error[0].strip()}"))
    if max(points, default=0) == 0:
        return None
    best = points.index(max(points))
    start, end = _trimmed(plain, *parts[best])
    return Instruction((start, end), _short(said[start:end]))


def _whole(follow_up: str) -> Instruction:
    """A short message that says it without a cue ("Wednesday has meat in it"); nothing of bare retries and thanks."""
    start, end = _trimmed(follow_up, 0, len(follow_up))
    if end - start > LONGEST or len(follow_up.split()) < 3 or _BARE.match(follow_up):
        return Instruction((0, 0), "")
    return Instruction((start, end), _short(follow_up[start:end]))


def about_refusal(context: Context) -> bool:
    """True when the complaint is that the assistant would not answer: by its words, or because it did not."""
    return is_refusal(context[1]) or _REFUSAL_TALK.search(context[2][:READ].replace("\u2019", "'")) is not None


def fits_answer(context: Context) -> bool:
    """True when the follow-up speaks of the request or the answer; false when it could stand anywhere.

    Two words or less are taken to fit: "yes", "go on".
    """
    said = context[2][:READ]
    words = _content(said)
    if len(said.split()) <= 2 or _REFERS.search(said) or not words:
        return True
    return bool(words & (_content(context[0]) | _content(context[1])))


def unsafe(context: Context) -> Unsafe:
    """``jailbreak`` for an attempt to talk the model out of its rules, ``abuse`` for insults without a request.

    An insult beside a wish ("you idiot, make it shorter") is a complaint and no abuse.
    """
    said = context[2][:READ].replace("\u2019", "'")
    if _JAILBREAK.search(said) and _PERSONA_PLAY.search(said):
        return "jailbreak"
    if _ABUSE.search(said) and _asked(said) is None:
        return "abuse"
    return ""


def weight(label: FeedbackLabel, context: Context, implicit: float) -> float:
    """How much the label says of the answer: 1 when said outright, ``implicit`` when the user builds on it, else 0."""
    if label in REATTEMPTS or label == "positive_feedback":
        return 1.0
    return implicit if label == "continuation" and fits_answer(context) else 0.0


def _points(sentence: str) -> int:
    sentence = _OPENING.sub("", sentence.strip())
    return sum(points for points, pattern in _SCORED if pattern.search(sentence))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _short(span: str) -> str:
    text = _CLOSING.sub("", _OPENING.sub("", re.sub(r"\s+", " ", span).strip()))
    if found := _TOO.match(text):
        return f"make it less {found[1].lower()}"
    if found := _ENOUGH.match(text):
        return f"make it more {found[1].lower()}"
    return _cut(f"make it {text.lower()}" if _BARE_COMPARATIVE.match(text) else text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0] + "…"


def _content(text: str) -> set[str]:
    return set(_WORD.findall(text[:READ].lower())) - _COMMON
