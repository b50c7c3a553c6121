"""Cues of follow-ups, answers and requests: patterns, each a feature that is there or not.

Written for this project after the annotators' guideline: what asks to change, what asks again, what thanks, what goes
on. Mostly English; of other languages there is what asks to change, what asks again and what thanks. All but
``EXACT`` are matched against lower-case text with straight apostrophes.
"""

from __future__ import annotations

from rlhi.lexicons import cues, lexicon

_ENGLISH, _WORDS = cues("en"), lexicon("en").follow_ups
# Their order is part of the patterns, by whose hash a head knows what it was trained on.
_OTHERS = cues("es", "fr", "de", "pt", "it", "ru")
_THANKS = cues("en", "fr", "es", "de", "it", "pt", "ru").thanks
_UNSPACED = cues("zh", "ja")  # no space stands between their words
POLITE = rf"(?:(?:{_WORDS.polite})[,.! ]+)*"
ASK = (
    r"(?:(?:can|could|would|will) (?:you|we|u|i) (?:please |also |maybe |just )*|let'?s (?:also |just )*|"
    r"(?:i(?:'d| would) (?:also )?like (?:you )?to|we(?:'d| would) (?:also )?like (?:you )?to|"
    r"i (?:also )?(?:want|need) (?:you )?to) )?"
)
COMPLAINT = {
    "edit_verb_first": rf"^{POLITE}{ASK}(?:{_WORDS.edits})\b",
    "edit_verb_sentence": rf"[.!?\n;]\s*{POLITE}{ASK}(?:{_WORDS.edits})\b",
    "change_verb_first": rf"^{POLITE}{ASK}(?:{_ENGLISH.changes})\b",
    "change_verb": rf"\b(?:{_ENGLISH.changes})\b",
    "make_it": r"\b(?:make|put|turn|rewrite|write|say|give|keep|do|redo|shorten|change) (?:it|this|that|them|these|"
    r"the|your)\b",
    "add_to": rf"\b(?:{_WORDS.adds})\b",
    "remove": rf"\b(?:{_WORDS.removes})\b",
    "also": r"^\W*(?:also|and also|lastly|additionally|in addition|next i|i also|we(?:'d| would) also|"
    r"you should also)\b",
    "like_to": r"\b(?:i|we)(?:'d| would) (?:also |really |definitely )?like (?:it |the |a |to (?:add|include|mention|"
    r"say|know that|have))",
    "wish": r"\bi (?:want|need|wanted|asked|meant|mean|prefer|was looking|am looking)|\bi(?:'d| would) (?:like|"
    r"prefer|"
    r"rather)\b",
    "should": rf"\b(?:{_WORDS.should})\b",
    "expected": r"\b(?:it|this|that|the (?:\w+ )?(?:answer|output|result|function|code|number|date)) (?:should|"
    r"must|needs "
    r"to|has to)|\b(?:expected|instead of|should (?:be|have|return|print|output|not))\b",
    "starts_with_no": rf"^(?:{_WORDS.denies})\b",
    "starts_with_but": rf"^(?:{_WORDS.objects})\b",
    "but": r"\bbut\b|\bhowever\b",
    "wrong": rf"\b(?:{_WORDS.wrong})\b",
    "fails": r"\b(?:not|n'?t|never|doesnt|didnt|isnt|cant|wont)\b.{0,20}\b(?:work|working|run|compile|help|match|"
    r"make sense|show|change)\b|\b(?:fails?|failed|failing|crash(?:es|ed)?)\b",
    "still": r"\bstill\b|\bsame (?:error|problem|issue|thing|result|answer)\b|\bnothing (?:has |have )?change",
    "negation": r"\b(?:not|no|never|none|nothing|cannot|without)\b|n't\b|\b(?:dont|doesnt|didnt|isnt|cant|wont)\b",
    "without": r"\bwithout\b|\bno (?:more|need|\w+ing)\b|\bdon'?t (?:use|want|need|like|include|mention|put|make|"
    r"give)",
    "forgot": rf"\b(?:{_WORDS.misses})\b",
    "you_did": r"\byou(?:'ve| have)? (?:did|didn|said|gave|wrote|used|made|put|got|just|only|keep|still|have|are|"
    r"were|changed|missed|mixed|left|told|can't|cannot|don)",
    "you_not": r"\byou (?:did|do|are|were|can|have|would)(?:n'?t| not)\b|\byou(?:'re| are) not\b",
    "asked_for": r"\bi (?:said|asked|told|meant|mean|mentioned|already|specified|requested|wanted)\b",
    "dislike": rf"\b(?:{_WORDS.dislikes})\b",
    "sounds": r"\b(?:sounds?|feels?|seems?|looks?|reads?) (?:a (?:bit|little) )?(?:too|like|very|off|wrong|weird|"
    r"generic|"
    r"awfully|strange|stiff)\b",
    "too": r"\b(?:too|very|overly) (?:\w+)|\bnot (?:\w+ )?enough\b",
    "starts_too": r"^\W*(?:it'?s |this is |that'?s |that is |way |far |a bit |a little )*too\b",
    "comparative": rf"\b(?:{_WORDS.comparatives})\b",
    "short_comparative": rf"^(?:\W*(?:{_WORDS.short})\b)",
    "instead": rf"\b(?:{_WORDS.instead})\b",
    "only": rf"\b(?:{_WORDS.only})\b",
    "form": rf"\b(?:{_WORDS.form})\b",
    "style": rf"\b(?:{_WORDS.style})\b",
    "shape_verb": rf"\b(?:{_WORDS.shapes})\b(?! of)",
    "shape_named": rf"\b(?:{_WORDS.forms})\b",
    "begin_end_with": r"\b(?:begin|start|open|lead|end|close|finish|conclude|wrap up)(?:s|ing)? (?:it |this |that |"
    r"things |your \w+ |the \w+ )?(?:with|by|on)\b",
    "write_as": r"\b(?:write|give|put|format|lay|set|say|explain|show|present|answer|make|turn|tell|phrase|repeat|"
    r"reply|have|want|need|like|prefer)\b.{0,24}\b(?:as|in|into|with|without|using|out) (?:an? |one |single |some |"
    r"\d+ |two |three |plain |simple |simpler |full |complete |lower |upper |numbered |bullet |short |easy )*"
    r"(?:list|bullets?|numbers?|points?|paragraphs?|prose|sentences?|words?|lines?|table|letters?|case|bold|language|terms|"
    r"commas?|digits?|headings?|examples?|summary|question|[a-z]+ish|french|german|italian|portuguese|dutch|japanese)\b",
    "no_such_form": r"\b(?:no|without|fewer|less|more|drop|skip|avoid|remove|lose|ditch|not? use|stop using) (?:\w+ )"
    r"{0,2}(?:lists?|bullets?|numbers?|digits?|commas?|capitals?|jargon|paragraphs?|headings?|emojis?|bold|examples?)\b",
    "point_first": r"\b(?:summary|conclusion|answer|point|gist|takeaway|bottom line|short version)\b.{0,20}\b(?:first|"
    r"up front|at the (?:top|start|beginning))\b|\bfirst\b.{0,24}\bthen\b",
    "length_wanted": r"\b(?:at (?:least|most)|(?:no|not) (?:more|less|fewer) than|(?:fewer|less|more) than|under|over|"
    r"within|max(?:imum)?|min(?:imum)?|around|about) (?:of )?(?:\d+|one|two|three|four|five|six|ten|twenty|thirty|"
    r"forty|fifty|sixty|a hundred) (?:words?|sentences?|lines?|characters?|points?|paragraphs?)|"
    r"\b(?:\d+|one|two|three|four) (?:words?|sentences?|lines?|paragraphs?) "
    r"(?:or (?:fewer|less|more|so)|at (?:most|least)|max|tops|only)\b",
    "part_named": r"\b(?:first|second|third|fourth|last|next|opening|closing|ending|intro(?:duction)?|conclusion|"
    r"title|body|end|beginning|headline|subject|verse|paragraph)\b.{0,12}\b(?:paragraph|sentence|line|part|section|"
    r"verse|point|one|step|stanza)?s?\b|\b(?:paragraph|verse|section|line|page|number|question) \d",
    "language_named": rf"\bin (?:{_WORDS.tongues})\b",
    "contradicts": r"\b(?:isn'?t|wasn'?t|aren'?t|doesn'?t|didn'?t|shouldn'?t|wouldn'?t) (?:it|that|this|the|there|he|"
    r"she|they)\b|^how is\b|\bthat (?:is|was) not\b|\bthere is no\b|\bno such\b|\byou (?:already|earlier|"
    r"previously)\b",
    "i_get": r"\b(?:i|it|this|that|code) (?:still |now |just |only |also |is )*(?:get|got|gets?|getting|gives?|gave|"
    r"giving|says?|returns?|shows?|outputs?|throws?)\b",
    "error_word": rf"\b(?:{_WORDS.errors})\b",
    "error_first": r"^\W*(?:errors?\b|\w*error\b|\w*exception\b|traceback|file \"|code is incorrect|assert )",
    "now": r"^\W*(?:now|ok(?:ay)? now|then)\b",
    "clearer": r"\b(?:explain|simplify|say) (?:it |that |this )?(?:like|as if|again|simply|more|better|"
    r"in (?:simple|plain|"
    r"layman))|\b(?:eli5|layman)|\bdon'?t (?:get|understand)",
    "other_tongue_changes": rf"\b(?:{_OTHERS.changes})\b|{_UNSPACED.changes}",
    "other_tongue_again": rf"\b(?:{_OTHERS.again})\b|{_UNSPACED.again}",
    "this_time": r"\b(?:this time|next time|from now on|last time|like this|as before|than (?:that|this|before))\b",
    "names_constraint": r"\b(?:in|under|within|at least|at most|exactly|about|less than|more than|only|up to) \d+|"
    r"\b\d+ (?:words?|"
    r"sentences?|lines?|characters?|pages?|points?|bullets?|paragraphs?|seconds?|minutes?)\b",
}
AGAIN = {
    "again": rf"\b(?:{_ENGLISH.again})\b",
    "bare_retry": r"^\W*(?:please |pls |just |can you |could you )*(?:try|do|say|write|answer|go|give|run|check|"
    r"retry|redo|regenerate)?\s*(?:it|that|this|me)?\s*(?:again|retry|redo|regenerate|once more|another(?: one)?|"
    r"over|"
    r"no|nope|wrong|bad|really)\W*(?:please|pls)?\W*$",
    "sure": r"\b(?:are you|you) (?:really |rly )?sure\b|^\W*(?:really|is that (?:right|correct|true))\W*$|"
    r"\bcheck (?:that|"
    r"again|it)\b",
    "more_of_it": r"^\W*(?:please |pls |can you |could you )?(?:write |give me |show me )?(?:some )?(?:more|"
    r"another|again "
    r"more|others?|next|continue)\b.{0,25}$",
}
PRAISE = {
    "thanks": rf"\b(?:{_THANKS})\b|{_UNSPACED.thanks}",
    "thanks_first": r"^\W*(?:ok(?:ay)?|yes|great|perfect|awesome|cool)?\W*"
    rf"(?:thanks?|thank you|thx|ty|{cues('fr', 'es', 'de').thanks}|cheers)\b",
    "praise": rf"\b(?:{_WORDS.praise})\b",
    "praise_first": r"^\W*(?:ok(?:ay)?|yes|yeah|wow|oh|ah)?\W*(?:that(?:'s| is| was)?|this(?: is| was)?|it(?:'s|"
    r" is| was)?|you(?:'re| are)?)?\s*(?:so |really |very |just |absolutely )?"
    rf"(?:{_WORDS.praises})",
    "likes": r"\bi (?:really )?(?:like|love|enjoyed?) (?:it|this|that|the|how|your)|\b(?:much|a lot|way) better\b|"
    r"\bthat "
    r"(?:works|worked|helps|helped)\b|\bit (?:works|worked)\b",
    "accepts": rf"^\W*(?:{_WORDS.accepts})\b",
}
GOES_ON = {
    "continue": rf"^\W*(?:please |pls )?(?:{_WORDS.goes_on})\b",
    "question_mark": r"\?",
    "ends_with_question": r"\?\s*$",
    "starts_with_wh": r"^(?:and |so |ok |but )?(?:what|who|whom|whose|when|where|which|why|how)\b",
    "starts_how_to": r"^(?:and |so )?how (?:to|do|can|would|should|did)\b",
    "starts_with_yes_no": r"^(?:is|are|was|were|do|does|did|has|have|had|will|would|should|am)\b",
    "starts_with_so": r"^(?:so|and|then|ok(?:ay)?)\b",
    "can_you": r"\b(?:can|could|would) (?:you|we|u)\b",
    "can_i": r"\b(?:can|could|should|do|may) i\b",
    "what_about": r"^(?:and |so |but )?(?:what|how) (?:about|if)\b",
    "tell_me": rf"\b(?:{_WORDS.tells})\b",
    "new_task": r"^\W*(?:now|next|also|write|create|generate|explain|describe|list|tell me|summari[sz]e|translate|"
    r"how (?:to|do|can)|what)\b",
    "dont_know": r"^\W*(?:i (?:don'?t|do not) know|not sure|no idea|i can'?t|i have no idea|i'?m (?:lost|stuck))",
    "greeting": r"^\W*(?:hi|hello|hey|good (?:morning|evening))\b",
    "anaphora": rf"\b(?:{_WORDS.anaphora})\b",
    "first_person": rf"\b(?:{_WORDS.first_person})\b",
    "numbered_item": r"^\W*(?:\d{1,2}[.)]\s|question \d|part \d|\w+ question:|which of the following)",
    "digits_only": r"^[\s\d.,+*/=()^x%-]+\??$",
    "quote": r"[\"\u201c\u201d].{3,}[\"\u201c\u201d]",
    "ellipsis": r"\.\.",
    "exclaims": r"!",
    "colon_ends": r":\s*$",
    "starts_with_code": r"^\W*(?:```|def |import |from \w+ import|class |#|<|\{|\[|using |public |var |const |"
    r"sub |function )",
}
EXACT = {
    "traceback": r"Traceback|File \"[^\"]+\", line \d|\b\w+(?:Error|Exception)\b|\b[Ee]rror:|\bline \d+|\.(?:js|"
    r"py|cs|"
    r"java|cpp|as):?\(?\d+",
    "code": r"```|[;{}]\s*$|\bdef \w+\(|\breturn\b|==|=>|\w\(\w*\)|>>>",
    "lower_start": r"^[a-z]",
    "upper": r"^[^a-z]*[A-Z][^a-z]*$",
}
ANSWER = {
    "answer_asks": r"\?\s*$",
    "answer_asks_for_input": r"\b(?:please (?:provide|share|paste|give|specify|clarify|let me know)|"
    r"could you (?:please )?"
    r"(?:provide|share|clarify|specify|tell me)|feel free to (?:share|paste|ask|provide))\b",
    "answer_wants_reply": r"\b(?:(?:could|can|would) you (?:please )?(?:provide|share|tell|specify|clarify|paste|"
    r"give|let me)|"
    r"please (?:provide|share|paste|specify|clarify|go ahead|let me know (?:what|which|the|your|how))|"
    r"what (?:would|do|"
    r"are|is) "
    r"you|what'?s (?:the|your)|feel free to (?:ask|share)|go ahead)\b.{0,160}$",
    "answer_acknowledges": r"^\W*(?:ok|okay|got it|understood|sure|yes,? i understand|great)\b.{0,90}$",
    "answer_offers_changes": r"\b(?:any (?:other|more|further)? ?(?:changes|adjust|edits|revisions)|adjustments|"
    r"modify|tweak|like me to)\b.{0,120}$",
    "answer_revised": r"^.{0,60}\b(?:revised|updated|rewritten|here(?:'s| is) (?:a|an|the)|certainly|i've|"
    r"corrected)\b",
    "answer_apologises": r"^.{0,40}\b(?:apologi[sz]e|apologies|sorry|you(?:'re| are) (?:right|correct))\b",
    "answer_refuses": r"\b(?:as an ai|i can(?:'t|not)|i(?:'m| am) (?:unable|not able)|i don't have|i do not have)\b",
    "answer_failed": r"\A\W*\Z|ai error|\berror\b.{0,30}\breport\b",
    "answer_tutors": rf"\b(?:{_WORDS.tutoring})\b",
    "answer_code": r"```",
    "answer_list": r"(?:^|\n)\s*(?:[-*\u2022]|\d+[.)])\s",
    "answer_letter": rf"\b(?:{_WORDS.letters})\b",
    "answer_mathematics": r"\\\(|\\\[|\$",
}
REQUEST = {
    "request_question": r"\?\s*$",
    "request_edit": COMPLAINT["edit_verb_first"],
    "request_changes": COMPLAINT["change_verb_first"],
    "request_complains": rf"{COMPLAINT['wrong']}|{COMPLAINT['fails']}|{COMPLAINT['still']}",
    "request_writes": rf"\b(?:{_WORDS.texts})\b",
    "request_code": EXACT["code"],
    "request_how_to": GOES_ON["starts_how_to"],
    "request_transforms": rf"\b(?:{_WORDS.transforms})\b",
}
