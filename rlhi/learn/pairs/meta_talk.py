"""What an answer says of having been asked for again: found, and taken off where it is a sentence of its own.

A user who never complained would find "You are right, here is a shorter version:" odd, so nobody shall learn to say it.
English only: in other languages nothing is found.
"""

from __future__ import annotations

import re

from rlhi.checks.form import is_refusal, language_of, length
from rlhi.lexicons import lexicon

# So many words in a row, taken from the complaint, are its echo and no answer.
ECHOED_WORDS = 6
# Sentences before an answer that are taken off, and how many words must be left.
MOST_ASIDES = 3
FEWEST_LEFT = 5
# An answer's first words are looked for in so many characters.
FIRST_CHARACTERS = 500

_COMMON, _WORDS = lexicon("en").common, lexicon("en").answers
_ANSWER = f"(?:{_WORDS.answer})"
_AGAIN = f"(?:{_WORDS.remade})"
_BETTER = f"(?:{_AGAIN}|{_WORDS.bettered})"
_SURE = rf"(?:{_WORDS.agrees})\b"
_RIGHT = r"you(?:['’]re| are) (?:absolutely |completely |quite |totally )?(?:right|correct)"

# Told in an answer's first words,
_FIRST = (
    r"as (?:you )?(?:asked|requested|wished|instructed)\b",
    r"(?:i(?:['’]m| am)? (?:so |very |really )?|my (?:sincere )?)?"
    r"(?:apologi[sz]e|apologies|sorry(?! for your| to hear))\b",
    r"(?:thanks|thank you) for (?:the|your) (?:feedback|clarification|suggestion|correction)",
    r"(?:thanks|thank you) for (?:pointing|bringing|letting me know|clarifying|correcting|catching)",
    rf"{_RIGHT}(?= that\b| about\b|\s*[,.!;:–—]|$)",
    r"you(?:['’]re| are) (?:welcome\s*[,.!]|a helpful assistant\b)",
    r"(?:got it|understood|noted)\s*[,.!:–—]",
    r"good (?:catch|point)\b",
    r"i see that i\b",
    r"i (?:see|understand) (?:the|my|your) (?:mistake|error|confusion|concern|point|frustration)",
    r"i understand (?:that )?you(?:['’]d| would| want| prefer)\b",
    r"i(?:['’]m| am) (?:ready|here|happy|glad) to (?:help|assist|clarify|rewrite|correct)\b",
    r"i(?:['’]ve| have)? (?:made a mistake|misunderstood|misread|misinterpreted)\b",
    r"i(?:['’]ve| have) (?:rewritten|revised|updated|shortened|rephrased|changed|corrected)\b",
    r"i (?:rewrote|revised|shortened|rephrased|corrected)\b",
    r"i(?:['’]ll| will) (?:re-?(?:format|write|phrase|word|vise|do)|shorten|simplify|expand|adjust|correct|fix)\b",
    r"it (?:seems|looks like|appears)(?: that|,)? i(?:['’]ve| have)? (?:made|misunderst\w+|misread|missed|gotten)",
    r"let me (?:try (?:again|that again|once more)|correct (?:that|this|myself|my)|fix (?:that|this|my)|start over)\b",
    rf"(?:(?:i(?:['’]d| would|['’]ll| will)|let me) )?re-?(?:write|do|state|phrase) (?:my|the|that) {_ANSWER}",
    r"(?:based on|following|per) your (?:feedback|request|instruction|suggestion)",
    rf"(?:here(?:['’]s| is| are)|below is|this is) (?:the|a|an|my|your)?\s*(?:\w+ )?{_BETTER}"
    rf"(?: (?:\w+ )?{_ANSWER}\b|\s*:)",
    rf"here(?:['’]s| is| are) (?:the|a|an|my|your) {_AGAIN}\b",
    r"(?:rewritten|revised|updated|improved|corrected|new|shorter) (?:answer|version|response|reply|text)\b",
)
# in its last ones,
_LAST = (
    r"(?:hope|let me know if) (?:this|that|it)(?:['’]s| is)? (?:\w+ ){0,3}?"
    r"(?:version|revision|rewrite|better|shorter|clearer|simpler|meets your|addresses)\b",
    r"let me know if (?:you(?:['’]d| would)? (?:like|need|want)|there are|i should make)(?: me to make)?(?: any)?"
    r"(?: further| more| other| additional)? (?:changes|adjustments|edits|revisions|modifications|tweaks)\b",
    r"is (?:this|that|it) (?:any )?(?:better|shorter|clearer|simpler|what you (?:wanted|meant|were looking for))"
    r"(?: now)?\?",
)
# or anywhere.
_WITHIN = (
    r"re-?(?:writ\w+|phras\w+|word\w*) (?:\w+ ){0,3}(?:answer|response|reply|request)\b",
    r"(?:my|your) (?:original|previous|last|earlier|first|revised) (?:answer|response|reply|request|question)\b",
    r"in my (?:previous|earlier|last) (?:message|example|code|explanation)\b",
    r"i (?:(?:had |have )?(?:given|gave|provided|said|mentioned|wrote) (?:earlier|before|previously)"
    r"|apologi[sz]e for (?:the|my|any) (?:confusion|error|mistake|misunderstanding|oversight))\b",
    r"(?:next time|from now on),? i(?:['’]ll| will)\b",
    r"another (?:attempt|try)\s*:",
    r"(?:answer|result|total|sum|number) is indeed\b",
    r"(?:your|the) user (?:asked|said|requested)\b",
)
# To agree or to contradict is to answer the complaint, unless the request asked whether something is so.
_AGREES = re.compile(
    r"\W*(?:yes|no|correct|exactly|indeed|right|(?:that['’]s|that is|this is) (?:right|correct|true))[^\S\n]*[,.!:;–—]",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"(?:^|[.!?,;:\n]|\b(?:so|and|or|but|then|hi|hello|hey|please)\b)[^\S\n]*"
    rf"(?:{_COMMON.auxiliaries})(?:n['’]?t)?\b"
    r"|\b(?:right|correct|true|ok|okay)[^\S\n]*\?|\b(?:if|whether|true or false)\b",
    re.IGNORECASE,
)
_WHICH = re.compile(rf"\b(?:{_COMMON.questions})\b", re.IGNORECASE)

_AT_FIRST = re.compile(rf"\W*(?:{_SURE}[^.:\n]{{0,40}}[.:!,]?[^\S\n]*)?(?:{'|'.join(_FIRST)})", re.IGNORECASE)
_AT_LAST = re.compile(rf"\b(?:{'|'.join(_LAST)})", re.IGNORECASE)
_ANYWHERE = re.compile(rf"\b(?:{'|'.join(_WITHIN)})", re.IGNORECASE)

# Whole sentences of which nothing is missed: no reason, no limit and no correction is in them.
_OF_MINE = r"(?: (?:in|of|caused by|with) (?:my|the) (?:previous|last|earlier|initial) \w+)"
_SENTENCES = (
    r"(?:i(?:['’]m| am)? (?:so |very |really |sincerely )?|my (?:sincere )?)?(?:apologi[sz]e|apologies|sorry)"
    r" (?:again )?(?:for|about) (?:that|this|it|(?:the|my|any|that|this) (?:\w+ )?(?:confusion|mistakes?|errors?"
    rf"|mix-?up|oversight|misunderstanding|inconvenience|frustration|trouble))(?: earlier)?{_OF_MINE}?",
    _RIGHT,
    r"(?:i )?(?:got it|understood|noted)",
    r"good (?:catch|point)",
    r"(?:thanks|thank you) for (?:pointing|bringing) (?:that|this|it) (?:out|up)(?: to (?:me|my attention))?",
    r"(?:thanks|thank you) for (?:the|your) (?:feedback|clarification|suggestion|correction|patience)",
    r"(?:thanks|thank you) for (?:clarifying|correcting me|letting me know|catching (?:that|this|it))",
)
_SENTENCE = re.compile(
    rf"[\s*_]*(?:{_SURE}[,.!]?[^\S\n]+)?(?:(?:{'|'.join(_SENTENCES)})[.!]+"
    rf"|here(?:['’]s| is| are) (?:the|a|an|my|your) (?:more \w+|{_BETTER})[^.:!?\n]{{0,100}}:)[*_]*(?=\s)",
    re.IGNORECASE,
)
_LAST_SENTENCE = re.compile(r"(?:(?<=[.!?])|\n)[^\S\n]*(?P<last>[^.!?\n]+[.!?]*)\s*$")
_GAP = re.compile(r"(?:[^\S\n]*\n)+|[^\S\n]+")
"""What lies between a sentence and the next: blank lines, not the next line's indent."""
# Where people ask for such sentences themselves.
_ASKED_FOR = re.compile(rf"\b(?:{_WORDS.asked_for})\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")


def speaks_of_feedback(text: str, said: str, request: str = "") -> bool:
    """Whether an answer tells that it was asked for again, agrees with the complaint or repeats it.

    Args:
        said: the complaint.
        request: where it speaks of answers, or asks whether something is so, an answer to it may.

    >>> speaks_of_feedback("Here is a shorter version: Basil is a herb.", "shorter please")
    True
    >>> speaks_of_feedback("Basil is a herb.", "shorter please")
    False
    """
    first = text[:FIRST_CHARACTERS]
    if _AT_FIRST.match(first) or _AT_LAST.search(text) or _agrees(first, request):
        return True
    if _ANYWHERE.search(text) and not _ANYWHERE.search(request):
        return True
    words, asked = (" ".join(_WORD.findall(part.lower())) for part in (text, said))
    grams = asked.split()
    return any(" ".join(grams[at : at + ECHOED_WORDS]) in words for at in range(max(0, len(grams) - ECHOED_WORDS + 1)))


def without_asides(text: str, request: str = "") -> str:
    """An answer without sentences before and behind it that only tell that it was asked for again.

    It stays as it is where little would be left, where it refuses, and where letters, stories or translations are asked
    for, in which such sentences have their place.

    >>> without_asides("I apologize for the confusion. Here is the corrected list:\\n\\n- Basil wants a lot of sun.")
    '- Basil wants a lot of sun.'
    >>> without_asides("I apologize, but I do not know what basil wants.")
    'I apologize, but I do not know what basil wants.'
    """
    if is_refusal(text) or _ASKED_FOR.search(request):
        return text
    begin, end = 0, len(text)
    for _ in range(MOST_ASIDES):
        found = _SENTENCE.match(text, begin)
        gap = _GAP.match(text, found.end()) if found else None
        if gap is None:
            break
        begin = gap.end()
    last = _LAST_SENTENCE.search(text, begin)
    if last and _AT_LAST.search(last["last"]):
        end = last.start()
    kept = text[begin:end].rstrip() if end < len(text) else text[begin:]
    return kept if length(kept) >= FEWEST_LEFT else text


def _agrees(first: str, request: str) -> bool:
    if not _AGREES.match(first) or _WHETHER.search(request) or language_of(first) != "en":
        return False
    return "?" not in request or bool(_WHICH.search(request))
