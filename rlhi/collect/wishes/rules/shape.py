"""How an answer begins, ends and explains: summaries, closing questions, examples, plain words."""

from __future__ import annotations

from rlhi.collect.wishes.rules.grammar import Grammar
from rlhi.lexicons import lexicon

_WORDS = lexicon("en").wishes
_ = Grammar(
    HEAD=f"(?:{_WORDS.summaries})",
    FIRST=f"(?:{_WORDS.first})",
    QUESTION=r"(?:\w+ )?(?:follow ?up |closing |final )?questions?",
    PLAIN=f"(?:{_WORDS.plain})",
    WORDS=f"(?:{_WORDS.wording})",
    EXPERT=f"(?:{_WORDS.expert})",
    TERMS=f"(?:{_WORDS.terms})",
    EXAMPLES=r"""
        (?:(?:\w+ (?:life|world) |concrete |specific |practical |worked |quick |small |tiny )*(?:(?<!for )examples?|
            illustrations?|(?:sample|real life) cases?)
            (?! (?:of|from (?!now)|in (?!there|it|your)|where|you|above|code|output|input|is|are|gives|fails)\b))
    """,
)

BOUNDS = (
    _.rule("closing_summary", "with", "format", "End with a short summary.", r"""
        \b(?:end|finish|close|conclude|wrap up|wrap)(?: <D>)*? (?:with|by) (?:\w+ ){0,4}?(?:summary|recap|summing|
            summari[sz]ing|conclusion|takeaways?|tldr)\b
        \b(?:summary|recap|tldr|takeaways?|conclusion)(?: \w+){0,3} at the (?:very )?(?:end|bottom)\b
        <LACK>(?:closing |final |concluding )(?:summary|recap)\b
    """, anywhere=True),
    _.rule("opening", "summary", "format", "Begin with a one-sentence summary.", r"""
        <LACK>(?:\w+ ){0,2}?(?:summary|tldr|takeaway|gist)(?: \w+){0,3}? <FIRST>
    """, anywhere=True),
    _.rule("opening", "none", "constraint", "Do not begin with a summary.", r"""
        <NOT>(?:\w+ ){0,2}?(?:summary|summari[sz](?:e|ing)|tldr|recap|gist|conclusion|takeaways?|bottom line)
            (?: \w+){0,2}? <FIRST>
        \b(?:not|never|stop|without|avoid|quit|no need to) (?:start|begin|lead|open|starting|beginning|leading|
            opening)(?: <D>)*? (?:off )?(?:with|by|from)(?: \w+){0,4}? <HEAD>\b
        <NOT>(?:opening|initial|introductory|leading|1 line|upfront) (?:\w+ )?(?:summary|recap|tldr|gist|1 liner)\b
        \b(?:not|never|stop|without) (?:giv(?:e|ing)|reveal(?:ing)?|spoil(?:ing)?)(?: away)? (?:the |your )?
            (?:conclusion|ending|verdict|result|punchline)\b
        \b(?:keep|leave|saved?|put|hold)(?: back)? (?:the |your |any )?(?:conclusion|summary|verdict|
            takeaway|main point)(?: back)? (?:for|until|till|to|at) (?:the (?:very )?(?:end|last)|last)\b
        \b(?:leave|keep|cut)(?: \w+){0,2} (?:summary|recap|tldr|gist) out\b
        \blet the (?:conclusion|summary|verdict|point) come (?:last|at the end)\b
        \b(?:conclusion|summary|verdict|takeaway) (?:can|should|must|may|has to) (?:wait|come last|go last|
            come at the end)\b
        \b(?:build|work) up to (?:it|the (?:point|conclusion|answer))\b
        \b(?:start|begin|open) with the (?:details|background|basics|particulars)\b
        \b1 liner (?:at the (?:top|start|beginning)|up ?front)(?=.*\b(?:drop|skip|remove|spoils?|annoy\w*|lose|
            no need|stop)\b)
    """, anywhere=True),
    _.rule("opening", "summary", "format", "Begin with a one-sentence summary.", r"""
        \b<HEAD>(?: \w+){0,6}? <FIRST>
        \b<FIRST>(?: \w+){0,3},? (?:the |a |your )(?:\w+ )?<HEAD>\b
        \b(?:start|begin|lead|open|starting|beginning|kick off|leading)(?: <D>)*? (?:off )?(?:with|by|
            from)(?: \w+){0,4}? <HEAD>\b
        \bbur(?:y|ied|ying)(?: \w+){0,2} (?:lede|lead|point|answer|conclusion)\b
        \b(?:read|scroll|wade|dig|hunt|search|wait|look)\w*(?: \w+){0,8}? (?:to|for|find|
            until)(?: \w+){0,4}? (?:main point|the point|conclusion|actual answer|bottom line|takeaway|the answer)\b
        \b<HEAD>(?: \w+)? say (?:that|it) first\b
        \b(?:say|tell me|give me|put|state) (?:that|it|the point|what matters|the important (?:bit|part|
            thing)) (?:first|up front)\b
        \b(?:begin|start|open|lead)\w* (?:off )?by (?:summari[sz]ing|summing|telling me (?:the )?(?:point|answer))\b
        \b(?:conclusion|summary|answer|main point|point) (?:should|must|has to|needs to|to) (?:come|go|
            be)(?: \w+)? first\b
    """, anywhere=True),
    _.rule("closing_question", "with", "format", "End with a question.", r"""
        (?<!\bi )\b(?:(?:did|have|has|had) not|forgot to|failed to) (?:ask|end|finish|close|leave)(?:e?d)?
            (?: \w+){0,5}? (?:questions?|anything|something|back)\b
        (?<!\bi )\bnever (?:asked|ended|finished|closed|left)(?: \w+){0,5}? (?:questions?|anything|something|back)\b
    """, anywhere=True),
    _.rule("closing_question", "without", "constraint", "Do not end with a question.", r"""
        (?!<NEG>(?: \w+){0,4}? (?:answer\w*|address\w*|to)(?: \w+){0,2} questions?\b(?! with))<NOT>
            (?:follow ?up |closing |final |last |ending )?questions?(?: back| at the (?:end|
            bottom)| in return| every time| all the time)?(?:$|,| please)
        \b(?:stop|quit|not|no need to|never|without|instead of|rather than) (?:asking|ask|end|ending|finish|
            finishing)(?: \w+){0,5} (?:question|questions|back|
            (?:anything|something)(?! (?:about|regarding|between|on|like|that)))\b
        \b(?:stop|quit|not|no need to|never|without|instead of) (?:quiz|quizzing|interrogate|interrogating) me\b
        \b(?:stop|quit|no need to) (?:asking|ask) me (?:stuff|things)\b
        \b(?:ended|ending|end|finished|closed)(?: \w+){0,2} (?:with|on) a question again\b
        \b(?:end|finish|close|stop) (?:with|on) (?:a|your) (?:statement|full stop|period)\b
    """),
    _.rule("closing_question", "with", "format", "End with a question.", r"""
        \b(?:end|finish|close|conclude|wrap(?: up)?|sign off|round off|leave|ending|finishing|ends|
            finishes)(?: <D>)*? (?:off )?(?:with|on|by)(?: \w+){0,5}? <QUESTION>
        \b<QUESTION>(?: \w+){0,4} (?:at|to|in|as|for) (?:the |your |a )?(?:very )?(?:end|bottom|finish|close|last|
            final|closing|conclude)\b
        \basking? me (?:\w+ ){0,3}?(?:question|something|anything|back)(?: \w+){0,3}? (?:at the end|back|last|
            in return|afterwards|to (?:finish|close|end)|when you)
        \b(?:last|final|closing|end) (?:sentence|line|thing)(?: \w+){0,4} question\b
        \bleave me with (?:a|some) question
        \b(?:end|finish|close)(?: <D>)*? (?:by )?asking\b
        \bask me (?:a|1) question\b
        \b(?:not|forgot to|never) (?:ask|asked) me (?:a |any |1 )?(?:\w+ )?questions?\b
    """, anywhere=True),
)  # fmt: skip

EXPLANATION = (
    _.rule("plain_words", "plain", "style", "Use plain, simple words.", r"""
        <NOT>(?:<EXPERT>|big|fancy|complicated|complex|difficult|long|hard|obscure) <TERMS>\b
        \b(?:not|cannot|never|hardly|barely)(?: \w+){0,2} (?:understand|follow|know|get)(?: \w+){0,3} <TERMS>\b
    """),
    _.rule("plain_words", "technical", "expertise", "Use precise technical terms.", r"""
        \b(?:more|be) technical\b
        \btechnical (?:version|explanation|answer|language)\b
        \btoo (?:basic|simple|simplistic|dumbed down|elementary|simplified)\b
        \b(?:talk|talking|speak|speaking) down to (?:me|us)\b
        \b<EXPERT> <TERMS>\b
        <LACK>(?:\w+ )?(?:jargon|terminology)\b
        \bi (?:want|need|prefer|can (?:take|handle|follow))(?: the| more| some| real| proper| actual){0,2}
            (?: )(?:jargon|terminology)\b
        \b(?:like|the way|as) (?:an? |your |my )?(?:expert|specialist|professional|colleague|peer)s?(?: would| do|
            $|,| and)
        \bi (?:have )?(?:studied|teach|taught|majored in|work in|know) (?:this|the|that|my) (?:field|subject|topic|
            area|stuff|material)\b
        \bi (?:have )?studied this\b
        \b(?:not|stop|never|without) over ?simplif\w+
        \b(?:write|written|explain|explained|answer|pitch)(?: it| this)? (?:for|to) (?:an? )?(?:expert|specialist|
            professional)s?\b
        \bmore (?:rigorous|precise|exact|speciali[sz]ed) (?:wording|<TERMS>)\b
        <TERMS> of the (?:field|trade|profession|discipline)\b
        \blike (?:a |something from a )?(?:childrens?|kids?|picture) book\b
        \b(?:not|stop|no need to|without) (?:dumb|dumbing|simplify|simplifying|talking down)\b
        \b(?:proper|correct|right|exact|precise|technical|scientific) (?:terms?|terminology|vocabulary)\b
        \bi am (?:an? )?(?:\w+ )?(?:expert|specialist|professional)\b(?! in)
    """),
    _.rule("plain_words", "plain", "style", "Use plain, simple words.", r"""
        \b<PLAIN>(?:,? (?:and )?<PLAIN>)* <WORDS>\b
        \b(?:simplify|simplified|eli5|layman|laymans|jargon|gobbledygook|technobabble|mumbo jumbo)\b
        \b(?:dumb|dumbed|water) (?:it |this |that )?down\b
        \b(?:like|as if) i (?:am|were|was) (?:\d|an? (?:\d|child|kid|beginner|idiot|toddler|complete))
        \btoo (?:technical|complicated|complex|academic|advanced|scientific|fancy|sophisticated|scholarly|(?:hard|
            difficult) (?:to|for me to) (?:understand|follow))\b(?! for (?!me|us))
        (?<!use )(?<!using )(?<!with )\b(?:big|fancy|fancier|difficult|complicated|complex|hard|long|obscure|technical|
            scientific|rare|
            smart) (?:words?|terms?|vocabulary|language|terminology)\b
        \b(?:not|cannot|never|hardly|barely)(?: \w+){0,3} (?:understand|follow|know|get)(?: \w+){0,3} (?:words|
            terms|terminology|vocabulary|language)\b
        \b(?:words?|terms?|vocabulary|language|wording|terminology)(?: \w+){0,2} too (?:hard|difficult|big|long|
            complicated|complex|fancy|advanced)\b
        \b(?:short|shorter|small|smaller) words\b
        \b(?:words|vocabulary|language|wording) (?:\w+ )?(?:easier|simpler|plainer)\b
        \bdollar words\b
        \bwhat do(?: \w+){0,3} (?:words|terms) mean\b
        \bi am (?:just |only )?(?:not (?:an? )?(?:expert|scientist|technical|native|engineer|doctor|specialist)|
            a (?:total |complete |absolute )?(?:beginner|newbie|novice|layman|layperson))
        \bfor (?:dummies|kids|children|beginners|a (?:kid|child|beginner|\d+))\b
        \b(?:speak|talk|say it|put it|explain it) (?:more )?(?:plainly|simply)\b
        \bmore simply\b
        \b(?:grandm\w+|grandpa|grandfather|mother|mum|mom|kid|child|year old)(?: \w+){0,3} (?:understand|follow|
            get)\b
        ^(?:please |can you |could you |make (?:it|this) |something |a bit |much |say it |keep it )*(?:simple|
            simpler|easier)(?: please| to understand| to read)*$
        \b(?:dictionary|look up)(?: \w+){0,3} (?:word|words|to (?:read|understand|follow))\b
    """),
    _.rule("examples", "with", "format", "Include an example.", r"""
        <LACK><EXAMPLES>
        \b(?:no|not 1|not a single|not any) <EXAMPLES>(?: to| given| at all| again|s? anywhere)
        \btoo (?:abstract|theoretical|vague)\b
        \b(?:more|make \w+|be) (?:concrete|tangible)\b
    """),
    _.rule("examples", "without", "constraint", "Do not give examples.", r"""
        <NOT><EXAMPLES>\b
        \b<EXAMPLES>(?: only)?<BAD>
        <NOT>'for (?:example|instance)'
        \bexamples? (?:is|are) (?:not (?:necessary|needed|required|wanted)|unnecessary|unneeded|distracting|confusing)\b
        \b(?:leave|keep|put) (?:the |any |your )?examples? (?:aside|out|away)\b
    """),
    _.rule("examples", "with", "format", "Include an example.", r"""
        <WANT><EXAMPLES>
        <WANT>'for (?:example|instance)'
        \b<EXAMPLES><GOOD>
        \bshow me what you mean\b
        \b(?:illustrate|analogy|analogies)\b
        \bexamples? (?:of|from|in) (?:what|how|it|that|this|real|daily|everyday)\b
        ^(?:an? )?<EXAMPLES>$
        \b(?:learn|understand|follow|remember)(?: \w+){0,4} (?:from|with|by|through) examples?\b
        \bfor example what\b
        \bwhat would (?:that|this|it) look like in practice\b
    """),
)  # fmt: skip
