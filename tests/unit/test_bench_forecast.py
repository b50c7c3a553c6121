"""The bench of the forecast: its models are as good as they are said to be, and its figures tell good from bad."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rlhi.bench.forecast import CHALLENGERS, CHAMPION, Foreseen, figures
from rlhi.bench.forecast_world import Quality, QualityModel, make_world
from rlhi.checks.answers import answers
from rlhi.checks.form import Check, satisfies
from rlhi.contracts import Message
from rlhi.contracts.foreseen import Forecast, ForecastScore
from rlhi.models.base import Sampling
from rlhi.models.prompts import DEFAULT
from rlhi.simulate.requests import requests_of


def said(quality: Quality, persona: str = "") -> list[tuple[str, str]]:
    """Requests with a model's replies."""
    requests = requests_of("style").evaluation
    prompts = [DEFAULT.told([Message("user", one)], persona) for one in requests]
    texts = QualityModel("m", quality).chat(prompts, Sampling(n=2))
    return [(one, str(text)) for one, both in zip(requests, texts, strict=True) for text in both]


def test_a_model_answers_as_often_as_it_is_said_to() -> None:
    keys = requests_of("style").keys

    def share(quality: Quality) -> float:
        found = [answers(keys[request], request, text) for request, text in said(quality)]
        return sum(found) / len(found)

    assert share(Quality(answers=1.0)) > 0.85 and share(Quality(answers=0.0)) < 0.1
    assert share(Quality(nothing=1.0)) == 0


def test_a_model_heeds_as_often_as_it_is_said_to() -> None:
    def share(quality: Quality) -> float:
        found = [satisfies(Check("bullets"), text) for _, text in said(quality, "Use bullet points.")]
        return sum(found) / len(found)

    assert share(Quality(heeds=1.0)) > 0.8 and share(Quality(heeds=0.0, listed=0.0)) < 0.1


def test_a_world_is_the_same_twice_and_its_third_night_hangs_on_who_serves() -> None:
    champion = QualityModel("c", CHAMPION)
    world, again = (make_world(champion, 12, 0) for _ in range(2))
    assert world.last == again.last and world.personas == again.personas and any(world.personas.values())

    def complaints(quality: Quality) -> float:
        labels = [row.label.startswith("reattempt") for row in world.night(QualityModel("m", quality)).labels]
        return sum(labels) / len(labels)

    assert complaints(CHALLENGERS["heeds personas mostly"]) < complaints(CHALLENGERS["nothing but debris"]) - 0.15
    replies = world.replies(champion, champion)
    sides = [[one.text for one in replies if one.model == side] for side in ("champion", "challenger")]
    assert sides[0] == sides[1] != []


def test_figures_leave_out_what_was_not_foreseen_and_count_it() -> None:
    made = Forecast(2, "m", True, share=0.4, last=0.5)
    score = ForecastScore(3, 2, "m", 0.4, 0.4, 100, 0.3, 0.5, True, 1.0, 1.25, True, "model")
    good = Foreseen("good", 0, made, 0.4, score, True)
    bad = replace(good, seed=1, scored=replace(score, hit=False, ratio=2.0, right=False), shown=False)
    none = replace(good, made=replace(made, why_none="unlike"), scored=None)
    by_name = {str(row["name"]): row for row in figures([good, bad, none])}
    assert by_name["forecast_error"]["ours"] == 1.5 and by_name["forecast_error"]["runs"] == [1.0, 2.0]
    assert by_name["forecast_error_shown"]["ours"] == 1.0 and by_name["forecast_error"]["baseline"] == 1.25
    assert (by_name["forecast_direction"]["ours"], by_name["forecast_hits"]["ours"]) == (0.5, 0.5)
    assert by_name["forecast_none"]["ours"] == 1 and by_name["forecast_none"]["forecasts"] == 3
    assert good.score == score
    with pytest.raises(AssertionError):
        _ = none.score
