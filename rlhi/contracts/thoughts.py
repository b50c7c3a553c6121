"""What a model thought before it answered, told apart from what it answered.

Models write thoughts in tags (``<think>``, ``[THINK]``, ``<|begin_of_thought|>``), or in channels as gpt-oss does. A
tag is one where a model would write it: at the beginning of a line or behind the end of a sentence. In code, in quotes
and in the middle of a sentence it is spoken of, and stays.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WORD = r"(?:think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|monologue|analysis|deliberation|cot|antthinking)"
_BEFORE = (
    r"(?:begin|start|end|stop|of|the|my|ai|ant|inner|internal|hidden|model|assistant|chain|deep|step|seed|mm|longcat|"
    r"hunyuan)"
)
_AFTER = r"(?:begin|start|end|stop|fast|faster|process|log|steps?)"
_NAME = rf"(?:[a-z]\w{{0,14}}:)?(?:{_BEFORE}[_ -]){{0,3}}{_WORD}(?:[_ -]{_AFTER})?"
_TAG = re.compile(
    rf"[<◁]\|?(?P<slash>/)?(?P<name>{_NAME})(?:\s[^<>]*)?\|?[>▷]"
    r"|(?-i:\[(?P<bracket>/)?(?:THINK|THINKING|REASONING)\])"
    r"|(?:<unused94>|<\|channel>)\s*thought\b|(?P<channel><unused95>|<channel\|>)",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\b(?:end|stop)\b|(?:^|[_ -])(?:end|stop)(?:[_ -]|$)", re.IGNORECASE)
_BRACKETED = ("[THINK", "[/THINK", "[REAS", "[/REAS")  # a bracket alone is Markdown's
_BEGINNINGS = frozenset({"analysis", "commenta", "Here is ", "Here's m", "Here are"})
# gpt-oss: what it says in the channel `final` is the answer. Without special tokens the names run into the text.
_CHANNELS = re.compile(r"\s*(?:<\|start\|>\s*)?(?:assistant\s*)?<\|channel\|>")
_CHANNEL_TOKENS = frozenset({"<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "<|call|>"})
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\||\Z)",
    re.DOTALL,
)
_RUN_TOGETHER = re.compile(r"\s*(?:analysis|commentary)(?=[A-Z\"'(*\d])(?:(.*)assistantfinal(.*)|(.*)())\Z", re.DOTALL)
_ANNOUNCED = re.compile(
    r"\s*(?:Here(?: is|'s) my thought process:|Here are my reasoning steps:)(.*?)"
    r"(?:Here(?: is|'s) my response:|\[BEGIN FINAL RESPONSE\])(.*)\Z",
    re.DOTALL,
)
# What some models wrap their answer in once they have thought.
_ENVELOPE = r"(?:final_)?(?:answer|solution|response|output|final)\|?>"
_WRAPPED = re.compile(
    rf"<\|?(?:begin_of_|start_)?{_ENVELOPE}(.*?)(?:<\|?/?(?:end_of_|end_)?{_ENVELOPE}|\[END FINAL RESPONSE\])?",
    re.DOTALL | re.IGNORECASE,
)
_CODE = re.compile(
    r"^ {0,3}(?P<fence>```+|~~~+).*?(?:^ {0,3}(?P=fence)|\Z)|(?<!`)(?P<tick>`++)[^\n]{1,400}?(?P=tick)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
_QUOTES = frozenset("\"'`“”‘’«»„()\\")
# A tag at the beginning of a line that is spoken of all the same: "<think> is a tag".
_SPOKEN_OF = re.compile(
    r" +(?:is|was|are|were|means?|marks?|opens?|closes?|ends?|begins?|tags?|tokens?|blocks?|elements?|and|or|stands?|"
    r"has|does|should|must|can)\b"
)


@dataclass(frozen=True, slots=True)
class Parted:
    """A reply in two: what the model thought, empty for nothing, and what it answered."""

    thought: str
    answer: str


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag in a text."""

    start: int
    end: int
    closes: bool
    in_code: bool


def parted(text: str) -> Parted:
    r"""The thought and the answer of a reply; a reply without a thought is its answer to the byte.

    >>> parted("<think>\nTwo and two.\n</think>\n\nFour.")
    Parted(thought='Two and two.', answer='Four.')
    >>> parted("Models think between `<think>` and `</think>`.").thought
    ''
    """
    if not may_hold_thought(text):
        return Parted("", text)
    if found := _RUN_TOGETHER.match(text) or _ANNOUNCED.match(text):
        thought, answer = (part for part in found.groups() if part is not None)
        return Parted(thought.strip(), _unwrapped(answer))
    if _CHANNELS.match(text) and (said := _CHANNEL.findall(text)):
        answer, thought = (together(one for name, one in said if (name == "final") == final) for final in (True, False))
        return Parted(thought, answer)
    spans = _merged(_spans(text)) if _TAG.search(text) else []
    if not spans:
        return Parted("", text)
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    kept = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    thought = together(_TAG.sub("", text[start:end]) for start, end in spans)
    return Parted(thought, _unwrapped("".join(kept)))


def may_hold_thought(text: str) -> bool:
    """False for most text, at a glance: it has none of the signs that tags are made of, and no words of a thought."""
    bracketed = "[" in text and any(sign in text for sign in _BRACKETED)
    return bracketed or "<" in text or "◁" in text or text[:40].lstrip()[:8] in _BEGINNINGS


def holds_thought(text: str) -> bool:
    """Whether anything in a text may be a thought: a tag or a channel outside of code, be it only spoken of.

    >>> holds_thought("Sure. <think>Hm</think>"), holds_thought("Write `<think>`.")
    (True, False)
    """
    if parted(text).thought:
        return True
    bare = _CODE.sub("", text) if may_hold_thought(text) else ""
    return bool(_TAG.search(bare)) or "<|channel|>" in bare


def thought_marks(special: Iterable[str]) -> frozenset[str]:
    """Those of a model's special tokens that tell thoughts from answers."""
    tokens = frozenset(special)
    channels = _CHANNEL_TOKENS if "<|channel|>" in tokens else frozenset[str]()
    return frozenset(token for token in tokens if token in channels or _TAG.fullmatch(token))


def opened_by(prompt: str) -> str:
    """The tag at the end of a prompt that opens a thought for the model; empty where there is none."""
    *_, last = [None, *_TAG.finditer(prompt)]
    opens = last is not None and not prompt[last.end() :].strip() and not _closes(last)
    return last[0] if last is not None and opens else ""


def together(parts: Iterable[str]) -> str:
    """Thoughts as one text."""
    return "\n\n".join(said for part in parts if (said := part.strip()))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where thoughts stand, their tags included."""
    opened: _Tag | None = None
    alive, skipped = False, list[_Tag]()
    for tag in _tags(text):
        if not tag.closes:
            if opened is None or not alive:
                opened, alive, skipped = tag, _opens(text, tag), []
        elif opened is None:
            if _shuts(text, tag):
                yield 0, tag.end
        elif alive and (tag.in_code or _quoted(text, tag)):
            skipped.append(tag)
        elif alive:
            yield opened.start, tag.end
            opened = None
        else:
            # A sentence that speaks of the tag, or a thought that does before it ends.
            if _shuts(text, tag) and _alone(text, tag) and not _ends_line(text, opened.end):
                yield 0, tag.end
            opened = None
    if opened is not None and alive:
        yield from _unclosed(text, opened, skipped)


def _unclosed(text: str, opened: _Tag, skipped: list[_Tag]) -> Iterator[tuple[int, int]]:
    """A thought that was cut off; or one that left a fence of code open, so that its end seems to stand in code."""
    ends = [tag for tag in skipped if _alone(text, tag)]
    if ends:
        yield opened.start, ends[0].end
    elif _ends_line(text, opened.end) or not text[: opened.start].strip():
        yield opened.start, len(text)


def _tags(text: str) -> Iterator[_Tag]:
    code = [found.span() for found in _CODE.finditer(text)] if "`" in text or "~~~" in text else []
    starts = [start for start, _ in code]
    for found in _TAG.finditer(text):
        place = bisect_right(starts, found.start()) - 1
        yield _Tag(found.start(), found.end(), _closes(found), place >= 0 and found.start() < code[place][1])


def _closes(found: re.Match[str]) -> bool:
    return bool(found["slash"] or found["bracket"] or found["channel"] or _ENDS.search(found["name"] or ""))


def _opens(text: str, tag: _Tag) -> bool:
    """Whether a model would open a thought here."""
    if tag.in_code or _SPOKEN_OF.match(text, tag.end):
        return False
    line = _line_before(text, tag.start)
    if not line.strip():
        return len(line) <= 3
    glued = not line[-1].isspace() and line[-1] not in _QUOTES
    return glued or line.rstrip().endswith((*_SENTENCE_ENDS, ">", "]"))


def _shuts(text: str, tag: _Tag) -> bool:
    """Whether this ends a thought whose beginning was never written: the prompt had it."""
    if tag.in_code or _quoted(text, tag):
        return False
    line = _line_before(text, tag.start)
    if not line.strip() or line.rstrip().endswith(_SENTENCE_ENDS):
        return not _SPOKEN_OF.match(text, tag.end)
    after = text[tag.end : tag.end + 1]
    if line.endswith(" "):  # "It ends with </think>": of a thought the sentence would have ended
        return after == "\n"
    return not after or after not in ".,;:!?)"


def _quoted(text: str, tag: _Tag) -> bool:
    return text[tag.start - 1 : tag.start] in _QUOTES and text[tag.end : tag.end + 1] in _QUOTES


def _alone(text: str, tag: _Tag) -> bool:
    return not _line_before(text, tag.start).strip() or _ends_line(text, tag.end)


def _line_before(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 : at]


def _ends_line(text: str, at: int) -> bool:
    end = text.find("\n", at)
    return not text[at : end if end >= 0 else len(text)].strip()


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order that do not overlap: what ends a thought unopened takes all before it."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        while found and found[-1][1] > start:
            start = min(start, found.pop()[0])
        found.append((start, end))
    return found


def _unwrapped(answer: str) -> str:
    """An answer without the envelope that some models put it in behind a thought."""
    found = _WRAPPED.fullmatch(bare := answer.strip())
    return found[1].strip() if found else bare
