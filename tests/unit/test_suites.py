"""Suites turn replies, rewards and likelihoods into rows on a scale of 0 to 1; one list says which there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.checks.answers import AnswerKey
from rlhi.checks.form import Check
from rlhi.checks.relevance import Yardstick
from rlhi.config import GateConfig
from rlhi.config.suites import SUITES
from rlhi.contracts import EvalResult, Message, Profile
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import (
    MODELS,
    Choice,
    Chosen,
    Likelihoods,
    Model,
    PairLikelihoods,
    Reading,
    Replies,
    Reply,
    Said,
    Truth,
)  # fmt: skip
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites import MEASURES, any_reply, controls, personas, results, satisfaction
from rlhi.evaluate.suites.choices import choices
from rlhi.evaluate.suites.instructions import INSTRUCTIONS, asked, instructions
from rlhi.evaluate.suites.preference import preferred
from rlhi.evaluate.suites.satisfaction import kept_by_user
from rlhi.models.base import Scored
from rlhi.progress import progress
from tests.support.choices import WordEmbedder

ASK = (Message("user", "How do tides work?"),)


def reply(text: str, user: str = "u1", item: str = "i1") -> Reply:
    return Reply(item, user, Profile(), ASK, text)


KEYS = {"How do tides work?": AnswerKey.parse("moon; sun; gravity, pull")}


def values(rows: Sequence[EvalResult], suite: str) -> list[float]:
    return [row.value for row in rows if row.suite == suite]


def judged(replies: Sequence[Reply], truth: Truth) -> dict[str, list[float]]:
    """By suite, what simulated users find of the champion's replies."""
    measures = (satisfaction.wishes, satisfaction.answered, satisfaction.satisfaction)
    rows = [row for measure in measures for row in measure(replies={"champion": replies}, truth=truth)]
    return {suite: values(rows, suite) for suite in dict.fromkeys(row.suite for row in rows)}


def test_a_request_with_a_right_answer_asks_for_nothing_else() -> None:
    asked = (Message("system", "You help."), Message("user", "What is 7 x 8?"))
    right, wishes = {"What is 7 x 8?": Check("number", "56")}, {"u1": (Check("no_digits"),)}
    replies = [Reply("i1", "u1", Profile(), asked, "It is 56."), Reply("i2", "u2", Profile(), asked, "It is 54.")]
    assert judged(replies, Truth(wishes, right, {})) == {
        "wishes": [1.0, 0.0], "answered": [1.0, 0.0], "satisfaction": [1.0, 0.0],
    }  # fmt: skip
    assert judged(replies, Truth(wishes, {}, {})) == {"wishes": [0.0]}, "u2 wishes for nothing, and there is no key"


def test_satisfaction_is_the_share_of_the_users_own_wishes_that_an_answer_meets() -> None:
    wishes = {"u1": (Check("at_most_words", "6"), Check("no_commas")), "u2": (Check("bullets"),), "u3": ()}
    replies = [
        reply("The moon, mostly, pulls on the wide sea."),
        reply("The moon pulls the sea.", item="i2"),
        reply("Sour, no.", item="i3"),
        reply("The moon pulls.", "u2"),
        reply("The moon pulls.", "u3"),
    ]
    assert judged([*replies, reply("No", "stranger")], Truth(wishes, {}, KEYS)) == {
        "wishes": [0.0, 1.0, 0.5, 0.0], "answered": [1.0, 1.0, 0.0, 1.0], "satisfaction": [0.0, 1.0, 0.0, 0.0],
    }  # fmt: skip


def test_a_form_without_a_key_is_no_satisfaction() -> None:
    assert judged([reply("The moon.")], Truth({"u1": (Check("no_commas"),)}, {}, {})) == {"wishes": [1.0]}


def test_who_lost_half_is_told_by_user() -> None:
    def satisfied(user: str, model: Model, *found: float) -> list[EvalResult]:
        return [EvalResult("satisfaction", str(at), user, model, value) for at, value in enumerate(found)]

    rows = [*satisfied("loses", "champion", 1, 1), *satisfied("loses", "challenger", 0, 1)]
    rows += [*satisfied("keeps", "champion", 1, 0.9), *satisfied("keeps", "challenger", 0.5, 0.5)]
    found_by = {(row.user_id, row.model): row.value for row in kept_by_user(rows, 0.5)}
    assert found_by == {(user, model): 1.0 for user in ("loses", "keeps") for model in MODELS} | {
        ("loses", "challenger"): 0.0
    }
    (found,) = measure(kept_by_user(rows, 0.5))
    assert found.gain.mean == -0.5
    assert math.isnan(
        kept_by_user([*rows, *satisfied("odd", "champion", math.nan), *satisfied("odd", "challenger", 1)], 0.5)[
            -1
        ].value
    )


def test_what_is_beyond_a_control_is_its_gain() -> None:
    truth = Truth({"u1": (Check("at_most_sentences", "2"),), "u2": (Check("at_least_words", "9"),)}, {}, KEYS)
    long = "The moon pulls. So it goes. It goes on. And on."
    replies: Replies = {model: [reply(long), reply(long, "u2")] for model in MODELS}
    (found,) = measure(controls.beyond_two_sentences(replies=replies, truth=truth))
    # Cut to two sentences the champion's replies meet the first wish; the challenger's meet the second.
    assert (found.suite, found.champion.mean, found.challenger.mean) == ("beyond_two_sentences", 0.5, 0.5)
    (found,) = measure(controls.beyond_best_style(replies=replies, truth=truth))
    # What is best for the one user is nothing for the other.
    assert (found.suite, found.champion.mean, found.gain.mean) == ("beyond_best_style", 0.0, 0.5)
    nobody = Truth({"stranger": (Check("no_commas"),)}, {}, KEYS)
    assert not controls.beyond_best_style(replies=replies, truth=nobody)
    assert not controls.beyond_two_sentences(replies=replies, truth=Truth(truth.wishes, {}, {}))


def test_a_request_without_a_key_is_measured_beside_no_control() -> None:
    truth = Truth({"u1": (Check("at_most_sentences", "2"),)}, {}, KEYS)
    other = Reply("i2", "u1", Profile(), (Message("user", "And the wind?"),), "The moon pulls. On. And on.")
    replies: Replies = {model: [reply("The moon pulls. So it goes."), other] for model in MODELS}
    for control in (controls.beyond_two_sentences, controls.beyond_best_style):
        (found,) = measure(control(replies=replies, truth=truth))
        assert (found.champion.mean, found.challenger.mean, found.gain.clusters) == (1.0, 1.0, 1)


def test_persona_lift_is_own_less_anothers() -> None:
    wishes = {"u1": (Check("at_most_words", "3"),)}
    own = [reply("The moon.", item="i1/0"), reply("It is all the moon.", item="i1/1")]
    shuffled = [reply("It is the moon, and the sun.", item="i1/0"), reply("The moon.", item="i2/0")]
    (row,) = personas.lift_by_wishes(own, shuffled, wishes, "champion")
    assert (row.suite, row.item, row.value) == ("persona_lift", "i1", 0.75)
    choice = Choice("c", "u1", "abcd", "efgh")
    told = [
        personas.lift_by_choice(choice, pair, (-4.0, -4.0), "champion").value for pair in ((-2, -4), (-4, -4), (-8, -4))
    ]
    assert told == [1.0, 0.5, 0.0]
    assert math.isnan(personas.lift_by_choice(choice, (math.nan, -1.0), (-4.0, -4.0), "champion").value)


class Words:
    """Finds a request the likelier, the more of its words stand in the prompt: what a real yardstick does, in small."""

    def log_likelihood(self, batch: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        return [self.log_likelihood_of([(messages, [answer])])[0][0] for messages, answer in batch]

    def log_likelihood_of(self, batch: Sequence[tuple[Sequence[Message], Sequence[str]]]) -> list[list[float]]:
        read = [set(messages[-1].content.lower().replace(".", " ").split()) for messages, _ in batch]
        return [
            [float(len(words & set(answer.lower().split())) - 2 * len(answer.split())) for answer in answers]
            for words, (_, answers) in zip(read, batch, strict=True)
        ]


def test_the_yardstick_tells_the_request_from_the_reply() -> None:
    others = ["How do I clean an oven", "Who wrote the play", "How do bees fly south in winter"]
    asked = (Message("user", "How do sea tides work"),)
    replies = [
        Reply(f"i/{at}", "u1", Profile(), asked, text)
        for at, text in enumerate(("Tides of the sea follow the moon.", "Bees fly south.", "Keep it short.", ""))
    ]
    rows = any_reply.recognised(replies, "champion", Yardstick(Words()), lambda _: others)
    assert values(rows, "answers") == [1.0, 0.0, 0.25, 0.0]
    assert not any_reply.recognised(replies, "champion", Yardstick(Words()), lambda _: [])
    assert [one.item for one in any_reply.first_samples(replies, 2)] == ["i/0", "i/1"]


def test_both_models_are_told_from_the_same_others_and_progress_comes_to_what_is_read() -> None:
    asked = [(Message("user", f"How does {thing} work"),) for thing in ("rain", "snow", "a tide", "a clock")]
    replies = [Reply(f"{at}/{n}", "u1", Profile(), one, one[0].content) for at, one in enumerate(asked) for n in (0, 1)]
    steps: list[int] = []

    @contextmanager
    def progress(label: str, total: int) -> Iterator[Callable[[int, str], None]]:
        steps.append(-total)
        yield lambda more, note: steps.append(more)

    rows = any_reply.answers(
        replies={"champion": replies, "challenger": replies},
        reading=Reading(Yardstick(Words()), samples=1, others=2, seed=0),
        progress=progress,
    )
    assert sum(steps) == 0 and steps[0] == -8
    assert {row.value for row in rows} == {1.0} and [row.item for row in rows] == [f"{at}/0" for at in range(4)] * 2


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_preference_is_a_probability_and_antisymmetric(before: float, after: float) -> None:
    champion, challenger = preferred([reply("a")], [before], [after])
    swapped = preferred([reply("a")], [after], [before])
    assert 0 <= challenger.value <= 1
    assert champion.value + challenger.value == pytest.approx(1)
    assert swapped[1].value == pytest.approx(champion.value)
    assert (challenger.value > 0.5) <= (after > before)


def test_no_preference_is_no_gain() -> None:
    replies = [reply("a", user) for user in ("u1", "u2", "u3")]
    (found,) = measure(preferred(replies, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))
    assert (found.suite, found.gain.mean) == ("preference", 0.0)
    assert math.isnan(preferred(replies[:1], [math.nan], [1.0])[0].value)
    with pytest.raises(ValueError, match="argument 2"):
        preferred(replies, [1.0], [1.0])


def test_choices_compare_log_likelihood_per_byte() -> None:
    logged = [Choice("i1", "u1", "a longer answer", "short"), Choice("i2", "u1", "same", "twin")]
    likely: dict[Model, PairLikelihoods] = {
        "champion": [(-15.0, -10.0), (-4.0, -4.0)], "challenger": [(-45.0, -10.0), (-8.0, -4.0)],
    }  # fmt: skip
    rows = choices(chosen=Chosen(logged, likely))
    values = {(row.item, row.model): row.value for row in rows}
    # -15 for 15 bytes beats -10 for 5 bytes; the sums alone would say the opposite.
    assert values == {
        ("i1", "champion"): 1.0,
        ("i1", "challenger"): 0.0,
        ("i2", "champion"): 0.5,
        ("i2", "challenger"): 0.0,
    }
    unknown = Chosen(logged[:1], {"champion": [(math.nan, -1.0)], "challenger": [(-1.0, -1.0)]})
    assert math.isnan(choices(chosen=unknown)[0].value)


def test_the_instruction_suite_is_whole() -> None:
    assert len(INSTRUCTIONS) == 72
    assert len({each.item for each in INSTRUCTIONS}) == len({each.prompt for each in INSTRUCTIONS}) == 72
    assert len({each.check.kind for each in INSTRUCTIONS}) >= 12
    assert [item for item, _ in asked()] == [each.item for each in INSTRUCTIONS]
    assert all([message.role for message in prompt] == ["user"] for _, prompt in asked())


def test_instructions_are_checked_one_by_one() -> None:
    first = INSTRUCTIONS[0]
    kept, broken = (
        Reply("s0", first.item, Profile(), ASK, "Apple, pear and plum."),
        Reply("s1", first.item, Profile(), ASK, "a " * 30),
    )
    rows = instructions(prompted={"challenger": [kept, broken]})
    assert [(row.item, row.user_id, row.value) for row in rows] == [("s0", first.item, 1.0), ("s1", first.item, 0.0)]
    with pytest.raises(KeyError):
        instructions(prompted={"champion": [reply("x", "nobody")]})


def test_fluency_tells_language_from_loops() -> None:
    replies = [reply("The moon pulls the sea, and so it rises."), reply("the " * 80)]
    rows = any_reply.fluency(replies={"champion": replies})
    assert rows[0].value > 0.9 > 0.1 > rows[1].value
    assert {row.suite for row in rows} == {"fluency"}


class Longest:
    """A reward model that likes long answers."""

    def score(self, batch: Sequence[Scored]) -> list[float]:
        return [float(len(one.response)) for one in batch]


def said(**there: object) -> Said:
    """Both models say the same; ``there`` is what there is besides."""
    replies: Replies = {"champion": [reply("The moon.", item="i1/0")], "challenger": [reply("The sun.", item="i1/0")]}
    return Said(**{"replies": replies, "embedder": WordEmbedder(), "judge": Longest(), "progress": progress, **there})  # type: ignore[arg-type]


def test_what_is_measured_follows_from_what_is_there() -> None:
    anybody = {row.suite for row in results(said())}
    assert {"fluency", "nearness", "preference"} <= anybody and "satisfaction" not in anybody

    def besides(**there: object) -> set[str]:
        return {row.suite for row in results(said(**there))} - anybody

    users = {"wishes", "answered", "satisfaction", "kept", "beyond_two_sentences", "beyond_best_style"}
    truth = Truth({"u1": (Check("no_commas"),)}, {}, KEYS)
    replies: Replies = {model: [reply("Moon, sun.", item="i1/0")] for model in MODELS}
    assert users <= besides(truth=truth) and "persona_lift" not in besides(truth=truth)
    assert "persona_lift" in besides(truth=truth, swapped=replies)
    logged = Chosen([Choice("c", "u1", "a", "b")], {"champion": [(-1.0, -2.0)], "challenger": [(-1.0, -2.0)]})
    assert "choices" in besides(chosen=logged) and "persona_lift" not in besides(chosen=logged)
    assert "persona_lift" in besides(chosen=logged, chosen_swapped=logged)
    likely: Likelihoods = {
        model: [[-1.0] * len(texts) for _, _, texts in MEASURES["knowledge"].questions()] for model in MODELS
    }
    own: Replies = {
        model: [Reply(item, item, Profile(), prompt, "Yes.") for item, prompt in asked()] for model in MODELS
    }
    alone = besides(prompted={"instructions": own}, likely={"knowledge": likely})
    assert alone == {"instructions", "knowledge"}


def asked_of(request: str, text: str) -> Reply:
    return Reply(f"{request}/0", "u1", Profile(), (Message("user", request),), text)


def diverse(*said: tuple[str, str]) -> list[float]:
    """By reply: the value of ``diversity`` of a champion's replies to requests."""
    return values(any_reply.diversity(replies={"champion": [asked_of(*one) for one in said]}), "diversity")


def test_one_answer_for_everything_is_not_diverse() -> None:
    assert diverse(("Tides?", "The moon pulls the sea."), ("Bread?", "Yeast makes the dough rise.")) == [1.0, 1.0]
    assert diverse(("Tides?", "It depends on you."), ("Bread?", "It depends ON you!")) == [0.0, 0.0]
    # Of "it depends on", "depends on the", "on the moon" the first is in both.
    assert diverse(("Tides?", "It depends on the moon."), ("Bread?", "It depends on yeast.")) == [2 / 3, 0.5]
    assert diverse(("Tides?", ""), ("Bread?", "Yes."), ("Soap?", "yes")) == [0.0, 0.0, 0.0]


def test_replies_to_one_request_may_be_alike() -> None:
    assert diverse(("Tides?", "The moon pulls."), ("Tides?", "The moon pulls."), ("Soap?", "No.")) == [1.0, 1.0, 1.0]
    assert diverse(("Tides?", "The moon pulls."), ("Tides?", "The moon pulls.")) == [], "nothing to compare with"


def test_every_suite_of_the_list_is_measured_in_its_order_and_needs_what_is_said() -> None:
    assert list(MEASURES) == [name for name, suite in SUITES.items() if not suite.by_people]
    fields = get_type_hints(Said)
    own = {"prompted": get_args(fields["prompted"])[1], "likely": get_args(fields["likely"])[1]}
    for name, one in MEASURES.items():
        hints = get_type_hints(one.rows)
        assert hints.pop("return") == list[EvalResult] and one.rows.__doc__, name
        for need, kind in hints.items():
            there = own.get(need, fields.get(need))
            assert kind in (there, *get_args(there)), f"{name} takes {need}, which is {there}"
        assert bool(one.prompts()) == ("prompted" in one.needs), name
        assert bool(one.questions()) == ("likely" in one.needs), name


def test_a_suite_gives_rows_of_its_own_name_alone() -> None:
    def fluency(*, replies: Replies) -> list[EvalResult]:
        return [EvalResult("fluence", "i", "u", "champion", 1.0)]

    with pytest.raises(ValueError, match="the suite fluency gave a row of fluence"):
        Measure(fluency).of(said())


def test_the_gate_s_defaults_are_what_the_suites_say_of_themselves() -> None:
    gate = GateConfig()
    assert {**gate.gains, **gate.guards} == {name: one.rule for name, one in SUITES.items() if one.rule}
    roles = {**dict.fromkeys(gate.gains, "gain"), **dict.fromkeys(gate.guards, "guard")}
    assert {name: one.role for name, one in SUITES.items()} == {name: roles.get(name, "recorded") for name in SUITES}
