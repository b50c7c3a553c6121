"""An answer as its paragraphs and list items, each a row of whole sentences: what edits by program work on.

Code, tables, headings, nested lists and verse are no such rows: for them there is no outline, and nothing is edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rlhi.lexicons import lexicon

_NOT_PROSE = re.compile(r"```|^[ \t]*(?:#{1,6} |>|\|)|</?[a-z]+[^>\n]*>|\$\$|\\\(|^(?:\t| {4,})\S", re.MULTILINE)
_MARK = re.compile(r"([ \t]*)(?:([-*•])|\(?(\d{1,3})[.)])(?:[ \t]+|$)")
# A list that a model wrote in one line: its numbers stand at the line's beginning or behind a sentence.
_INLINE = re.compile(r"(?:^|(?<=[:.!?\-;,]\s)|(?<=[:.!?\-;,]\s\s))(\d{1,2})[.)]\s+(?=\S)")
_BOUNDARY = re.compile(r"[.!?…][\"'”’)\]*]*(\s+)(?=\S)")
_NO_BOUNDARY = re.compile(rf"(?:\b(?:{lexicon('en').sentences.dotted})|(?:^|\s)[A-Z])\.$", re.IGNORECASE)
_ENDED = re.compile(r"(?:[.!?…][\"'”’)\]*_]*(?:\s+[^\w\s]+)?|\w[.!?…]?\*\*)$")
_LEADS = re.compile(r":\**$")


@dataclass(frozen=True, slots=True)
class Part:
    """A paragraph (``mark`` is empty) or a list item (``-`` or ``1.``) and its sentences."""

    mark: str
    sentences: tuple[str, ...]

    @property
    def leads(self) -> bool:
        """Whether it announces what comes next: it ends with a colon."""
        return not self.mark and bool(_LEADS.search(self.text))

    @property
    def ended(self) -> bool:
        """Whether it closes as a sentence does."""
        return bool(_ENDED.search(self.text))

    @property
    def text(self) -> str:
        """Its sentences in a row, without the mark."""
        return " ".join(self.sentences)


def split_sentences(text: str) -> tuple[str, ...]:
    """The sentences of one line, none of their characters lost but the space between them.

    >>> split_sentences("Mr. Smith met J. Cash. They sang!")
    ('Mr. Smith met J. Cash.', 'They sang!')
    """
    found, begin, lower = list[str](), 0, text == text.lower()
    for boundary in _BOUNDARY.finditer(text):
        before = text[begin : boundary.start(1)]
        # "vs. others": what goes on in lower case is the same sentence, unless the whole text is so.
        if _NO_BOUNDARY.search(before) or (text[boundary.end()].islower() and not lower):
            continue
        found.append(before)
        begin = boundary.end()
    rest = text[begin:].strip()
    # What has no letter ("Good luck! 😊") belongs to the sentence before it.
    if found and rest and not any(map(str.isalnum, rest)):
        found[-1] += f" {rest}"
    elif rest:
        found.append(rest)
    return tuple(found)


def outline(text: str) -> list[Part] | None:
    """The parts of a text, None where it is more than paragraphs and flat lists."""
    if _NOT_PROSE.search(text):
        return None
    parts: list[Part] = []
    lines = [line for row in text.splitlines() for line in _one_each(row.rstrip()) if line.strip()]
    for at, line in enumerate(lines):
        mark = _MARK.match(line)
        body = split_sentences(line[mark.end() :] if mark else line.strip())
        listed = parts and parts[-1].mark
        if mark and mark[1] and listed:
            return None
        if mark and body:
            parts.append(Part("-" if mark[2] else "1.", body))
        elif not mark and line[0].isspace() and listed:
            parts[-1] = replace(parts[-1], sentences=parts[-1].sentences + body)
        elif not mark:
            parts.append(Part("", body))
            if not (parts[-1].ended or parts[-1].leads or at == len(lines) - 1):
                return None
    return parts


def _one_each(line: str) -> Iterator[str]:
    """The items of a list that stands in one line, or the line."""
    marks = list(_INLINE.finditer(line))
    counted = [int(mark[1]) for mark in marks] == list(range(1, len(marks) + 1))
    if not counted or (len(marks) < 2 and not (marks and line[: marks[0].start()].rstrip().endswith(":"))):
        yield line
        return
    starts = [mark.start() for mark in marks]
    yield line[: starts[0]].rstrip()
    for begin, end in zip(starts, [*starts[1:], len(line)], strict=True):
        yield line[begin:end].rstrip(" -;,")


def whole(parts: Sequence[Part], cut: bool = False) -> list[Part]:
    """The parts without what had not ended at their end; ``cut`` where that is known of the text.

    Where it is not known, an open end is one only where the others of its like are closed: titles have no full stop.
    """
    kept = list(parts)
    while kept and (kept[-1].leads or _breaks_off(kept, cut)):
        last, cut = kept.pop(), False
        if len(last.sentences) > 1 and not last.leads:
            kept.append(replace(last, sentences=last.sentences[:-1]))
    return kept


def _breaks_off(parts: Sequence[Part], cut: bool) -> bool:
    last = parts[-1]
    like = [part for part in parts[:-1] if bool(part.mark) == bool(last.mark) and not part.leads]
    closed = sum(part.ended for part in like) * 2 > len(like) or (not like and len(parts) > 1)
    return not last.ended and (cut or len(last.sentences) > 1 or closed)


def render(parts: Sequence[Part]) -> str:
    """The text of parts: items below each other and below what announces them, a blank line between paragraphs."""
    text, number, before = "", 0, Part("", ())
    for part in parts:
        number = number + 1 if part.mark else 0
        mark = {"1.": f"{number}. ", "-": "- "}.get(part.mark, "")
        close = part.mark and (before.mark or before.leads)
        text += ("\n" if close else "\n\n") * bool(text) + mark + part.text
        before = part
    return text
