"""JSON documents one behind the other: lists, objects or both, however they are set and whatever stands between them.

Pages of an API that were written to one file, logs joined by `cat`, JSON text sequences (RFC 7464): the objects of all
of them are rows, those of a list and of a list of lists too. What cannot be read is quarantined from there to the next
line that begins with a document.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator

from rlhi.collect.formats.record import RAW_CHARACTERS, Damage, Record, record_of, show
from rlhi.contracts import Quarantined

BETWEEN = " \t\r\n,\x1e\ufeff"  # also the record separator of RFC 7464, and the mark that begins a joined file
BEGINS = re.compile(r"\n(?=[\ufeff\x1e]*[{\[])")
LITERAL = len("-Infinity")  # the longest that an end of the text may cut, and an error then points to its beginning


def documents(chunks: Iterable[bytes | Damage], file: str, line: int = 1) -> Iterator[Record | Quarantined]:
    """The objects of all documents, the first of which begins on ``line``."""
    window = _Window(chunks, line)
    depth, broken = 0, False
    while True:
        window.skip(BETWEEN)
        line, sign = window.line, window.text[window.at : window.at + 1]
        if not sign:
            if depth or window.damage:
                yield Quarantined(file, line, window.damage or "not JSON: the list does not end", "")
            return
        if sign == "[" or (sign == "]" and (depth or broken)):
            depth = max(0, depth + (1 if sign == "[" else -1))
            window.advance(window.at + 1)
            continue
        try:
            value = window.value()
        except UnicodeDecodeError as error:
            yield Quarantined(file, line, "not UTF-8", show(error.object.decode("utf-8", "replace")))
        except ValueError as error:
            depth, broken = 0, True
            yield _left_over(window, f"{window.damage or error}", file, line)
        else:
            yield record_of(value, line, file)


def _left_over(window: _Window, reason: str, file: str, line: int) -> Quarantined:
    raw = show(window.pass_over())
    rest = "the rest is not read" if window.ended else f"not read up to line {window.line}"
    return Quarantined(file, line, f"{reason}; {rest}", raw)


class _Window:
    """The part of a long JSON text that is being looked at, and the line it has come to."""

    def __init__(self, chunks: Iterable[bytes | Damage], line: int) -> None:
        self._chunks = iter(chunks)
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._json = json.JSONDecoder()
        self._done, self.damage = False, ""
        self.text, self.at, self.line = "", 0, line

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self._done and self.at == len(self.text)

    def advance(self, to: int) -> None:
        """Go on to a place in the text that is held."""
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def skip(self, characters: str) -> None:
        """Pass over these characters."""
        while True:
            to = self.at
            while to < len(self.text) and self.text[to] in characters:
                to += 1
            self.advance(to)
            if to < len(self.text) or not self._more():
                return

    def pass_over(self) -> str:
        """Go on to the next line that begins with a document, or to the end; the beginning of what is passed over."""
        passed = self.text[self.at : self.at + RAW_CHARACTERS]
        while True:
            if found := BEGINS.search(self.text, self.at):
                self.advance(found.end())
                return passed
            self.advance(max(self.at, len(self.text) - LITERAL))
            if not self._more():
                self.advance(len(self.text))
                return passed

    def value(self) -> object:
        """The value that begins here; raises ValueError where none can be read."""
        while True:
            try:
                value, end = self._json.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                if self._cut(error) and self._more():
                    continue
                raise ValueError(f"not JSON: {str(error).split(':')[0]}") from None
            if end < len(self.text) or not self._more():  # a number may go on
                break
        raw = self.text[self.at : end].encode("utf-8", "surrogateescape")
        self.advance(end)
        raw.decode("utf-8")
        return value

    def _cut(self, error: ValueError | RecursionError) -> bool:
        """Whether more text may mend it: only strings and the ends of texts can be cut."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - LITERAL

    def _more(self) -> bool:
        """Read as much again as is held, so that a long value is tried a few times only."""
        want, parts = len(self.text) - self.at, [self.text[self.at :]]
        while want >= 0 and not self._done:
            chunk = next(self._chunks, None)
            if not isinstance(chunk, bytes):
                self._done, self.damage = True, chunk.reason if chunk else ""
                break
            parts.append(self._utf8.decode(chunk))
            want -= len(parts[-1])
        self.text, self.at = "".join(parts), 0
        return len(parts) > 1
