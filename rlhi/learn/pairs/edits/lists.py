"""Lists made of sentences, and sentences of lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from rlhi.checks.form import words
from rlhi.learn.pairs.edits.outline import Part, split_sentences
from rlhi.lexicons import lexicon

Parts = list[Part]
Edit = Callable[[Parts], Iterator[Parts]]
"""Yields what an answer may become, the best first."""

SHORT = 5
"""So many words at most are a name in an enumeration."""

_WORDS = lexicon("en").sentences
FILLER = re.compile(
    r"(?:sure|certainly|of course|absolutely|great|hello|hi|okay|ok|yes)\b[^.!?:]{0,40}[.!:]$"
    r"|(?:here(?:['’]s| is| are)|below (?:is|are)|the following|these are|follow these|you can follow)\b.*[:.]$"
    r"|there are (?:\w+ ){0,3}(?:ways|steps|tips|things|methods|options|reasons|factors|ideas)\b.*[:.]$"
    r"|[^,.]{0,80}\bcan be an? (?:\w+ ){0,2}(?:art|task|challenge|process|experience)\b[^,:]*$"
    r"|(?:i(?:['’]m| am)? (?:so |very )?|my )?(?:sorry|apologi[sz]e|apologies)\b|(?:thank you|thanks) for\b"
    r"|you(?:['’]re| are) (?:right|welcome|correct)|that['’]?s (?:right|correct)\b|i (?:see|understand)\b"
    r"|that['’]?s a (?:great|good) question|i(?:['’]d| would) be happy to",
    re.IGNORECASE,
)
GOES_ON = re.compile(rf"(?:{_WORDS.goes_on})\b", re.IGNORECASE)
_STEPS_FOLLOW = re.compile(
    r"(?P<aim>to [^,:]{3,60}?)"
    r"(?:, ?(?:you (?:can|should|need to) )?(?:just |simply )?(?:follow|here|do|try|use|take)\b[^:]*)?:$",
    re.IGNORECASE,
)
ORDERS = frozenset(_WORDS.orders)
"""What items that are steps begin with."""


def without_filler(parts: Parts) -> Parts:
    """The parts without a first sentence that only announces, where others are left."""
    first = parts[0]
    if first.mark or not FILLER.match(first.sentences[0]):
        return parts
    rest = [replace(first, sentences=first.sentences[1:])] if len(first.sentences) > 1 else []
    return [*rest, *parts[1:]] or parts


def listed(mark: str) -> Edit:
    """Items marked anew, or sentences as points; a sentence that goes on from the one before stays with it."""

    def edit(parts: Parts) -> Iterator[Parts]:
        if any(part.mark for part in parts):
            yield [replace(part, mark=mark) if part.mark else part for part in parts]
        if sum(bool(part.mark) for part in parts) > 1 or not all(part.ended or part.leads for part in parts):
            return
        flat = [sentence for part in without_filler(parts) for sentence in part.sentences]
        if any(sentence.endswith(":") for sentence in flat[1:]):
            return
        lead = [Part("", (flat[0],))] if flat[0].endswith(":") else []
        points = list[tuple[str, ...]]()
        for sentence in flat[len(lead) :]:
            if points and GOES_ON.match(sentence):
                points[-1] += (sentence,)
            else:
                points.append((sentence,))
        yield [*lead, *(Part(mark, point) for point in points)]

    return edit


def _closed(part: Part) -> Part:
    text = re.sub(r"[,;]?(?: and)?$", "", part.text)
    return Part("", split_sentences(text if part.ended else f"{text}."))


def unlisted(parts: Parts) -> Iterator[Parts]:
    """List items as sentences of the paragraph that announced them, or of one of their own."""
    made, at = Parts(), 0
    while at < len(parts):
        items = parts[at:]
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
    if not any(part.ended for part in items) and all(len(words(name)) <= SHORT for name in names):
        steps = _steps(names) if lead is None or FILLER.match(lead.sentences[-1]) else None
        if steps or lead is None or len(names) < 2 or _STEPS_FOLLOW.match(lead.sentences[-1]):
            return steps
        return Part("", (*lead.sentences[:-1], f"{lead.sentences[-1]} {', '.join(names[:-1])} and {names[-1]}."))
    before = () if lead is None else lead.sentences[:-1]
    told = _told(items)
    if not told:
        return None
    if lead and not FILLER.match(lead.sentences[-1]):
        aim = _STEPS_FOLLOW.match(lead.sentences[-1])
        if aim is None:
            told = [f"{lead.sentences[-1]} {told[0]}", *told[1:]]
        elif told[0].split()[0].lower() in ORDERS:
            told = [f"{aim['aim']}, {told[0][:1].lower()}{told[0][1:]}", *told[1:]]
    return Part("", (*before, *told))


def _told(items: Parts) -> list[str]:
    """The items' sentences, a heading ("**Soil**:") before the next item's; nothing where there is no next."""
    told, heading = list[str](), ""
    for part in items:
        if part.text.rstrip("*_").endswith(":"):
            heading = f"{heading}{part.text} "
            continue
        first, *rest = _closed(part).sentences
        told += [heading + first, *rest]
        heading = ""
    return [] if heading else told


def _steps(names: list[str]) -> Part | None:
    """Short items that are orders ("Use a strong password") as sentences; other names are no sentences."""
    orders = all(len(words(name)) > 1 and name.split()[0].lower() in ORDERS for name in names)
    return Part("", tuple(f"{name}." for name in names)) if orders else None


def one_paragraph(parts: Parts) -> Iterator[Parts]:
    """All its sentences in a row, lists undone."""
    for made in unlisted(parts):
        yield [Part("", tuple(sentence for part in made for sentence in part.sentences))]
