"""Controls that know no persona: edits do what they say, and the best one style is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check, satisfies, sentences
from rlhi.contracts import EvalResult, Message, Profile
from rlhi.evaluate.said import Reply, Truth
from rlhi.evaluate.statistics import paired_gain
from rlhi.evaluate.suites.controls import STYLES, controls, cut_to_sentences
from rlhi.evaluate.suites.satisfaction import satisfaction

LONG = (
    "Basil wants sun, and warmth. Water it twice a week. Cut it before it blooms. Keep **frost** away from it, always."
)


def reply(user: str, text: str = LONG, item: str = "") -> Reply:
    return Reply(item or f"basil for {user}", user, Profile(), (Message("user", "How do I keep basil?"),), text)


def truth(wishes: Mapping[str, Sequence[Check]]) -> Truth:
    """An answer says what basil likes."""
    return Truth(wishes, {}, {"How do I keep basil?": AnswerKey.parse("1: sun")})


def satisfied(replies: Sequence[Reply], wishes: Mapping[str, Sequence[Check]]) -> list[EvalResult]:
    return satisfaction(replies={"challenger": replies}, truth=truth(wishes))


@pytest.mark.parametrize(
    ("text", "count", "cut"),
    [
        ("One. Two! Three?", 2, "One. Two!"),
        ("Only one", 2, "Only one"),
        ("Tips:\n- water\n- light\n- warmth", 2, "Tips:\n- water"),
        ("1. Look at it.\n2. Water it.\n3. Wait.", 2, "1. Look at it.\n2. Water it."),
        ("Ask Dr. Green, e.g. on Monday. Then wait.", 1, "Ask Dr. Green, e.g. on Monday."),
        ("", 2, ""),
    ],
)
def test_a_text_is_cut_after_its_sentences_as_it_was_laid_out(text: str, count: int, cut: str) -> None:
    assert cut_to_sentences(text, count) == cut


@given(st.text(max_size=200), st.integers(1, 3))
def test_any_text_is_cut_to_a_beginning_of_itself(text: str, count: int) -> None:
    cut = cut_to_sentences(text, count)
    assert text.strip().startswith(cut) and len(sentences(cut)) <= count


@pytest.mark.parametrize(
    ("style", "check"),
    [
        ("the first sentence", "at_most_sentences:1"),
        ("the first two sentences", "at_most_sentences:2"),
        ("one paragraph", "one_paragraph"),
        ("a sentence a line", "paragraphs"),
        ("bullets", "bullets"),
        ("numbered steps", "numbered"),
        ("lower case", "lower_case"),
        ("no commas", "no_commas"),
        ("no bold", "no_bold"),
        ("a long word in bold", "bold_keywords"),
        ("a question at the end", "ends_with_question"),
        ("no question at the end", "no_question"),
    ],
)
def test_each_style_is_what_it_is_called(style: str, check: str) -> None:
    text = "Tips:\n\n- Basil likes sunlight, and **warmth**. It does.\n- Water it.\n\nWould you like to know more?"
    for one in (text, LONG):
        assert satisfies(Check.parse(check), STYLES[style](one)), one


def test_what_does_not_answer_counts_for_nothing() -> None:
    wishes = {"ann": [Check("at_most_words", "5"), Check("no_commas")], "bob": [Check("commas")]}
    replies = [reply("ann", "It likes sun."), reply("ann", "No commas.", "b"), reply("bob"), reply("eve")]
    rows = satisfied(replies, wishes)
    assert [(row.user_id, row.value) for row in rows] == [("ann", 1.0), ("ann", 0.0), ("bob", 1.0)]
    assert {(row.suite, row.model) for row in rows} == {("satisfaction", "challenger")}


def test_where_all_wish_alike_one_style_has_it_all_and_an_edit_may_lose_the_answer() -> None:
    replies = [reply(f"user {at}") for at in range(10)]
    wishes = {one.user_id: [Check("at_most_sentences", "2")] for one in replies}
    two, best, others = controls(replies, truth(wishes))
    assert two.mean == best.mean == others.mean == 1.0
    assert [row.item for row in two.rows] == [one.item for one in replies]
    frost_first = [reply(one.user_id, "Mind frost. Mind wind. Then give it sun.") for one in replies]
    two, best, _ = controls(frost_first, truth(wishes))
    assert two.mean == 0.0, "the answer was cut off"
    assert best.mean == 0.0 and len(best.rows) == 10


def test_where_half_wish_the_contrary_no_style_is_better_than_any_and_who_knows_the_user_is() -> None:
    replies = [reply(f"user {at}") for at in range(20)]
    wishes = {
        one.user_id: [Check("at_most_sentences", "2") if at % 2 else Check("at_least_words", "20")]
        for at, one in enumerate(replies)
    }
    two, best, others = controls(replies, truth(wishes))
    assert two.mean == best.mean == 0.5
    assert others.mean <= best.mean, "what is chosen without the user's own figures has no luck in it"
    personal = [reply(one.user_id, cut_to_sentences(LONG, 2) if at % 2 else LONG) for at, one in enumerate(replies)]
    gain = paired_gain(best.rows, satisfied(personal, wishes)).gain
    assert gain.mean == 0.5 and gain.low > 0 and gain.clusters == 20
    assert paired_gain(others.rows, satisfied(personal, wishes)).gain.mean >= 0.5


def test_a_control_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="wishes"):
        controls([reply("ann")], truth({}))
