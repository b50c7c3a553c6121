"""What an answer says of having been asked for again: found, and taken off where it stands before or behind the rest.

A user who never complained would find "You are right, here is a shorter version:" odd, so nobody shall learn to say it.
"""

from __future__ import annotations

import re

from rlhi.checks import is_refusal, length

# So many words in a row, taken from the complaint, are its echo and no answer.
ECHOED_WORDS = 6
# Sentences before an answer that are taken off, and the share of its words that must be left.
MOST_ASIDES = 3
LEAST_LEFT = 0.5

_ANSWER = r"(?:answer|version|response|reply|text|explanation|one)"
_AGAIN = r"(?:rewritten|revised|corrected|reworked|rephrased|reworded)"
_BETTER = (
    rf"(?:{_AGAIN}|rewrit\w+|reword\w*|revision|updated|improved|new|shorter|longer|simpler|simplified|modified|edited"
    r"|better)"
)
_OPENING = (
    r"(?:(?:sure|certainly|of course|okay|ok|absolutely|alright|all right|great|no problem|my bad|oops|yes|no)\b"
    r"[^.:\n]{0,40}[.:!,]?\s*)?"
)
# In its first words,
_FIRST = (
    r"as (?:you )?(?:asked|requested|wished|instructed)\b",
    r"(?:i(?:['’]m| am)? (?:so |very |really )?|my (?:sincere )?)?"
    r"(?:apologi[sz]e|apologies|sorry(?! for your| to hear))\b",
    r"(?:thanks|thank you) for (?:the|your) (?:feedback|clarification|suggestion|correction)",
    r"(?:thanks|thank you) for (?:pointing|bringing|letting me know|clarifying|correcting|catching)",
    r"you(?:['’]re| are) (?:absolutely |completely |quite |totally )?(?:right|correct)"
    r"(?= that\b| about\b|\s*[,.!;:–—]|$)",
    r"you(?:['’]re| are) welcome\b",
    r"(?:got it|understood|noted)\s*[,.!:–—]",
    r"good (?:catch|point)\b",
    r"i (?:see|understand) (?:the|my|your) (?:mistake|error|confusion|concern|point|frustration)",
    r"i see that i\b",
    r"i understand (?:that )?you(?:['’]d| would| want| prefer)\b",
    r"i(?:['’]m| am) (?:ready|here|happy|glad) to (?:help|assist|clarify|rewrite|correct)\b",
    r"i(?:['’]ve| have)? (?:made a mistake|misunderstood|misread|misinterpreted)\b",
    r"i(?:['’]ve| have)? (?:rewritten|revised|updated|shortened|rephrased|changed|corrected)\b",
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
    r"(?<!forward to )(?<!await )(?<!awaiting )(?<!for )(?:my|your) "
    r"(?:(?:original|previous|last|earlier|new|revised) )?(?:answer|request|edit|feedback|complaint)\b",
    r"(?:original|previous|earlier|revised|corrected) (?:answer|response|reply)\b",
    r"in (?:my|the) (?:previous|earlier|last) (?:answer|response|reply|message|example|code)\b",
    r"i (?:(?:had |have )?(?:given|gave|provided|said|mentioned|wrote) (?:earlier|before|previously)"
    r"|apologi[sz]e for (?:the|my|any) (?:confusion|error|mistake|misunderstanding|oversight))\b",
    r"(?:next time|from now on),? i(?:['’]ll| will)\b",
    r"another (?:attempt|try)\s*:",
    r"(?:answer|result|total|sum|number) is indeed\b",
    r"(?:your|the) user (?:asked|said|wants|requested)\b",
    r"you(?:['’]re| are) a helpful assistant\b",
)
# To agree or to contradict is to answer the complaint, unless the request asked whether something is so.
_AGREES = re.compile(
    r"^\W*(?:yes|no|correct|exactly|indeed|right|(?:that['’]s|that is|this is) (?:right|correct|true))\s*[,.!:;–—]",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"(?:^|[.!?,;:\n]|\b(?:so|and|or|but|then)\b)\s*(?:is|are|was|were|am|do|does|did|can|could|will|would|should|shall"
    r"|may|might|must|has|have|had)(?:n['’]?t)?\b"
    r"|\b(?:right|correct|true|ok|okay)\s*\?|\b(?:if|whether|true or false)\b",
    re.IGNORECASE,
)
_AT_FIRST = re.compile(rf"^\W*{_OPENING}(?:{'|'.join(_FIRST)})", re.IGNORECASE)
_AT_LAST = re.compile(rf"\b(?:{'|'.join(_LAST)})", re.IGNORECASE)
_ANYWHERE = re.compile(rf"\b(?:{'|'.join(_WITHIN)})", re.IGNORECASE)
# Begun nowhere but at the first of several such characters: a page of dots or blank lines is read once.
_END = re.compile(r"(?<![.!?:])[.!?:]+[\"”’')]*\s+|(?<!\s)\s*\n\s*")
"""Where a sentence ends and another begins."""
_WORD = re.compile(r"\w+")


def speaks_of_feedback(text: str, said: str, request: str = "") -> bool:
    """Whether an answer tells that it was asked for again, or repeats the complaint.

    Args:
        said: the complaint.
        request: where it speaks of rewriting or of an answer itself, an answer to it may.

    >>> speaks_of_feedback("Here is a shorter version: Basil is a herb.", "shorter please")
    True
    >>> speaks_of_feedback("Basil is a herb.", "shorter please")
    False
    """
    if _AT_FIRST.search(text) or _AT_LAST.search(text):
        return True
    if _AGREES.search(text) and not _WHETHER.search(request):
        return True
    if _ANYWHERE.search(text) and not _ANYWHERE.search(request):
        return True
    words, asked = (" ".join(_WORD.findall(part.lower())) for part in (text, said))
    grams = asked.split()
    return any(" ".join(grams[at : at + ECHOED_WORDS]) in words for at in range(max(0, len(grams) - ECHOED_WORDS + 1)))


def without_asides(text: str) -> str:
    """An answer without such sentences before and behind it; as it is where little would be left, or it refuses.

    >>> without_asides("I apologize for the confusion. Here is the corrected list:\\n\\n- Basil wants a lot of sun.")
    '- Basil wants a lot of sun.'
    >>> without_asides("You're right, that was wrong.")
    "You're right, that was wrong."
    """
    if is_refusal(text):
        return text
    kept = text
    for _ in range(MOST_ASIDES):
        first = _AT_FIRST.match(kept)
        end = _END.search(kept, first.end() - 1) if first else None
        if end is None:
            break
        kept = kept[end.end() :]
    last = list(_END.finditer(kept.rstrip()))[-1:]
    if last and _AT_LAST.search(kept, last[0].end()):
        kept = kept[: last[0].end()]
    kept = kept.strip()
    return kept if length(kept) >= LEAST_LEFT * length(text) else text
