"""The grammar that the rules of this package are written in: how English asks for a thing or forbids it.

A rule speaks of one ``topic``; rules of one topic with different ``pole`` contradict each other. Patterns see
normalised text (:func:`rlhi.collect.wishes.claims.normalise`): lower case, no contractions, numbers as digits. Rules
are tried in order and each takes what it matched away, so the negative of a wish stands before its positive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rlhi.lexicons import lexicon

Kind = Literal["topic", "expertise", "style", "format", "language", "constraint"]

_WORDS = lexicon("en").wishes
TERMS = {
    "D": f"(?:{_WORDS.small})",
    "V": f"(?:{_WORDS.verbs})",
    "NEG": f"(?:{_WORDS.refusing})",
    "NOT": r"\b<NEG>(?: <V>| <D>)*?[ ]",
    "BAD": rf"(?: \w+){{0,2}} (?:{_WORDS.bad})\b",
    "LACK": r"""
        \b(?:(?:there|you|it|this|your answer|that) (?:is|are|was|were|has|have|had|gave|gives|
            did|used) (?:me )?(?:no|not a single|not any|not 1)|did not (?:even )?(?:use|give|include|add|put|show|
            provide|have|write|end|do|
            make|begin|start)|not (?:give|include|add|show|see|provide|have) (?:me )?(?:any|a single|1)|
            never (?:even )?(?:gave|used|put|showed|added|
            included|wrote|ended)|forgot|
            failed to|missing|lacks?|lacking|where (?:is|are)|see no|cannot see|not enough|
            (?<!not )(?<!no )(?<!without )needs?|needed|could use|
            should have|should (?:include|contain|come with)|with no|
            cannot (?:follow|understand|get) (?:it |this |that )?without)(?: <V>| <D>)*?[ ]
    """,
    "WANT": rf"\b(?:{_WORDS.wanting})(?: <V>| <D>)*[ ]",
    "GOOD": r"""
        (?:,? please|,? next time|,? from now on|,? instead|,? only|,? thanks|
            (?: would (?:be|have been|help)| (?:are|is) (?:better|easier)| helps?| work best))\b
    """,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One wish; ``{0}``, ``{1}`` in ``text`` are the groups of the pattern that matched.

    ``vague`` says that a more exact wish of the same pole takes its place. ``anywhere`` lets it speak in sentences
    about a part of the answer or about code, where the others keep silent.
    """

    topic: str
    pole: str
    kind: Kind
    text: str
    patterns: tuple[str, ...]
    vague: bool = False
    anywhere: bool = False

    @property
    def compiled(self) -> tuple[re.Pattern[str], ...]:
        """The patterns, compiled once."""
        return tuple(_compile(pattern) for pattern in self.patterns)


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class Grammar:
    """Writes rules: one pattern a line, deeper lines go on with it, ``<NAME>`` stands for a term."""

    def __init__(self, **terms: str) -> None:
        self._terms = {**TERMS, **terms}

    def rule(
        self,
        topic: str,
        pole: str,
        kind: Kind,
        text: str,
        patterns: str,
        *,
        vague: bool = False,
        anywhere: bool = False,
    ) -> Rule:
        """A rule with its patterns spelt out."""
        return Rule(topic, pole, kind, text, tuple(map(self._expand, _lines(patterns))), vague, anywhere)

    def without(self, topic: str, pole: str, text: str, thing: str, kind: Kind = "constraint") -> Rule:
        """The wish to be spared a thing."""
        return self.rule(topic, pole, kind, text, f"<NOT>{thing}\\b\n\\b{thing}<BAD>")

    def with_(self, topic: str, pole: str, text: str, thing: str, kind: Kind = "format") -> Rule:
        """The wish for a thing."""
        patterns = f"<LACK>{thing}\\b\n<WANT>{thing}\\b\n\\b{thing}<GOOD>\n^{thing}$"
        return self.rule(topic, pole, kind, text, patterns)

    def both(self, topic: str, thing: str, use: str, avoid: str, kind: Kind = "format") -> tuple[Rule, ...]:
        """The wish for a thing and the wish to be spared it; "there is no table" is the former."""
        lack = self.rule(topic, "with", kind, use, f"<LACK>{thing}\\b")
        return lack, self.without(topic, "without", avoid, thing), self.with_(topic, "with", use, thing, kind)

    def _expand(self, pattern: str) -> str:
        while name := re.search(r"<([A-Z_]+)>", pattern):
            pattern = pattern.replace(name.group(), "".join(_lines(self._terms[name[1]])))
        return pattern


def _lines(text: str) -> list[str]:
    """Lines, those that are set deeper than the first joined to the one before them."""
    lines = [line for line in text.split("\n") if line.strip()]
    depth = len(lines[0]) - len(lines[0].lstrip())
    joined: list[str] = []
    for line in lines:
        if joined and len(line) - len(line.lstrip()) > depth:
            joined[-1] += line.lstrip()
        else:
            joined.append(line[depth:])
    return joined
