"""Answers edited by program until they do what a user wishes: lists made and undone, sentences dropped, commas out.

An answer on the topic that was edited to meet a wish shows what is wished, also where no sample of a model meets it.
Nothing is invented: an edit takes away, rearranges or respells what is there, and where the result would not read well
(or is the matter of another answer: longer, in French, with an example) there is none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rlhi.checks.form import Check, is_refusal, language_of, satisfies, words
from rlhi.learn.pairs.edits.lists import (
    FILLER,
    GOES_ON,
    ORDERS,
    Edit,
    Parts,
    listed,
    one_paragraph,
    unlisted,
    without_filler,
)
from rlhi.learn.pairs.edits.outline import Part, outline, render, whole
from rlhi.learn.pairs.edits.respelled import without_commas, without_digits
from rlhi.lexicons import cues, lexicon
from rlhi.models.base import Sampled

FEWEST_WORDS = 4
"""What was made shorter than this says nothing any more."""
MOST_LONGER = 1.2

_EXAMPLE = re.compile(
    rf"\b(?:{cues('en').examples}|examples?:|{cues('fr', 'es', 'de').examples})"
    r"|\be\.g\.|\bz\. ?B\.",
    re.IGNORECASE,
)
_EXAMPLE_TAIL = re.compile(
    r",? (?:such as|like, for example,|for example,?|for instance,?)(?= \w)"
    r"(?!.*\b(?:is|are|can|will|to|which)\b)[^.!?;:]*(?=[.!?]$)"
    r"| \((?:e\.g\.|for example|for instance|such as)[^()]*\)",
    re.IGNORECASE,
)
# Endings of adverbs, verbs and adjectives: a key word is a name of something.
_NO_NAME = re.compile(f"(?:{lexicon('en').common.endings})$")
_NO_KEYWORDS = frozenset({*lexicon("en").common.keywords, *ORDERS})


def edited(text: str, check: Check) -> str | None:
    """The answer edited until it satisfies the check; None where no edit is known that leaves good language.

    A last sentence that had not ended is left away, and so it is where the check was satisfied before.

    >>> edited("Basil likes sun. Water it every day.", Check("bullets"))
    '- Basil likes sun.\\n- Water it every day.'
    >>> edited("Basil likes sun.", Check("language", "fr")) is None
    True
    """
    parts = None if is_refusal(text) else outline(text)
    if not parts:
        return None
    kept = whole(parts, isinstance(text, Sampled) and text.cut)
    if kept and satisfies(check, same := text.strip() if kept == parts else render(kept)):
        return same
    for made in EDITS.get(check.kind, _nothing)(kept) if kept else ():
        found = render(made)
        if satisfies(check, found) and _is_worth(found, text):
            return found
    return None


def ended(text: str) -> str:
    """The text without a last sentence that had not ended; as it is where little or nothing else would be left.

    >>> ended(Sampled("Basil likes sun. Water it every", cut=True))
    'Basil likes sun.'
    """
    parts = outline(text)
    kept = whole(parts, isinstance(text, Sampled) and text.cut) if parts else None
    return str(text) if not kept or kept == parts else render(kept)


def edit_to_meet(texts: Sequence[str], checks: Sequence[Check]) -> tuple[int, str] | None:
    """The first of the texts, best first, that can be edited to satisfy all checks together.

    Returns:
        (its place, the edited text); a text that satisfies them all as it is comes back whole but unedited.
    """
    if not checks:
        return None
    order = list(EDITS)
    known = sorted(checks, key=lambda check: order.index(check.kind) if check.kind in EDITS else len(order))
    for place, text in enumerate(texts):
        made: str | None = text
        # What one edit mended another may break (a sentence in two): a second round mends it, or there is none.
        for check in (*known, *known):
            made = edited(made, check) if made else None
        if made and all(satisfies(check, made) for check in known) and _is_worth(made, text):
            return place, made
    return None


def _is_worth(found: str, text: str) -> bool:
    read = outline(found)
    if read is None or whole(read) != read:
        return False
    # The beginning of an answer may be the refusal that its rest took back.
    if is_refusal(found) or (_closes_quotes(text) and not _closes_quotes(found)):
        return False
    size = len(words(found))
    return min(FEWEST_WORDS, len(words(text))) <= size <= MOST_LONGER * len(words(text))


def _closes_quotes(text: str) -> bool:
    """Whether no line opens a quotation, or bold letters, that it does not close."""
    return all(
        line.count('"') % 2 == line.count("**") % 2 == 0 and line.count("“") == line.count("”")
        for line in text.splitlines()
    )


def _nothing(_: Parts) -> Iterator[Parts]:
    yield from ()


def _shorter(parts: Parts) -> Iterator[Parts]:
    """Its beginning in whole sentences; of lists the items' first sentences, at least two items and half of them."""
    if sum(bool(part.mark) for part in parts) == 1:
        parts = next(unlisted(parts), parts)
    brief = [replace(part, sentences=part.sentences[:1]) if part.mark else part for part in without_filler(parts)]
    # A list says what is in it: what announces it can go.
    items = [part for part in brief if part.mark]
    for made in (parts, without_filler(parts), brief, items):
        yield from _beginnings(made)


def _beginnings(parts: Parts) -> Iterator[Parts]:
    """The parts and their beginnings, the longest first: whole sentences, no list of which most is gone."""
    all_items = sum(bool(part.mark) for part in parts)
    for end in range(len(parts), 0, -1):
        head, last = parts[: end - 1], parts[end - 1]
        items = sum(bool(part.mark) for part in parts[:end])
        for sentence in range(len(last.sentences), 0, -1):
            made = [*head, replace(last, sentences=last.sentences[:sentence])]
            torn = 0 < items < max(min(2, all_items), all_items / 2)
            if not torn and whole(made) == made and not _says_nothing(made):
                yield made


def _says_nothing(parts: Parts) -> bool:
    return all(FILLER.match(sentence) for part in parts for sentence in part.sentences)


def _mended(mend: Callable[[str], str | None]) -> Edit:
    """Every sentence mended; from the first on that cannot be, nothing is kept but items of a list."""

    def edit(parts: Parts) -> Iterator[Parts]:
        if language_of(render(parts)) != "en" or "`" in render(parts):
            return
        # Digits that number a list are no sentence's: they become bullets.
        marks = "-" if mend is without_digits else ""
        made = Parts()
        for part in parts:
            kept = list[str]()
            for sentence in part.sentences:
                if (after := mend(sentence)) is None:
                    break
                kept += [after.strip()] if words(after) else []
            if kept:
                made.append(Part((marks or part.mark) if part.mark else "", tuple(kept)))
            if len(kept) < len(part.sentences) and not part.mark:
                break
        several = sum(bool(part.mark) for part in parts) > 1
        if several and sum(bool(part.mark) for part in made) == 1:
            made = [replace(part, mark="") for part in made if not part.leads]
        yield from _beginnings(made)

    return edit


def _calm(sentence: str) -> str | None:
    made = re.sub(r"[!?]*\?[!?]*", "?", sentence)
    made = re.sub(r"!+(?=[\"'”’)\]*_]*(?:\s|$))", ".", made)
    return None if "!" in made else made


def _without_exclamation(parts: Parts) -> Iterator[Parts]:
    kept = [replace(part, sentences=tuple(map(str, map(_calm, part.sentences)))) for part in without_filler(parts)]
    yield kept


def _lower(parts: Parts) -> Iterator[Parts]:
    if "`" not in render(parts):
        yield [replace(part, sentences=tuple(sentence.lower() for sentence in part.sentences)) for part in parts]


def _without_examples(parts: Parts) -> Iterator[Parts]:
    made = Parts()
    for part in parts:
        kept, dropped = list[str](), False
        for sentence in part.sentences:
            trimmed = _EXAMPLE_TAIL.sub("", sentence)
            # What goes on from an example goes with it.
            dropped = bool(_EXAMPLE.search(trimmed)) or (dropped and bool(GOES_ON.match(sentence)))
            kept += [] if dropped else [trimmed]
        made += [replace(part, sentences=tuple(kept))] if kept else []
    yield from _beginnings(made)


def _question_last(parts: Parts) -> Iterator[Parts]:
    """Up to its last question, where that stands behind most of the answer."""
    for made in _beginnings(parts):
        if made[-1].text.endswith("?") and 2 * len(words(render(made))) > len(words(render(parts))):
            yield made


def _paragraphs(parts: Parts) -> Iterator[Parts]:
    """Two paragraphs of one, at the sentence nearest to its middle that begins something."""
    if len(parts) > 1 or parts[0].mark:
        return
    said = parts[0].sentences
    for at in sorted(range(1, len(said)), key=lambda place: abs(2 * place - len(said))):
        if not GOES_ON.match(said[at]):
            yield [replace(parts[0], sentences=said[:at]), replace(parts[0], sentences=said[at:])]


def _capitals(parts: Parts) -> Iterator[Parts]:
    yield [replace(part, sentences=tuple(one[:1].upper() + one[1:] for one in part.sentences)) for part in parts]


def _plain(parts: Parts) -> Iterator[Parts]:
    yield [replace(part, sentences=tuple(one.replace("**", "") for one in part.sentences)) for part in parts]


def _bold(parts: Parts) -> Iterator[Parts]:
    """The one or two words that the answer is about: said most often, and long."""
    text = render(parts)
    if "*" in text or "`" in text:
        return
    said = Counter(word.casefold() for word in words(text))
    known = [word for word in said if len(word) >= 5 and word.isalpha() and not _NO_NAME.search(word)]
    known = [word for word in known if word not in _NO_KEYWORDS]
    best = sorted(known, key=lambda word: (-said[word], -len(word), word))[:2]
    pattern = {word: re.compile(rf"\b{word}\b", re.IGNORECASE) for word in best}
    made = list(parts)
    for word in best:
        for at, part in enumerate(made):
            if pattern[word].search(part.text):
                marked = pattern[word].sub(lambda found: f"**{found[0]}**", part.text, count=1)
                made[at] = replace(part, sentences=(marked.replace("** **", " "),))
                break
    yield made


EDITS: dict[str, Edit] = {
    "at_most_sentences": _shorter,
    "at_most_words": _shorter,
    "short_sentences": _shorter,
    "no_example": _without_examples,
    "bullets": listed("-"),
    "numbered": listed("1."),
    "no_lists": unlisted,
    "one_paragraph": one_paragraph,
    "paragraphs": _paragraphs,
    "no_commas": _mended(without_commas),
    "no_digits": _mended(without_digits),
    "no_exclamation": _without_exclamation,
    "ends_with_question": _question_last,
    "no_question": _beginnings,
    "lower_case": _lower,
    "capitals": _capitals,
    "no_bold": _plain,
    "bold_keywords": _bold,
}
"""The kinds of checks that an edit is known for, in the order in which several are applied."""
