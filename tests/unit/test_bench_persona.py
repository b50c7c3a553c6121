"""The benchmark of personas measures what it says, and a null result is called one."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rlhi.bench.feedback import NEEDED as FEEDBACK
from rlhi.bench.persona import _true_labels, _world, heard, recovery
from rlhi.bench.persona_data import NEEDED as PERSONA
from rlhi.bench.persona_data import choices, histories_of, people, ratings, read_labels
from rlhi.bench.persona_real import Holding, Prediction, RealPersonas, verdict
from rlhi.checks.form import Check
from rlhi.cli.app import app
from rlhi.contracts import FeedbackTurn, Interval
from tests.support.personas import told


@pytest.mark.parametrize(
    ("check", "claim", "spoken", "exact"),
    [
        ("at_most_words:40", "Keep answers to at most 40 words.", True, True),
        ("at_most_words:40", "Keep answers to at most 60 words.", True, False),
        ("at_most_words:40", "Keep answers short.", True, False),
        ("language:fr", "Answer in French.", True, True),
        ("language:fr", "Answer in German.", True, False),
        ("bullets", "Use bullet points.", True, True),
        ("bullets", "Do not use commas.", False, False),
    ],
)
def test_a_claim_speaks_of_a_wish(check: str, claim: str, spoken: bool, exact: bool) -> None:
    assert heard(Check.parse(check), told(claim).check) == (spoken, exact)


def test_wishes_are_recovered_from_true_labels_and_none_without() -> None:
    world = _world(30, 0)
    found = recovery(*world, _true_labels(world[1]), "true labels")
    assert found.recall.mean > 0.6 and found.precision.mean > 0.6, "plain complaints are read"
    assert found.recall.mean > found.baseline[1].mean, "better than to tell everybody the same"
    assert found.exact.mean <= found.recall.mean
    assert sum(wishes for wishes, *_ in found.kinds.values()) == found.recall.items
    with pytest.raises(ValueError):
        recovery(*world, [], "no labels")


def test_a_wrong_label_costs_precision_or_recall() -> None:
    world = _world(30, 0)
    truth = _true_labels(world[1])
    silent = [row for at, row in enumerate(truth) if at % 2]
    assert recovery(*world, silent, "half").recall.mean < recovery(*world, truth, "all").recall.mean


def test_a_null_result_is_called_one() -> None:
    def between(low: float, high: float) -> Interval:
        return Interval((low + high) / 2, low, high, 9, 90)

    share = between(0.5, 0.7)
    told = Prediction("choices", share, share, share, share, between(-0.1, 0.1), between(0.01, 0.2))
    lines = verdict(RealPersonas(9, 5, 1, (told,), (Holding("topic", share, share, between(-0.3, -0.1)),)))
    assert [line for line in lines if "own less none" in line][0].endswith(
        "no difference shown, the interval includes 0"
    )
    assert [line for line in lines if "another user's +" in line][0].endswith(": better")
    assert lines[-1].endswith(": worse")


def test_real_choices_and_ratings_are_read(real_data: Path) -> None:
    rows = people(real_data)
    assert {row.user_id_kind for row in rows} == {"real"}
    histories = histories_of(rows, read_labels(rows))
    picked, rated = list(choices(real_data)), list(ratings(real_data, rows))
    assert len(picked) > 400 and len(rated) > 100
    assert all(one.better.response != one.worse.response for one in picked)
    assert {one.user_id for one in rated} <= set(histories)
    assert all(isinstance(label, FeedbackTurn) for one in histories.values() for label in one.feedback)


@pytest.mark.parametrize("words", ["feedback", "feedback --train", "persona --quick", "reward --quick"])
def test_without_the_data_the_remedy_is_told_before_anything_is_loaded(words: str, tmp_path: Path) -> None:
    nowhere = {"RLHI_DATA": str(tmp_path), "RLHI_CACHE": str(tmp_path), "RLHI_TEST_EMBEDDER": str(tmp_path)}
    needed = FEEDBACK if "feedback" in words else PERSONA
    for missing in needed:
        done = CliRunner().invoke(app, ["bench", *words.split()], env=nowhere)
        assert str(done.exception) == f"{tmp_path} holds no {missing}: set RLHI_DATA to the folder with the data"
        (tmp_path / missing).touch()
    assert "run `rlhi model prepare`" in str(CliRunner().invoke(app, ["bench", *words.split()], env=nowhere).exception)
