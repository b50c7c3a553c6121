"""What is seen of a user without being asked for: the language they write in, their style, what they say they are.

Counts and patterns, nothing learned. A share of messages is told where it is at least its own floor, with confidence
``n / (N + 1)``; a self-description by how many conversations say it, ``n / (n + 1)``. Only trades and levels of
knowledge are read from self-descriptions: nothing of health, belief or origin.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rlhi.checks.form import LANGUAGES, language_of
from rlhi.collect.persona.evidence import Found, claim_of
from rlhi.collect.persona.history import Said
from rlhi.collect.wishes.words import normalise
from rlhi.contracts import content_key
from rlhi.lexicons import lexicon

CACHED = 1 << 14  # messages whose reading is remembered: a history is looked at several times
MIN_MESSAGES = 3  # fewer show no style
MIN_FOREIGN = 2  # messages in another language than English
LANGUAGE_SHARE = 0.3  # of the messages that are long enough to tell
LATIN_WORDS = 6  # a shorter message in Latin letters tells no language
ENGLISH_SHARE = 0.25  # a message with this share of English function words is English: most are, and it is cheap

_CODE = re.compile(r"```.*?(?:```|$)|`[^`\n]*`|https?://\S+", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENGLISH = re.compile(rf"\b(?:{lexicon('en').common.telling})\b")
# Letters that few languages share; a script of many languages is told as a script.
_SCRIPTS = {
    "Japanese": re.compile(r"[\u3040-\u30ff]"), "Korean": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "Chinese": re.compile(r"[\u4e00-\u9fff]"), "Greek": re.compile(r"[\u0370-\u03ff]"),
    "Hebrew": re.compile(r"[\u0590-\u05ff]"), "Thai": re.compile(r"[\u0e00-\u0e7f]"),
    "Cyrillic script": re.compile(r"[\u0400-\u04ff]"), "Arabic script": re.compile(r"[\u0600-\u06ff]"),
    "Devanagari script": re.compile(r"[\u0900-\u097f]"),
}  # fmt: skip
_SCRIPT_SHARE = 0.3  # of the letters


@dataclass(frozen=True, slots=True)
class Style:
    """A way of writing: whether a message can show it at all, whether it does, and the share that makes it a habit."""

    text: str
    share: float
    can: Callable[[str], bool]
    does: Callable[[str], bool]


def _plain(text: str) -> str:
    return _CODE.sub(" ", text)


def _prose(text: str) -> list[str]:
    return _WORD.findall(_plain(text))


STYLES = (
    Style("Writes in lower case.", 0.6, lambda text: len(_prose(text)) >= 3, lambda text: _plain(text).islower()),
    Style("Writes short messages.", 0.7, lambda text: True, lambda text: len(text.split()) <= 8),
    Style("Writes long messages.", 0.5, lambda text: True, lambda text: len(text.split()) >= 80),
    Style("Sends code.", 0.3, lambda text: True, lambda text: "```" in text),
)

_WORDS = lexicon("en").personas
# Whatever else stands before the trade ("a tired nurse") is nobody's business and is not kept.
_OTHER = r"(?:(?!(?:not|no|never|an?|the|my|our|like|to|with|of|for|in|at|longer)\b)[a-z]+ ){0,2}?"
_SOMEONE = rf"{_OTHER}((?:(?:{_WORDS.kinds}) ){{0,2}}(?:{_WORDS.trades}|{_WORDS.levels}))"
# A word on after it makes it something else: "a student loan", "a writer friend".
_END = r"(?=$|,|;| (?:and|but|so|who|at|in|with|from|for|working|by|here|i|trying|looking|now|myself)\b)"
SELF = (
    re.compile(rf"\bi am (?:also |just |only |still |now )*(?:an? |the ){_SOMEONE}{_END}"),
    re.compile(rf"\b(?:i work|working|speaking) as (?:an? |the ){_SOMEONE}{_END}"),
    re.compile(rf"^as (?:an? ){_SOMEONE}(?=$|,| i\b| my\b| myself\b)"),
)
NEW_TO = re.compile(rf"\bi am (?:completely |totally |pretty |fairly |still )?new (?:to|at) ({_WORDS.fields})\b")
# In the sentence: a supposition, or somebody else's words.
_SUPPOSED = re.compile(rf"\b(?:{_WORDS.supposed})\b")
# Anywhere in the message: a role to be played, or a text of which nobody knows whose it is.
_BORROWED = re.compile(rf"\b(?:{_WORDS.borrowed})\b")

OBSERVED_VERSION = content_key(
    [[style.text, style.share] for style in STYLES], [[name, one.pattern] for name, one in _SCRIPTS.items()],
    [one.pattern for one in (*SELF, NEW_TO, _SUPPOSED, _BORROWED, _ENGLISH)],
    [MIN_MESSAGES, MIN_FOREIGN, LANGUAGE_SHARE, LATIN_WORDS, ENGLISH_SHARE],
)  # fmt: skip


def observed(messages: Sequence[Said]) -> tuple[Found, ...]:
    """Languages, style and self-descriptions of a user's messages (those that only correct an answer left out)."""
    return (*_languages(messages), *_styles(messages), *_expertise(messages))


@lru_cache(maxsize=CACHED)
def language_of_message(text: str) -> str:
    """The language (or the script) of a message by its English name; empty where it is too short to tell.

    >>> language_of_message("Wie halte ich Basilikum in der Küche am Leben?"), language_of_message("ok")
    ('German', '')
    """
    plain = _plain(text)
    letters = sum(map(str.isalpha, plain))
    for name, pattern in _SCRIPTS.items():
        if letters >= 4 and len(pattern.findall(plain)) >= _SCRIPT_SHARE * letters:
            return name
    words = _WORD.findall(plain)
    if len(words) < LATIN_WORDS:
        return ""
    if len(_ENGLISH.findall(plain.lower())) >= ENGLISH_SHARE * len(words):
        return "English"
    return LANGUAGES.get(language_of(plain), "")


def _languages(messages: Sequence[Said]) -> list[Found]:
    told: dict[str, list[Said]] = defaultdict(list)
    for message in messages:
        if name := language_of_message(message.text):
            told[name].append(message)
    total, found = sum(map(len, told.values())), []
    for name, turns in sorted(told.items()):
        if name != "English" and len(turns) >= MIN_FOREIGN and len(turns) >= LANGUAGE_SHARE * total:
            how = "Writes" if len(turns) > total / 2 else "Sometimes writes"
            claim = claim_of("language", f"{how} in {name}.", len(turns) / (total + 1), turns)
            found.append(Found("language", claim))
    return found


def _styles(messages: Sequence[Said]) -> list[Found]:
    found = []
    for style in STYLES:
        able = [message for message in messages if style.can(message.text)]
        shown = [message for message in able if style.does(message.text)]
        if len(able) >= MIN_MESSAGES and len(shown) >= style.share * len(able):
            found.append(Found("style", claim_of("style", style.text, len(shown) / (len(able) + 1), shown)))
    return found


def _expertise(messages: Sequence[Said]) -> list[Found]:
    told: dict[str, list[Said]] = defaultdict(list)
    for message in messages:
        for text in sorted(self_descriptions(message.text)):
            told[text].append(message)
    found = []
    for text, turns in sorted(told.items()):
        count = len(Counter(turn.conversation_id for turn in turns))
        found.append(Found("expertise", claim_of("expertise", text, count / (count + 1), turns)))
    return found


@lru_cache(maxsize=CACHED)
def self_descriptions(text: str) -> frozenset[str]:
    """What a message says its author is, as claims; of trades and levels of knowledge only.

    >>> sorted(self_descriptions("I'm a high school teacher and I am new to Python."))
    ['Is a high school teacher, by their own words.', 'Is new to python, by their own words.']
    """
    found: set[str] = set()
    sentences = normalise(text)
    if any(map(_BORROWED.search, sentences)):
        return frozenset()
    for sentence in sentences:
        if _SUPPOSED.search(sentence):
            continue
        for pattern in SELF:
            found |= {f"Is {_article(name)} {name}, by their own words." for name in pattern.findall(sentence)}
        found |= {f"Is new to {name}, by their own words." for name in NEW_TO.findall(sentence)}
    return frozenset(found)


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"
