"""What a program can check of the claims that rules write, by the rule's text; what is not here nobody can check.

``{0}``, ``{1}`` are filled in as in the text. Which checks there are: :mod:`rlhi.checks.form`, and
:mod:`rlhi.checks.demands` for what is told only beside another answer.
"""

from __future__ import annotations

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "Answer in {0}.": "language:{0}",
    "Keep sentences to at most {0} words.": "short_sentences:{0}",
    "Write numbers as digits.": "digits",
    "Spell numbers out in words.": "no_digits",
    "Use at most {0} bullet points.": "bullets",
    "Use bullet points.": "bullets",
    "Use numbered steps.": "numbered",
    "Write in prose, without lists.": "no_lists",
    "Write a single paragraph.": "one_paragraph",
    "Use short paragraphs.": "paragraphs",
    "Put the key points in bold.": "bold_keywords",
    "Do not use bold or Markdown.": "no_bold",
    "Write in lower case only.": "lower_case",
    "Use capital letters where they belong.": "capitals",
    "Use commas.": "commas",
    "Do not use commas.": "no_commas",
    "Do not use exclamation marks.": "no_exclamation",
    "Do not use question marks.": "without:question marks",
    "Do not use semicolons.": "without:semicolons",
    "Do not use dashes.": "without:dashes",
    "Do not use colons.": "without:colons",
    "Do not use parentheses.": "without:parentheses",
    "Do not use quotation marks.": "without:quotation marks",
    "Do not use ellipses.": "without:ellipses",
    "Begin with a one-sentence summary.": "summary_first",
    "Do not begin with a summary.": "no_summary",
    "End with a question.": "ends_with_question",
    "Do not end with a question.": "no_question",
    "Include an example.": "has_example",
    "Do not give examples.": "no_example",
    "Write at least {0} {1}.": "size:{0}- {1}",
    "Write between {0} and {1} {2}.": "size:{0}-{1} {2}",
    "Keep answers to at most {0} {1}.": "size:-{0} {1}",
    "Keep answers to at most 1 {0}.": "size:-1 {0}",
    "Keep answers to at most 1 sentence.": "at_most_sentences:1",
    "Keep answers short.": "shorter",
    "Give longer, more detailed answers.": "longer",
    "Use plain, simple words.": "plainer",
    "Use precise technical terms.": "more_technical",
}
