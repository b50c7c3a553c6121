"""What an answer looks like: lists, tables, headings, paragraphs, code, bold, emojis."""

from __future__ import annotations

from rlhi.collect.wishes.rules.grammar import Grammar
from rlhi.lexicons import lexicon

_WORDS = lexicon("en").wishes
_ = Grammar(
    BULLETS=f"(?:{_WORDS.bullets})",
    LISTS=r"(?:<BULLETS>|lists?(?: form(?:at)?)?|listicles?|numbered (?:lists?|steps|points))",
    NUMBERED=f"(?:{_WORDS.numbered})",
    PROSE=r"""
        (?:prose|(?!plain text)(?:plain |normal |full |proper |regular |flowing |whole |complete |ordinary |
            actual )+(?:paragraphs?|sentences|text|prose)|paragraph (?:form(?:at)?|style)|essay (?:form(?:at)?|
            style)|paragraphs instead)
    """,
    TABLES=r"""
        (?<!the )(?:(?:small |simple |comparison |nice )?tables?(?: form(?:at)?)?|tabular (?:form(?:at)?|layout)|grid|
            columns)(?! of contents)
    """,
    HEADINGS=f"(?:{_WORDS.headings})",
    BREAKS=r"""
        (?:shorter |short |small |smaller )?(?:paragraph breaks|line breaks|white ?space|blank lines|empty lines|
            breathing room|spacing)
    """,
    MARKUP=f"(?:{_WORDS.markup})",
    EMOJIS=f"(?:{_WORDS.emojis})",
    CODE=r"(?:(?:the |some |any |sample )?(?:actual )?code(?: snippets?| examples?| samples?| blocks?)?)",
)

LIST_RULES = (
    _.rule("lists", "bullets", "format", "Use at most {0} bullet points.", r"""
        \b(\d+) (?:short |quick |simple )?<BULLETS>(?: max(?:imum)?| tops| at most| or less| or fewer| only)?
    """),
    _.rule("lists", "bullets", "format", "Use bullet points.", r"""
        <LACK><BULLETS>\b
    """, vague=True),
    _.rule("lists", "numbered", "format", "Use numbered steps.", r"""
        <LACK><NUMBERED>
    """),
    _.rule("lists", "none", "constraint", "Write in prose, without lists.", r"""
        <NOT><LISTS>\b
        \b<BULLETS><BAD>
        \b<LISTS> (?:are|is) (?:so )?(?:annoying|hard to read|not helpful|not what)
        <WANT><PROSE>
        ^<PROSE>$
        \b<PROSE><GOOD>
        \bnot everything (?:has|needs) to be a list\b
        \b(?:like|as) (?:a |an )?(?:story|normal (?:person|text)|letter|essay)\b(?= not|$|,| instead)
        \bparagraphs? (?:not|instead of|rather than) \w+\b
    """),
    _.rule("lists", "numbered", "format", "Use numbered steps.", r"""
        <WANT><NUMBERED>
        \bstep by step\b
        \b<NUMBERED><GOOD>
        ^<NUMBERED>$
        \bnumber (?:them|these|those|it|things|everything)\b
        \b(?:number|numbering) (?:the |your |each |all )?(?:\w+ )?(?:steps|points|items|list)\b
        \bsteps?(?: \w+){0,3} numbered\b
        \benumerate (?:them|these|those|it|your|the (?:steps|points|items))\b
        \b(?:as|in) steps\b
        \bnumbers? per (?:step|point|item)\b
        \bnumbers? (?:in front of|before|next to|for|on) (?:each|every|the) (?:step|point|item)
    """),
    _.rule("lists", "bullets", "format", "Use bullet points.", r"""
        <WANT><BULLETS>\b
        \b<BULLETS><GOOD>
        ^(?:\w+ )?<BULLETS>(?: \w+)?$
        \blist with dashes\b
        \bbulleted \w+
        \bbullet (?:it|this|that|them|the)\b
        \b(?:put|give|make|write|show|format|present|get|turn|do|answer|want|like|need|how about|it|just)\b(?: \w+){0,4}
            (?: )(?:as|in|into) (?:a |the form of a )?(?:simple |short |quick |clear )?list(?: form(?:at)?)?(?:$|
            ,| please| instead)
        \blist (?:it|them|this|the (?:main |key )?points|everything|things)(?: out)?(?: please)?$
        \bmake (?:it|this|that) a list\b
        \bitemi[sz]ed?\b
    """, vague=True),
)  # fmt: skip

LAYOUT_RULES = (
    _.rule("paragraphs", "short", "format", "Use short paragraphs.", r"""
        <LACK><BREAKS>
    """),
    _.rule("paragraphs", "one", "format", "Write a single paragraph.", r"""
        \b(?:1|single) (?:short |compact )?paragraph\b(?! about\b| on\b)
        <NOT>(?:line ?breaks|paragraph breaks|new ?lines|blank lines|empty lines)\b
        \bwithout (?:paragraph|line) breaks\b
        \b(?:into|as) (?:just )?(?:1|a single) (?:\w+ )?(?:paragraph|block)\b
    """),
    _.rule("paragraphs", "short", "format", "Use short paragraphs.", r"""
        \b(?:short|shorter|small|smaller|brief|more) paragraphs\b
        \b(?:several|multiple|separate|different|a few|some|proper) paragraphs\b
        \bbreak(?: \w+){0,4} into(?: \w+)? paragraphs\b
        \b1 (?:thought|point|idea|topic) (?:per|a|in each|for each) paragraph\b
        \b(?:blocks?|bricks?|lumps?|slabs?) of text\b
        \bnew (?:line|paragraph) (?:for|with|after|at|between)(?: \w+){0,2} (?:each|every|new)\b
        \bhit (?:return|enter)\b
        <WANT><BREAKS>
        ^<BREAKS>
        \b(?:break|split|divide|separate|chunk|space)(?: <D>)*? (?:up |out )?(?:into |in |
            with )?(?:\w+ )?paragraphs\b
        \b(?:space it out|break (?:it|this|that|things) up)(?: a bit| more| please)*(?:$|,)
        \bparagraphs (?:are|were)(?: \w+)? (?:too|so) long\b
        \b(?:1|a) (?:big|giant|huge|massive|solid|long|single) (?:block|chunk|blob|paragraph|brick)\b
    """),
    *_.both("tables", "<TABLES>", "Use a table.", "Do not use tables."),
    *_.both("headings", "<HEADINGS>", "Use headings.", "Do not use headings."),
    _.rule("title", "with", "format", "Begin with a title.", r"""
        <LACK>(?:\w+ )?title\b
        \b(?:add|give|put|start with|begin with|include|want)(?: <D>)*? (?:\w+ )?title\b(?! of)
        \btitle (?:at the top|on top|first)\b
    """),
    _.without("bold", "without", "Do not use bold or Markdown.", "<MARKUP>"),
    _.rule("bold", "without", "constraint", "Do not use bold or Markdown.", r"""
        \bplain text\b
        \bmarkdown (?:does|shows|is not|will not)\b
        <NOT>(?:anything|words?|text|things?|parts?)(?: that \w+)? (?:in )?bold(?:ed)?\b
        <NOT>(?:emphasis|highlighting|highlights|emphasi[sz]ing)(?:$|,| please| on words)
        \bnothing(?: \w+){0,3} (?:highlighted|bold(?:ed)?|emphasi[sz]ed)\b
        \bunbold\b
        \bwhy (?:is|are)(?: \w+){0,3} (?:in )?bold(?:ed)?\b
        \bbold(?: \w+)?<BAD>
        \b(?:stars|asterisks) (?:around|everywhere|all over)\b(?! (?:each|every|important|key))(?=.*\b(?:junk|drop|
            remove|ugly|annoy\w*|clutter|distract\w*|stop|weird)\b)
        \b(?:in|use) (?:normal|regular|plain) (?:type|font|weight)\b
    """),
    _.rule("bold", "with", "format", "Put the key points in bold.", r"""
        \b(?:bold|highlight|embolden|underline)(?: \w+){0,3} (?:key|main|important|crucial|essential|keywords?|
            words|terms|points|parts|things|bits)\b
        \b(?:in|use|with|add|some) bold\b
        \bmake(?: \w+){1,5} bold\b
        \b(?:put|add|use)(?: \w+)? asterisks (?:around|on)\b
        \b(?:in|use|with) (?:heavy|strong|thick) (?:type|print|letters)\b
        \b(?:key|main|important) \w+ (?:in bold|bolded|highlighted|should stand out)\b
        \buse markdown\b
    """),
    _.rule("emojis", "with", "style", "Use emojis.", r"\b(?:a few|some|couple of|more|throw in) <EMOJIS>\b"),
    *_.both("emojis", "<EMOJIS>", "Use emojis.", "Do not use emojis.", "style"),
)  # fmt: skip

CODE_RULES = (
    _.rule("code", "only", "format", "Give only the code, without explanation.", r"""
        \b(?:just|only)(?: \w+){0,3} (?:code|coding)(?:$|,)
        \b(?:code|coding) only\b
        \bcode (?:without|no|and no|and nothing|not)(?: \w+){0,3}? (?:explanations?|comments|talk|words|else|text)\b
    """, anywhere=True),
    _.rule("code", "none", "constraint", "Do not include code.", r"""
        <NOT><CODE>(?:$|,| please| in your| at all)
    """, anywhere=True),
    _.rule("code", "with", "format", "Include code.", r"""
        <LACK>(?:sample |actual )?code (?:snippets?|examples?|samples?)\b
        \bshow (?:me )?(?:some |actual |real )?code$
        \b(?:give|show|include|add|with|want|need)(?: \w+){0,2} code (?:snippets?|samples?)\b
    """, anywhere=True),
    _.rule("explanation", "without", "constraint", "Leave out explanations.", r"""
        <NOT>(?:\w+ )?(?:explanations?|explaining|explain)(?: \w+){0,3}?(?:$|,| please)
    """),
)  # fmt: skip
