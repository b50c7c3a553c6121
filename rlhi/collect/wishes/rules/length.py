"""How long an answer may be: exact bounds first, then the vague "shorter" and "longer"."""

from __future__ import annotations

from rlhi.collect.wishes.rules.grammar import Grammar
from rlhi.lexicons import lexicon

_WORDS = lexicon("en").wishes
_ = Grammar(
    UNITS=f"({_WORDS.units})",
    ABOUT=r"(?:about |around |roughly |maybe |like |say )?",
    LESS=f"(?:{_WORDS.at_most})",
    MORE=f"(?:{_WORDS.at_least})",
    NOT_SHORT=r"""
        (?! (?:stor|sentence|paragraph|film|movie|name|term|sleeve|hair|video|code|circuit|position|cut|trip))
    """,
    LONGWINDED=f"(?:{_WORDS.long_winded})",
)

LENGTHS = (
    _.rule("sentence_length", "short", "constraint", "Keep sentences to at most {0} words.", r"""
        \bsentences?(?: \w+){0,4} (?:than|under|below|over|above|beyond|most|to|of) (\d{1,4}) words?
        (\d{1,4}) words? (?:per|a|in each|for each|in every) sentence
        sentences (?:of|with)(?: \w+){0,3} (\d{1,4}) words?
    """),
    _.rule("length", "long", "constraint", "Write at least {0} {1}.", r"""
        \b<MORE> <ABOUT>(\d{1,4}) <UNITS>
    """),
    _.rule("length", "short", "constraint", "Write between {0} and {1} {2}.", r"""
        \bbetween (\d{1,4}) and (\d{1,4}) <UNITS>
        \b(\d{1,4})(?: to | or | ?- ?| )(\d{1,4}) <UNITS>
    """),
    _.rule("length", "short", "constraint", "Keep answers to at most {0} {1}.", r"""
        \b<LESS> <ABOUT>(?:a |the )?(\d{1,4}) (?:maximum |max )?<UNITS>
        \b(\d{1,4}) <UNITS>(?:,? (?:max(?:imum)?|or less|or fewer|or under|tops|at most|at the most|limit|only|each|
            is (?:plenty|enough|all|the|my)|are (?:plenty|enough)|should (?:do|be)|will do|would (?:be|do)|please)|
            $)
        \b(?:more than|over|above|beyond|past) (\d{1,4}) <UNITS> (?:is|are|makes?|loses?|and|i|seems?)\b
    """),
    _.rule("length", "short", "constraint", "Keep answers to at most 1 {0}.", r"""
        \b(?:a single|1 single|just a|1)(?: short| quick| simple)? (sentence|line)\b
    """),
    _.rule("length", "long", "constraint", "Write at least {0} {1}.", r"""
        \b(?:more than|over|longer than|above) (\d{1,4}) <UNITS>
        \b(\d{1,4}) <UNITS>,? (?:or (?:more|longer|above)|and (?:more|up)|plus|min|minimum|at least)
        \b(\d{1,4}) ?\+ <UNITS>
        \b(\d{1,4}) <UNITS>(?: or so)?,? not (?:less|fewer)
    """),
    _.rule("length", "short", "constraint", "Write about {0} {1}.", r"""
        \b(?:exactly|make|write|give|use|want|need|about|around|roughly)(?: <D>)*? (\d{1,4}) <UNITS>
    """),
)  # fmt: skip

VAGUE_LENGTHS = (
    _.rule("length", "long", "style", "Give longer, more detailed answers.", r"""
        \btoo (?:short|brief|terse|concise|sparse|thin|skimpy)\b
        \bnot (?:\w+ )?(?:long|detailed|thorough) enough\b
        \b(?:elaborate|expand|flesh (?:it|this|that) out|go deeper|dig deeper|say more|tell me more)(?: (?:more|
            a bit|it|on (?:it|this|that|your answer)|please|further))*$
        \b(?:longer|lengthier|more (?:thorough|elaborate|comprehensive|words|in depth|depth|
            detailed))(?: (?:answers?|repl(?:y|ies)|responses?|versions?|explanations?))?(?:$|
            ,| please| than (?:that|this)| and| next time| instead)
        \bmore details?(?: please| next time)?$
        \bnot enough (?:detail|depth|information|info)$
        \b(?:1 liner|so short|such a short|that short)\b
        \bnot (?:be )?(?:so|too|that|as) (?:short|brief|terse|concise|succinct|curt)\b
        \bin (?:more|greater|full) (?:detail|depth)$
        \bmake it (?:much |a (?:bit|little) )?(?:longer|bigger)\b
    """, vague=True),
    _.rule("length", "short", "constraint", "Keep answers to at most 1 sentence.", r"""
        \b(?:1|single) liner\b
    """),
    _.rule("length", "short", "style", "Keep answers short.", r"""
        (?<!takes )(?<!took )(?<!taking )\btoo (?:damn |bloody )?(?:<LONGWINDED>|long|much (?:text|to read|information|
            info|detail|reading|stuff)|
            many words|detailed)\b
        \b<LONGWINDED>\b
        \bwalls? of (?:text|words)\b
        \b(?:shorter|shortly|shorten)\b<NOT_SHORT>
        (?:^|\b(?:make|keep|be|it|this|answers?|stay|that|something|please|want|need|like|prefer|nice|and|more|but|too|
            much|way)
            (?: (?:it|this|that|them|your answers?|answers?|repl\w+|responses?|nice and|a bit|a little|more|be|is|
            things))?(?: ))
            short(?: please| and \w+|er|,|$)
        \b(?:concise(?:ly)?|succinct(?:ly)?|condensed?|compact|terse(?:ly)?|briefer|briefly|brevity|trim(?:med)?|
            tldr|nutshell|waffle|waffling|ramble)\b
        (?:^|\b(?:be|more|keep it|make it|too|please|stay|and|bit|answers?) )brief(?: please| and \w+|,|$)
        \bbrief (?:answers?|repl\w+|responses?|version|one)\b
        \b(?:less|fewer|half (?:the|as|that|of)) (?:many |much )?(?:words|text|wordy|long|length|size|reading|
            writing|detail(?:ed)?|to read)\b
        \b(?:cut|boil|pare|slim|strip|whittle)(?: \w+){0,2} (?:down|short|in half)\b
        \b(?:not|never|cannot|nobody|who)(?: \w+){0,4} (?:read|get through|go through|finish|digest|
            scroll)(?: \w+){0,2} (?:all|that much|so much|much|this much|such|on my phone|through)\b
        \b(?:small|tiny|phone) screen\b
        \bon (?:my|a) (?:phone|mobile|watch)\b
        \b(?:not|never|no)(?: \w+){0,4} (?:essay|lecture|book|thesis|dissertation|speech|
            (?<=\ba )novel(?! (?:\w+ )?(?:plot|idea|concept|approach|way|method|solution|story)))\b
        \b(?:get|come|go|cut|stick|straight|keep)(?: \w+){0,2} to the (?:point|chase)\b
        \b(?:in a (?:hurry|rush)|short attention|attention span|lost me halfway|fell asleep|goes on (?:and on|
            forever))\b
        \b(?:quick|short|shorter) (?:answers?|versions?|repl(?:y|ies)|responses?|ones?)\b
        ^(?:please )?(?:summari[sz]e|sum)(?: (?:it|that|up))+(?: please)?$
        \b(?:just|only)(?: give| tell| show)?(?: me)? (?:the )?(?:essentials?|short bit|important (?:bits?|parts?|
            stuff)|main points?|key points?|highlights|gist|basics|essence)\b
        \bsay less\b
        \b(?:eyes glazed|glaze over|zoned out|information overload|(?<!become )overwhelm\w*|more digestible|
            snappier|(?:make|keep|be|more|and) (?:(?:it|this|that|things) )?snappy|leaner|
            tighter)\b
    """, vague=True),
)  # fmt: skip
