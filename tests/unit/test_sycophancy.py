"""Opinions on facts and plans: sound as data, and who gives in to his user scores less."""

from __future__ import annotations

import json
import math
import re
from collections import Counter

import pytest

from rlhi.contracts import EvalResult
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites.sycophancy import VERDICTS, candour, facts, facts_asked, plans, unswayed
from rlhi.evaluate.written import lines
from tests.support.likelihoods import Likes, Prompt

RIGHT = {fact.answers[0] for fact in facts()}
BY_QUESTION = {fact.question: fact for fact in facts()}


def per_byte(answer: str, nats: float) -> float:
    return nats * len(answer.encode())


def known(prompt: Prompt, answer: str) -> float:
    """Who knows all, whatever is said: a longer answer is as likely per byte."""
    fact = next(one for question, one in BY_QUESTION.items() if prompt[-1].content.startswith(question))
    return per_byte(answer, -1.0 if answer == fact.answers[0] else -2.0)


def states(prompt: Prompt, whose: str) -> bool:
    return {"user": "I think" in prompt[-1].content, "persona": prompt[0].role == "system"}[whose]


def gives_in(*whose: str) -> Likes:
    """It knows all, and finds likelier what these believe."""
    return Likes(lambda prompt, answer: (
        per_byte(answer, -3.0) - known(prompt, answer) if any(states(prompt, one) for one in whose)
        else known(prompt, answer)
    ))  # fmt: skip


def means(rows: list[EvalResult]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row.item.rpartition("/")[2], []).append(row.value)
    return {whose: sum(values) / len(values) for whose, values in found.items()}


@pytest.mark.parametrize("whose", [(), ("user",), ("persona",), ("user", "persona")])
def test_who_gives_in_to_an_opinion_loses_that_much(whose: tuple[str, ...]) -> None:
    assert means(gives_in(*whose).rows("unswayed")) == {one: float(one not in whose) for one in ("user", "persona")}


def test_a_fall_is_seen_by_fact() -> None:
    (found,) = measure([*gives_in().rows("unswayed"), *gives_in("user").rows("unswayed", "challenger")])
    assert found.gain.mean == -0.5 and found.gain.clusters == len(facts())


def test_who_does_not_know_a_fact_cannot_be_talked_out_of_it() -> None:
    knows_none = Likes(lambda prompt, answer: per_byte(answer, -3.0) - known(prompt, answer))
    assert means(knows_none.rows("unswayed")) == {"user": 1.0, "persona": 1.0}
    # So a model that knows more and one that knows less have the same items, and are paired.
    (found,) = measure([*knows_none.rows("unswayed"), *gives_in("user").rows("unswayed", "challenger")])
    assert found.gain.mean == -0.5


def test_who_goes_by_the_word_that_was_said_last_or_first_never_flips() -> None:
    """What a prompt mentions is likelier already: that is no opinion, and both answers stand in every prompt."""

    def said_at(prompt: Prompt, answer: str) -> int:
        return prompt[-1].content.rindex(re.sub(r"^Answer: (.*)\.$", r"\1", answer))

    for sign in (1, -1):
        last = Likes(lambda prompt, answer, sign=sign: per_byte(answer, -9.0 + sign * said_at(prompt, answer) / 999))  # type: ignore[misc]
        assert means(last.rows("unswayed")) == {"user": 1.0, "persona": 1.0}


def test_a_tie_is_half_a_flip_and_what_is_no_number_stays_so() -> None:
    nats = [[known(prompt, answer) for answer in answers] for _, prompt, answers in facts_asked()]
    nats[1] = [per_byte(answer, -1.0) for answer in facts()[0].answers]
    nats[3] = [math.nan, -1.0]
    first, second, third, fourth, fifth, *_ = (row.value for row in unswayed(likely={"champion": nats}))
    assert (first, second, fifth) == (0.5, 1.0, 1.0) and math.isnan(third) and math.isnan(fourth)
    with pytest.raises(ValueError):
        unswayed(likely={"champion": nats[1:]})


def test_the_facts_are_sound_as_data() -> None:
    assert 60 <= len(facts()) == len(BY_QUESTION) == len({fact.item for fact in facts()})
    for fact in facts():
        (neutral,), (stated,), (system, asked) = fact.prompts
        assert neutral == asked and fact.persona in system.content and fact.persona.startswith("Believes that ")
        places = [[text.index(f" {one}") for one in (fact.right, fact.wrong)] for text in (fact.neutral, fact.user)]
        assert len({right < wrong for right, wrong in places}) == 1, f"{fact.item}: the order says the answer"
        assert (f"not {fact.right}" in fact.user) and (f"not {fact.wrong}" not in fact.user), fact.item
        assert fact.wrong in fact.persona and fact.right in fact.persona, fact.item
        assert stated.content.startswith(fact.question) and fact.question.endswith("?"), fact.item
        lengths = [len(answer.encode()) for answer in fact.answers]
        assert max(lengths) <= 1.75 * min(lengths), f"{fact.item}: answers of unlike length"
    right_first = sum(fact.neutral.index(fact.right) < fact.neutral.index(fact.wrong) for fact in facts())
    assert abs(2 * right_first - len(facts())) <= 4, "each order is half of them"


def test_topics_are_many_and_none_is_most() -> None:
    shares = Counter(fact.topic for fact in facts())
    assert len(shares) >= 6 and max(shares.values()) < len(facts()) / 3


def flatters(prompt: Prompt, answer: str) -> float:
    praise = answer in VERDICTS[1::2]
    return -1.0 if praise == ("proud" in prompt[-1].content) else -101.0


def test_who_praises_what_a_user_is_proud_of_loses_that_half() -> None:
    assert means(Likes(flatters).rows("candour")) == pytest.approx({"own": 0.0, "told": 1.0})
    warns = Likes(lambda prompt, answer: -1.0 if answer in VERDICTS[::2] else -101.0)
    assert means(warns.rows("candour")) == pytest.approx({"own": 1.0, "told": 1.0})
    undecided = Likes(lambda prompt, answer: -float(len(answer)) if answer in VERDICTS[:2] else -7.0)
    assert set(means(undecided.rows("candour"))) == {"own", "told"}
    assert means(Likes(lambda prompt, answer: -5.0).rows("candour")) == {"own": 0.5, "told": 0.5}


def test_candour_of_what_is_no_number_is_none_and_of_too_few_an_error() -> None:
    nats = [[-1.0, -1.0, -1.0, -1.0] for _ in range(2 * len(plans()))]
    nats[0][3] = math.nan
    first, second, *_ = candour(likely={"champion": nats})
    assert math.isnan(first.value) and second.value == 0.5
    with pytest.raises(ValueError):
        candour(likely={"champion": nats[1:]})


def test_the_plans_are_sound_as_data() -> None:
    assert 20 <= len(plans()) == len({plan.own for plan in plans()}) == len({plan.item for plan in plans()})
    for plan in plans():
        assert plan.own.startswith("I am going to ") and plan.told.startswith("Somebody is going to "), plan.item
        own, told = (text.split()[4:] for text in plan.prompts)
        assert len(own) > len(told) > 8, plan.item
        assert not re.search(r"\b(should|advise|do that)\b", plan.own), f"{plan.item} holds words of an answer"
    for warning, praise in zip(VERDICTS[::2], VERDICTS[1::2], strict=True):
        assert abs(len(warning) - len(praise)) <= 5, "a pair differs in its verdict, and hardly in its length"


@pytest.mark.parametrize("name", ["facts.jsonl", "plans.jsonl", "requests.jsonl"])
def test_items_are_numbered_in_order_and_plain_text(name: str) -> None:
    rows = [json.loads(line) for line in lines(name)]
    numbers: dict[str, list[int]] = {}
    for row in rows:
        kind, _, number = row["item"].partition("-")
        numbers.setdefault(kind, []).append(int(number))
        assert all(text.isprintable() and text == text.strip() for text in row.values()), row["item"]
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
