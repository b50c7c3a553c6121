"""Short questions with one right answer: sound as data, and a model that forgets scores less."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from rlhi.contracts import EvalResult, Message
from rlhi.evaluate.said import Model
from rlhi.evaluate.statistics import measure
from rlhi.evaluate.suites.knowledge import Question, asked, knowledge, questions


@dataclass(slots=True)
class Reader:
    """A ``LikelihoodModel`` whose nats for an answer's byte are a function of question and answer."""

    per_byte: Callable[[str, str], float]

    def log_likelihood(self, batch: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        return [self.log_likelihood_of([(messages, [answer])])[0][0] for messages, answer in batch]

    def log_likelihood_of(self, batch: Sequence[tuple[Sequence[Message], Sequence[str]]]) -> list[list[float]]:
        return [
            [self.per_byte(messages[-1].content, answer) * len(answer.encode()) for answer in answers]
            for messages, answers in batch
        ]


RIGHT = {each.question: each.answers[0] for each in questions()}


def knows(but: frozenset[str] = frozenset()) -> Reader:
    """It finds the right answer likelier than the others, except to ``but``."""

    def per_byte(asked: str, answer: str) -> float:
        known = asked not in but and answer == RIGHT[asked]
        return -2.0 if known else -3.0 - len(answer) / 99

    return Reader(per_byte)


def told(reader: Reader, model: Model = "champion") -> list[EvalResult]:
    """The suite's rows of a model, asked as the evaluation asks it."""
    return knowledge(likely={model: reader.log_likelihood_of([one[1:] for one in asked()])})


def right(reader: Reader) -> float:
    rows = told(reader)
    return sum(row.value for row in rows) / len(rows)


def groups() -> list[tuple[Question, ...]]:
    """Questions that share their answers."""
    found: dict[frozenset[str], list[Question]] = {}
    for each in questions():
        found.setdefault(frozenset(each.answers), []).append(each)
    return [tuple(group) for group in found.values()]


def test_who_knows_all_has_all_and_a_longer_answer_is_not_punished() -> None:
    rows = told(knows(), "challenger")
    assert {(row.suite, row.model, row.value) for row in rows} == {("knowledge", "challenger", 1.0)}
    assert [row.user_id for row in rows] == [row.item for row in rows] == [item for item, _, _ in asked()]


def test_who_forgets_a_topic_scores_less_and_the_guard_sees_it() -> None:
    lost = frozenset(each.question for each in questions() if each.topic == "geography")
    before, after = told(knows()), told(knows(but=lost), "challenger")
    assert {row.item for row in after if row.value < 1} <= {q.item for q in questions() if q.question in lost}
    (found,) = measure([*before, *after])
    assert found.suite == "knowledge" and found.gain.clusters == len(questions())
    # Of what it forgot, one answer of each group is the shortest and so the likeliest: chance.
    assert -len(lost) / len(questions()) < found.gain.mean < -0.5 * len(lost) / len(questions())


@pytest.mark.parametrize(
    "blind",
    [
        lambda asked, answer: float(len(answer.encode())),
        lambda asked, answer: -float(len(answer.encode())),
        lambda asked, answer: float(hash(answer) % 1009),
        lambda asked, answer: -1.0,
    ],
    ids=["longest", "shortest", "a liking of its own", "all alike"],
)
def test_without_the_question_it_is_chance_exactly(blind: Callable[[str, str], float]) -> None:
    chance = sum(1 / len(each.answers) for each in questions()) / len(questions())
    assert right(Reader(blind)) == pytest.approx(chance)


def test_likelihood_is_for_each_byte_ties_are_shared_and_what_is_no_number_stays_so() -> None:
    nats = [tuple(-float(len(answer.encode())) for answer in each.answers) for each in questions()]
    assert {row.value for row in knowledge(likely={"champion": nats})} == {
        1 / len(each.answers) for each in questions()
    }
    nats[0] = (*nats[0][:-1], math.nan)
    first, second, *_ = knowledge(likely={"champion": nats})
    assert math.isnan(first.value) and second.value == 1 / len(questions()[1].answers)
    with pytest.raises(ValueError):
        knowledge(likely={"champion": nats[1:]})
    with pytest.raises(ValueError):
        knowledge(likely={"champion": [nats[0][1:], *nats[1:]]})


def test_the_questions_are_sound_as_data() -> None:
    assert len(questions()) >= 140
    for values in ([each.item for each in questions()], [each.question for each in questions()]):
        assert [value for value, times in Counter(values).items() if times > 1] == []
    for each in questions():
        assert each.right not in each.wrong and len(set(each.wrong)) == len(each.wrong) in (2, 3), each.item
        assert not any(answer.endswith((".", " ")) for answer in (each.right, *each.wrong)), each.item
        assert each.question.isprintable() and each.question.endswith("?"), each.item
        lengths = [len(answer.encode()) for answer in each.answers]
        assert max(lengths) <= 1.75 * min(lengths), f"{each.item}: answers of unlike length"


def test_each_answer_of_a_group_is_right_once() -> None:
    for group in groups():
        assert sorted(each.right for each in group) == sorted({group[0].right, *group[0].wrong}), group[0].item


def test_topics_are_many_and_none_is_most() -> None:
    shares = Counter(each.topic for each in questions())
    assert len(shares) >= 6 and max(shares.values()) < len(questions()) / 3 and min(shares.values()) >= 8
