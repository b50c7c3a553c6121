"""Answers edited by program until they do what a user wishes: lists made and undone, sentences left away, commas taken out.

Where no sample of a model meets a wish, an answer on the topic that was edited to meet it still shows what is wished.
Nothing is invented: an edit takes away, rearranges or respells what is there, and where the result would not read well
(or is the matter of another answer: longer, in French, with an example) there is none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from rlhi.checks import Check, is_refusal, language_of, satisfies, sentences, words
from rlhi.learn.outline import Part, outline, render, split_sentences, whole
from rlhi.learn.respelled import without_commas, without_digits
from rlhi.models.base import Sampled

FEWEST_WORDS = 4
"""What was made shorter than this says nothing any more."""
MOST_LONGER = 1.2

Parts = list[Part]
Edit = Callable[[Parts], Iterator[Parts]]
"""Yields what an answer may become, the best first."""

_FILLER = re.compile(
    r"(?:sure|certainly|of course|absolutely|great|hello|hi|okay|ok|yes)\b[^.!?:]{0,40}[.!:]$"
    r"|(?:here(?:['’]s| is| are)|below (?:is|are)|there are|the following|these are|follow these|you can follow)\b.*[:.]$"
    r"|that['’]?s a (?:great|good) question|i(?:['’]d| would) be happy to",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"(?:it|its|this|that|these|those|they|their|he|his|she|her|however|but|so|also|additionally|moreover|furthermore"
    r"|for (?:example|instance)|in addition|therefore|thus|such|otherwise|instead)\b",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"\b(?:for example|for instance|such as|an example|examples?:|par exemple|por ejemplo|zum beispiel)|\be\.g\.|\bz\. ?B\.",
    re.IGNORECASE,
)
_EXAMPLE_TAIL = re.compile(
    r",? (?:such as|like, for example,|for example,?|for instance,?)(?= \w)(?!.*\b(?:is|are|can|will|to|which)\b)[^.!?;:]*"
    r"(?=[.!?]$)"
    r"| \((?:e\.g\.|for example|for instance|such as)[^()]*\)",
    re.IGNORECASE,
)
_STEPS_FOLLOW = re.compile(
    r"(?P<aim>to [^,:]{3,60}?)(?:, ?(?:you (?:can|should|need to) )?(?:just |simply )?(?:follow|here|do|try|use|take)\b[^:]*)?:$",
    re.IGNORECASE,
)
_COMMON = frozenset(
    "about above after again against always another around based because become before behind being below between both"
    " called cannot certain could different doing during either enough especially every everyone everything first found"
    " further given going great having helps however including instead itself known large least make makes making many"
    " might more most much must never number often other others overall particular people please possible quite rather"
    " really several should similar since small something sometimes still such take than that their them then there"
    " these they thing things think this those through together toward under until useful using usually various very"
    " want wants well were what when where whether which while will with within without would yourself your following"
    " help need needs keep ensure start begin avoid remember consider always allow allows provide provides".split()
)


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


def edit_to_meet(texts: Sequence[str], checks: Sequence[Check]) -> tuple[int, str] | None:
    """The first of the texts, best first, that can be edited to satisfy all checks together: (its place, the edited)."""
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
    size = len(words(found))
    return min(FEWEST_WORDS, len(words(text))) <= size <= MOST_LONGER * len(words(text))


def _nothing(_: Parts) -> Iterator[Parts]:
    yield from ()


def _without_filler(parts: Parts) -> Parts:
    """The parts without a first sentence that only announces, where others are left."""
    first = parts[0]
    if first.mark or not _FILLER.match(first.sentences[0]):
        return parts
    rest = [replace(first, sentences=first.sentences[1:])] if len(first.sentences) > 1 else []
    return [*rest, *parts[1:]] or parts


def _shorter(parts: Parts) -> Iterator[Parts]:
    """Its beginning in whole sentences, the longest first; of lists the items' first sentences, at least two items."""
    for made in dict.fromkeys((tuple(parts), tuple(_without_filler(parts)))):
        yield from _beginnings(list(made))
    brief = [replace(part, sentences=part.sentences[:1]) if part.mark else part for part in _without_filler(parts)]
    # A list says what is in it: what announces it can go.
    items = [part for part in brief if part.mark]
    for made in (brief, items):
        yield from _beginnings(made)


def _beginnings(parts: Parts) -> Iterator[Parts]:
    for end in range(len(parts), 0, -1):
        head, last = parts[: end - 1], parts[end - 1]
        listed = [part for part in parts[:end] if part.mark]
        for sentence in range(len(last.sentences), 0, -1):
            made = [*head, replace(last, sentences=last.sentences[:sentence])]
            alone = len(listed) == 1 and sum(bool(part.mark) for part in parts) > 1
            if not made[-1].leads and not alone and not _says_nothing(made):
                yield made


def _says_nothing(parts: Parts) -> bool:
    return all(_FILLER.match(sentence) for part in parts for sentence in part.sentences)


def _listed(mark: str) -> Edit:
    def edit(parts: Parts) -> Iterator[Parts]:
        if any(part.mark for part in parts):
            yield [replace(part, mark=mark) if part.mark else part for part in parts]
        flat = [sentence for part in _without_filler(parts) for sentence in part.sentences]
        if any(sentence.endswith(":") for sentence in flat[1:]):
            return
        lead = [Part("", (flat[0],))] if flat[0].endswith(":") else []
        points = list[tuple[str, ...]]()
        for sentence in flat[len(lead) :]:
            if points and _GOES_ON.match(sentence):
                points[-1] += (sentence,)
            else:
                points.append((sentence,))
        yield [*lead, *(Part(mark, point) for point in points)]

    return edit


def _closed(part: Part) -> Part:
    text = re.sub(r"[,;]?(?: and)?$", "", part.text)
    return Part("", split_sentences(text if part.ended else f"{text}."))


def _unlisted(parts: Parts) -> Iterator[Parts]:
    """List items as sentences of the paragraph that announced them, or of one of their own."""
    made, at = Parts(), 0
    while at < len(parts):
        items = [part for part in parts[at:]]
        size = next((place for place, part in enumerate(items) if not part.mark), len(items))
        if not size:
            made.append(parts[at])
            at += 1
            continue
        lead = made.pop() if made and made[-1].leads else None
        run = _run(lead, items[:size])
        if run is None:
            return
        made.append(run)
        at += size
    yield made


def _run(lead: Part | None, items: Parts) -> Part | None:
    """One paragraph of a list: short items are enumerated behind their colon, longer ones are sentences."""
    names = [part.text.rstrip(".;,") for part in items]
    if any(len(words(name)) < 3 for name in names) or not any(part.ended for part in items):
        short = all(len(words(name)) <= 5 for name in names)
        if short and lead and len(names) > 1 and not _STEPS_FOLLOW.match(lead.sentences[-1]):
            last = f"{lead.sentences[-1]} {', '.join(names[:-1])} and {names[-1]}."
            return Part("", (*lead.sentences[:-1], last))
        if short and not any(part.ended for part in items):
            return None
    before = () if lead is None else lead.sentences[:-1]
    told = [sentence for part in items for sentence in _closed(part).sentences]
    if lead and not _FILLER.match(lead.sentences[-1]):
        aim = _STEPS_FOLLOW.match(lead.sentences[-1])
        if aim is None:
            told = [f"{lead.sentences[-1]} {told[0]}", *told[1:]]
        elif told[0].split()[0].lower() in _ORDERS:
            told = [f"{aim['aim']}, {told[0][:1].lower()}{told[0][1:]}", *told[1:]]
    return Part("", (*before, *told))


_ORDERS = frozenset(
    "add apply avoid boil brush check choose clean create cut dig dissolve enable fill find gather gently heat identify"
    " keep lay leave let make mix open place plant pour prepare preheat press put remove rinse select set soak spray"
    " start take turn use wash water wipe write".split()
)


def _one_paragraph(parts: Parts) -> Iterator[Parts]:
    for made in _unlisted(parts):
        yield [Part("", tuple(sentence for part in made for sentence in part.sentences))]


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
                kept.append(after)
            if kept:
                made.append(Part((marks or part.mark) if part.mark else "", tuple(kept)))
            if len(kept) < len(part.sentences) and not part.mark:
                break
        yield from _beginnings(made)

    return edit


def _calm(sentence: str) -> str | None:
    made = re.sub(r"[!?]*\?[!?]*", "?", sentence)
    made = re.sub(r"!+(?=[\"'”’)\]*_]*(?:\s|$))", ".", made)
    return None if "!" in made else made


def _without_exclamation(parts: Parts) -> Iterator[Parts]:
    kept = [replace(part, sentences=tuple(map(str, map(_calm, part.sentences)))) for part in _without_filler(parts)]
    yield kept


def _lower(parts: Parts) -> Iterator[Parts]:
    if "`" not in render(parts):
        yield [replace(part, sentences=tuple(sentence.lower() for sentence in part.sentences)) for part in parts]


def _without_examples(parts: Parts) -> Iterator[Parts]:
    made = Parts()
    for part in parts:
        trimmed = [_EXAMPLE_TAIL.sub("", sentence) for sentence in part.sentences]
        kept = tuple(sentence for sentence in trimmed if not _EXAMPLE.search(sentence))
        made += [replace(part, sentences=kept)] if kept else []
    yield from _beginnings(made)


def _question_last(parts: Parts) -> Iterator[Parts]:
    """Up to its last question, where that stands behind most of the answer."""
    for made in _beginnings(parts):
        if made[-1].text.endswith("?") and 2 * len(words(render(made))) > len(words(render(parts))):
            yield made


def _bold(parts: Parts) -> Iterator[Parts]:
    """The one or two words that the answer is about: said most often, and long."""
    text = render(parts)
    if "*" in text or "`" in text:
        return
    said = Counter(word.casefold() for word in words(text))
    known = [word for word in said if len(word) >= 5 and word.isalpha() and word not in _COMMON and word[-2:] != "ly"]
    best = sorted(known, key=lambda word: (-said[word], -len(word), word))[:2]
    pattern = {word: re.compile(rf"\b{word}\b", re.IGNORECASE) for word in best}
    made = list(parts)
    for word in best:
        for at, part in enumerate(made):
            if pattern[word].search(part.text):
                marked = pattern[word].sub(lambda found: f"**{found[0]}**", part.text, count=1)
                made[at] = replace(part, sentences=(marked,))
                break
    yield made


EDITS: dict[str, Edit] = {
    "at_most_sentences": _shorter,
    "at_most_words": _shorter,
    "no_example": _without_examples,
    "bullets": _listed("-"),
    "numbered": _listed("1."),
    "no_lists": _unlisted,
    "one_paragraph": _one_paragraph,
    "no_commas": _mended(without_commas),
    "no_digits": _mended(without_digits),
    "no_exclamation": _without_exclamation,
    "ends_with_question": _question_last,
    "lower_case": _lower,
    "bold_keywords": _bold,
}
"""The kinds of checks that an edit is known for, in the order in which several are applied."""
