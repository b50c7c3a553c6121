"""Which language to answer in."""

from __future__ import annotations

import re

from rlhi.collect.wishes.rules.grammar import Grammar
from rlhi.lexicons import lexicon
from rlhi.lexicons.languages import NAMES

ANY = "|".join(sorted(map(re.escape, NAMES), key=len, reverse=True))
_ = Grammar(
    LANGUAGE=rf"(?!(?:plain|simpler?|basic|easy|easier|human|normal|everyday) )(?:\w+ )?({ANY})",
    SAY=f"(?:{lexicon('en').wishes.says})",
    AFTER=r"""
        (?:$|,|;|(?: not| please| next time| from now on| instead| only| thanks| bitte| por favor| because| so| as| and|
            (?: when| if| from| this time| always| for)))
    """,
)

LANGUAGES = (
    _.rule("language", "other", "language", "Answer in {0}.", r"""
        (?<!is this )(?<!is it )(?<!are you )(?<!you writing )(?<!not )(?<!not write )\b(?:in|into|auf|en|på|na|em|
            po) <LANGUAGE><AFTER>
        \b<SAY>(?: \w+){0,4} in <LANGUAGE>\b
        \b(?:only|just|can|mostly) (?:speak|read|understand|know) <LANGUAGE>\b
        ^(?:use |only |just |no,? )*<LANGUAGE>(?:,? (?:please|only|version|bitte))*$
        \b(?:asked|wanted|want|prefer|need|use|asking)(?: you)?(?: for| in)?(?: the)? <LANGUAGE>(?:$|,|(?: please| not|
            (?: instead| answers?| repl| version)))
        \b(?:my|our) (?:\w+ )?(?:language|tongue) is <LANGUAGE>\b
        \b(?:switch|change|go back|translate (?:it|this|that|your answer|everything))(?: \w+){0,3} (?:in)?to
            (?: )<LANGUAGE>\b
        ^(?:can|could|do) you (?:\w+ )?(?:speak|write|answer|use|do|talk)(?: in)? <LANGUAGE>$
        \b(?:i am a|as a) (?:native )?<LANGUAGE> speaker
        \b(?:i speak|we speak|more comfortable (?:in|with)|better in) <LANGUAGE>\b
        \b(?:auf|en|på|po|em) <LANGUAGE>(?: [^ ]+){0,4}$
        (中文|日本語|한국어|по-русски|русском)
    """, anywhere=True),
)  # fmt: skip
