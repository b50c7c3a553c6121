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

Kind = Literal["topic", "expertise", "style", "format", "language", "constraint"]

TERMS = {
    # Small words that may stand between a verb and what it is about.
    "D": r"""
        (?:me|us|it|this|that|them|everything|any|those|these|the|your|my|so|many|much|all|of|a|an|such|more|with|in|
            to|into|as|for|on|up|big|long|endless|constant|other|unnecessary|little|random|just|only|some|few|proper|
            at|least|\d+|good|nice|short|shorter|simple|clear|real|always|again|each|every|please|also|out|answers?|
            repl(?:y|ies)|responses?|text|stuff|points?|like|be|been|is|damn|silly|stupid|bloody)
    """,
    "V": r"""
        (?:use|using|used|want|need|give|giving|make|making|write|writing|put|putting|add|adding|include|including|
            send|sending|do|doing|insert|inserting|see|seeing|have|having|read|reading|format|formatting|answer|
            answering|reply|replying|respond|responding|throw|throwing|fill|filling|turn|turning|mix|break|breaking|
            talk|talking|keep|type|typing|get|getting|show|showing|provide|mark|present|organi[sz]e|structure|rewrite|
            try|work|stick|post|asking|ask|end|ending)
    """,
    "NEG": r"""
        (?:no|not|without|never|stop|avoid|drop|skip|lose|remove|ditch|cut|cut out|omit|get rid of|quit|enough with|
            enough of|leave out|leaving out|cutting out|dropping|leave off|take out|hate|dislike|less|fewer|instead of|
            rather than|free of|sick of|
            tired of|too many|so many|zero|0|single|kill|cannot stand|ban|delete|minus|spare me|lay off|forget|
            done with|
            calm down with|go easy on|easy on|tone down|cool it with|what is with|why all|why so many|why are you|
            why do you keep)
    """,
    "NOT": r"\b<NEG>(?: <V>| <D>)*?[ ]",
    "BAD": r"""
        (?: \w+){0,2} (?:annoying|distracting|confusing|terrible|awful|useless|ugly|messy|a mess|overkill|unreadable|
            childish|silly|weird|unnecessary|not needed|not necessary|not help\w*|hard to read|too much|have to go|
            must go|bother me|annoy me|drive me \w+|distract me|confuse me|hurt my eyes|
            get in the way|(?:are |is )?banned|again)\b
    """,
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
    "WANT": r"""
        \b(?:use|using|with|as|in|into|by|give|want|wanted|need|prefer|like|love|add|include|put|make|format|show|
            provide|insert|list|only|just|more|throw in|try|to|how about|asked for|have|get|turn|present|of|write|
            organi[sz]e|structure|rather|through|set out|lay)(?: <V>| <D>)*[ ]
    """,
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
