"""Cheap features of (request, answer, follow-up): what a reader sees before understanding a word.

Every feature is a number of about unit size, so that a linear head can weigh it. The cues are single words and
short patterns of English, written for this file; what they miss, the embeddings have to catch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEAD, TAIL = 2000, 500  # characters read of a long text: its head and its tail

EDIT = (
    r"add|include|insert|mention|put|append|make|change|modify|adjust|edit|update|remove|delete|omit|drop|cut|trim|"
    r"shorten|lengthen|expand|extend|elaborate|condense|simplify|rewrite|rephrase|reword|redo|revise|replace|swap|"
    r"fix|correct|convert|turn|use|keep|avoid|stick|limit|reduce|increase|emphasi[sz]e|combine|merge|move|split|"
    r"format|reformat|translate|integrate|incorporate|leave|give|try|start|end|answer|respond|reply"
)
POLITE = r"(?:(?:please|pls|ok(?:ay)?|now|then|also|and|just|so|but|great|good|thanks|hmm+|well)[,.! ]+)*"
ASK = (
    r"(?:(?:can|could|would|will) (?:you|we|u) (?:please |also |maybe |just )*|"
    r"(?:i(?:'d| would) like you to|i (?:want|need) (?:you )?to) )?"
)

FOLLOW_UP = {
    "question_mark": r"\?",
    "ends_with_question": r"\?\s*$",
    "starts_with_wh": r"^(?:and |so |ok |but )?(?:what|who|whom|whose|when|where|which|why|how)\b",
    "starts_with_yes_no": r"^(?:is|are|was|were|do|does|did|has|have|had|will|would|should|am)\b",
    "can_you": r"\b(?:can|could|would) (?:you|we|u)\b",
    "edit_verb_first": rf"^{POLITE}{ASK}(?:{EDIT})\b",
    "edit_verb_sentence": rf"[.!?\n;]\s*{POLITE}{ASK}(?:{EDIT})\b",
    "make_it": r"\b(?:make|put|turn|rewrite|write|say|give|keep|do|redo|shorten|change) (?:it|this|that|them|these|"
    r"the|your)\b",
    "add_to": r"\b(?:add|include|mention|insert|incorporate|integrate)\b",
    "remove": r"\b(?:remove|delete|omit|drop|cut|get rid of|leave out|take out|skip)\b",
    "wish": r"\bi (?:want|need|wanted|asked|meant|prefer|was looking|am looking)|\bi(?:'d| would) (?:like|prefer|"
    r"rather)\b",
    "should": r"\b(?:should|must|needs? to|has to|have to|supposed to|ought)\b",
    "starts_with_no": r"^(?:no|nope|nah|not|wrong|incorrect|false|that'?s not|this is not|it'?s not|that isn'?t)\b",
    "starts_with_but": r"^(?:but|however|actually|still|sorry|wait|hmm+|hm|ugh|again|instead|except)\b",
    "wrong": r"\b(?:wrong|incorrect|incorrectly|mistakes?|error in|not right|not correct|inaccurate|false|bug|"
    r"broken|nonsense)\b",
    "fails": r"\b(?:not|n'?t|never|doesnt|didnt|isnt|cant|wont)\b.{0,20}\b(?:work|working|run|compile|help|match|"
    r"make sense)\b"
    r"|\b(?:fails?|failed|failing|crash(?:es|ed)?)\b",
    "still": r"\bstill\b|\bsame (?:error|problem|issue|thing|result|answer)\b",
    "negation": r"\b(?:not|no|never|none|nothing|cannot|without)\b|n't\b|\b(?:dont|doesnt|didnt|isnt|cant|wont)\b",
    "forgot": r"\b(?:miss(?:ed|ing|es)?|forg[eo]t(?:ten)?|ignored?|left out|overlooked|skipped|lacks?|lacking|"
    r"incomplete)\b",
    "you_did": r"\byou(?:'ve| have)? (?:did|didn|said|gave|wrote|used|made|put|got|just|only|keep|still|have|are|"
    r"were|changed|missed)",
    "asked_for": r"\bi (?:said|asked|told|meant|mentioned|already|specified|requested|wanted)\b",
    "dislike": r"\b(?:don'?t like|didn'?t like|hate|boring|bad|worse|terrible|awful|useless|dull|weird|unclear|"
    r"confusing|vague)\b",
    "too": r"\b(?:too|very|overly) (?:\w+)|\bnot (?:\w+ )?enough\b",
    "comparative": r"\b(?:more|less|fewer|shorter|longer|simpler|better|clearer|bigger|smaller|easier|\w+ier)\b",
    "short_comparative": r"^(?:\W*(?:more|less|fewer|shorter|longer|simpler|briefer|clearer|simplify|too|in|with|"
    r"without|no|only|as|use)\b)",
    "instead": r"\b(?:instead|rather than|in place of|not just|except)\b",
    "only": r"\b(?:only|just|exactly|at (?:most|least)|no more than|maximum|minimum|under|within)\b",
    "form": r"\b(?:bullets?|bullet points?|list|table|paragraphs?|sentences?|words?|lines?|columns?|format|"
    r"headings?|commas?|"
    r"caps|uppercase|lowercase|emojis?|letters?|numbered|json|markdown|summary)\b",
    "style": r"\b(?:tone|formal|casual|friendly|professional|simple|plain|short|brief|concise|detailed?|funny|"
    r"humou?r|"
    r"creative|style|voice|natural|personal|polite|serious|jargon|clear|human|language)\b",
    "part_named": r"\b(?:first|second|third|fourth|last|next|opening|closing|ending|intro(?:duction)?|conclusion|"
    r"title|body)\b"
    r".{0,12}\b(?:paragraph|sentence|line|part|section|verse|point|one|step|stanza)?s?\b|\b(?:paragraph|verse|"
    r"section|line) \d",
    "language_named": r"\bin (?:english|french|spanish|german|italian|portuguese|chinese|japanese|russian|dutch|"
    r"python|java|c\+\+)\b",
    "again": r"\b(?:again|once more|one more time|retry|redo|regenerate|re-?do|re-?write|start over|another (?:one|"
    r"try|version|way|example|\w+)|"
    r"try|check|other ideas?|something else|different)\b",
    "bare_retry": r"^\W*(?:please |pls |just |can you |could you )*(?:try|do|say|write|answer|go|give|run|check|"
    r"retry|redo|regenerate)?\s*"
    r"(?:it|that|this|me)?\s*(?:again|retry|redo|regenerate|once more|another(?: one)?|over|no|nope|wrong|bad|"
    r"really)\W*(?:please|pls)?\W*$",
    "thanks": r"\b(?:thanks?|thank you|thx|ty|cheers|appreciate|grateful)\b",
    "praise": r"\b(?:great|perfect(?:ly)?|excellent|awesome|amazing|nice|wonderful|brilliant|fantastic|lovely|"
    r"helpful|love|exactly|"
    r"good (?:job|work|one|answer|start)|well done|cool|beautiful|works|worked|solved|makes sense|got it)\b",
    "praise_first": r"^\W*(?:ok(?:ay)?|yes|yeah|wow|oh|ah)?\W*(?:that(?:'s| is| was)?|this(?: is| was)?|it(?:'s|"
    r" is| was)?|you(?:'re| are)?)?\s*"
    r"(?:so |really |very |just |absolutely )?(?:thank|thx|great|perfect|excellent|awesome|amazing|nice|wonderful|"
    r"brilliant|fantastic|"
    r"lovely|helpful|love|exactly|good|cool|works|worked)",
    "accepts": r"^\W*(?:yes|yeah|yep|sure|ok(?:ay)?|alright|correct|right|true|i see|got it)\b",
    "continue": r"^\W*(?:please |pls )?(?:continue|go on|keep going|next|more|proceed|carry on|and then|"
    r"tell me more|what else|go ahead)\b",
    "tell_me": r"\b(?:tell me|explain|what about|how about|what if|give me|show me|list|describe|write|create|"
    r"generate)\b",
    "new_task": r"^\W*(?:now|next|also|write|create|generate|explain|describe|list|tell me|summari[sz]e|translate|"
    r"how (?:to|do|can)|what)\b",
    "greeting": r"^\W*(?:hi|hello|hey|good (?:morning|evening))\b",
    "anaphora": r"\b(?:it|this|that|these|those|them|your|above|previous)\b",
    "first_person": r"\b(?:i|my|me|we|our)\b",
    "i_get": r"\b(?:i|it|this|that|code) (?:still |now |just |only |also )?(?:get|got|gets?|getting|gives?|gave|"
    r"says?|returns?|shows?|outputs?|throws?)\b",
    "error_word": r"\b(?:error|exception|traceback|undefined|cannot|invalid|unexpected|warning|expecting)\b",
    "traceback": r"Traceback|File \"[^\"]+\", line \d|\b\w+(?:Error|Exception)\b|\berror:|\bline \d+|\.(?:js|py|cs|"
    r"java|cpp|as):?\(?\d+",
    "code": r"```|[;{}]\s*$|\bdef \w+\(|\breturn\b|==|=>|\w\(\w*\)|>>>",
    "digits_only": r"^[\s\d.,+*/=()^x-]+\??$",
    "quote": r"[\"\u201c\u201d].{3,}[\"\u201c\u201d]",
    "lower_start": r"^(?-i:[a-z])",
    "ellipsis": r"\.\.",
    "exclaims": r"!",
}
ANSWER = {
    "answer_asks": r"\?\s*$",
    "answer_offers_changes": r"\b(?:any (?:other|more|further)? ?(?:changes|adjust|edits|revisions)|adjustments|"
    r"modify|tweak|like me to)\b.{0,120}$",
    "answer_revised": r"^.{0,60}\b(?:revised|updated|rewritten|here(?:'s| is) (?:a|an|the)|certainly|i've|"
    r"corrected)\b",
    "answer_apologises": r"^.{0,40}\b(?:apologi[sz]e|apologies|sorry|you(?:'re| are) (?:right|correct))\b",
    "answer_refuses": r"\b(?:as an ai|i can(?:'t|not)|i(?:'m| am) (?:unable|not able)|i don't have|i do not have)\b",
    "answer_code": r"```",
    "answer_list": r"(?:^|\n)\s*(?:[-*•]|\d+[.)])\s",
    "answer_letter": r"\b(?:dear|subject:|sincerely|regards|title:|verse|chapter)\b",
    "answer_mathematics": r"\\\(|\\\[|\$",
}
REQUEST = {
    "request_question": r"\?\s*$",
    "request_edit": FOLLOW_UP["edit_verb_first"],
    "request_complains": rf"{FOLLOW_UP['wrong']}|{FOLLOW_UP['fails']}|{FOLLOW_UP['still']}",
    "request_writes": r"\b(?:write|draft|letter|email|essay|story|poem|article|blog|post|document|speech|review|"
    r"script)\b",
    "request_code": FOLLOW_UP["code"],
}
MEASURES = (
    "log_words", "log_answer_words", "log_request_words", "few_words", "one_or_two_words", "length_ratio_to_request",
    "words_in_request", "words_in_answer", "request_words_kept", "new_words", "trigrams_shared", "equals_request",
    "prefix_shared", "same_first_word", "foreign_letters", "script_differs", "lines", "retry_of_question",
    "numbers_changed",
)  # fmt: skip
_TABLES = [
    [re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in table.values()]
    for table in (FOLLOW_UP, ANSWER, REQUEST)
]
NAMES: tuple[str, ...] = (*FOLLOW_UP, *ANSWER, *REQUEST, *MEASURES)
_STOP = frozenset(
    re.findall(r"\w+", "a an the of to in on for and or is are was were be it that this with as at by from")
)


def features(request: str, answer: str, follow_up: str) -> list[float]:
    """One row of ``len(NAMES)`` numbers; texts are read at their head and tail only.

    >>> dict(zip(NAMES, features("Name a bird.", "A wren.", "Thanks!")))["thanks"]
    1.0
    """
    texts = tuple(_ends(text) for text in (follow_up, answer, request))
    found = [
        float(pattern.search(text) is not None) for text, table in zip(texts, _TABLES, strict=True) for pattern in table
    ]
    return [*found, *_measures(*texts)]


def feature_matrix(contexts: Sequence[tuple[str, str, str]]) -> NDArray[np.float32]:
    """``features`` of each (request, answer, follow-up): float32, shape ``[len(contexts), len(NAMES)]``."""
    import numpy as np

    rows = [features(*context) for context in contexts]
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(NAMES))


def _measures(follow_up: str, answer: str, request: str) -> list[float]:
    said, answered, asked = (_words(text) for text in (follow_up, answer, request))
    own, theirs, wanted = (set(words) - _STOP for words in (said, answered, asked))
    shared = _share(_trigrams(follow_up), _trigrams(request))
    foreign = [_foreign(text) for text in (follow_up, answer)]
    return [
        math.log1p(len(said)) / 3,
        math.log1p(len(answered)) / 5,
        math.log1p(len(asked)) / 3,
        float(len(said) <= 6),
        float(len(said) <= 2),
        max(-2.0, min(2.0, math.log((1 + len(said)) / (1 + len(asked))))),
        _share(own, wanted),
        _share(own, theirs),
        _share(wanted, own),
        _share(own, own - theirs - wanted),
        shared,
        float(said == asked and bool(said)),
        _prefix(said, asked),
        float(bool(said) and said[:1] == asked[:1]),
        foreign[0],
        abs(foreign[0] - foreign[1]),
        min(1.0, follow_up.count("\n") / 10),
        shared * float("?" in follow_up),
        shared * float(set(re.findall(r"\d+", follow_up)) != set(re.findall(r"\d+", request))),
    ]


def _ends(text: str) -> str:
    text = text.strip().replace("\u2019", "'")
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[a-z]+)?", text.lower())


def _trigrams(text: str) -> set[str]:
    plain = " ".join(_words(text))
    return {plain[at : at + 3] for at in range(max(1, len(plain) - 2))}


def _share(part: set[str], whole: set[str]) -> float:
    """Which share of ``part`` lies in ``whole``; 0 for an empty part."""
    return len(part & whole) / len(part) if part else 0.0


def _prefix(said: Sequence[str], asked: Sequence[str]) -> float:
    """Which share of the shorter text the two begin with in common."""
    limit = min(len(said), len(asked))
    same = next((at for at in range(limit) if said[at] != asked[at]), limit)
    return same / limit if limit else 0.0


def _foreign(text: str) -> float:
    """Share of letters outside ASCII."""
    letters = [sign for sign in text if sign.isalpha()]
    return sum(sign > "\x7f" for sign in letters) / len(letters) if letters else 0.0
