"""What users wish of every answer, and the many ways they say it: the table that personas are read from."""

from __future__ import annotations

from rlhi.collect.wishes.rules.checks import CHECKS
from rlhi.collect.wishes.rules.grammar import Kind, Rule
from rlhi.collect.wishes.rules.language import LANGUAGES
from rlhi.collect.wishes.rules.layout import CODE_RULES, LAYOUT_RULES, LIST_RULES
from rlhi.collect.wishes.rules.length import LENGTHS, VAGUE_LENGTHS
from rlhi.collect.wishes.rules.shape import BOUNDS, EXPLANATION
from rlhi.collect.wishes.rules.voice import CASE_RULES, DIGIT_RULES, PUNCTUATION_RULES, TONE_RULES
from rlhi.contracts import content_key

__all__ = ["CHECKS", "RULES", "RULES_VERSION", "Kind", "Rule"]

RULES: tuple[Rule, ...] = (
    *LANGUAGES,
    *LENGTHS[:1],
    *DIGIT_RULES,
    *LIST_RULES,
    *LAYOUT_RULES,
    *CODE_RULES,
    *PUNCTUATION_RULES,
    *CASE_RULES,
    *BOUNDS,
    *LENGTHS[1:],
    *EXPLANATION,
    *TONE_RULES,
    *VAGUE_LENGTHS,
)
RULES_VERSION = content_key(RULES, CHECKS)
