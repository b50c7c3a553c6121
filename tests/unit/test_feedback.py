"""The follow-up labeller: features, the head's file, decisions, keys, and what any reader would call obvious."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.collect.feedback.features import NAMES, WISH, feature_matrix, features
from rlhi.collect.feedback.fitting import NetworkConfig, calibrated
from rlhi.collect.feedback.head import AccurateLabeller, embeddings
from rlhi.collect.feedback.label import LabelledFollowUp, Labeller, decide, follow_ups, label_conversations
from rlhi.collect.feedback.network import shifted
from rlhi.collect.feedback.training import (
    SCENE_LABELS,
    TrainingConfig,
    calibrate_and_fit,
    fit,
    fit_accurate,
    own_rows,
    training_rows,
)
from rlhi.config import FeedbackConfig, ModelsConfig
from rlhi.contracts import FEEDBACK_LABELS, Conversation, Role, Turn
from rlhi.models.base import ModelError
from rlhi.models.embedder import LocalEmbedder

if TYPE_CHECKING:
    from rlhi.models.base import Vectors

CONFIG = FeedbackConfig(batch=3)


class HashEmbedder:
    """Unit vectors drawn from a text's hash: an ``Embedder`` without a model, 64 dimensions."""

    def __init__(self) -> None:
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        vectors = np.array([np.random.default_rng(_seed(text)).normal(size=64) for text in texts], dtype=np.float32)
        vectors = vectors.reshape(-1, 64)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _seed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


SMALL = TrainingConfig(NetworkConfig(members=2, hidden=6, epochs=3))


@pytest.fixture(scope="module")
def small() -> Labeller:
    rows = [LabelledFollowUp(row.context, row.label, row.group) for row in own_rows()[::3]]
    return fit(rows, feature_matrix([row.context for row in rows]), SMALL, seed=1)


@pytest.fixture(scope="module")
def embedder() -> LocalEmbedder:
    cache = Path(os.environ.get("RLHI_CACHE", Path.home() / ".cache" / "rlhi"))
    folder = Path(os.environ.get("RLHI_TEST_EMBEDDER", cache / "models" / "minilm"))
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"no sentence embedder at {folder}: `rlhi model prepare` makes it")
    return LocalEmbedder(folder)


def talk(name: str, *texts: str, first: Role = "user") -> Conversation:
    roles: tuple[Role, Role] = ("user", "assistant") if first == "user" else ("assistant", "user")
    turns = tuple(Turn(roles[at % 2], text) for at, text in enumerate(texts))
    return Conversation(name, "u", "real", None, None, "en", turns, "test")


TALKS = [
    talk("a", "Name a bird.", "A wren.", "another one", "A robin.", "Thanks!"),
    talk("b", "What is rain?", "Water that falls.", "shorter please"),
    talk("c", "Hi", "Hello!"),
    talk("d", "Write a poem.", "Roses are red.", "no commas", "Roses are red", "Write an email now."),
]


def test_features_tell_thanks_repeats_and_errors_apart() -> None:
    def found(follow_up: str) -> dict[str, float]:
        return dict(zip(NAMES, features("How do I sort a list?", "Call `sorted`.", follow_up), strict=True))

    assert found("Thanks!")["thanks"] == 1
    assert found("how do i sort a list")["equals_request"] == 1
    assert found("Traceback (most recent call last): NameError: x")["traceback"] == 1
    assert found("please make it shorter")["edit_verb_first"] == 1
    assert found("What about tuples?")["edit_verb_first"] == 0
    assert found("try again")["bare_retry"] == 1
    assert found("I tried again and it sorts")["bare_retry"] == 0


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_features_of_any_text_are_finite_and_bounded(request_text: str, answer: str, follow_up: str) -> None:
    row = feature_matrix([(request_text, answer, follow_up)])
    assert row.shape == (1, len(NAMES))
    assert np.isfinite(row).all() and np.abs(row).max() <= 10


def test_features_read_a_long_text_at_its_ends_only() -> None:
    long = "word " * 200_000
    row = dict(zip(NAMES, features("q", "a", long + "Thanks"), strict=True))
    assert row["thanks"] == 1
    assert row["log_words"] < 3


@given(st.lists(st.floats(0.001, 1), min_size=6, max_size=6), st.floats(0.05, 0.95))
def test_decision_follows_the_threshold(weights: list[float], threshold: float) -> None:
    row = np.array(weights) / sum(weights)
    label, probability = decide(row, threshold)
    reattempt = row[:2].sum()
    if abs(reattempt - threshold) > 1e-4:
        assert label.startswith("reattempt") == (reattempt > threshold)
    assert probability == pytest.approx(reattempt if label.startswith("reattempt") else row[2:].max(), abs=1e-5)


def test_a_higher_threshold_never_gives_more_reattempts(small: Labeller) -> None:
    counts = []
    for threshold in (0.1, 0.5, 0.9):
        config = FeedbackConfig(threshold=threshold)
        labels = [row.label for row in label_conversations(TALKS, small, config)]
        counts.append(sum(label.startswith("reattempt") for label in labels))
    assert counts == sorted(counts, reverse=True)


def test_a_follow_up_needs_a_request_and_an_answer_before_it(small: Labeller) -> None:
    assert [(item.conversation_id, item.turn_index) for talk in TALKS for item in follow_ups(talk, small, CONFIG)] == [
        ("a", 2), ("a", 4), ("b", 2), ("d", 2), ("d", 4),
    ]  # fmt: skip
    assert follow_ups(talk("e", "Welcome!", "hi", "How can I help?", first="assistant"), small, CONFIG) == []
    system = Conversation("s", "u", "real", None, None, None, (Turn("system", "Be kind."), *TALKS[1].turns), "test")
    assert [item.turn_index for item in follow_ups(system, small, CONFIG)] == [3]


def test_keys_change_with_head_threshold_and_text_alone(small: Labeller) -> None:
    key = follow_ups(TALKS[1], small, CONFIG)[0].key
    assert key == follow_ups(TALKS[1], small, FeedbackConfig(batch=9))[0].key
    assert key != follow_ups(TALKS[1], small, FeedbackConfig(threshold=0.6))[0].key
    assert key != follow_ups(TALKS[1], small.at(0.4), CONFIG)[0].key
    assert key != follow_ups(talk("b", "What is rain?", "Water that falls.", "longer please"), small, CONFIG)[0].key


def test_what_was_seen_is_not_labelled_again(small: Labeller) -> None:
    rows = list(label_conversations(TALKS, small, CONFIG))
    done = {row.key: row for row in rows[:3]}
    assert list(label_conversations(TALKS, small, CONFIG, done.__contains__)) == rows[3:]


def test_labels_do_not_depend_on_order_or_batch(small: Labeller) -> None:
    rows = {row.key: row for row in label_conversations(TALKS, small, CONFIG)}
    for batch in (1, 2, 64):
        found = label_conversations(TALKS[::-1], small, FeedbackConfig(batch=batch))
        assert {row.key: row for row in found} == rows


def test_a_head_survives_its_file(small: Labeller, tmp_path: Path) -> None:
    small.save(tmp_path / "head.npz")
    again = Labeller.load(tmp_path / "head.npz")
    contexts = [item.context for talk in TALKS for item in follow_ups(talk, small, CONFIG)]
    assert again.version == small.version
    np.testing.assert_array_equal(again.label_probabilities(contexts), small.label_probabilities(contexts))


def test_probabilities_sum_to_one_and_the_operating_point_moves_them(small: Labeller) -> None:
    contexts = [row.context for row in own_rows()[:20]]
    plain, eager = (head.label_probabilities(contexts) for head in (small, small.at(0.3)))
    assert plain.shape == (20, len(FEEDBACK_LABELS))
    np.testing.assert_allclose(eager.sum(axis=1), 1)
    np.testing.assert_array_equal(eager[:, :2].sum(axis=1) >= 0.5, plain[:, :2].sum(axis=1) >= 0.3)
    assert small.label_probabilities([]).shape == (0, len(FEEDBACK_LABELS))


def test_training_twice_gives_the_same_head() -> None:
    rows = [LabelledFollowUp(row.context, row.label, row.group) for row in own_rows()[::12]]
    plain = feature_matrix([row.context for row in rows])
    first, again, other = (fit(rows, plain, SMALL, seed) for seed in (3, 3, 4))
    assert first.version == again.version != other.version


def test_calibration_makes_boasting_probabilities_true() -> None:
    draw = np.random.default_rng(0)
    real = draw.uniform(0.05, 0.95, size=4000)
    truth = draw.uniform(size=4000) < real
    boast = 1 / (1 + np.exp(-2 * np.log(real / (1 - real)) - 1))  # odds squared and shifted
    raw = np.stack([boast, np.zeros(4000), 1 - boast, *np.zeros((3, 4000))], axis=1)
    slope, offset = calibrated(raw, truth)
    assert slope == pytest.approx(0.5, abs=0.06) and offset == pytest.approx(-0.5, abs=0.1)
    found = shifted(raw, slope, offset)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert np.abs(found[:, 0] - real).mean() < 0.03 < np.abs(boast - real).mean()


def _mixed() -> list[LabelledFollowUp]:
    own = own_rows()[::6]
    people = [LabelledFollowUp(row.context, row.label, f"talk {at // 2}") for at, row in enumerate(own)]
    reader = [LabelledFollowUp(("Q", "A", f"said {at}"), "other", f"talk {at}", kind="reader") for at in range(20)]
    return [*people, *reader, *own[:20]]


def test_nothing_of_a_held_out_conversation_is_trained_on_whoever_labelled_it() -> None:
    rows = _mixed()
    rows.append(LabelledFollowUp(rows[0].context, "other", "another talk", kind="reader"))
    held, kept = np.arange(4), np.arange(4, 100)
    chosen = training_rows(rows, kept, held)
    assert {rows[at].group for at in chosen if rows[at].kind != "own"}.isdisjoint({rows[at].group for at in held})
    assert len(rows) - 1 not in chosen, "a copy under another conversation's name"
    assert sum(rows[at].kind == "reader" for at in chosen) == 18 and sum(rows[at].kind == "own" for at in chosen) == 20


def test_a_head_is_calibrated_inside_its_rows() -> None:
    rows = _mixed()
    plain = feature_matrix([row.context for row in rows])
    heads = calibrate_and_fit(rows, plain, None, SMALL, seed=0)
    assert heads.accurate is None
    assert heads.default.arrays["calibration"].tolist() != [1, 0]


def test_the_slower_tier_embeds_what_is_unclear_and_nothing_else(small: Labeller) -> None:
    rows = [replace(row, kind="people") for row in own_rows()[::9]]
    contexts = [row.context for row in rows]
    counting = HashEmbedder()
    plain, embedded = feature_matrix(contexts), embeddings(contexts, HashEmbedder())
    arrays = fit_accurate(rows, plain, embedded, SMALL, seed=0)
    arrays |= {"calibration": np.array([1, 0]), "operating_point": np.array([0.5]), "band": np.array([0.3, 0.6])}
    slower = AccurateLabeller(arrays, small, counting)
    found, default = slower.label_probabilities(contexts), small.label_probabilities(contexts)
    unclear = slower.unclear(default)
    assert 0 < unclear.sum() < len(rows) and counting.texts == 2 * unclear.sum()
    np.testing.assert_array_equal(found[~unclear], default[~unclear])
    assert (found[unclear] != default[unclear]).any() and slower.version != small.version
    np.testing.assert_allclose(found.sum(axis=1), 1)
    with pytest.raises(ModelError, match="embedder"):
        AccurateLabeller(arrays, small).label_probabilities(contexts)


def test_a_wish_about_form_is_read_in_short_messages_that_have_a_cue() -> None:
    def told(follow_up: str) -> float:
        return dict(zip(NAMES, features("Name a bird.", "A wren.", follow_up), strict=True))["tells_a_wish"]

    assert told("Please answer in at most 30 words.") == 1
    assert told("What does a wren eat?") == told("Please answer in at most 30 words. " + "x" * WISH) == 0


def test_no_own_sentence_is_one_of_the_simulators() -> None:
    import rlhi.simulate

    folder = Path(rlhi.simulate.__file__).parent
    said = {_words(text) for file in folder.glob("*.py") for text in re.findall(r'"([^"\n]{6,})"', file.read_text())}
    assert len(said) > 200
    longer = [
        row.context[2] for row in own_rows() if len(row.context[2].split()) > 3
    ]  # "no commas please" is anybody's
    assert not [text for text in longer if _words(text) in said]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9']+", text.lower()))


def test_scenes_bring_their_own_complaints_and_thanks() -> None:
    labels = {row.label for row in own_rows()}
    assert set(SCENE_LABELS.values()) <= labels
    assert all(row.kind == "own" for row in own_rows())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an archive", b"\x00\x01binary"])
def test_a_broken_head_is_one_clear_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "head.npz").write_bytes(content)
    with pytest.raises(ModelError, match=r"rlhi bench feedback --train"):
        Labeller.load(tmp_path / "head.npz")


def test_a_missing_embedder_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rlhi model prepare"):
        LocalEmbedder(tmp_path / "nowhere")


def test_vectors_are_unit_and_the_same_in_any_batch(embedder: LocalEmbedder) -> None:
    texts = ["shorter", "make it short", "", "a long text " * 300, "shorter", "Ünïcode \U0001f600"]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)
    assert together[0] @ together[1] > 0.5 > together[0] @ together[3]
    assert embedder.embed([]).shape == (0, embedder.dimensions)


REQUEST = ("Explain how bread is made.", "Bread is made from flour, water, yeast and salt. You knead, wait and bake.")


@pytest.mark.parametrize(
    ("follow_up", "label"),
    [
        ("Thanks, that worked!", "positive_feedback"),
        ("Wonderful, this is what I needed.", "positive_feedback"),
        ("make it shorter", "reattempt_with_feedback"),
        ("Write that in Swedish instead.", "reattempt_with_feedback"),
        ("Way too wordy. Two sentences at most.", "reattempt_with_feedback"),
        ("Please don't use any bullet points!", "reattempt_with_feedback"),
        ("try again", "reattempt_without_feedback"),
        ("Explain how bread is made.", "reattempt_without_feedback"),
        ("What is the capital of Peru?", None),
        ("Why does the dough have to rest?", None),
    ],
)
def test_the_shipped_head_knows_the_obvious(follow_up: str, label: str | None) -> None:
    row = Labeller.load().label_probabilities([(*REQUEST, follow_up)])[0]
    found = decide(row, FeedbackConfig().threshold)[0]
    assert found == label if label else not found.startswith("reattempt")


def test_the_shipped_head_labels_alike_in_any_order() -> None:
    head = Labeller.load()
    rows = {row.key: row for row in label_conversations(TALKS, head, CONFIG)}
    found = label_conversations(TALKS[::-1], head, FeedbackConfig(batch=1))
    assert {row.key: row for row in found} == rows


@pytest.mark.parametrize(
    "follow_up", ["gracias", "merci !", "Danke!", "\u8c22\u8c22", "\u0441\u043f\u0430\u0441\u0438\u0431\u043e"]
)
def test_thanks_in_other_languages_are_a_cue(follow_up: str) -> None:
    assert dict(zip(NAMES, features("Name a bird.", "A wren.", follow_up), strict=True))["thanks"] == 1


@pytest.mark.parametrize("follow_up", ["plus court", "k\u00fcrzer bitte", "\u4e0d\u5bf9", "m\u00e1s corto"])
def test_wishes_in_other_languages_are_a_cue(follow_up: str) -> None:
    row = dict(zip(NAMES, features("Name a bird.", "A wren.", follow_up), strict=True))
    assert row["other_tongue_changes"] == 1 and row["other_tongue_again"] == 0


def test_the_slower_labeller_is_shipped_too(embedder: LocalEmbedder) -> None:
    labeller = AccurateLabeller.load(embedder)
    contexts = [(*REQUEST, "make it shorter"), (*REQUEST, "Thanks, that worked!"), (*REQUEST, "And what of rye?")]
    found = [decide(row, 0.5)[0] for row in labeller.label_probabilities(contexts)]
    assert found[:2] == ["reattempt_with_feedback", "positive_feedback"] and not found[2].startswith("reattempt")


def test_the_default_labels_a_file_without_any_model_and_accurate_asks_for_the_embedder(tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text(json.dumps({"context": [*REQUEST, "make it shorter"]}) + "\n", encoding="utf-8")

    def label(*more: str) -> subprocess.CompletedProcess[str]:
        """On a machine whose cache of models is empty."""
        words = [sys.executable, "-c", "from rlhi.cli.app import main; main()", "label", str(rows), str(out), *more]
        empty = {**os.environ, "RLHI_CACHE": str(tmp_path / "cache")}
        return subprocess.run(words, env=empty, capture_output=True, text=True, check=False)

    assert label().returncode == 0
    assert json.loads(out.read_text(encoding="utf-8"))["label"] == "reattempt_with_feedback"
    refused = label("--labeller", "accurate")
    assert refused.returncode != 0 and "rlhi model prepare" in refused.stderr and "Traceback" not in refused.stderr


@pytest.mark.parametrize(("name", "kind"), [("local", Labeller), ("accurate", AccurateLabeller)])
def test_the_stage_takes_the_labeller_that_the_parameters_name(
    name: Literal["local", "accurate"], kind: type, embedder: LocalEmbedder
) -> None:
    from rlhi.stages.collect.feedback import follow_up_labeller

    assert type(follow_up_labeller(FeedbackConfig(labeller=name), ModelsConfig())) is kind


def _data() -> Path:
    data = Path(os.environ.get("RLHI_DATA", "../shared/data"))
    if not (data / "followup_labels.jsonl.gz").is_file():
        pytest.skip(f"no labelled follow-ups at {data}: set RLHI_DATA")
    return data


def test_real_follow_ups_are_read_as_the_benchmark_reads_them() -> None:
    from rlhi.bench.feedback_data import classes_of, people_rows
    from rlhi.bench.label_quality import quality

    data = _data()
    rows = people_rows(data)
    with gzip.open(data / "followup_labels.jsonl.gz") as file:
        assert len(rows) == sum(1 for _ in file)
    truth = classes_of(rows)
    perfect = quality(truth, truth, [row.group for row in rows], resamples=20)
    assert (perfect.f1, perfect.macro, perfect.f1_interval) == (1, 1, (1, 1))
    never = quality(truth, np.full_like(truth, 3), [row.group for row in rows], resamples=20)
    assert never.f1 == 0 and never.macro < 0.25


def test_the_reader_labelled_real_follow_ups_and_none_of_the_measured_ones() -> None:
    from rlhi.bench.feedback_data import people_rows, reader_keys, reader_rows

    data = _data()
    with gzip.open(data / "followup_labels.jsonl.gz", "rt", encoding="utf-8") as file:
        measured = {(row["conversation_id"], row["turn_index"]) for row in map(json.loads, file)}
    rows = reader_rows(data)
    assert len(measured) == len(people_rows(data)) and len(rows) == len(reader_keys()) > 2000
    assert measured.isdisjoint(reader_keys())
    assert all(row.kind == "reader" and row.context[2] is not None for row in rows)
