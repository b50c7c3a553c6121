"""May a model teach? Shares of outputs that answer, end and are language; and what is said of one that may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rlhi.checks.form import words
from rlhi.config import CompetenceConfig, SamplingConfig
from rlhi.contracts import Sample
from rlhi.learn.pairs.competence import Competence, Said, answers, in_language, measure
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.learn.pairs.sampling import sample
from rlhi.models.scripted import ScriptedChatModel

if TYPE_CHECKING:
    from rlhi.models.base import Vectors

REQUEST = "How do I keep my basil alive on the window sill in winter?"
LOGGED = "Water the basil twice a week and give the basil light."
GOOD = Said(
    REQUEST, LOGGED, "You are a helpful assistant.", "Keep my basil alive with light on the window sill.", False
)
LOOP = replace(GOOD, text="sill sill sill sill sill sill sill sill", cut=True)
AWAY = replace(GOOD, text="The committee of the museum meets every second Thursday in autumn.")
FRENCH = replace(GOOD, text="Il faut arroser le basilic deux fois par semaine et lui donner beaucoup de lumière.")


class Words:
    """An embedder: texts are near where they share words."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A place for every word, folded to 512."""
        made = np.zeros((len(texts), 512), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in words(text.lower()):
                made[at, sum(map(ord, word)) * 31 % 512] = 1
            made[at] /= max(1.0, float(np.linalg.norm(made[at])))
        return made


def test_shares_are_of_all_outputs() -> None:
    found = measure([GOOD, LOOP, AWAY, FRENCH], Words())
    assert found == Competence(4, 0.25, 0.75, 0.5)
    assert measure([], Words()) == Competence(0, 0.0, 0.0, 0.0)


def test_an_answer_is_near_what_was_asked_or_what_was_answered() -> None:
    follow_up = replace(GOOD, request="And then?", text="Give the basil light and water the basil.")
    assert answers([follow_up, replace(follow_up, logged="No.")], Words()) == [True, False]


def test_a_rewrite_that_speaks_of_being_one_is_no_answer() -> None:
    meta = replace(GOOD, text=f"The original answer was wrong, in my previous answer I said so. {GOOD.text}")
    aside = replace(GOOD, text=f"I apologize for the confusion. {GOOD.text}")
    asked = [replace(one, complaint="Too long, shorter please.") for one in (GOOD, meta, aside)]
    assert answers([*asked, meta], Words()) == [True, False, True, True], "only what has a complaint is a rewrite"


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        (GOOD, True),
        (LOOP, False),
        (FRENCH, False),
        (replace(FRENCH, told="About this user: Answer in French."), True),
        (replace(FRENCH, request="Comment garder mon basilic en vie sur la fenêtre en hiver ?"), True),
        (replace(GOOD, request="如何让罗勒在冬天活下去？" * 8), True),  # nobody tells such languages apart here
        (replace(GOOD, text="def fib(n): return n if n < 2"), True),
    ],
)
def test_language_is_the_request_s_unless_another_was_asked_for(said: Said, fine: bool) -> None:
    assert in_language(said) is fine


def test_what_is_missing_is_told_with_figures_and_limits() -> None:
    poor, limits = Competence(96, 0.21, 0.4, 0.75), CompetenceConfig(answers=0.5, ended=0.5, language=0.5)
    assert poor.wanting(limits) == "21% of 96 outputs answer (50% needed), 40% end (50% needed)"
    assert Competence(96, 0.5, 0.5, 0.5).wanting(limits) == ""
    assert poor.wanting(CompetenceConfig(answers=0, ended=0, language=0)) == ""
    assert Competence(0, 0.0, 0.0, 0.0).wanting(limits) == "", "who said nothing is not judged"


def test_sampling_stops_when_it_is_enough() -> None:
    asked = [SampleRequest(f"{at}", "c", "u", 1, ()) for at in range(10)]
    blocks: list[list[Sample]] = []
    config = SamplingConfig(batch=4)
    model = ScriptedChatModel(["One.", "Two."])
    sample(asked, model, 2, config, 0, 1, blocks.append, enough=lambda: len(blocks) == 2)
    whole: list[list[Sample]] = []
    sample(asked, model, 2, config, 0, 1, whole.append)
    assert [len(block) for block in blocks] == [2, 2] and blocks == whole[:2] and len(whole) == 5
