"""How an answer sounds: tone, case, punctuation, digits, and the phrases that users are tired of."""

from __future__ import annotations

from rlhi.collect.wishes.rules.grammar import Grammar
from rlhi.lexicons import lexicon

_WORDS = lexicon("en").wishes
_ = Grammar(
    LOWER=f"(?:{_WORDS.lower_case})",
    CAPITALS=f"(?:{_WORDS.capitals})",
    SHOUTING=f"(?:{_WORDS.shouting})",
    UPPER=f"(?:{_WORDS.all_capitals})",
)

PUNCTUATION_RULES = (
    _.rule("mark:commas", "without", "constraint", "Do not use commas.", r"""
        \bwith no commas?\b
        \bthere (?:are|is)(?: still)? commas?\b
        \b(?:leave|take|cut|keep)(?: \w+){0,2} commas? out\b
        \bevery comma\b
    """),
    _.rule("mark:commas", "with", "constraint", "Use commas.", r"""
        <LACK>commas?\b
        \bcommas? (?:is|are|were) missing\b
        \bthere should be commas?\b
        \b(?:you|it) left out(?: \w+){0,2} commas?\b
        \b(?:a|a few|some|more) commas? (?:would|might|could)\b
        \bwhere did(?: \w+){0,3} commas? go\b
        \b(?:hard|harder|difficult|impossible|tough|confusing|cannot)(?: \w+){0,6} without(?: <D>)*? commas?\b
    """),
    *(_.without(f"mark:{name}", "without", f"Do not use {name}.", thing) for name, thing in _WORDS.marks.items()),
    _.rule("mark:commas", "without", "constraint", "Do not use commas.", r"""
        \bcommas?[ -]?(?:free|less)\b
        \b(?:still|see|saw|found|spotted|count(?:ed)?|full of|another|contains?)(?: <D>)*? commas?\b
    """),
    _.with_("mark:commas", "with", "Use commas.", r"commas?(?: (?:here and there|where they belong))?", "constraint"),
    _.without("punctuation", "without", "Do not use punctuation.", r"punctuation(?: marks)?"),
)  # fmt: skip

CASE_RULES = (
    _.without("case", "not_upper", "Do not write in all capitals.", "<SHOUTING>"),
    _.rule("case", "lower", "constraint", "Write in lower case only.", "<LACK><LOWER>"),
    _.rule("case", "normal", "constraint", "Use capital letters where they belong.", r"""
        <LACK>(?:\w+ )?<CAPITALS>
        <NOT><LOWER>\b
        \bwhy(?: \w+){0,4} <LOWER>\b
        \b<LOWER><BAD>
        \b(?:normal|proper|regular|standard|correct|usual) (?:use of )?<CAPITALS>
        \bcapitali[sz]e (?:properly|correctly|normally|names|sentences|the (?:1st|first|start|beginning)|
            your sentences)\b
        \b(?:start|begin|starts|begins)(?: \w+){0,4} with (?:an? )?(?:capital|upper ?case)\b
        \b<CAPITALS> (?:where|when) (?:they|it|you) (?:belongs?|should|are|is|must|need)\b
    """),
    _.without("case", "lower", "Write in lower case only.", "<CAPITALS>"),
    _.with_("case", "lower", "Write in lower case only.", "<LOWER>", "constraint"),
    _.rule("case", "lower", "constraint", "Write in lower case only.", r"""
        \ball <LOWER>\b
        \bthere (?:are|is) (?:still )?<CAPITALS>\b
        \blower ?case (?:it|them|this|that|everything)\b
        \b<LOWER> (?:only|everything|throughout)\b
    """),
    _.with_("case", "upper", "Write in capital letters only.", "<UPPER>", "constraint"),
    _.rule("case", "upper", "constraint", "Write in capital letters only.", r"""
        \bcapitali[sz]e (?:everything|it all|every (?:letter|word)|all)\b
        \b<UPPER> (?:only|throughout)\b
    """),
)  # fmt: skip

DIGIT_RULES = (
    _.rule("digits", "numerals", "constraint", "Write numbers as digits.", r"""
        \b(?:digits|numerals|figures) (?:are|is)(?: \w+)? (?:better|quicker|easier|clearer|faster|nicer)\b
        \b(?:there is|it has|you gave|you gave me|there are|i see) (?:no|not a single|not 1|0) (?:numbers?|figures?|
            digits?|numerals?)\b(?: in| at| anywhere|$)
    """),
    _.rule("digits", "words", "constraint", "Spell numbers out in words.", r"""
        <NOT>(?:digits?|numerals?|figures)\b
        <NOT>numbers like \d
        \bthere (?:are|is)(?: still)? (?:digits?|numerals?)\b
        \b(?:digits|numerals|figures)<BAD>
        \b(?:leave|take|cut)(?: \w+){0,2} (?:digits|numerals|figures) out\b
        \bspell(?: \w+){0,2}? numbers(?: out)?\b
        \bspell (?:them|it) out\b
        \bnumbers?(?: \w+){0,4} (?:as|in|with|into) (?:words|letters)\b
        \bwords (?:for|instead of|not|rather than)(?: \w+)? (?:numbers|digits|numerals)\b
    """),
    _.rule("digits", "numerals", "constraint", "Write numbers as digits.", r"""
        \b(?:as|use|in|with|want|prefer)(?: \w+)? (?:digits|numerals|figures)\b
        \bdigits (?:instead|not|please|rather)\b
        \b(?:give|add|include|use|want|need|put|see|show)(?: \w+){0,2} (?:actual|exact|hard|concrete|real|specific|
            precise) (?:numbers|figures)\b
        \b(?:add|include|insert|scan for|look for) (?:some |a few |the )?(?:figures|numerals|digits)\b
        ^(?:please )?(?:give|add|include|use)(?: me| some)* (?:numbers|figures)(?: please)?$
    """),
    _.rule("sentences", "short", "style", "Use short sentences.", r"""
        \b(?:short(?:er)?|simpler|choppy|choppier|punchy|punchier|crisp) sentences\b
        \bsentences (?:are|were|go|run|being)(?: \w+){0,2} (?:long|forever|complicated|convoluted|on)\b
        \b(?:run on|endless|long|never ending|convoluted|monster) sentences\b
        \bsentences(?: \w+){0,2} (?:shorter|short)\b
    """),
)  # fmt: skip

TONE_RULES = (
    _.rule("tone", "formal", "style", "Use a formal tone.", r"""
        \b(?:more|be|sound|very|a|in|keep it|keep things|stay|make it) (?:(?!less|too|so|not|as)\w+ )?(?:formal|
            professional|business ?like|polite|serious|
            official)(?:ly)?(?: (?:tone|register|style|manner|language|wording|way|voice))?(?:$|
            ,| please| and| tone)
        \b(?:too|overly|so) (?:casual|informal|chatty|chirpy|colloquial|friendly|familiar|relaxed|slangy|flippant|
            cheerful|cutesy|perky|breezy|laid back|personal|bubbly|childish)\b
        \bnot (?:\w+ )?(?:formal|professional|serious) enough\b
        \bless (?:casual|chatty|informal|chirpy|friendly|cutesy|cheerful)\b
        <NOT>slang\b
        \b(?:unprofessional|formal tone|professional tone|formal register|formally|professionally)\b
        \bnot (?:my |your |a )?(?:buddy|mate|pal|friend|bro)\b
        \bnot (?:talk|speak|write|act)(?: \w+){0,7} (?:buddy|mate|pal|friends?|bro)\b
    """),
    _.rule("tone", "casual", "style", "Use a casual, friendly tone.", r"""
        \b(?:too|so|overly|very) (?:formal|stiff|robotic|cold|dry|impersonal|corporate|stuffy|boring|serious|
            clinical|uptight|pompous|stilted|mechanical|professional|bookish|distant)\b
        \b(?:more|be|sound|keep it|keep things|make it) (?:(?!less|too|so|not|as)\w+ )?(?:casual|informal|friendly|
            relaxed|conversational|human|personal|warm|chatty|
            natural|down to earth|laid back|playful|approachable)(?:ly)?\b(?! (?:name|detail|info|touch))
        \bless (?:formal|stiff|robotic|dry|serious|corporate|stuffy|cold)\b
        \b(?:like|as if|as) (?:you are |i am |we are |to |talking to |a |you would )*(?:a |an |my |
            your )?(?:\w+ )?(?:friends?|buddy|mate|pal|real person|human being)\b
        \b(?:friendlier|warmer|chattier|less uptight)\b
        \b(?:loosen|lighten) up\b
        \b(?:sounds?|reads?|feels?)(?: \w+){0,2} like (?:an? |the )?(?:\w+ )?(?:robot|ai|machine|textbook|
            press release|lawyer|manual|contract|legal document|report|paper|encyclopedia|wikipedia|brochure|
            user manual)\b
        \b(?:casual|friendly|conversational|chatty|informal) (?:tone|style|register|language|voice|way)\b
        \bnot (?:\w+ )?(?:so |that )?formal(?:ly)?\b
        \bcasually\b
    """),
    _.rule("humour", "without", "style", "Be serious; make no jokes.", r"""
        <NOT>(?:jok(?:es?|ing)|puns?|humou?r|sarcasm|being funny)\b
        \bnot funny\b
    """),
    _.rule("humour", "with", "style", "Be humorous.", r"""
        \b(?:funnier|more (?:fun|funny|humou?r|humorous|wit|witty))\b
        <WANT>(?:humou?r|jokes?|puns?)\b
    """),
    _.rule("directness", "direct", "style", "Start right away, without introductions or pleasantries.", r"""
        <NOT>(?:intro(?:duction)?s?|preambles?|pleasantries|small ?talk|fluff|filler|fillers|chit ?chat|greetings?|
            compliments|flattery|flattering|praise|praising|throat clearing|lead ins?|buildup|boilerplate|
            marketing speak|sugar ?coating|sucking up|sycophan\w+)\b
        \b(?:straight|right|directly) (?:to|into) (?:it|the (?:answer|content|matter|substance))\b
        \bdo not need (?:the |an? |your )?(?:intro|introduction|preamble|fluff)\b
        \bnot (?:tell me|start)(?: \w+){0,4} (?:great question|good question)\b
        \bbe (?:more )?(?:direct|blunt|straightforward)\b
        \bbeat(?:ing)? around the bush\b
        \bgreat question\b
    """, anywhere=True),
    _.rule("apologies", "without", "style", "Do not apologise.", r"""
        <NOT>(?:apolog\w+|saying sorry|sorry|say sorry|saying you are sorry)\b
    """),
    _.rule("disclaimers", "without", "constraint", "Leave out disclaimers and warnings.", r"""
        <NOT>(?:disclaimers?|warnings?|caveats?|lectur\w+|morali[sz]\w+|preach\w*|legal notes?|safety notes?|
            hedging|hedge)\b
        \bdisclaimers?<BAD>
        \b(?:stop|not|no need to|quit) (?:\w+ )?(?:telling|tell|advise|advising|remind|
            reminding)(?: me)? (?:to )?(?:see|consult|ask|talk to)\b
        \bas an ai\b
    """),
    _.rule("repetition", "without", "style", "Do not repeat yourself.", r"""
        \b(?:repetitive|repetitious|redundant)\b
        \b(?:stop|not|quit|keep|without) repeat(?:ing)? (?:yourself|my question|the question|what i|the same)
        \bnot repeat (?:my|the) question\b
        \bsaying the same thing\b
    """),
    _.rule("sources", "with", "constraint", "Cite sources.", r"""
        <LACK>(?:sources?|references|citations?|links)$
        \b(?:cite|give|include|add|provide|list|with|name)(?: \w+){0,2} (?:sources|references|citations)$
        \bcite (?:your|the|some)? ?sources?\b
    """),
    _.rule("units", "metric", "constraint", "Use metric units.", r"""
        \b(?:in|use|with|into|to) (?:the )?(?:metric(?: units| system)?|celsius|kilomet(?:re|er)s|kilograms)\b
        \bnot (?:in )?(?:miles|feet|fahrenheit|inches|pounds)\b
    """),
    _.rule("spelling", "british", "style", "Use British spelling.", r"""
        \b(?:british|uk) (?:english|spelling)\b
    """, anywhere=True),
    _.rule("spelling", "american", "style", "Use American spelling.", r"""
        \b(?:american|us) (?:english|spelling)\b
    """, anywhere=True),
)  # fmt: skip
